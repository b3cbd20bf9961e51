#include "optimize/measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "liveness/detector.hpp"
#include "liveness/ensemble.hpp"
#include "liveness/error.hpp"
#include "liveness/roi.hpp"
#include "pipeline/pipeline.hpp"

namespace liveness {

// ---------------------------------------------------------------- samples

class Samples::Impl {
 public:
  explicit Impl(const Contract& from)
      : contract(from), roi({RoiSpec{from.input, from.crop ? *from.crop : CropContract{}}}) {}

  [[nodiscard]] std::size_t elements() const {
    const InputContract& in = contract.input;
    return static_cast<std::size_t>(in.channels()) * static_cast<std::size_t>(in.height) *
           static_cast<std::size_t>(in.width);
  }
  // A place for one more; the sample counts once it is filled.
  [[nodiscard]] PlanarView place(std::vector<float>& values) const {
    values.resize(elements());
    return {values.data(), contract.input.width,
            static_cast<std::ptrdiff_t>(contract.input.width) * contract.input.height};
  }
  void keep(std::vector<float> values, Label label) {
    crops.push_back(std::move(values));
    labels.push_back(label);
  }

  Contract contract;
  RoiProcessor roi;
  std::vector<std::vector<float>> crops;
  std::vector<Label> labels;
};

Samples::Samples(const Contract& contract) : impl_(std::make_unique<Impl>(contract)) {}
Samples::~Samples() = default;
Samples::Samples(Samples&&) noexcept = default;
Samples& Samples::operator=(Samples&&) noexcept = default;

void Samples::add(const ImageView& image, const Rect& face, std::string_view box_convention, Label label) {
  if (!impl_->contract.crop)
    throw Error(Status::kInvalidArgument, "face: model '" + impl_->contract.name + "' has no rule for cropping faces");
  std::vector<float> values;
  check_image(image);
  const Rect box = map_box(face, std::string(box_convention), *impl_->contract.crop);
  impl_->roi.extract(image, box, 0, impl_->place(values));
  impl_->keep(std::move(values), label);
}

void Samples::add(const ImageView& crop, Label label) {
  check_image(crop);
  const InputContract& in = impl_->contract.input;
  if (impl_->contract.task != Task::kDetector && (crop.width != in.width || crop.height != in.height)) {
    throw Error(Status::kInvalidArgument, "crop: " + std::to_string(crop.width) + " x " + std::to_string(crop.height) +
                                              " pixels; without a face box the network's own " +
                                              std::to_string(in.width) + " x " + std::to_string(in.height) +
                                              " are needed");
  }
  std::vector<float> values;
  impl_->roi.letterbox(crop, impl_->place(values));
  impl_->keep(std::move(values), label);
}

std::size_t Samples::size() const noexcept {
  return impl_->crops.size();
}
std::span<const float> Samples::values(std::size_t i) const {
  return impl_->crops.at(i);
}
Label Samples::label(std::size_t i) const {
  return impl_->labels.at(i);
}

void check_samples(const Samples& samples, const Contract& contract) {
  if (samples.size() == 0) throw Error(Status::kInvalidArgument, "samples: there are none");
  const InputContract& in = contract.input;
  const auto wanted = static_cast<std::size_t>(in.channels()) * static_cast<std::size_t>(in.height) *
                      static_cast<std::size_t>(in.width);
  if (samples.values(0).size() != wanted) {
    throw Error(Status::kInvalidArgument,
                "samples: made for another network: " + std::to_string(samples.values(0).size()) + " values, '" +
                    contract.name + "' takes " + std::to_string(wanted));
  }
}

namespace {

// Pixels of the network's own size and order of colours.
ImageView image_of(const std::vector<std::uint8_t>& pixels, const InputContract& in) {
  const PixelFormat format = in.color == ColorOrder::kGray  ? PixelFormat::kGray
                             : in.color == ColorOrder::kBgr ? PixelFormat::kBgr
                                                            : PixelFormat::kRgb;
  return make_image(pixels.data(), in.width, in.height, format);
}

}  // namespace

Samples golden_samples(const Package& package) {
  Samples samples(package.contract);
  const InputContract& in = package.contract.input;
  const auto add = [&](const std::vector<Golden>& goldens) {
    for (const auto& golden : goldens) samples.add(image_of(golden.pixels, in));
  };
  if (package.goldens.empty()) {
    add(make_goldens(package, 4));
  } else {
    add(package.goldens);
  }
  return samples;
}

// ---------------------------------------------------------------- running

namespace {

void feed(std::span<const float> values, const InputContract& in, const PlanarView& view) {
  const auto width = static_cast<std::ptrdiff_t>(in.width);
  const float* from = values.data();
  for (int c = 0; c < in.channels(); ++c)
    for (int y = 0; y < in.height; ++y, from += width)
      std::copy(from, from + width, view.data + c * view.plane_stride + y * view.row_stride);
}

}  // namespace

void visit_samples(const Executable& executable, const Package& package, const Samples& samples, std::size_t limit,
                   const std::function<void(const SampleOutputs&)>& visit) {
  const auto workspace = executable.make_workspace();
  const std::size_t count = std::min(limit, samples.size());
  SampleOutputs outputs(package.graph.outputs.size());
  for (std::size_t i = 0; i < count; ++i) {
    feed(samples.values(i * samples.size() / count), package.contract.input, executable.input(*workspace));
    executable.run(*workspace);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const auto found = executable.output(*workspace, k);
      outputs[k].assign(found.begin(), found.end());
    }
    visit(outputs);
  }
}

std::vector<SampleOutputs> run_samples(const Executable& executable, const Package& package, const Samples& samples,
                                       std::size_t limit) {
  std::vector<SampleOutputs> all;
  visit_samples(executable, package, samples, limit, [&](const SampleOutputs& outputs) { all.push_back(outputs); });
  return all;
}

double relative_error(const std::vector<SampleOutputs>& wanted, const std::vector<SampleOutputs>& found) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    for (std::size_t k = 0; k < wanted[i].size(); ++k) {
      for (std::size_t e = 0; e < wanted[i][k].size(); ++e) {
        const auto a = static_cast<double>(wanted[i][k][e]);
        const auto b = static_cast<double>(found[i][k][e]);
        difference += (a - b) * (a - b);
        size += a * a;
      }
    }
  }
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

namespace {

// Counts of one network's verdicts.
struct Verdicts {
  std::int64_t attacks_live = 0;
  std::int64_t bona_fide_not_live = 0;
};

ErrorRates rates(const Verdicts& v, std::int64_t attacks, std::int64_t bona_fide) {
  ErrorRates r;
  r.attacks = attacks;
  r.bona_fide = bona_fide;
  if (attacks > 0) r.apcer = static_cast<double>(v.attacks_live) / static_cast<double>(attacks);
  if (bona_fide > 0) r.bpcer = static_cast<double>(v.bona_fide_not_live) / static_cast<double>(bona_fide);
  return r;
}

}  // namespace

ScoreDrift compare(const Package& package, const Samples& samples, const std::vector<SampleOutputs>& before,
                   const std::vector<SampleOutputs>& after) {
  ScoreDrift drift;
  drift.samples = static_cast<std::int64_t>(before.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    for (std::size_t k = 0; k < before[i].size(); ++k) {
      double largest = 1;
      double difference = 0;
      for (std::size_t e = 0; e < before[i][k].size(); ++e) {
        largest = std::max(largest, static_cast<double>(std::abs(before[i][k][e])));
        difference = std::max(difference, static_cast<double>(std::abs(before[i][k][e] - after[i][k][e])));
      }
      drift.outputs = std::max(drift.outputs, difference / largest);
    }
  }
  if (package.contract.task != Task::kPad) return drift;
  const ScoreContract& score = *package.contract.score;
  const auto& outputs = package.graph.outputs;
  const auto at = std::find_if(outputs.begin(), outputs.end(), [&](int id) {
    return package.graph.values[static_cast<std::size_t>(id)].name == score.output;
  });
  const auto classes = static_cast<std::size_t>(at - outputs.begin());
  const ThresholdProfile& profile = score.profiles.at("balanced");
  const Bounds bounds{profile.live, profile.spoof};
  Verdicts old_verdicts;
  Verdicts new_verdicts;
  std::int64_t attacks = 0;
  std::int64_t bona_fide = 0;
  std::int64_t flips = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    MemberScore a;
    MemberScore b;
    score_classes(before[i][classes], score, package.contract.name, a);
    score_classes(after[i][classes], score, package.contract.name, b);
    const double difference = std::abs(static_cast<double>(a.score) - static_cast<double>(b.score));
    drift.mean_score += difference / static_cast<double>(before.size());
    drift.max_score = std::max(drift.max_score, difference);
    const bool was = decide(a.score, bounds) == Verdict::kLive;
    const bool is = decide(b.score, bounds) == Verdict::kLive;
    flips += was != is ? 1 : 0;
    const Label label = samples.label(i);
    attacks += label == Label::kAttack ? 1 : 0;
    bona_fide += label == Label::kBonaFide ? 1 : 0;
    const auto count = [&](Verdicts& v, bool live) {
      v.attacks_live += label == Label::kAttack && live ? 1 : 0;
      v.bona_fide_not_live += label == Label::kBonaFide && !live ? 1 : 0;
    };
    count(old_verdicts, was);
    count(new_verdicts, is);
  }
  drift.flips = static_cast<double>(flips) / static_cast<double>(before.size());
  if (attacks + bona_fide > 0) {
    drift.before = rates(old_verdicts, attacks, bona_fide);
    drift.after = rates(new_verdicts, attacks, bona_fide);
  }
  return drift;
}

namespace {

// The picture that a sample was made of, as near as 8 bits come.
std::vector<std::uint8_t> pixels_of(std::span<const float> values, const InputContract& in) {
  const auto channels = static_cast<std::size_t>(in.channels());
  const std::size_t plane = values.size() / channels;
  std::vector<std::uint8_t> pixels(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t c = i / plane;
    const float share = (values[i] * in.std[c] + in.mean[c] - in.low) / (in.high - in.low);
    pixels[i % plane * channels + c] = static_cast<std::uint8_t>(std::clamp(std::lround(share * 255), 0L, 255L));
  }
  return pixels;
}

FaceDetector detector_of(const Package& package, Precision precision) {
  Model::Options options;
  options.precision = precision;
  options.verify = false;  // goldens are made anew when the package is written
  return FaceDetector(Model::from_memory(write_package(package), options));
}

}  // namespace

std::int64_t compare_faces(const Package& before, const Package& after, Precision precision, const Samples& samples,
                           ScoreDrift& drift) {
  constexpr float kSameFace = 0.5F;
  const FaceDetector old_detector = detector_of(before, Precision::kFp32);
  const FaceDetector new_detector = detector_of(after, precision);
  const InputContract& in = before.contract.input;
  std::int64_t found = 0;
  std::int64_t pairs = 0;
  std::int64_t points = 0;
  std::int64_t flips = 0;
  double scores = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto pixels = pixels_of(samples.values(i), in);
    const ImageView image = image_of(pixels, in);
    const std::vector<Face> was = old_detector.detect(image);
    std::vector<Face> is = new_detector.detect(image);
    found += std::ssize(was);
    bool flipped = was.size() != is.size();
    for (const Face& a : was) {
      const auto b = std::max_element(
          is.begin(), is.end(), [&](const Face& x, const Face& y) { return iou(a.box, x.box) < iou(a.box, y.box); });
      if (b == is.end() || iou(a.box, b->box) < kSameFace) {
        flipped = true;
        continue;
      }
      ++pairs;
      const auto difference = static_cast<double>(std::abs(a.score - b->score));
      scores += difference;
      drift.max_score = std::max(drift.max_score, difference);
      drift.boxes += 1 - static_cast<double>(iou(a.box, b->box));
      if (a.has_landmarks && b->has_landmarks) {
        const double side = static_cast<double>(std::max(a.box.width, a.box.height));
        for (std::size_t k = 0; k < a.landmarks.size(); ++k, ++points) {
          drift.landmarks += static_cast<double>(std::hypot(a.landmarks[k].x - b->landmarks[k].x,
                                                            a.landmarks[k].y - b->landmarks[k].y)) /
                             side;
        }
      }
      is.erase(b);
    }
    flips += flipped ? 1 : 0;
  }
  const auto mean = [](double sum, std::int64_t count) { return count > 0 ? sum / static_cast<double>(count) : 0; };
  drift.mean_score = mean(scores, pairs);
  drift.boxes = mean(drift.boxes, pairs);
  drift.landmarks = mean(drift.landmarks, points);
  drift.flips = mean(static_cast<double>(flips), static_cast<std::int64_t>(samples.size()));
  return found;
}

double milliseconds(const Executable& executable, const Package& package, const Samples& samples) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRounds = 101;
  const auto workspace = executable.make_workspace();
  feed(samples.values(0), package.contract.input, executable.input(*workspace));
  std::vector<double> times;
  for (int i = -kRounds / 10; i < kRounds; ++i) {
    const auto start = Clock::now();
    executable.run(*workspace);
    const std::chrono::duration<double, std::milli> time = Clock::now() - start;
    if (i >= 0) times.push_back(time.count());
  }
  std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
  return times[kRounds / 2];
}

// ---------------------------------------------------------------- files

namespace {

template <class Work>
auto naming(const std::filesystem::path& path, const Work& work) {
  try {
    return work();
  } catch (const Error& e) {
    const std::string_view what = e.what();
    const std::string name = path.string();
    throw Error(e.status(), what.starts_with(name) ? std::string(what) : name + ": " + std::string(what));
  }
}

}  // namespace

Package open_package(const std::filesystem::path& path) {
  const FileSource file(path);
  return naming(path, [&] { return read_package(file); });
}

std::uint64_t save_package(Package& package, const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = naming(path, [&] {
    package.goldens = make_goldens(package, static_cast<int>(package.goldens.size()));
    std::vector<std::byte> written = write_package(package);
    Model::Options options;
    options.precision = Precision::kFp32;
    static_cast<void>(Model::from_memory(written, options).verify());
    return written;
  });
  write_file(path, bytes);
  return bytes.size();
}

}  // namespace liveness
