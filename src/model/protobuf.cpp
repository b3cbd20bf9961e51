#include "model/protobuf.hpp"

#include <bit>

#include "liveness/error.hpp"

namespace liveness {
namespace {

[[noreturn]] void fail_at(std::size_t offset, const std::string& message) {
  throw Error(Status::kModelInvalid, "byte " + std::to_string(offset) + ": " + message);
}

}  // namespace

void WireField::expect(Type type, std::string_view what) const {
  if (type_ != type) fail_at(offset_, "field " + std::to_string(number_) + " is not " + std::string(what));
}

std::int64_t WireField::integer() const {
  expect(Type::kVarint, "an integer");
  return static_cast<std::int64_t>(value_);
}

float WireField::single() const {
  expect(Type::kFixed32, "a float");
  return std::bit_cast<float>(static_cast<std::uint32_t>(value_));
}

std::span<const std::byte> WireField::bytes() const {
  expect(Type::kBytes, "a string, list or message");
  return bytes_;
}

std::string_view WireField::text() const {
  const auto view = bytes();
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

void WireField::integers(std::vector<std::int64_t>& out, std::size_t limit) const {
  const auto add = [&](std::int64_t v) {
    if (out.size() >= limit)
      fail_at(offset_, "field " + std::to_string(number_) + " has more than " + std::to_string(limit) + " entries");
    out.push_back(v);
  };
  if (type_ != Type::kBytes) return add(integer());
  for (WireReader list(*this); list.at_ < list.bytes_.size();) add(static_cast<std::int64_t>(list.varint()));
}

void WireField::singles(std::vector<float>& out, std::size_t limit) const {
  const auto count = type_ == Type::kBytes ? bytes_.size() / 4 : 1;
  if (count > limit - out.size())
    fail_at(offset_, "field " + std::to_string(number_) + " has more than " + std::to_string(limit) + " entries");
  if (type_ != Type::kBytes) return out.push_back(single());
  for (WireReader list(*this); list.at_ < list.bytes_.size();) {
    out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(list.fixed(4))));
  }
}

void WireField::doubles(std::vector<double>& out, std::size_t limit) const {
  const auto count = type_ == Type::kBytes ? bytes_.size() / 8 : 1;
  if (count > limit - out.size())
    fail_at(offset_, "field " + std::to_string(number_) + " has more than " + std::to_string(limit) + " entries");
  if (type_ != Type::kBytes) {
    expect(Type::kFixed64, "a double");
    return out.push_back(std::bit_cast<double>(value_));
  }
  for (WireReader list(*this); list.at_ < list.bytes_.size();) out.push_back(std::bit_cast<double>(list.fixed(8)));
}

bool WireReader::next(WireField& field) {
  if (at_ == bytes_.size()) return false;
  const auto start = at_;
  const auto tag = varint();
  if (tag >> 3 == 0 || tag >> 3 >= (1U << 29)) {
    at_ = start;
    fail("field number " + std::to_string(tag >> 3) + " is impossible");
  }
  field.number_ = static_cast<std::uint32_t>(tag >> 3);
  field.type_ = static_cast<WireField::Type>(tag & 7);
  field.bytes_ = {};
  field.value_ = 0;
  field.offset_ = base_ + at_;
  switch (field.type_) {
    case WireField::Type::kVarint: field.value_ = varint(); return true;
    case WireField::Type::kFixed64: field.value_ = fixed(8); return true;
    case WireField::Type::kFixed32: field.value_ = fixed(4); return true;
    case WireField::Type::kBytes: {
      const auto size = varint();
      if (size > bytes_.size() - at_) {
        fail("field " + std::to_string(field.number_) + " claims " + std::to_string(size) + " bytes, " +
             std::to_string(bytes_.size() - at_) + " are left");
      }
      field.bytes_ = bytes_.subspan(at_, static_cast<std::size_t>(size));
      field.offset_ = base_ + at_;
      at_ += static_cast<std::size_t>(size);
      return true;
    }
  }
  at_ = start;
  fail("wire type " + std::to_string(tag & 7) + " is unknown");
}

std::uint64_t WireReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at_ == bytes_.size()) fail("the file ends inside a number");
    const auto byte = std::to_integer<std::uint64_t>(bytes_[at_++]);
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail("a number has more than 64 bits");
}

std::uint64_t WireReader::fixed(std::size_t size) {
  if (bytes_.size() - at_ < size) fail("the file ends inside a number");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::to_integer<std::uint64_t>(bytes_[at_ + i]) << (8 * i);
  at_ += size;
  return value;
}

void WireReader::fail(const std::string& message) const {
  fail_at(base_ + at_, message);
}

// ---------------------------------------------------------------- writing

void WireWriter::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<std::byte>(value | 0x80));
  bytes_.push_back(static_cast<std::byte>(value));
}

void WireWriter::tag(std::uint32_t number, WireField::Type type) {
  varint(std::uint64_t{number} << 3 | static_cast<std::uint64_t>(type));
}

void WireWriter::integer(std::uint32_t number, std::int64_t value) {
  tag(number, WireField::Type::kVarint);
  varint(static_cast<std::uint64_t>(value));
}

void WireWriter::single(std::uint32_t number, float value) {
  tag(number, WireField::Type::kFixed32);
  const auto raw = std::as_bytes(std::span(&value, 1));
  bytes_.insert(bytes_.end(), raw.begin(), raw.end());
}

void WireWriter::bytes(std::uint32_t number, std::span<const std::byte> value) {
  tag(number, WireField::Type::kBytes);
  varint(value.size());
  bytes_.insert(bytes_.end(), value.begin(), value.end());
}

void WireWriter::text(std::uint32_t number, std::string_view value) {
  bytes(number, std::as_bytes(std::span(value)));
}

void WireWriter::integers(std::uint32_t number, std::span<const std::int64_t> values) {
  WireWriter list;
  for (const auto v : values) list.varint(static_cast<std::uint64_t>(v));
  bytes(number, list.bytes_);
}

void WireWriter::singles(std::uint32_t number, std::span<const float> values) {
  bytes(number, std::as_bytes(values));
}

}  // namespace liveness
