// The C entry points around the predictor with hostile arguments: streams, budgets, caches and pools, configuration,
// evaluation and calibration.
#include <cmath>
#include <iterator>
#include <limits>

#include "capi_fuzz.hpp"
#include "tiny_models.hpp"

namespace {

using namespace liveness::test;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Fixture {
  liveness_model_t* pad = nullptr;
  liveness_model_t* detector = nullptr;
  liveness_result_t* result = nullptr;
  liveness_update_t* update = nullptr;
  liveness_monitor_t* monitor = nullptr;
  Scene scene;

  Fixture() {
    const auto pad_bytes = liveness::write_package(tiny_pad_package({}));
    const auto detector_bytes = liveness::write_package(tiny_detector_package());
    require(told(liveness_model_load_memory(pad_bytes.data(), pad_bytes.size(), nullptr, &pad)) == 0);
    require(told(liveness_model_load_memory(detector_bytes.data(), detector_bytes.size(), nullptr, &detector)) == 0);
    require(told(liveness_result_create(&result)) == 0);
    require(told(liveness_update_create(&update)) == 0);
    require(told(liveness_monitor_create(&monitor)) == 0);
    scene.face(1, 1, 190);
  }
};

Fixture& fixture() {
  static Fixture* f = new Fixture;  // for the life of the process
  return *f;
}

// Mostly a time a frame later, sometimes any.
double next_time(Bytes& in, double last) {
  const auto kind = in.take<std::uint8_t>();
  if (kind < 8) return in.take<double>();
  return last + (kind < 24 ? static_cast<double>(in.take<std::uint16_t>()) / 256 : 1.0 / 30);
}

// Text of any size by "ask the size, then fill".
template <class Call>
void read_text(Bytes& in, const Call& call) {
  std::vector<char> text(in.take<std::uint8_t>() < 128 ? 4096 : in.take<std::uint8_t>(), 'x');
  std::size_t size = 77;
  const liveness_status_t status = told(call(text.empty() ? nullptr : text.data(), text.size(), &size));
  if (status == LIVENESS_STATUS_OK)
    require(text.empty() ? size > 0 : size <= text.size() && text[size - 1] == '\0');
  else
    require(size == 77);
}

void change_tracking(Bytes& in, liveness_tracker_options_t& o) {
  o.method = in.number(2);
  if (in.take<std::uint8_t>() < 64) o.detect_every = in.number(300);
  if (in.take<std::uint8_t>() < 32) o.window = static_cast<std::int32_t>(static_cast<std::uint32_t>(in.number(20)) * 8);
  if (in.take<std::uint8_t>() < 32) o.window_scale = in.coordinate();
  if (in.take<std::uint8_t>() < 32) o.quality_floor = in.coordinate();
  if (in.take<std::uint8_t>() < 32) o.confirm_within = in.number(30);
  if (in.take<std::uint8_t>() < 128) o.birth = in.number(3);
  if (in.take<std::uint8_t>() < 32) o.death = in.number(30);
  if (in.take<std::uint8_t>() < 32) o.max_faces = in.number(33);
  if (in.take<std::uint8_t>() < 32) o.min_face = in.coordinate();
  if (in.take<std::uint8_t>() < 32) o.match_iou = in.coordinate();
  if (in.take<std::uint8_t>() < 32) o.same_face = in.coordinate();
  if (in.take<std::uint8_t>() < 32) o.same_scene = in.coordinate();
  if (in.take<std::uint8_t>() < 32) o.max_gap = in.coordinate();
  if (in.take<std::uint8_t>() < 32) o.noise_measurement = in.coordinate();
  if (in.take<std::uint8_t>() < 32) o.noise_acceleration = in.coordinate();
}

void check_track(const liveness_track_t& t) {
  require(t.score >= 0 && t.score <= 1 && t.confidence >= 0 && t.confidence <= 1 && t.quality >= 0 && t.quality <= 1);
  require(t.verdict != LIVENESS_VERDICT_LIVE || t.scores > 0);
  require(std::isfinite(t.box.width) && std::isfinite(t.evidence));
}

// The next picture of a stream: mostly the scene, a little other every time, sometimes anything.
template <class Call>
void with_picture(Bytes& in, const Call& call) {
  if (in.take<std::uint8_t>() < 64) {
    const Picture picture(in);
    call(&picture.image);
    return;
  }
  Fixture& f = fixture();
  f.scene.pixels[in.take<std::uint16_t>()] ^= 1;
  const liveness::ImageView view = f.scene.view();
  liveness_image_t image;
  liveness_image_init(&image, sizeof image, view.data, view.width, view.height, LIVENESS_PIXEL_FORMAT_BGR);
  call(&image);
}

void track(Bytes& in) {
  liveness_tracker_options_t o;
  liveness_tracker_options_init(&o, sizeof o);
  o.method = LIVENESS_TRACK_METHOD_NONE;
  if (in.take<std::uint8_t>() < 128) change_tracking(in, o);
  const Sized options(o, in);
  liveness_tracker_t* tracker = nullptr;
  if (told(liveness_tracker_create(fixture().detector, options.get(), &tracker)) != LIVENESS_STATUS_OK) {
    require(tracker == nullptr);
    return;
  }
  double seconds = 0;
  for (int i = 0; i < 12 && !in.empty(); ++i) {
    seconds = next_time(in, seconds);
    liveness_track_t empty;
    liveness_track_init(&empty, sizeof empty);
    const Sized first(empty, in);
    const Sized second(empty, in);
    liveness_track_t* tracks[2] = {first.get(), second.get()};
    const std::size_t capacity = in.take<std::uint8_t>() % 3;
    std::size_t count = 77;
    with_picture(in, [&](const liveness_image_t* image) {
      if (told(liveness_tracker_update(tracker, image, seconds, tracks, capacity, &count)) == LIVENESS_STATUS_OK)
        require(count <= capacity);
      else
        require(count == 77);
    });
    if (!std::isfinite(seconds)) seconds = 0;
  }
  liveness_tracker_destroy(tracker);
}

void read_update(Bytes& in, const liveness_update_t* update) {
  liveness_update_summary_t summary;
  liveness_update_summary_init(&summary, sizeof summary);
  if (told(liveness_update_summary(update, &summary)) != LIVENESS_STATUS_OK) return;
  for (std::uint32_t i = 0; i <= summary.track_count; ++i) {
    liveness_track_t t;
    liveness_track_init(&t, sizeof t);
    const liveness_status_t status = told(liveness_update_track(update, i, &t));
    require((status == LIVENESS_STATUS_OK) == (i < summary.track_count));
    if (status == LIVENESS_STATUS_OK) check_track(t);
  }
  for (std::uint32_t i = 0; i <= summary.event_count; ++i) {
    liveness_event_t e;
    liveness_event_init(&e, sizeof e);
    const Sized event(e, in);
    const liveness_status_t status = told(liveness_update_event(update, i, event.get()));
    if (i == summary.event_count) require(status != LIVENESS_STATUS_OK);
    if (i < summary.event_count)
      read_text(in, [&](char* text, std::size_t capacity, std::size_t* size) {
        return liveness_update_event_text(update, i, text, capacity, size);
      });
  }
}

void ignore_update(void* context, const liveness_update_t* update) {
  liveness_update_summary_t summary;
  liveness_update_summary_init(&summary, sizeof summary);
  require(liveness_update_summary(update, &summary) == LIVENESS_STATUS_OK);
  ++*static_cast<int*>(context);
}

void verify(Bytes& in) {
  Fixture& f = fixture();
  liveness_tracker_options_t tracking;
  liveness_tracker_options_init(&tracking, sizeof tracking);
  tracking.method = LIVENESS_TRACK_METHOD_NONE;
  tracking.birth = 1;
  if (in.take<std::uint8_t>() < 64) change_tracking(in, tracking);
  liveness_predictor_options_t scoring;
  liveness_predictor_options_init(&scoring, sizeof scoring);
  liveness_quality_limits_t limits;
  liveness_quality_limits_init(&limits, sizeof limits);
  limits.min_sharpness = limits.min_luminance = 0;
  scoring.limits = &limits;
  liveness_augmentation_t augmentation;
  liveness_augmentation_init(&augmentation, sizeof augmentation);
  if (in.take<std::uint8_t>() < 32) {
    augmentation.crops = in.number(27);
    augmentation.flip = in.number(1);
    augmentation.brightness = in.coordinate();
    augmentation.settled = in.coordinate();
    scoring.augmentation = &augmentation;
  }
  if (in.take<std::uint8_t>() < 16) scoring.threshold = in.coordinate();
  liveness_pace_t pace;
  liveness_pace_init(&pace, sizeof pace);
  pace.score_every = 1;
  if (in.take<std::uint8_t>() < 64) pace.score_every = in.number(5);
  if (in.take<std::uint8_t>() < 32) pace.detect_every = in.number(301);
  if (in.take<std::uint8_t>() < 32) pace.skip = in.number(31);
  liveness_verifier_options_t o;
  liveness_verifier_options_init(&o, sizeof o);
  o.scoring = &scoring;
  o.tracking = &tracking;
  o.pace = &pace;
  o.all_faces = in.number(1);
  o.early_exit = in.number(1);
  o.adaptive = in.number(1);
  o.cues = in.number(1);
  if (in.take<std::uint8_t>() < 32) o.rescore_every = in.number(3000);
  float* const numbers[] = {&o.changed_face,
                            &o.apcer,
                            &o.bpcer,
                            &o.gain,
                            &o.max_step,
                            &o.shared,
                            &o.min_seconds,
                            &o.max_seconds,
                            &o.correlation_seconds,
                            &o.smoothing_spike,
                            &o.smoothing_spread,
                            &o.adaptive_max_raise};
  for (float* number : numbers)
    if (in.take<std::uint8_t>() < 16) *number = in.coordinate();
  if (in.take<std::uint8_t>() < 32) o.min_frames = in.number(100);
  if (in.take<std::uint8_t>() < 32) o.smoothing_window = in.number(16);
  if (in.take<std::uint8_t>() < 32) o.queue = in.number(65);
  const Sized options(o, in);
  liveness_model_t* models[2] = {f.pad, in.take<std::uint8_t>() < 16 ? f.detector : f.pad};
  liveness_verifier_t* verifier = nullptr;
  if (told(liveness_verifier_create(models, in.take<std::uint8_t>() % 3, f.detector, options.get(), &verifier)) !=
      LIVENESS_STATUS_OK) {
    require(verifier == nullptr);
    return;
  }
  double seconds = 0;
  int updates = 0;
  bool on = false;
  for (int i = 0; i < 20 && !in.empty(); ++i) {
    const auto what = in.take<std::uint8_t>();
    seconds = next_time(in, seconds);
    if (what < 8) {
      require((told(liveness_verifier_start(verifier, ignore_update, &updates)) == LIVENESS_STATUS_OK) != on);
      on = true;
    } else if (what < 16) {
      require(told(liveness_verifier_stop(verifier)) == LIVENESS_STATUS_OK);
      on = false;
    } else if (what < 24) {
      require((told(liveness_verifier_reset(verifier)) == LIVENESS_STATUS_OK) != on);
    } else if (what < 40) {
      pace.score_every = in.number(5);
      const Sized given(pace, in);
      (void)told(liveness_verifier_set_pace(verifier, given.get()));
      (void)told(liveness_verifier_pace(verifier, given.get()));
    } else {
      with_picture(in, [&](const liveness_image_t* image) {
        if (on) {
          (void)told(liveness_verifier_submit(verifier, image, seconds));
          return;
        }
        if (told(liveness_verifier_push(verifier, image, seconds, f.update)) == LIVENESS_STATUS_OK)
          read_update(in, f.update);
      });
    }
    if (!std::isfinite(seconds)) seconds = 0;
  }
  std::uint64_t dropped = 77;
  require(told(liveness_verifier_dropped(verifier, &dropped)) == LIVENESS_STATUS_OK && dropped != 77);
  liveness_verifier_destroy(verifier);
}

void govern(Bytes& in) {
  liveness_governor_options_t o;
  liveness_governor_options_init(&o, sizeof o);
  double* const numbers[] = {&o.cpu, &o.min_fps, &o.period, &o.patience, &o.fps};
  for (double* number : numbers)
    if (in.take<std::uint8_t>() < 64) *number = static_cast<double>(in.coordinate());
  if (in.take<std::uint8_t>() < 64) o.memory_bytes = in.take<std::int64_t>();
  if (in.take<std::uint8_t>() < 64) o.detect_every = in.number(100);
  if (in.take<std::uint8_t>() < 64) o.score_every = in.number(100);
  if (in.take<std::uint8_t>() < 64) o.capture_width = in.number(2000);
  const Sized options(o, in);
  liveness_governor_t* governor = nullptr;
  if (told(liveness_governor_create(options.get(), &governor)) != LIVENESS_STATUS_OK) {
    require(governor == nullptr);
    return;
  }
  double seconds = 0;
  for (int i = 0; i < 30 && !in.empty(); ++i) {
    seconds = next_time(in, seconds);
    std::int32_t admitted = 77;
    if (told(liveness_governor_admit(governor, seconds, &admitted)) == LIVENESS_STATUS_OK)
      require(admitted == 0 || admitted == 1);
    liveness_usage_t u;
    liveness_usage_init(&u, sizeof u);
    if (in.take<std::uint8_t>() < 16) {
      require(told(liveness_monitor_sample(fixture().monitor, &u)) == LIVENESS_STATUS_OK);
    } else {
      u.seconds = static_cast<double>(in.coordinate());
      u.process_cpu =
          in.take<std::uint8_t>() < 8 ? in.take<double>() : static_cast<double>(in.take<std::uint8_t>()) / 64;
      u.resident_bytes = in.take<std::int64_t>();
    }
    liveness_workload_t w;
    liveness_workload_init(&w, sizeof w);
    const Sized usage(u, in);
    if (told(liveness_governor_update(governor, usage.get(), seconds, &w)) == LIVENESS_STATUS_OK)
      require(w.level >= 0 && w.level < 6 && w.fps >= 0 && w.detect_every >= 1 && w.score_every >= 1 && w.scale > 0);
    if (!std::isfinite(seconds)) seconds = 0;
  }
  read_text(in, [&](char* text, std::size_t capacity, std::size_t* size) {
    return liveness_governor_why(governor, text, capacity, size);
  });
  liveness_governor_destroy(governor);
}

void keep(Bytes& in) {
  Fixture& f = fixture();
  liveness_cache_t* cache = nullptr;
  liveness_pool_t* pool = nullptr;
  (void)told(liveness_cache_create(in.take<std::uint16_t>(), in.take<std::uint8_t>() < 16 ? in.take<std::int64_t>() : 0,
                                   &cache));
  std::int32_t threads = in.number(4);
  if (threads > 4 && threads <= 1024) threads = 4;  // allowed, but a fuzzer has better things to do
  (void)told(liveness_pool_create(threads, &pool));
  liveness_predictor_options_t o;
  liveness_predictor_options_init(&o, sizeof o);
  o.detector = f.detector;
  o.cache = cache;
  o.pool = pool;
  const Sized options(o, in);
  liveness_predictor_t* predictor = nullptr;
  if (told(liveness_predictor_create(&f.pad, 1, options.get(), &predictor)) == LIVENESS_STATUS_OK) {
    for (int i = 0; i < 6 && !in.empty(); ++i) {
      with_picture(in, [&](const liveness_image_t* image) {
        (void)told(liveness_predictor_predict(predictor, image, nullptr, f.result));
        check_result(f.result);
        const liveness_image_t* const images[3] = {image, image, image};
        liveness_result_t* results[3] = {f.result, nullptr, nullptr};
        for (int k = 1; k < 3; ++k) require(told(liveness_result_create(&results[k])) == LIVENESS_STATUS_OK);
        (void)told(liveness_predictor_predict_batch(predictor, images, nullptr, 3, std::min(in.number(3), 4), results));
        for (const auto* r : results) check_result(r);
        for (int k = 1; k < 3; ++k) liveness_result_destroy(results[k]);
      });
      if (cache != nullptr && in.take<std::uint8_t>() < 64)
        require(told(liveness_cache_shrink(cache, in.take<std::uint8_t>())) == LIVENESS_STATUS_OK);
      if (pool != nullptr && in.take<std::uint8_t>() < 64)
        require(told(liveness_pool_cancel(pool)) == LIVENESS_STATUS_OK);
    }
  } else {
    require(predictor == nullptr);
  }
  if (cache != nullptr) {
    constexpr const char* kKeys[] = {"hits", "misses", "evictions", "entries", "bytes", "nonsense", ""};
    double value = kNaN;
    const std::size_t key = in.take<std::uint8_t>() % std::size(kKeys);
    require((told(liveness_cache_get(cache, kKeys[key], &value)) == LIVENESS_STATUS_OK) == (key < 5));
    require((value >= 0) == (key < 5));
  }
  liveness_cache_destroy(cache);
  liveness_pool_destroy(pool);
  liveness_predictor_destroy(predictor);
}

void configure(Bytes& in) {
  liveness_config_t* config = nullptr;
  require(told(liveness_config_create(&config)) == LIVENESS_STATUS_OK);
  constexpr const char* kKeys[] = {
      "models.pad",       "models.isa",          "pipeline.detect_every", "pipeline.tracker", "decision.profile",
      "decision.abstain", "decision.apcer",      "resources.cpu",         "accuracy.weights", "monitoring.port",
      "logging.level",    "resources.memory_mb", "pipeline.max_faces"};
  constexpr const char* kValues[] = {"0.25", "30",  "strict", "dark,blurred", "a,b", "null",
                                     "true", "1,2", "-1",     "auto",         ""};
  for (int i = 0; i < 10 && !in.empty(); ++i) {
    const std::string key =
        in.take<std::uint8_t>() < 32 ? in.text(40) : kKeys[in.take<std::uint8_t>() % std::size(kKeys)];
    const std::string value =
        in.take<std::uint8_t>() < 96 ? in.text(40) : kValues[in.take<std::uint8_t>() % std::size(kValues)];
    (void)told(liveness_config_set(config, key.c_str(), value.c_str()));
    read_text(in, [&](char* text, std::size_t capacity, std::size_t* size) {
      return liveness_config_get(config, key.c_str(), text, capacity, size);
    });
    read_text(in, [&](char* text, std::size_t capacity, std::size_t* size) {
      return liveness_config_where(config, key.c_str(), text, capacity, size);
    });
  }
  std::size_t size = 0;
  require(told(liveness_config_yaml(config, nullptr, 0, &size)) == LIVENESS_STATUS_OK);
  std::vector<char> yaml(size);
  require(told(liveness_config_yaml(config, yaml.data(), yaml.size(), nullptr)) == LIVENESS_STATUS_OK);
  require(told(liveness_config_reload(config, nullptr, nullptr)) == LIVENESS_STATUS_INVALID_STATE);
  liveness_governor_t* governor = nullptr;
  require((told(liveness_config_governor(config, &governor)) == LIVENESS_STATUS_OK) == (governor != nullptr));
  liveness_governor_destroy(governor);
  liveness_config_destroy(config);
}

// Up to 24 presentations, whose text and numbers live as long as this does.
struct Presentations {
  std::vector<double> scores;
  std::vector<std::string> texts;
  std::vector<const char*> species, subjects, clips;
  liveness_presentations_t view;

  explicit Presentations(Bytes& in) {
    const std::size_t count = in.take<std::uint8_t>() % 25;
    texts = {"print", "screen", in.text(8), "", "a"};
    for (std::size_t i = 0; i < count; ++i) {
      const auto kind = in.take<std::uint8_t>();
      const auto byte = static_cast<double>(in.take<std::int8_t>());
      scores.push_back(kind < 8 ? in.take<double>() : kind < 16 ? kNaN : byte / 16);
      const auto name = [&](std::uint8_t k) { return k % 6 == 5 ? nullptr : texts[k % 6].c_str(); };
      species.push_back(name(kind % 3 == 0 ? 3 : kind));
      subjects.push_back(name(in.take<std::uint8_t>()));
      clips.push_back(name(in.take<std::uint8_t>()));
    }
    liveness_presentations_init(&view, sizeof view);
    view.count = count;
    view.scores = in.take<std::uint8_t>() < 4 ? nullptr : scores.data();
    view.species = in.take<std::uint8_t>() < 4 ? nullptr : species.data();
    view.subjects = in.take<std::uint8_t>() < 64 ? nullptr : subjects.data();
    view.clips = in.take<std::uint8_t>() < 64 ? nullptr : clips.data();
  }
};

void evaluate(Bytes& in) {
  const Presentations a(in);
  const Sized view(a.view, in);
  liveness_evaluation_options_t o;
  liveness_evaluation_options_init(&o, sizeof o);
  const double targets[3] = {0.05, static_cast<double>(in.coordinate()), 1};
  o.unit = in.number(3);
  if (in.take<std::uint8_t>() < 128) o.live = static_cast<double>(in.coordinate());
  if (in.take<std::uint8_t>() < 64) o.spoof = static_cast<double>(in.coordinate());
  if (in.take<std::uint8_t>() < 32) o.confidence = static_cast<double>(in.coordinate());
  if (in.take<std::uint8_t>() < 32) {
    o.apcer_targets = targets;
    o.apcer_target_count = in.take<std::uint8_t>() % 4;
  }
  const Sized options(o, in);
  read_text(in, [&](char* text, std::size_t capacity, std::size_t* size) {
    return liveness_evaluate(view.get(), options.get(), text, capacity, size);
  });
  const Presentations b(in);
  liveness_comparison_options_t c;
  liveness_comparison_options_init(&c, sizeof c);
  c.rounds = std::min(in.number(60), 100);
  c.threshold_a = static_cast<double>(in.coordinate());
  if (in.take<std::uint8_t>() < 32) c.confidence = static_cast<double>(in.coordinate());
  const Sized comparison(c, in);
  const liveness_presentations_t& other = in.take<std::uint8_t>() < 128 ? a.view : b.view;
  read_text(in, [&](char* text, std::size_t capacity, std::size_t* size) {
    return liveness_compare(view.get(), &other, comparison.get(), text, capacity, size);
  });
  double low = kNaN;
  double high = kNaN;
  if (told(liveness_clopper_pearson(in.number(50), in.number(100), static_cast<double>(in.coordinate()), &low,
                                    &high)) == LIVENESS_STATUS_OK)
    require(low >= 0 && low <= high && high <= 1);
}

void calibrate(Bytes& in) {
  Fixture& f = fixture();
  const Presentations all(in);
  liveness_error_target_t target;
  liveness_error_target_init(&target, sizeof target);
  const std::string profile = in.text(10);
  target.kind = in.number(3);
  target.rate = static_cast<double>(in.coordinate());
  if (in.take<std::uint8_t>() < 64) target.profile = profile.c_str();
  const Sized given(target, in);
  const liveness_error_target_t* targets[1] = {given.get()};
  liveness_calibration_options_t o;
  liveness_calibration_options_init(&o, sizeof o);
  o.method = in.number(4) - 1;
  if (in.take<std::uint8_t>() < 64) o.fusion = in.number(5);
  if (in.take<std::uint8_t>() < 64) o.folds = in.number(100);
  if (in.take<std::uint8_t>() < 32) o.confidence = static_cast<double>(in.coordinate());
  const float weights[2] = {in.coordinate(), in.coordinate()};
  if (in.take<std::uint8_t>() < 64) o.weights = weights;
  if (in.take<std::uint8_t>() < 64) {
    o.targets = targets;
    o.target_count = 1;
  }
  const Sized options(o, in);
  liveness_model_t* models[2] = {f.pad, in.take<std::uint8_t>() < 8 ? f.detector : f.pad};
  const std::size_t count = 1 + in.take<std::uint8_t>() % 2;
  liveness_calibration_t* calibration = nullptr;
  if (told(liveness_calibration_fit(&all.view, models, count, options.get(), &calibration)) != LIVENESS_STATUS_OK) {
    require(calibration == nullptr);
    return;
  }
  float calibrated = 77;
  if (told(liveness_calibration_apply(calibration, in.coordinate(), &calibrated)) == LIVENESS_STATUS_OK)
    require(std::fabs(calibrated) <= 30);
  read_text(in, [&](char* text, std::size_t capacity, std::size_t* size) {
    return liveness_calibration_describe(calibration, text, capacity, size);
  });
  liveness_predictor_options_t p;
  liveness_predictor_options_init(&p, sizeof p);
  p.calibration = calibration;
  p.detector = f.detector;
  p.fusion = o.fusion;
  p.weights = o.weights;
  liveness_predictor_t* predictor = nullptr;
  if (told(liveness_predictor_create(models, count, &p, &predictor)) == LIVENESS_STATUS_OK) {
    liveness_calibration_destroy(calibration);  // the predictor goes on working
    calibration = nullptr;
    with_picture(in, [&](const liveness_image_t* image) {
      (void)told(liveness_predictor_predict(predictor, image, nullptr, f.result));
      check_result(f.result);
    });
  }
  liveness_predictor_destroy(predictor);
  liveness_calibration_destroy(calibration);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes in(data, size);
  switch (in.take<std::uint8_t>() % 8) {
    case 0: track(in); break;
    case 1: govern(in); break;
    case 2: keep(in); break;
    case 3: configure(in); break;
    case 4: evaluate(in); break;
    case 5: calibrate(in); break;
    default: verify(in); break;
  }
  return 0;
}
