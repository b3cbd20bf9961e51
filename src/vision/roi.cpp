#include "liveness/roi.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "liveness/error.hpp"
#include "vision/resample.hpp"
#include "vision/roi_kernels.hpp"
#include "vision/roi_tables.hpp"

namespace liveness {
namespace {

using vision::kMaxSide;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Status::kInvalidArgument, message);
}

std::string text(float v) {
  return std::to_string(v);
}

void check_spec(const RoiSpec& spec, std::size_t index) {
  const std::string where = "spec " + std::to_string(index) + ": ";
  const InputContract& input = spec.input;
  const CropContract& crop = spec.crop;
  if (input.width < 1 || input.width > kMaxSide || input.height < 1 || input.height > kMaxSide)
    refuse(where + "input size " + std::to_string(input.width) + " x " + std::to_string(input.height) +
           " is outside 1.." + std::to_string(kMaxSide));
  if (input.color > ColorOrder::kGray) refuse(where + "input.color is no colour order");
  if (!std::isfinite(input.low) || !std::isfinite(input.high))
    refuse(where + "input.low and input.high must be finite");
  const auto channels = static_cast<std::size_t>(input.channels());
  if (input.mean.size() != channels || input.std.size() != channels)
    refuse(where + "input.mean and input.std need " + std::to_string(channels) + " values each, got " +
           std::to_string(input.mean.size()) + " and " + std::to_string(input.std.size()));
  for (const float v : input.mean)
    if (!std::isfinite(v)) refuse(where + "input.mean must be finite");
  for (const float v : input.std)
    if (!std::isfinite(v) || v == 0) refuse(where + "input.std must be finite and not 0, got " + text(v));
  if (!(crop.scale > 0) || !std::isfinite(crop.scale))
    refuse(where + "crop.scale must be greater than 0, got " + text(crop.scale));
  if (crop.border > BorderRule::kReflect101) refuse(where + "crop.border is no border rule");
  if (crop.enlarge > ResizeFilter::kLanczos || crop.shrink > ResizeFilter::kLanczos)
    refuse(where + "crop.enlarge or crop.shrink is no resize filter");
}

}  // namespace

void check_image(const ImageView& image) {
  if (image.data == nullptr) refuse("image: data is null");
  if (image.width < 1 || image.width > kMaxSide || image.height < 1 || image.height > kMaxSide)
    refuse("image: size " + std::to_string(image.width) + " x " + std::to_string(image.height) + " is outside 1.." +
           std::to_string(kMaxSide));
  if (image.format > PixelFormat::kNv21)
    refuse("image: format " + std::to_string(static_cast<int>(image.format)) + " is no pixel format");
  const std::ptrdiff_t row = std::ptrdiff_t{image.width} * bytes_per_pixel(image.format);
  if (image.stride < row)
    refuse("image: stride of " + std::to_string(image.stride) + " bytes is less than a row of " + std::to_string(row));
  // Rows further apart than this would take the end of the picture beyond what an address can say.
  constexpr std::ptrdiff_t kMaxStride = std::ptrdiff_t{1} << (sizeof(std::ptrdiff_t) * 8 - 20);
  if (image.stride > kMaxStride) refuse("image: stride of " + std::to_string(image.stride) + " bytes is too large");
  if (image.format == PixelFormat::kNv12 || image.format == PixelFormat::kNv21) {
    const std::ptrdiff_t chroma_row = (std::ptrdiff_t{image.width} + 1) / 2 * 2;
    const std::ptrdiff_t stride = image.chroma_stride != 0 ? image.chroma_stride : image.stride;
    if (stride < chroma_row || stride > kMaxStride)
      refuse("image: chroma_stride of " + std::to_string(stride) + " bytes does not hold a row of " +
             std::to_string(chroma_row));
  }
}

void check_box(const Rect& box, Size frame) {
  const auto found = [&box] {
    return " (x " + text(box.x) + ", y " + text(box.y) + ", width " + text(box.width) + ", height " + text(box.height) +
           ")";
  };
  if (!is_finite(box)) refuse("box: not finite" + found());
  if (!(box.width > 0) || !(box.height > 0)) refuse("box: empty" + found());
  if (!(box.x < static_cast<float>(frame.width) && box.y < static_cast<float>(frame.height) && box.x + box.width > 0 &&
        box.y + box.height > 0))
    refuse("box: outside the frame of " + std::to_string(frame.width) + " x " + std::to_string(frame.height) + found());
}

class RoiProcessor::Impl {
 public:
  explicit Impl(std::vector<RoiSpec> specs) : kernels_(vision::roi_kernels(default_isa())), specs_(std::move(specs)) {
    for (std::size_t i = 0; i < specs_.size(); ++i) check_spec(specs_[i], i);
  }

  [[nodiscard]] const std::vector<RoiSpec>& specs() const noexcept { return specs_; }
  [[nodiscard]] const RoiSpec& spec(std::size_t i) const {
    if (i >= specs_.size()) refuse("crop " + std::to_string(i) + " of " + std::to_string(specs_.size()));
    return specs_[i];
  }

  CropInfo extract(const ImageView& image, const Rect& face, std::size_t i, PlanarView output) const {
    const RoiSpec& s = spec(i);
    if (output.data == nullptr) refuse("output " + std::to_string(i) + ": data is null");
    CropInfo info;
    const vision::Region region = vision::crop_region({image.width, image.height}, face, s.crop, &info.outside);
    info.region = {static_cast<float>(region.x), static_cast<float>(region.y), static_cast<float>(region.width),
                   static_cast<float>(region.height)};
    run(image, s, region, {s.input.width, s.input.height}, output);
    return info;
  }

  float letterbox(const ImageView& image, PlanarView output) const {
    const RoiSpec& s = spec(0);
    if (output.data == nullptr) refuse("output: data is null");
    const Size input{s.input.width, s.input.height};
    const Size size = vision::letterbox_size({image.width, image.height}, input);
    run(image, s, {0, 0, image.width, image.height}, size, output);
    const vision::Resample job = make_job(s);
    for (int c = 0; c < s.input.channels(); ++c) {
      const float rest = static_cast<float>(s.crop.border_value) * job.mul[c] + job.add[c];
      float* plane = output.data + output.plane_stride * c;
      for (int y = 0; y < input.height; ++y)
        std::fill(plane + output.row_stride * y + (y < size.height ? size.width : 0),
                  plane + output.row_stride * y + input.width, rest);
    }
    return std::min(static_cast<float>(input.width) / static_cast<float>(image.width),
                    static_cast<float>(input.height) / static_cast<float>(image.height));
  }

 private:
  static vision::Resample make_job(const RoiSpec& spec) {
    vision::Resample job;
    job.border = spec.crop.border;
    job.border_value = spec.crop.border_value;
    job.color = spec.input.color;
    for (std::size_t c = 0; c < static_cast<std::size_t>(spec.input.channels()); ++c) {
      const double gain = (static_cast<double>(spec.input.high) - spec.input.low) / 255;
      job.mul[c] = static_cast<float>(gain / spec.input.std[c]);
      job.add[c] = static_cast<float>((static_cast<double>(spec.input.low) - spec.input.mean[c]) / spec.input.std[c]);
    }
    return job;
  }

  void run(const ImageView& image, const RoiSpec& spec, const vision::Region& region, Size out,
           PlanarView output) const {
    vision::Resample job = make_job(spec);
    job.region = region;
    job.out = out;
    job.filter = vision::choose_filter(spec.crop, {region.width, region.height}, out);
    vision::resample(kernels_, image, job, output);
  }

  const vision::RoiKernels& kernels_;
  std::vector<RoiSpec> specs_;
};

RoiProcessor::RoiProcessor(std::vector<RoiSpec> specs) : impl_(std::make_unique<Impl>(std::move(specs))) {}
RoiProcessor::~RoiProcessor() = default;
RoiProcessor::RoiProcessor(RoiProcessor&&) noexcept = default;
RoiProcessor& RoiProcessor::operator=(RoiProcessor&&) noexcept = default;

std::size_t RoiProcessor::size() const noexcept {
  return impl_->specs().size();
}
const RoiSpec& RoiProcessor::spec(std::size_t i) const {
  return impl_->spec(i);
}

void RoiProcessor::extract(const ImageView& image, const Rect& face, std::span<const PlanarView> outputs,
                           std::span<CropInfo> infos) const {
  if (outputs.size() != size())
    refuse("outputs: " + std::to_string(outputs.size()) + " for " + std::to_string(size()) + " crops");
  if (!infos.empty() && infos.size() != size())
    refuse("infos: " + std::to_string(infos.size()) + " for " + std::to_string(size()) + " crops");
  check_image(image);
  check_box(face, {image.width, image.height});
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const CropInfo info = impl_->extract(image, face, i, outputs[i]);
    if (!infos.empty()) infos[i] = info;
  }
}

CropInfo RoiProcessor::extract(const ImageView& image, const Rect& face, std::size_t i, PlanarView output) const {
  check_image(image);
  check_box(face, {image.width, image.height});
  return impl_->extract(image, face, i, output);
}

CropInfo RoiProcessor::region(Size frame, const Rect& face, std::size_t i) const {
  if (frame.width < 1 || frame.width > kMaxSide || frame.height < 1 || frame.height > kMaxSide)
    refuse("frame: size " + std::to_string(frame.width) + " x " + std::to_string(frame.height) + " is outside 1.." +
           std::to_string(kMaxSide));
  check_box(face, frame);
  CropInfo info;
  const vision::Region r = vision::crop_region(frame, face, impl_->spec(i).crop, &info.outside);
  info.region = {static_cast<float>(r.x), static_cast<float>(r.y), static_cast<float>(r.width),
                 static_cast<float>(r.height)};
  return info;
}

float RoiProcessor::letterbox(const ImageView& image, PlanarView output) const {
  check_image(image);
  return impl_->letterbox(image, output);
}

}  // namespace liveness
