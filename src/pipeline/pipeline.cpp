#include "pipeline/pipeline.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <new>
#include <utility>

#include "liveness/builtin.hpp"
#include "model/model_impl.hpp"
#include "pipeline/cache.hpp"
#include "pipeline/worker_pool.hpp"

namespace liveness {
namespace {

using Stage = Profiler::Stage;
using Counter = Profiler::Counter;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(Status::kInvalidArgument, what);
}

std::string text(float value) {
  // Short and without the locale's comma.
  std::array<char, 32> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

void check_range(const char* option, float value, float low, float high) {
  if (!(value >= low && value <= high))
    refuse(std::string(option) + ": expected " + text(low) + " to " + text(high) + ", got " + text(value));
}

void check_options(const Ensemble::Options& o, std::size_t members) {
  constexpr float kLarge = 1e9F;
  if (o.threshold) check_range("threshold", *o.threshold, 0, 1);
  check_range("limits.min_face_pixels", o.limits.min_face_pixels, 0, kLarge);
  check_range("limits.min_sharpness", o.limits.min_sharpness, 0, kLarge);
  check_range("limits.min_luminance", o.limits.min_luminance, 0, 255);
  check_range("limits.max_overexposed", o.limits.max_overexposed, 0, 1);
  check_range("limits.max_outside", o.limits.max_outside, 0, 1);
  check_range("limits.max_yaw", o.limits.max_yaw, 0, 180);
  check_range("limits.max_pitch", o.limits.max_pitch, 0, 180);
  constexpr ReasonMask kAllReasons = (ReasonMask{1} << kReasonCount) - 1;
  if ((o.abstain & ~kAllReasons) != 0)
    refuse("abstain: bits that are no reason: " + std::to_string(o.abstain & ~kAllReasons));
  const Augmentation& a = o.augmentation;
  if (a.crops < 0 || a.crops > kJitterCount)
    refuse("augmentation.crops: expected 0 to " + std::to_string(kJitterCount) + ", got " + std::to_string(a.crops));
  check_range("augmentation.brightness", a.brightness, 0, 0.9F);
  check_range("augmentation.settled", a.settled, 0, kLarge);
  if (static_cast<int>(o.fusion) >= kFusionCount)
    refuse("fusion: no such rule: " + std::to_string(static_cast<int>(o.fusion)));
  check_range("disagreement", o.disagreement, 0, 1);
  if (o.fusion != Fusion::kWeighted) {
    if (!o.weights.empty()) refuse("weights: given, but the fusion is " + std::string(to_string(o.fusion)));
    return;
  }
  if (o.weights.size() != members)
    refuse("weights: " + std::to_string(o.weights.size()) + " for " + std::to_string(members) + " members");
  float sum = 0;
  for (std::size_t i = 0; i < members; ++i) {
    check_range(("weights[" + std::to_string(i) + "]").c_str(), o.weights[i], 0, kLarge);
    sum += o.weights[i];
  }
  if (!(sum > 0)) refuse("weights: their sum is 0");
}

const Contract& pad_contract(const Model& model) {
  const Contract& c = model.contract();
  if (c.task != Task::kPad || !c.crop || !c.score) refuse("model '" + c.name + "': not a PAD network");
  return c;
}

std::vector<RoiSpec> roi_specs(const std::vector<Model>& members) {
  if (members.empty()) refuse("members: none given");
  std::vector<RoiSpec> specs;
  for (const Model& m : members) specs.push_back({pad_contract(m).input, *m.contract().crop});
  return specs;
}

std::size_t score_output(const Model& model) {
  const auto& outputs = model.info().outputs;
  const ScoreContract& score = *model.contract().score;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].name != score.output) continue;
    const std::size_t classes = outputs[i].elements();
    if (classes < 2 || score.live < 0 || static_cast<std::size_t>(score.live) >= classes)
      refuse("model '" + model.contract().name + "': class " + std::to_string(score.live) + " of " +
             std::to_string(classes) + " cannot be told from another");
    return i;
  }
  refuse("model '" + model.contract().name + "': no output named '" + score.output + "'");
}

Bounds bounds_of(const std::map<std::string, ThresholdProfile>& profiles, const std::string& wanted,
                 const std::string& owner) {
  const auto found = profiles.find(wanted);
  if (found != profiles.end()) return {found->second.live, found->second.spoof};
  std::string known;
  for (const auto& [name, profile] : profiles) known += (known.empty() ? "" : ", ") + name;
  refuse("profile: '" + wanted + "' is not in " + owner + ", which has: " + known);
}

Bounds own_bounds(const Model& model, const Ensemble::Options& options) {
  // A calibration speaks of the fused score; what members say of themselves stays by their own thresholds.
  if (options.threshold && !options.calibration) return {*options.threshold, *options.threshold};
  return bounds_of(model.contract().score->profiles, options.calibration ? "balanced" : options.profile,
                   "model '" + model.contract().name + "'");
}

}  // namespace

// The log-odds are kept, for P(live) rounds to 1 long before they are large.
void score_classes(std::span<const float> values, const ScoreContract& contract, const std::string& model,
                   MemberScore& to) {
  const auto logit_of = [&](std::size_t i) {
    const double v = values[i];
    // Where softmax is inside, the logarithm of a probability is the logit up to a constant, which cancels.
    return (contract.softmax_inside ? std::log(std::max(v, 1e-30)) : v) / static_cast<double>(contract.temperature);
  };
  const auto live = static_cast<std::size_t>(contract.live);
  double highest = -HUGE_VAL;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]))
      throw Error(Status::kModelInvalid, "model '" + model + "': output '" + contract.output + "'[" +
                                             std::to_string(i) + "] is not finite; the picture cannot be scored");
    if (i != live) highest = std::max(highest, logit_of(i));
  }
  double others = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (i != live) others += std::exp(logit_of(i) - highest);
  const double odds = logit_of(live) - (highest + std::log(others));
  to.score = static_cast<float>(1.0 / (1.0 + std::exp(-odds)));
  to.logit = static_cast<float>(std::clamp(odds, -static_cast<double>(kMaxLogit), static_cast<double>(kMaxLogit)));
}

namespace {

// Turns what a network is about to see into another view of the same crop.
void transform(bool mirrored, float gain, const InputContract& input, const PlanarView& planes) {
  for (int c = 0; c < input.channels(); ++c) {
    const auto channel = static_cast<std::size_t>(c);
    const float black = (input.low - input.mean[channel]) / input.std[channel];
    const float white = (input.high - input.mean[channel]) / input.std[channel];
    for (int y = 0; y < input.height; ++y) {
      float* const row = planes.data + c * planes.plane_stride + y * planes.row_stride;
      if (mirrored) std::reverse(row, row + input.width);
      if (gain == 1) continue;
      for (int x = 0; x < input.width; ++x) row[x] = std::clamp(black + (row[x] - black) * gain, black, white);
    }
  }
}

// Mean and standard deviation of log-odds that come one by one (Welford's recurrence).
class Evidence {
 public:
  void add(double logit) noexcept {
    ++count_;
    const double step = logit - mean_;
    mean_ += step / count_;
    squares_ += step * (logit - mean_);
  }
  [[nodiscard]] int count() const noexcept { return count_; }
  [[nodiscard]] double spread() const noexcept { return count_ > 1 ? std::sqrt(squares_ / (count_ - 1)) : 0; }
  // Whether the mean is more than so many of its standard errors away from a bound. Of fewer than three values nobody
  // knows the error.
  [[nodiscard]] bool clear_of(float bound, double errors) const noexcept {
    constexpr int kLeast = 3;
    return count_ >= kLeast &&
           std::fabs(mean_ - static_cast<double>(to_logit(bound))) > errors * spread() / std::sqrt(count_);
  }

 private:
  int count_ = 0;
  double mean_ = 0;
  double squares_ = 0;
};

bool meets(const Rect& box, const ImageView& image) {
  const Rect frame{0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
  return is_finite(box) && area(intersect(box, frame)) > 0;
}

}  // namespace

// Time since the last lap, added to a sum and told to the profiler. Result::time is always there, so the clock always
// runs.
class Pipeline::Laps {
 public:
  explicit Laps(Profiler* profiler) noexcept : profiler_(profiler), start_(Profiler::Clock::now()), last_(start_) {}

  void lap(Stage stage, double* milliseconds = nullptr) noexcept {
    const auto now = Profiler::Clock::now();
    note(stage, now - std::exchange(last_, now), milliseconds);
  }
  // What was done since the last lap belongs to no stage.
  void skip() noexcept { last_ = Profiler::Clock::now(); }
  void finish() noexcept { note(Stage::kTotal, Profiler::Clock::now() - start_, &times.total); }
  void count(Counter counter, std::uint64_t n = 1) noexcept {
    if (profiler_ != nullptr) profiler_->add(counter, n);
  }

  Times times;

 private:
  void note(Stage stage, Profiler::Clock::duration time, double* milliseconds) noexcept {
    if (profiler_ != nullptr) profiler_->record(stage, time);
    if (milliseconds != nullptr) *milliseconds += std::chrono::duration<double, std::milli>(time).count();
  }

  Profiler* profiler_;
  Profiler::Clock::time_point start_;
  Profiler::Clock::time_point last_;
};

Pipeline::Pipeline(std::vector<Model> members, Ensemble::Options options)
    : members_(std::move(members)), options_(std::move(options)), roi_(roi_specs(members_)) {
  check_options(options_, members_.size());
  views_ = views(options_.augmentation);
  if (options_.detector) {
    if (options_.detector->contract().task != Task::kDetector)
      refuse("detector: model '" + options_.detector->contract().name + "' is not a detector");
    detector_.emplace(*options_.detector, options_.detection);
  }
  const std::string& convention = detector_ ? options_.detector->contract().detector->box : options_.box_convention;
  for (const Model& m : members_) {
    outputs_.push_back(score_output(m));
    member_bounds_.push_back(own_bounds(m, options_));
    name_ += (name_.empty() ? "" : "+") + m.contract().name;
    static_cast<void>(map_box({0, 0, 1, 1}, convention, *m.contract().crop));  // throws where there is no map
  }
  const auto all_at = [](float threshold) { return Bounds{threshold, threshold}; };
  if (options_.calibration) {
    options_.calibration->require(members_, options_.fusion, options_.weights);
    bounds_ = options_.threshold ? all_at(*options_.threshold)
                                 : bounds_of(options_.calibration->profiles, options_.profile, "the calibration");
  } else {
    bounds_ = options_.threshold && options_.fusion != Fusion::kMajority
                  ? all_at(*options_.threshold)
                  : fuse_bounds(options_.fusion, member_bounds_, options_.weights);
  }
  if (options_.cache != nullptr) identity_ = options_.cache->impl().hash(everything());
}

// A new option that changes a result belongs in here.
Bytes Pipeline::everything() const {
  Bytes b;
  const auto add_model = [&b](const Model& m) {
    b.add(m.info().identity);
    b.add(m.info().isa);
    b.add(m.info().backend);
    b.add(m.info().precision);
    b.add(m.info().device);
  };
  const auto add_bounds = [&b](const Bounds& bounds) {
    b.add(bounds.live);
    b.add(bounds.spoof);
  };
  for (const Model& m : members_) add_model(m);
  for (const Bounds& bounds : member_bounds_) add_bounds(bounds);
  add_bounds(bounds_);
  b.add(options_.fusion);
  for (const float w : options_.weights) b.add(w);
  b.add(options_.disagreement);
  if (options_.calibration) {
    b.add(options_.calibration->method);
    for (const double p : options_.calibration->parameters) b.add(p);
  }
  const auto& [face_pixels, sharpness, luminance, overexposed, outside, yaw, pitch] = options_.limits;
  for (const float limit : {face_pixels, sharpness, luminance, overexposed, outside, yaw, pitch}) b.add(limit);
  b.add(options_.abstain);
  b.add(options_.all_faces);
  const auto& [crops, flip, brightness, settled] = options_.augmentation;
  b.add(crops);
  b.add(flip);
  b.add(brightness);
  b.add(settled);
  b.add(options_.box_convention);
  if (options_.detector) {
    add_model(*options_.detector);
    const auto& [score_threshold, nms_iou, max_faces, min_face] = options_.detection;
    b.add(score_threshold);
    b.add(nms_iou);
    b.add(max_faces);
    b.add(min_face);
  }
  return b;
}

std::vector<Pipeline::View> Pipeline::views(const Augmentation& augmentation) {
  std::vector<View> all(1);
  if (augmentation.flip) all.push_back({-1, true, 1});
  for (int i = 0; i < augmentation.crops; ++i) all.push_back({i, false, 1});
  if (augmentation.brightness > 0)
    for (const float change : {-augmentation.brightness, augmentation.brightness})
      all.push_back({-1, false, 1 + change});
  return all;
}

bool Pipeline::score(const ImageView& image, const Rect& box, const std::string& convention, const View& view,
                     std::vector<MemberScore>& scores, float& outside, Laps& laps) const {
  const Rect moved = view.moved < 0 ? box : jittered(box, view.moved);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Model::Impl& model = members_[i].impl();
    const Rect mapped = map_box(moved, convention, *model.contract.crop);
    if (!meets(mapped, image)) return false;
    const Model::Impl::Lease workspace(model);
    const PlanarView input = model.executable->input(*workspace);
    const CropInfo crop = roi_.extract(image, mapped, i, input);
    if (view.mirrored || view.gain != 1) transform(view.mirrored, view.gain, model.contract.input, input);
    outside = std::max(outside, crop.outside);
    laps.lap(Stage::kRoi, &laps.times.roi);
    model.executable->run(*workspace);
    score_classes(model.executable->output(*workspace, outputs_[i]), *model.contract.score, model.contract.name,
                  scores[i]);
    laps.lap(Stage::kInfer, &laps.times.infer);
  }
  return true;
}

bool Pipeline::augment(const ImageView& image, const std::string& convention, FaceResult& face, Laps& laps) const {
  face.views = 1;
  if (views_.size() == 1) return true;
  const std::size_t n = members_.size();
  const double settled = static_cast<double>(options_.augmentation.settled);
  const MemberScore own = fuse_members(face.members);
  const bool live = decide(own.score, bounds_) == Verdict::kLive;
  Evidence fused;
  fused.add(static_cast<double>(own.logit));
  std::vector<double> sums;
  for (const MemberScore& m : face.members) sums.push_back(static_cast<double>(m.logit));
  std::vector<MemberScore> scores(n);
  bool stable = true;
  float ignored = 0;
  for (std::size_t v = 1; v < views_.size(); ++v) {
    if (settled > 0) {
      const ReasonMask reasons = face.reasons | (stable ? 0 : mask(Reason::kUnstableCrop));
      if ((reasons & options_.abstain) != 0) break;
      if (fused.clear_of(bounds_.live, settled) && fused.clear_of(bounds_.spoof, settled)) break;
    }
    if (!score(image, face.face.box, convention, views_[v], scores, ignored, laps)) continue;
    const MemberScore one = fuse_members(scores);
    fused.add(static_cast<double>(one.logit));
    stable &= (decide(one.score, bounds_) == Verdict::kLive) == live;
    for (std::size_t i = 0; i < n; ++i) sums[i] += static_cast<double>(scores[i].logit);
  }
  face.views = fused.count();
  if (face.views == 1) return true;
  face.spread = static_cast<float>(fused.spread());
  for (std::size_t i = 0; i < n; ++i) {
    face.members[i].logit = static_cast<float>(sums[i] / face.views);
    face.members[i].score = to_score(face.members[i].logit);
  }
  return stable;
}

MemberScore Pipeline::fuse_members(std::span<const MemberScore> scores) const {
  MemberScore fused = fuse(options_.fusion, scores, member_bounds_, options_.weights);
  if (options_.calibration) {
    fused.logit = options_.calibration->apply(fused.logit);
    fused.score = to_score(fused.logit);
  }
  return fused;
}

FaceResult Pipeline::judge(const ImageView& image, const Face& face, const std::string& convention, bool several,
                           Laps& laps) const {
  FaceResult result;
  result.face = face;
  result.threshold = bounds_.live;
  result.members.resize(members_.size());
  for (std::size_t i = 0; i < members_.size(); ++i) result.members[i].model = members_[i].contract().name;

  if (meets(face.box, image)) result.quality = measure_quality(image, face);
  laps.lap(Stage::kQuality);
  float outside = 0;
  const bool scored = score(image, face.box, convention, views_.front(), result.members, outside, laps);
  result.quality.outside = scored ? outside : 1;
  result.reasons = reasons_of(result.quality, options_.limits);
  if (several) result.reasons |= mask(Reason::kSeveralFaces);
  if (scored && !augment(image, convention, result, laps)) result.reasons |= mask(Reason::kUnstableCrop);
  if (scored) {
    float low = 1;
    float high = 0;
    bool any_live = false;
    bool all_live = true;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      low = std::min(low, result.members[i].score);
      high = std::max(high, result.members[i].score);
      const bool live = decide(result.members[i].score, member_bounds_[i]) == Verdict::kLive;
      any_live |= live;
      all_live &= live;
    }
    if (high - low > options_.disagreement && any_live != all_live) result.reasons |= mask(Reason::kModelsDisagree);
    const MemberScore fused = fuse_members(result.members);
    result.score = fused.score;
    result.logit = fused.logit;
    result.verdict = (result.reasons & options_.abstain) != 0 ? Verdict::kUncertain : decide(fused.score, bounds_);
    laps.count(Counter::kFaces);
  } else {
    result.members.clear();
    result.reasons |= mask(Reason::kAtBorder);
    result.logit = -kMaxLogit;
    result.verdict = Verdict::kUncertain;
  }
  laps.lap(Stage::kDecide);
  return result;
}

Hash Pipeline::key_of(const ImageView& image, const Face* given) const {
  const PredictionCache::Impl& cache = options_.cache->impl();
  thread_local Bytes bytes;  // both keep their capacity
  thread_local vision::Footprint pixels;
  bytes.clear();
  bytes.add(identity_);
  bytes.add(image.width);
  bytes.add(image.height);
  bytes.add(image.format);
  pixels.reset({image.width, image.height});
  if (given == nullptr) {
    pixels.add_everything();
  } else {
    bytes.add(given->box);
    bytes.add(given->score);
    bytes.add(given->has_landmarks);
    if (given->has_landmarks)
      for (const Point& p : given->landmarks) {
        bytes.add(p.x);
        bytes.add(p.y);
      }
    for (const View& view : views_) {
      const Rect moved = view.moved < 0 ? given->box : jittered(given->box, view.moved);
      for (std::size_t i = 0; i < members_.size(); ++i) {
        const Rect mapped = map_box(moved, options_.box_convention, *members_[i].contract().crop);
        if (!meets(mapped, image)) break;
        pixels.add_crop(mapped, roi_.spec(i));
      }
    }
    if (meets(given->box, image)) pixels.add_face(given->box);
  }
  cache.add_pixels(image, pixels, bytes);
  return cache.hash(bytes);
}

Result Pipeline::answer(const ImageView& image, const Face* given) const {
  Laps laps(options_.profiler);
  laps.count(Counter::kFrames);
  check_image(image);
  if (given != nullptr) {
    check_box(given->box, {image.width, image.height});
    if (given->has_landmarks)
      for (const Point& p : given->landmarks)
        if (!std::isfinite(p.x) || !std::isfinite(p.y)) refuse("landmarks: not finite");
  } else if (!detector_) {
    throw Error(Status::kInvalidState, "no detector: give Options::detector, or the face's box");
  }
  Result result;
  if (options_.cache == nullptr) {
    result = run(image, given, laps);
  } else {
    PredictionCache::Impl& cache = options_.cache->impl();
    const Hash key = key_of(image, given);
    if (const auto found = cache.find(key)) {
      laps.count(Counter::kCacheHits);
      result = *found;
      result.from_cache = true;
    } else {
      laps.count(Counter::kCacheMisses);
      laps.skip();
      result = run(image, given, laps);
      cache.insert(key, result);
    }
  }
  laps.finish();
  result.time = laps.times;
  return result;
}

Result Pipeline::run(const ImageView& image, const Face* given, Laps& laps) const {
  Result result;
  result.threshold = bounds_.live;
  result.model = name_;
  if (given != nullptr) {
    result.faces.push_back(judge(image, *given, options_.box_convention, false, laps));
  } else {
    thread_local std::vector<Face> found;  // keeps its capacity
    detector_->detect(image, found);
    laps.lap(Stage::kDetect, &laps.times.detect);
    // The largest first; among equals, and behind it, the detector's order: best score first.
    const auto largest = std::max_element(found.begin(), found.end(),
                                          [](const Face& a, const Face& b) { return area(a.box) < area(b.box); });
    if (largest != found.end()) std::rotate(found.begin(), largest, largest + 1);
    const std::size_t judged = options_.all_faces ? found.size() : std::min<std::size_t>(found.size(), 1);
    result.faces.reserve(judged);
    for (std::size_t i = 0; i < judged; ++i)
      result.faces.push_back(
          judge(image, found[i], detector_->model().contract().detector->box, found.size() > 1, laps));
    if (found.empty()) laps.count(Counter::kNoFace);
  }
  if (!result.faces.empty()) {
    const FaceResult& deciding = result.faces.front();
    result.verdict = deciding.verdict;
    result.score = deciding.score;
    result.logit = deciding.logit;
    result.reasons = deciding.reasons;
  }
  return result;
}

Result Pipeline::predict(const ImageView& image, const Face* given) const {
  try {
    return answer(image, given);
  } catch (...) {
    if (options_.profiler != nullptr) options_.profiler->add(Counter::kErrors);
    throw;
  }
}

Result Pipeline::predict(const ImageView& image, const Rect& box) const {
  Face face;
  face.box = box;
  face.score = 1;
  return predict(image, &face);
}

std::vector<Predictor::BatchItem> Pipeline::predict_batch(std::span<const ImageView> images,
                                                          std::span<const Rect> boxes, int threads,
                                                          const std::stop_token& stop) const {
  if (!boxes.empty() && boxes.size() != images.size())
    refuse("boxes: " + std::to_string(boxes.size()) + " for " + std::to_string(images.size()) + " images");
  if (threads < 0) refuse("threads: expected at least 0, got " + std::to_string(threads));
  WorkerPool::Impl* const pool = options_.pool != nullptr ? &options_.pool->impl() : nullptr;
  const int most = pool != nullptr ? pool->threads() : std::max(threads, 1);
  const std::uint64_t began = pool != nullptr ? pool->cancelled() : 0;

  std::vector<Predictor::BatchItem> items(images.size());
  (pool != nullptr ? pool->workers() : workers_)
      .run(images.size(), threads == 0 ? most : std::min(threads, most), [&](std::size_t i) {
        const auto fail = [&](Status status, const char* what) {
          items[i].status = status;
          items[i].error = what;
        };
        if (stop.stop_requested() || (pool != nullptr && pool->cancelled() != began))
          return fail(Status::kCancelled, "cancelled before it was begun");
        try {
          items[i].result = boxes.empty() ? predict(images[i], nullptr) : predict(images[i], boxes[i]);
        } catch (const Error& e) {
          fail(e.status(), e.what());
        } catch (const std::bad_alloc&) {
          fail(Status::kOutOfMemory, "out of memory");
        } catch (const std::exception& e) {
          fail(Status::kInternal, e.what());
        }
      });
  return items;
}

class Predictor::Impl : public Pipeline {
 public:
  using Pipeline::Pipeline;
};

namespace {
Ensemble::Options single(const Predictor::Options& options) {
  Ensemble::Options all;
  static_cast<Predictor::Options&>(all) = options;
  return all;
}

Predictor::Options with_detector(const Predictor::Options& options) {
  Predictor::Options all = options;
  if (!all.detector) all.detector = builtin_model("detector");
  return all;
}
}  // namespace

Predictor::Predictor(Model model, const Options& options)
    : impl_(std::make_unique<Impl>(std::vector<Model>{std::move(model)}, single(options))) {}
Predictor::Predictor(const Options& options) : Predictor(builtin_model("pad"), with_detector(options)) {}
Predictor::~Predictor() = default;
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor& Predictor::operator=(Predictor&&) noexcept = default;
Result Predictor::predict(const ImageView& image) const {
  return impl_->predict(image, nullptr);
}
Result Predictor::predict(const ImageView& image, const Rect& face) const {
  return impl_->predict(image, face);
}
Result Predictor::predict(const ImageView& image, const Face& face) const {
  return impl_->predict(image, &face);
}
std::vector<Predictor::BatchItem> Predictor::predict_batch(std::span<const ImageView> images,
                                                           std::span<const Rect> boxes, int threads,
                                                           std::stop_token stop) const {
  return impl_->predict_batch(images, boxes, threads, stop);
}
const Model& Predictor::model() const noexcept {
  return impl_->members().front();
}
const Predictor::Options& Predictor::options() const noexcept {
  return impl_->options();
}

class Ensemble::Impl : public Pipeline {
 public:
  using Pipeline::Pipeline;
};

Ensemble::Ensemble(std::vector<Model> members, const Options& options)
    : impl_(std::make_unique<Impl>(std::move(members), options)) {}
Ensemble::~Ensemble() = default;
Ensemble::Ensemble(Ensemble&&) noexcept = default;
Ensemble& Ensemble::operator=(Ensemble&&) noexcept = default;
Result Ensemble::predict(const ImageView& image) const {
  return impl_->predict(image, nullptr);
}
Result Ensemble::predict(const ImageView& image, const Rect& face) const {
  return impl_->predict(image, face);
}
Result Ensemble::predict(const ImageView& image, const Face& face) const {
  return impl_->predict(image, &face);
}
std::vector<Predictor::BatchItem> Ensemble::predict_batch(std::span<const ImageView> images,
                                                          std::span<const Rect> boxes, int threads,
                                                          std::stop_token stop) const {
  return impl_->predict_batch(images, boxes, threads, stop);
}
const std::vector<Model>& Ensemble::members() const noexcept {
  return impl_->members();
}
const Ensemble::Options& Ensemble::options() const noexcept {
  return impl_->options();
}

}  // namespace liveness
