// The wire reader on right and hostile bytes.
#include "model/protobuf.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "liveness/error.hpp"
#include "onnx_builder.hpp"

using namespace liveness;
using Catch::Contains;
namespace wire = liveness::test::wire;

namespace {

std::span<const std::byte> view(const std::string& bytes) {
  return std::as_bytes(std::span(bytes));
}

// Reads every field; returns how many there were.
int drain(const std::string& bytes) {
  WireReader reader(view(bytes));
  int n = 0;
  for (WireField field; reader.next(field);) ++n;
  return n;
}

WireField only(const std::string& bytes) {
  WireReader reader(view(bytes));
  WireField field;
  REQUIRE(reader.next(field));
  return field;
}

}  // namespace

TEST_CASE("fields come in order with their numbers and types") {
  const auto bytes =
      wire::integer(1, -5) + wire::bytes(2, "abc") + wire::single(300, 1.5F) + wire::tag(7, 1) + std::string(8, '\1');
  WireReader reader(view(bytes));
  WireField field;
  REQUIRE(reader.next(field));
  CHECK(field.number() == 1);
  CHECK(field.integer() == -5);
  REQUIRE(reader.next(field));
  CHECK(field.text() == "abc");
  REQUIRE(reader.next(field));
  CHECK(field.number() == 300);
  CHECK(field.single() == 1.5F);
  REQUIRE(reader.next(field));
  CHECK(field.type() == WireField::Type::kFixed64);
  CHECK_FALSE(reader.next(field));
  CHECK(drain("") == 0);
}

TEST_CASE("repeated numbers are read packed and one a field") {
  std::vector<std::int64_t> integers;
  only(wire::bytes(1, wire::varint(1) + wire::varint(300) + wire::varint(~0ULL))).integers(integers, 10);
  only(wire::integer(1, 7)).integers(integers, 10);
  CHECK(integers == std::vector<std::int64_t>{1, 300, -1, 7});

  std::vector<float> floats;
  only(wire::bytes(1, wire::raw(std::vector<float>{1, 2}))).singles(floats, 10);
  only(wire::single(1, 3)).singles(floats, 10);
  CHECK(floats == std::vector<float>{1, 2, 3});

  std::vector<double> doubles;
  only(wire::bytes(1, wire::raw(std::vector<double>{1, 2}))).doubles(doubles, 10);
  only(wire::tag(1, 1) + wire::raw(std::vector<double>{3})).doubles(doubles, 10);
  CHECK(doubles == std::vector<double>{1, 2, 3});
}

TEST_CASE("lists are bounded") {
  std::vector<std::int64_t> integers;
  std::vector<float> floats;
  std::vector<double> doubles;
  CHECK_THROWS_WITH(only(wire::bytes(1, std::string(11, '\1'))).integers(integers, 10),
                    Contains("more than 10 entries"));
  CHECK_THROWS_WITH(only(wire::bytes(1, std::string(44, '\1'))).singles(floats, 10), Contains("more than 10 entries"));
  CHECK_THROWS_WITH(only(wire::bytes(1, std::string(88, '\1'))).doubles(doubles, 10), Contains("more than 10 entries"));
  floats.resize(10);
  CHECK_THROWS_WITH(only(wire::single(1, 0)).singles(floats, 10), Contains("more than 10 entries"));
}

TEST_CASE("broken bytes are refused with their place") {
  const std::string ten(10, '\xff');
  CHECK_THROWS_WITH(drain(wire::tag(1, 0)), Contains("byte 1: the file ends inside a number"));
  CHECK_THROWS_WITH(drain(wire::tag(1, 0) + ten), Contains("more than 64 bits"));
  CHECK_THROWS_WITH(drain(wire::tag(1, 0) + std::string(9, '\xff') + '\2'), Contains("more than 64 bits"));
  CHECK(drain(wire::tag(1, 0) + std::string(9, '\xff') + '\1') == 1);
  CHECK_THROWS_WITH(drain(wire::tag(1, 2) + wire::varint(5) + "abcd"), Contains("field 1 claims 5 bytes, 4 are left"));
  CHECK_THROWS_WITH(drain(wire::tag(1, 2) + wire::varint(~0ULL)), Contains("claims 18446744073709551615 bytes"));
  CHECK_THROWS_WITH(drain(wire::tag(1, 5) + "abc"), Contains("ends inside a number"));
  CHECK_THROWS_WITH(drain(wire::tag(1, 1) + "abcdefg"), Contains("ends inside a number"));
  CHECK_THROWS_WITH(drain(wire::integer(1, 0) + wire::tag(1, 3)), Contains("byte 2: wire type 3 is unknown"));
  CHECK_THROWS_WITH(drain(wire::varint(2)), Contains("field number 0 is impossible"));
  CHECK_THROWS_WITH(drain(wire::varint((1ULL << 32) | 0)), Contains("is impossible"));
  try {
    drain(wire::tag(1, 7));
    FAIL("was read");
  } catch (const Error& error) {
    CHECK(error.status() == Status::kModelInvalid);
  }
}

TEST_CASE("a nested message keeps the offsets of the whole file") {
  const auto bytes = wire::integer(1, 1) + wire::bytes(2, wire::integer(3, 4) + wire::tag(1, 0));
  WireReader outer(view(bytes));
  WireField field;
  REQUIRE(outer.next(field));
  REQUIRE(outer.next(field));
  WireReader inner(field);
  REQUIRE(inner.next(field));
  CHECK(field.integer() == 4);
  CHECK_THROWS_WITH(inner.next(field), Contains("byte " + std::to_string(bytes.size())));
}

TEST_CASE("a field of another kind than expected is refused") {
  CHECK_THROWS_WITH(only(wire::integer(9, 1)).text(), Contains("field 9 is not a string"));
  CHECK_THROWS_WITH(only(wire::bytes(9, "a")).integer(), Contains("field 9 is not an integer"));
  CHECK_THROWS_WITH(only(wire::integer(9, 1)).single(), Contains("field 9 is not a float"));
  std::vector<float> floats;
  CHECK_THROWS_WITH(only(wire::bytes(9, "abcde")).singles(floats, 10), Contains("ends inside a number"));
}
