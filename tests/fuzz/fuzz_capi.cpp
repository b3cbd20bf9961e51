// The C entry points with hostile arguments: the bytes choose calls and their arguments. Memory is allocated to the
// byte that the header asks for, so that reading one more is found; what the library must refuse is asked for all the
// same.
#include "capi_fuzz.hpp"
#include "tiny_models.hpp"

namespace {

using namespace liveness::test;

struct Fixture {
  liveness_model_t* pad = nullptr;
  liveness_model_t* detector_model = nullptr;
  liveness_detector_t* detector = nullptr;
  liveness_profiler_t* profiler = nullptr;
  liveness_predictor_t* predictor = nullptr;
  liveness_roi_t* roi = nullptr;
  liveness_result_t* results[3] = {};

  Fixture() {
    const auto pad_bytes = liveness::write_package(tiny_pad_package({}));
    const auto detector_bytes = liveness::write_package(tiny_detector_package());
    require(told(liveness_model_load_memory(pad_bytes.data(), pad_bytes.size(), nullptr, &pad)) == 0);
    require(told(liveness_model_load_memory(detector_bytes.data(), detector_bytes.size(), nullptr, &detector_model)) ==
            0);
    require(told(liveness_detector_create(detector_model, nullptr, &detector)) == 0);
    require(told(liveness_profiler_create(&profiler)) == 0);
    liveness_predictor_options_t options;
    liveness_predictor_options_init(&options, sizeof options);
    options.detector = detector_model;
    options.profiler = profiler;
    options.all_faces = 1;
    require(told(liveness_predictor_create(&pad, 1, &options, &predictor)) == 0);
    require(told(liveness_roi_create(&pad, 1, nullptr, &roi)) == 0);
    for (auto& r : results) require(told(liveness_result_create(&r)) == 0);
  }
};

Fixture& fixture() {
  static Fixture* f = new Fixture;  // for the life of the process
  return *f;
}

void predict(Bytes& in) {
  Fixture& f = fixture();
  const Picture picture(in);
  liveness_face_t face;
  liveness_face_init(&face, sizeof face);
  face.box = rect(in);
  if (in.take<std::uint8_t>() < 32) {
    face.has_landmarks = in.take<std::int32_t>();
    for (auto& p : face.landmarks) p = {in.coordinate(), in.coordinate()};
  }
  if (in.take<std::uint8_t>() < 8) face.struct_size = in.take<std::uint32_t>() % (sizeof face + 1);
  const bool given = in.take<std::uint8_t>() < 128;
  (void)told(liveness_predictor_predict(f.predictor, &picture.image, given ? &face : nullptr, f.results[0]));
  check_result(f.results[0]);
}

void predict_batch(Bytes& in) {
  Fixture& f = fixture();
  const Picture pictures[3] = {Picture(in), Picture(in), Picture(in)};
  const liveness_image_t* images[3] = {&pictures[0].image, &pictures[1].image, &pictures[2].image};
  const liveness_rect_t boxes[3] = {rect(in), rect(in), rect(in)};
  const auto threads = std::min(in.number(3), 4);
  const bool given = in.take<std::uint8_t>() < 128;
  (void)told(liveness_predictor_predict_batch(f.predictor, images, given ? boxes : nullptr, 3, threads, f.results));
  for (const auto* r : f.results) check_result(r);
}

void detect(Bytes& in) {
  const Picture picture(in);
  liveness_face_t faces[4];
  liveness_face_t* pointers[4];
  for (std::size_t i = 0; i < 4; ++i) {
    liveness_face_init(&faces[i], sizeof faces[i]);
    pointers[i] = &faces[i];
  }
  const std::size_t capacity = in.take<std::uint8_t>() % 5;
  std::size_t count = 77;
  if (told(liveness_detector_detect(fixture().detector, &picture.image, pointers, capacity, &count)) ==
      LIVENESS_STATUS_OK)
    require(count <= capacity);
  else
    require(count == 77);
}

void extract(Bytes& in) {
  const Picture picture(in);
  const liveness_rect_t box = rect(in);
  std::vector<float> values(static_cast<std::size_t>(in.take<std::uint8_t>() < 250 ? 192 : 3 + in.take<std::uint8_t>()),
                            -7.0F);
  float* outputs[1] = {values.data()};
  const std::size_t counts[1] = {values.size()};
  liveness_crop_t crop;
  liveness_crop_init(&crop, sizeof crop);
  liveness_crop_t* crops[1] = {&crop};
  if (told(liveness_roi_extract(fixture().roi, &picture.image, &box, outputs, counts, crops, 1)) != LIVENESS_STATUS_OK)
    require(std::all_of(values.begin(), values.end(), [](float v) { return v == -7; }));
  else
    require(crop.outside >= 0 && crop.outside <= 1);
}

void run(Bytes& in) {
  std::vector<float> values(in.take<std::uint8_t>() < 200 ? std::size_t{192} * (1 + in.take<std::uint8_t>() % 3)
                                                          : in.take<std::uint8_t>() + 1);
  for (auto& v : values) v = in.empty() ? 1.0F : in.take<float>();
  std::vector<float> scores(1 + in.take<std::uint8_t>() % 10, -7.0F);
  float* outputs[1] = {scores.data()};
  const std::size_t counts[1] = {scores.size()};
  if (told(liveness_model_run(fixture().pad, values.data(), values.size(), outputs, counts, 1, in.number(3),
                              std::min(in.number(2), 4))) != LIVENESS_STATUS_OK)
    require(std::all_of(scores.begin(), scores.end(), [](float v) { return v == -7; }));
}

void options(Bytes& in) {
  Fixture& f = fixture();
  liveness_predictor_options_t o;
  liveness_predictor_options_init(&o, sizeof o);
  const std::string profile = in.text(12), convention = in.text(12);
  float weights[2] = {in.coordinate(), in.coordinate()};
  liveness_detector_options_t detection;
  liveness_detector_options_init(&detection, sizeof detection);
  liveness_quality_limits_t limits;
  liveness_quality_limits_init(&limits, sizeof limits);
  if (in.take<std::uint8_t>() < 64) detection.score_threshold = in.coordinate();
  if (in.take<std::uint8_t>() < 64) detection.max_faces = in.number(20);
  if (in.take<std::uint8_t>() < 64) limits.max_yaw = in.coordinate();
  if (in.take<std::uint8_t>() < 64) o.profile = profile.c_str();
  if (in.take<std::uint8_t>() < 64) o.box_convention = convention.c_str();
  if (in.take<std::uint8_t>() < 64) o.weights = weights;
  if (in.take<std::uint8_t>() < 128) o.detector = f.detector_model;
  if (in.take<std::uint8_t>() < 64) o.detection = &detection;
  if (in.take<std::uint8_t>() < 64) o.limits = &limits;
  o.fusion = in.number(5);
  if (in.take<std::uint8_t>() < 64) o.threshold = in.coordinate();
  if (in.take<std::uint8_t>() < 64) o.disagreement = in.coordinate();
  if (in.take<std::uint8_t>() < 64) o.abstain = in.take<std::uint32_t>();
  if (in.take<std::uint8_t>() < 64) o.stability_crops = in.number(27);
  if (in.take<std::uint8_t>() < 16) o.struct_size = in.take<std::uint32_t>() % (sizeof o + 1) & ~7U;  // whole pointers
  if (in.take<std::uint8_t>() < 16) o.reserved = in.take<std::int32_t>();
  liveness_model_t* models[2] = {f.pad, in.take<std::uint8_t>() < 16 ? f.detector_model : f.pad};
  liveness_predictor_t* predictor = nullptr;
  if (told(liveness_predictor_create(models, in.take<std::uint8_t>() % 3, &o, &predictor)) != LIVENESS_STATUS_OK) {
    require(predictor == nullptr);
    return;
  }
  const Picture picture(in);
  (void)told(liveness_predictor_predict(predictor, &picture.image, nullptr, f.results[1]));
  check_result(f.results[1]);
  liveness_predictor_destroy(predictor);
}

void texts(Bytes& in) {
  Fixture& f = fixture();
  std::vector<char> text(in.take<std::uint16_t>() % 3000, 'x');
  std::size_t size = 77;
  if (told(liveness_model_describe(f.pad, text.data(), text.size(), &size)) == LIVENESS_STATUS_OK)
    require(text.empty() ? size > 1 : size <= text.size() && text[size - 1] == '\0');
  (void)told(liveness_profiler_json(f.profiler, text.data(), text.size(), nullptr));
  (void)told(liveness_result_model(f.results[0], text.data(), text.size(), &size));
  double value = 77;
  if (told(liveness_profiler_get(f.profiler, in.text(16).c_str(), &value)) != LIVENESS_STATUS_OK) require(value == 77);
  require(liveness_status_name(in.take<std::int32_t>()) != nullptr);
  require(liveness_verdict_name(in.take<std::int32_t>()) != nullptr);
  const auto reason = in.take<std::uint32_t>();
  require((liveness_reason_name(reason) == nullptr) == (liveness_reason_sentence(reason) == nullptr));
  // Structs of any size, filled by the library into memory of exactly that size.
  const std::size_t room = in.take<std::uint8_t>() % 128;
  const auto memory = std::make_unique<std::uint64_t[]>((room + 7) / 8 + 1);
  auto* summary = reinterpret_cast<liveness_summary_t*>(memory.get());
  liveness_summary_init(summary, room);
  if (room >= sizeof(std::uint32_t)) (void)told(liveness_result_summary(f.results[0], summary));
}

void load(Bytes& in) {
  liveness_model_options_t o;
  liveness_model_options_init(&o, sizeof o);
  o.isa = in.number(4);
  o.verify = in.take<std::uint8_t>() & 1;
  liveness_model_t* model = nullptr;
  if (told(liveness_model_load_memory(in.size() > 0 ? static_cast<const void*>(in.data()) : "", in.size(), &o,
                                      &model)) != LIVENESS_STATUS_OK)
    require(model == nullptr);
  liveness_model_destroy(model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes in(data, size);
  for (int calls = 0; calls < 8 && !in.empty(); ++calls) {
    switch (in.take<std::uint8_t>() % 9) {
      case 0: predict_batch(in); break;
      case 1: detect(in); break;
      case 2: extract(in); break;
      case 3: run(in); break;
      case 4: options(in); break;
      case 5: texts(in); break;
      case 6: load(in); return 0;
      default: predict(in); break;
    }
  }
  return 0;
}
