// The protobuf wire format, as much of it as ONNX takes. Reading copies nothing and checks every length before it is
// used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liveness {

// One field of a message: its number and what was encoded. Messages, strings and packed lists are views of the input.
class WireField {
 public:
  enum class Type : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }
  [[nodiscard]] Type type() const noexcept { return type_; }

  // Each throws Error(kModelInvalid), saying where, if the field was encoded as something else.
  [[nodiscard]] std::int64_t integer() const;
  [[nodiscard]] float single() const;
  [[nodiscard]] std::string_view text() const;
  [[nodiscard]] std::span<const std::byte> bytes() const;

  // Repeated numbers, packed or one a field, appended. More than `limit` in all throw.
  void integers(std::vector<std::int64_t>& out, std::size_t limit) const;
  void singles(std::vector<float>& out, std::size_t limit) const;
  void doubles(std::vector<double>& out, std::size_t limit) const;

 private:
  friend class WireReader;
  void expect(Type type, std::string_view what) const;

  std::uint32_t number_ = 0;
  Type type_ = Type::kVarint;
  std::uint64_t value_ = 0;
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

// The fields of one message in order. Never recurses: whoever reads nested messages makes a reader for each.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  // The message in a field; offsets in messages stay those of the whole file.
  explicit WireReader(const WireField& field) : bytes_(field.bytes()), base_(field.offset_) {}

  // False at the end of the message. Throws Error(kModelInvalid) with the byte's offset where the bytes are no message.
  [[nodiscard]] bool next(WireField& field);

 private:
  friend class WireField;
  [[nodiscard]] std::uint64_t varint();
  [[nodiscard]] std::uint64_t fixed(std::size_t size);
  [[noreturn]] void fail(const std::string& message) const;

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::size_t base_ = 0;
};

// A message under construction. Fields appear in the order of the calls.
class WireWriter {
 public:
  void integer(std::uint32_t number, std::int64_t value);
  void single(std::uint32_t number, float value);
  void text(std::uint32_t number, std::string_view value);
  void bytes(std::uint32_t number, std::span<const std::byte> value);
  void integers(std::uint32_t number, std::span<const std::int64_t> values);  // packed
  void singles(std::uint32_t number, std::span<const float> values);          // packed
  void message(std::uint32_t number, const WireWriter& value) { bytes(number, value.data()); }

  [[nodiscard]] std::span<const std::byte> data() const noexcept { return bytes_; }
  [[nodiscard]] std::vector<std::byte> take() && noexcept { return std::move(bytes_); }

 private:
  void varint(std::uint64_t value);
  void tag(std::uint32_t number, WireField::Type type);
  std::vector<std::byte> bytes_;
};

}  // namespace liveness
