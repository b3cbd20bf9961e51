#include "convert.hpp"

#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "handles.hpp"

namespace liveness::capi {

// The enumerations are the same numbers on both sides, so that converting is a cast after a range check.
static_assert(LIVENESS_STATUS_OK == static_cast<int>(Status::kOk));
static_assert(LIVENESS_STATUS_INVALID_ARGUMENT == static_cast<int>(Status::kInvalidArgument));
static_assert(LIVENESS_STATUS_INVALID_STATE == static_cast<int>(Status::kInvalidState));
static_assert(LIVENESS_STATUS_UNSUPPORTED == static_cast<int>(Status::kUnsupported));
static_assert(LIVENESS_STATUS_BUFFER_TOO_SMALL == static_cast<int>(Status::kBufferTooSmall));
static_assert(LIVENESS_STATUS_ABI_MISMATCH == static_cast<int>(Status::kAbiMismatch));
static_assert(LIVENESS_STATUS_OUT_OF_MEMORY == static_cast<int>(Status::kOutOfMemory));
static_assert(LIVENESS_STATUS_IO == static_cast<int>(Status::kIo));
static_assert(LIVENESS_STATUS_NOT_FOUND == static_cast<int>(Status::kNotFound));
static_assert(LIVENESS_STATUS_MODEL_INVALID == static_cast<int>(Status::kModelInvalid));
static_assert(LIVENESS_STATUS_CONFIG_INVALID == static_cast<int>(Status::kConfigInvalid));
static_assert(LIVENESS_STATUS_DEVICE_UNAVAILABLE == static_cast<int>(Status::kDeviceUnavailable));
static_assert(LIVENESS_STATUS_CANCELLED == static_cast<int>(Status::kCancelled));
static_assert(LIVENESS_STATUS_INTERNAL == static_cast<int>(Status::kInternal));

static_assert(LIVENESS_PIXEL_FORMAT_BGR == static_cast<int>(PixelFormat::kBgr));
static_assert(LIVENESS_PIXEL_FORMAT_RGB == static_cast<int>(PixelFormat::kRgb));
static_assert(LIVENESS_PIXEL_FORMAT_BGRA == static_cast<int>(PixelFormat::kBgra));
static_assert(LIVENESS_PIXEL_FORMAT_RGBA == static_cast<int>(PixelFormat::kRgba));
static_assert(LIVENESS_PIXEL_FORMAT_GRAY == static_cast<int>(PixelFormat::kGray));
static_assert(LIVENESS_PIXEL_FORMAT_NV12 == static_cast<int>(PixelFormat::kNv12));
static_assert(LIVENESS_PIXEL_FORMAT_NV21 == static_cast<int>(PixelFormat::kNv21));

static_assert(LIVENESS_ISA_AUTO == static_cast<int>(Isa::kAuto));
static_assert(LIVENESS_ISA_PORTABLE == static_cast<int>(Isa::kPortable));
static_assert(LIVENESS_ISA_AVX2 == static_cast<int>(Isa::kAvx2));
static_assert(LIVENESS_ISA_AVX512 == static_cast<int>(Isa::kAvx512));
static_assert(LIVENESS_ISA_AMX == static_cast<int>(Isa::kAmx));

static_assert(LIVENESS_PRECISION_AUTO == static_cast<int>(Precision::kAuto));
static_assert(LIVENESS_PRECISION_FP32 == static_cast<int>(Precision::kFp32));
static_assert(LIVENESS_PRECISION_BF16 == static_cast<int>(Precision::kBf16));
static_assert(LIVENESS_PRECISION_INT8 == static_cast<int>(Precision::kInt8));
static_assert(LIVENESS_PRECISION_FP16 == static_cast<int>(Precision::kFp16));
static_assert(LIVENESS_BACKEND_AUTO == static_cast<int>(Backend::kAuto));
static_assert(LIVENESS_BACKEND_NATIVE == static_cast<int>(Backend::kNative));
static_assert(LIVENESS_BACKEND_TORCH == static_cast<int>(Backend::kTorch));

static_assert(LIVENESS_TASK_PAD == static_cast<int>(Task::kPad));
static_assert(LIVENESS_TASK_DETECTOR == static_cast<int>(Task::kDetector));
static_assert(LIVENESS_TASK_OTHER == static_cast<int>(Task::kOther));

static_assert(LIVENESS_VERDICT_UNCERTAIN == static_cast<int>(Verdict::kUncertain));
static_assert(LIVENESS_VERDICT_LIVE == static_cast<int>(Verdict::kLive));
static_assert(LIVENESS_VERDICT_SPOOF == static_cast<int>(Verdict::kSpoof));
static_assert(LIVENESS_VERDICT_NO_FACE == static_cast<int>(Verdict::kNoFace));

static_assert(LIVENESS_REASON_TOO_SMALL == mask(Reason::kTooSmall));
static_assert(LIVENESS_REASON_BLURRED == mask(Reason::kBlurred));
static_assert(LIVENESS_REASON_DARK == mask(Reason::kDark));
static_assert(LIVENESS_REASON_SATURATED == mask(Reason::kSaturated));
static_assert(LIVENESS_REASON_AT_BORDER == mask(Reason::kAtBorder));
static_assert(LIVENESS_REASON_TURNED_AWAY == mask(Reason::kTurnedAway));
static_assert(LIVENESS_REASON_MODELS_DISAGREE == mask(Reason::kModelsDisagree));
static_assert(LIVENESS_REASON_SEVERAL_FACES == mask(Reason::kSeveralFaces));
static_assert(LIVENESS_REASON_UNSTABLE_CROP == mask(Reason::kUnstableCrop));
static_assert(LIVENESS_REASON_FLAT_MOTION == mask(Reason::kFlatMotion));
static_assert(LIVENESS_REASON_FROZEN == mask(Reason::kFrozen));
static_assert(LIVENESS_REASON_FLICKER == mask(Reason::kFlicker));
static_assert(kReasonCount == 12, "a new reason needs its bit in liveness.h");

static_assert(LIVENESS_FUSION_MEAN == static_cast<int>(Fusion::kMean));
static_assert(LIVENESS_FUSION_WEIGHTED == static_cast<int>(Fusion::kWeighted));
static_assert(LIVENESS_FUSION_LOG_ODDS_MEAN == static_cast<int>(Fusion::kLogOddsMean));
static_assert(LIVENESS_FUSION_MAJORITY == static_cast<int>(Fusion::kMajority));
static_assert(LIVENESS_FUSION_MINIMUM == static_cast<int>(Fusion::kMinimum));

// Published layouts. No struct has padding: a field added into it would not show in struct_size.
static_assert(sizeof(liveness_point_t) == 8 && sizeof(liveness_rect_t) == 16);
static_assert(sizeof(liveness_detector_options_t) == 20 && offsetof(liveness_detector_options_t, min_face) == 16);
static_assert(sizeof(liveness_quality_limits_t) == 32 && offsetof(liveness_quality_limits_t, max_pitch) == 28);
static_assert(sizeof(liveness_face_t) == 68 && offsetof(liveness_face_t, score) == 64);
static_assert(sizeof(liveness_crop_t) == 24 && offsetof(liveness_crop_t, region) == 8);
static_assert(sizeof(liveness_augmentation_t) == 20 && offsetof(liveness_augmentation_t, settled) == 16);
static_assert(sizeof(liveness_face_result_t) == 136 && offsetof(liveness_face_result_t, views) == 132);
static_assert(sizeof(liveness_summary_t) == 64 && offsetof(liveness_summary_t, total_ms) == 56);
static_assert(sizeof(liveness_model_info_t) == 96 && offsetof(liveness_model_info_t, workspace_bytes) == 56 &&
              offsetof(liveness_model_info_t, reserved) == 92);
static_assert(sizeof(void*) != 8 ||
              (sizeof(liveness_image_t) == 48 && offsetof(liveness_image_t, chroma_stride) == 40));
static_assert(sizeof(void*) != 8 ||
              (sizeof(liveness_model_options_t) == 56 && offsetof(liveness_model_options_t, contract) == 16 &&
               offsetof(liveness_model_options_t, reserved2) == 52));
static_assert(sizeof(void*) != 8 || (sizeof(liveness_predictor_options_t) == 120 &&
                                     offsetof(liveness_predictor_options_t, calibration) == 112));

namespace {

void check_reserved(std::int32_t value, const char* name) {
  if (value != 0) fail(Status::kInvalidArgument, std::string(name) + " is " + std::to_string(value) + ", expected 0");
}

std::ptrdiff_t to_stride(std::int64_t value, const char* name) {
  if (value < std::numeric_limits<std::ptrdiff_t>::min() || value > std::numeric_limits<std::ptrdiff_t>::max())
    fail(Status::kInvalidArgument, std::string(name) + " is " + std::to_string(value) + ": too large for this machine");
  return static_cast<std::ptrdiff_t>(value);
}

}  // namespace

void fail(Status status, const std::string& message) {
  throw Error(status, message);
}

std::string item(std::string_view array, std::size_t index) {
  std::string name(array);
  return name.append("[").append(std::to_string(index)).append("]");
}

liveness_model_options_t default_model_options() noexcept {
  const Model::Options d;
  liveness_model_options_t c{};
  c.struct_size = sizeof c;
  c.isa = static_cast<std::int32_t>(d.isa);
  c.verify = d.verify ? 1 : 0;
  c.precision = static_cast<std::int32_t>(d.precision);
  c.backend = static_cast<std::int32_t>(d.backend);
  c.device = "cpu";
  c.allow_code = d.allow_code ? 1 : 0;
  return c;
}

liveness_detector_options_t default_detector_options() noexcept {
  const FaceDetector::Options d;
  return {sizeof(liveness_detector_options_t), d.score_threshold, d.nms_iou, d.max_faces, d.min_face};
}

liveness_quality_limits_t default_quality_limits() noexcept {
  const QualityLimits d;
  return {sizeof(liveness_quality_limits_t),
          d.min_face_pixels,
          d.min_sharpness,
          d.min_luminance,
          d.max_overexposed,
          d.max_outside,
          d.max_yaw,
          d.max_pitch};
}

liveness_augmentation_t default_augmentation() noexcept {
  const Augmentation d;
  return {sizeof(liveness_augmentation_t), d.crops, d.flip ? 1 : 0, d.brightness, d.settled};
}

liveness_predictor_options_t default_predictor_options() noexcept {
  const Ensemble::Options d;
  liveness_predictor_options_t c{};
  c.struct_size = sizeof c;
  c.fusion = static_cast<std::int32_t>(d.fusion);
  c.box_convention = "yunet";
  c.profile = "balanced";
  c.threshold = -1;
  c.disagreement = d.disagreement;
  c.abstain = d.abstain;
  c.all_faces = d.all_faces ? 1 : 0;
  return c;
}

liveness_face_t default_face() noexcept {
  liveness_face_t c{};
  c.struct_size = sizeof c;
  c.score = 1;
  return c;
}

Model::Options from_c(const liveness_model_options_t* options) {
  const auto c = options == nullptr ? default_model_options() : read(options, default_model_options(), "options");
  check_reserved(c.reserved, "options.reserved");
  check_reserved(c.reserved2, "options.reserved2");
  Model::Options o;
  o.isa = enumerator<Isa>(c.isa, 5, "options.isa");
  o.verify = c.verify != 0;
  if (c.contract != nullptr) o.contract = c.contract;
  o.precision = enumerator<Precision>(c.precision, LIVENESS_PRECISION_FP16 + 1, "options.precision");
  o.backend = enumerator<Backend>(c.backend, LIVENESS_BACKEND_TORCH + 1, "options.backend");
  if (c.device != nullptr) o.device = c.device;
  if (c.plugin != nullptr) o.plugin = c.plugin;
  o.allow_code = c.allow_code != 0;
  return o;
}

FaceDetector::Options from_c(const liveness_detector_options_t* options) {
  const auto c =
      options == nullptr ? default_detector_options() : read(options, default_detector_options(), "detector options");
  FaceDetector::Options o;
  o.score_threshold = c.score_threshold;
  o.nms_iou = c.nms_iou;
  o.max_faces = c.max_faces;
  o.min_face = c.min_face;
  return o;
}

QualityLimits from_c(const liveness_quality_limits_t* limits) {
  const auto c = limits == nullptr ? default_quality_limits() : read(limits, default_quality_limits(), "limits");
  QualityLimits l;
  l.min_face_pixels = c.min_face_pixels;
  l.min_sharpness = c.min_sharpness;
  l.min_luminance = c.min_luminance;
  l.max_overexposed = c.max_overexposed;
  l.max_outside = c.max_outside;
  l.max_yaw = c.max_yaw;
  l.max_pitch = c.max_pitch;
  return l;
}

Augmentation from_c(const liveness_augmentation_t* augmentation) {
  const auto c =
      augmentation == nullptr ? default_augmentation() : read(augmentation, default_augmentation(), "augmentation");
  return {c.crops, c.flip != 0, c.brightness, c.settled};
}

Ensemble::Options from_c(const liveness_predictor_options_t& c, std::size_t models) {
  check_reserved(c.reserved, "options.reserved");
  Ensemble::Options o;
  o.fusion = enumerator<Fusion>(c.fusion, kFusionCount, "options.fusion");
  o.detection = from_c(c.detection);
  o.box_convention = std::string(&deref(c.box_convention, "options.box_convention"));
  o.profile = std::string(&deref(c.profile, "options.profile"));
  o.limits = from_c(c.limits);
  if (c.weights != nullptr) o.weights.assign(c.weights, c.weights + models);
  if (!(c.threshold < 0)) o.threshold = c.threshold;
  o.disagreement = c.disagreement;
  if (c.abstain >> kReasonCount != 0)
    fail(Status::kInvalidArgument,
         "options.abstain is " + std::to_string(c.abstain) + ": holds a bit that is no reason");
  o.abstain = c.abstain;
  o.all_faces = c.all_faces != 0;
  o.augmentation = from_c(c.augmentation);
  if (c.stability_crops != 0) {
    if (c.augmentation != nullptr)
      fail(Status::kInvalidArgument, "options.stability_crops is " + std::to_string(c.stability_crops) +
                                         ", but there is an augmentation, which has crops of its own");
    o.augmentation.crops = c.stability_crops;
  }
  if (c.cache != nullptr) o.cache = c.cache->cache;
  if (c.pool != nullptr) o.pool = c.pool->pool;
  return o;
}

ImageView from_c(const liveness_image_t* image) {
  const auto c = read(image, liveness_image_t{}, "image");
  return {c.data,
          c.width,
          c.height,
          to_stride(c.stride, "image.stride"),
          enumerator<PixelFormat>(c.format, LIVENESS_PIXEL_FORMAT_NV21 + 1, "image.format"),
          c.chroma,
          to_stride(c.chroma_stride, "image.chroma_stride")};
}

Rect from_c(const liveness_rect_t& rect) noexcept {
  return {rect.x, rect.y, rect.width, rect.height};
}

Face from_c(const liveness_face_t& face) {
  const auto c = read(&face, default_face(), "face");
  Face f;
  f.box = from_c(c.box);
  for (std::size_t i = 0; i < f.landmarks.size(); ++i) f.landmarks[i] = {c.landmarks[i].x, c.landmarks[i].y};
  f.has_landmarks = c.has_landmarks != 0;
  f.score = c.score;
  return f;
}

liveness_rect_t to_c(const Rect& rect) noexcept {
  return {rect.x, rect.y, rect.width, rect.height};
}

liveness_face_t to_c(const Face& face) noexcept {
  liveness_face_t c = default_face();
  c.has_landmarks = face.has_landmarks ? 1 : 0;
  c.box = to_c(face.box);
  for (std::size_t i = 0; i < face.landmarks.size(); ++i) c.landmarks[i] = {face.landmarks[i].x, face.landmarks[i].y};
  c.score = face.score;
  return c;
}

liveness_face_result_t to_c(const FaceResult& face) noexcept {
  liveness_face_result_t c{};
  c.struct_size = sizeof c;
  c.verdict = static_cast<std::int32_t>(face.verdict);
  c.score = face.score;
  c.logit = face.logit;
  c.threshold = face.threshold;
  c.reasons = face.reasons;
  c.member_count = static_cast<std::uint32_t>(face.members.size());
  const liveness_face_t where = to_c(face.face);
  c.has_landmarks = where.has_landmarks;
  c.box = where.box;
  std::copy(std::begin(where.landmarks), std::end(where.landmarks), std::begin(c.landmarks));
  c.detection = where.score;
  c.face_pixels = face.quality.face_pixels;
  c.sharpness = face.quality.sharpness;
  c.luminance = face.quality.luminance;
  c.overexposed = face.quality.overexposed;
  c.underexposed = face.quality.underexposed;
  c.outside = face.quality.outside;
  c.yaw = face.quality.yaw;
  c.pitch = face.quality.pitch;
  c.roll = face.quality.roll;
  c.spread = face.spread;
  c.views = static_cast<std::uint32_t>(face.views);
  return c;
}

liveness_summary_t to_c(const Result& result) noexcept {
  liveness_summary_t c{};
  c.struct_size = sizeof c;
  c.verdict = static_cast<std::int32_t>(result.verdict);
  c.score = result.score;
  c.logit = result.logit;
  c.threshold = result.threshold;
  c.reasons = result.reasons;
  c.face_count = static_cast<std::uint32_t>(result.faces.size());
  c.from_cache = result.from_cache ? 1 : 0;
  c.detect_ms = result.time.detect;
  c.roi_ms = result.time.roi;
  c.infer_ms = result.time.infer;
  c.total_ms = result.time.total;
  return c;
}

liveness_crop_t to_c(const CropInfo& crop) noexcept {
  return {sizeof(liveness_crop_t), crop.outside, to_c(crop.region)};
}

liveness_model_info_t to_c(const Model& model) noexcept {
  const Contract& contract = model.contract();
  const ModelInfo& info = model.info();
  liveness_model_info_t c{};
  c.struct_size = sizeof c;
  c.task = static_cast<std::int32_t>(contract.task);
  c.width = contract.input.width;
  c.height = contract.input.height;
  c.channels = contract.input.channels();
  c.isa = static_cast<std::int32_t>(info.isa);
  c.output_count = static_cast<std::uint32_t>(info.outputs.size());
  c.node_count = static_cast<std::uint32_t>(info.nodes.size());
  c.macs = info.macs;
  c.parameters = info.parameters;
  c.weight_bytes = static_cast<std::int64_t>(info.weight_bytes);
  c.workspace_bytes = static_cast<std::int64_t>(info.workspace_bytes);
  c.backend = static_cast<std::int32_t>(info.backend);
  c.precision = static_cast<std::int32_t>(info.precision);
  info.device.copy(c.device, sizeof c.device - 1);
  c.fell_back = info.fallback.empty() ? 0 : 1;
  return c;
}

void write_text(std::string_view from, char* text, std::size_t capacity, std::size_t* size) {
  const std::size_t needed = from.size() + 1;
  if (text == nullptr) {
    if (capacity != 0) fail(Status::kInvalidArgument, "text is NULL, but capacity is " + std::to_string(capacity));
    deref(size, "size") = needed;
    return;
  }
  if (capacity < needed)
    fail(Status::kBufferTooSmall,
         "text: capacity is " + std::to_string(capacity) + " bytes, needed are " + std::to_string(needed));
  std::memcpy(text, from.data(), from.size());
  text[from.size()] = '\0';
  if (size != nullptr) *size = needed;
}

}  // namespace liveness::capi
