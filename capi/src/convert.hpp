// Between the structs of the C ABI and the values of C++. The rule for structs that may grow is here and nowhere else.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "liveness.h"
#include "liveness/detector.hpp"
#include "liveness/ensemble.hpp"
#include "liveness/error.hpp"
#include "liveness/model.hpp"
#include "liveness/predictor.hpp"
#include "liveness/roi.hpp"
#include "liveness/types.hpp"

namespace liveness::capi {

[[noreturn]] void fail(Status status, const std::string& message);

// "models[3]", for messages.
[[nodiscard]] std::string item(std::string_view array, std::size_t index);

// Throws Error(kInvalidArgument) that names the argument where the pointer is null.
template <class T>
[[nodiscard]] T& deref(T* pointer, std::string_view name) {
  if (pointer == nullptr) fail(Status::kInvalidArgument, std::string(name) + " is NULL");
  return *pointer;
}

// An enumerator from its number. Throws Error(kInvalidArgument) where there is none with it.
template <class E>
[[nodiscard]] E enumerator(std::int32_t value, int count, std::string_view name) {
  if (value < 0 || value >= count)
    fail(Status::kInvalidArgument,
         std::string(name) + " is " + std::to_string(value) + ", expected 0 to " + std::to_string(count - 1));
  return static_cast<E>(value);
}

// ---- structs that may grow

// Larger than any struct will ever be: a size beyond it is memory that no init function has seen.
inline constexpr std::uint32_t kMaxStructSize = 4096;

// The smallest size of a caller's T: what cannot be left out. Everything after it has a default.
template <class T>
inline constexpr std::size_t kLeastSize = 2 * sizeof(std::uint32_t);
template <>
inline constexpr std::size_t kLeastSize<liveness_image_t> = offsetof(liveness_image_t, chroma);
template <>
inline constexpr std::size_t kLeastSize<liveness_face_t> = offsetof(liveness_face_t, score);

// The part of a caller's struct that this library knows, in bytes. Throws Error(kAbiMismatch) where struct_size cannot
// be.
template <class T>
[[nodiscard]] std::size_t known_size(const T& value, std::string_view name) {
  const std::uint32_t size = value.struct_size;
  if (size < kLeastSize<T> || size > kMaxStructSize || size % sizeof size != 0)
    fail(Status::kAbiMismatch, std::string(name) + ".struct_size is " + std::to_string(size) + ", this library's is " +
                                   std::to_string(sizeof(T)) + ": was the init function called?");
  return std::min<std::size_t>(size, sizeof(T));
}

// A struct from an older caller is completed from `defaults`; one from a newer caller must be zero where we know
// nothing.
template <class T>
[[nodiscard]] T read(const T* from, const T& defaults, std::string_view name) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::size_t known = known_size(deref(from, name), name);
  T value = defaults;
  std::memcpy(&value, from, known);
  const auto* bytes = reinterpret_cast<const unsigned char*>(from);
  for (std::size_t i = sizeof(T); i < from->struct_size; ++i)
    if (bytes[i] != 0)
      fail(Status::kAbiMismatch, std::string(name) + ": byte " + std::to_string(i) +
                                     " is set, but this library knows only " + std::to_string(sizeof(T)) +
                                     " bytes of the struct: it is older than the program");
  value.struct_size = sizeof(T);
  return value;
}

// Call it before anything is written, so that a bad struct_size is found while out parameters are untouched.
template <class T>
void check_out(const T* to, std::string_view name) {
  (void)known_size(deref(to, name), name);
}

// Fills what the caller has room for. What a newer caller has beyond that is cleared.
template <class T>
void write(T* to, const T& value) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::uint32_t size = to->struct_size;
  const std::size_t known = std::min<std::size_t>(size, sizeof(T));
  std::memcpy(to, &value, known);
  std::memset(reinterpret_cast<unsigned char*>(to) + known, 0, size - known);
  to->struct_size = size;
}

// What the init functions do: as write(), but the size comes as an argument and may be anything.
template <class T>
void init(T* to, std::size_t size, const T& defaults) noexcept {
  if (to == nullptr || size < sizeof(std::uint32_t) || size > kMaxStructSize) return;
  std::memset(to, 0, size);
  std::memcpy(to, &defaults, std::min(size, sizeof(T)));
  const auto stored = static_cast<std::uint32_t>(size);
  std::memcpy(to, &stored, sizeof stored);
}

// ---- values

[[nodiscard]] liveness_model_options_t default_model_options() noexcept;
[[nodiscard]] liveness_detector_options_t default_detector_options() noexcept;
[[nodiscard]] liveness_quality_limits_t default_quality_limits() noexcept;
[[nodiscard]] liveness_augmentation_t default_augmentation() noexcept;
[[nodiscard]] liveness_predictor_options_t default_predictor_options() noexcept;
[[nodiscard]] liveness_face_t default_face() noexcept;

// Null pointers to optional structs mean their defaults.
[[nodiscard]] Model::Options from_c(const liveness_model_options_t* options);
[[nodiscard]] FaceDetector::Options from_c(const liveness_detector_options_t* options);
[[nodiscard]] QualityLimits from_c(const liveness_quality_limits_t* limits);
[[nodiscard]] Augmentation from_c(const liveness_augmentation_t* augmentation);
// `profiler` stays null: who co-owns it is the caller's business.
[[nodiscard]] Ensemble::Options from_c(const liveness_predictor_options_t& options, std::size_t models);
[[nodiscard]] ImageView from_c(const liveness_image_t* image);
[[nodiscard]] Face from_c(const liveness_face_t& face);
[[nodiscard]] Rect from_c(const liveness_rect_t& rect) noexcept;

[[nodiscard]] liveness_rect_t to_c(const Rect& rect) noexcept;
[[nodiscard]] liveness_face_t to_c(const Face& face) noexcept;
[[nodiscard]] liveness_face_result_t to_c(const FaceResult& face) noexcept;
[[nodiscard]] liveness_summary_t to_c(const Result& result) noexcept;
[[nodiscard]] liveness_crop_t to_c(const CropInfo& crop) noexcept;
[[nodiscard]] liveness_model_info_t to_c(const Model& model) noexcept;

// "Ask the size, then fill"; see the header's rule on memory.
void write_text(std::string_view from, char* text, std::size_t capacity, std::size_t* size);

}  // namespace liveness::capi
