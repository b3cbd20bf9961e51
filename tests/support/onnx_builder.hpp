// Writes small ONNX files, right or wrong ones, for tests of the reader.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liveness::test {

// Protobuf wire format.
namespace wire {

inline std::string varint(std::uint64_t v) {
  std::string out;
  for (; v >= 0x80; v >>= 7) out += static_cast<char>((v & 0x7F) | 0x80);
  return out + static_cast<char>(v);
}
inline std::string tag(std::uint32_t number, unsigned type) {
  return varint((std::uint64_t{number} << 3) | type);
}
inline std::string integer(std::uint32_t number, std::int64_t v) {
  return tag(number, 0) + varint(static_cast<std::uint64_t>(v));
}
inline std::string bytes(std::uint32_t number, std::string_view v) {
  return tag(number, 2) + varint(v.size()) + std::string(v);
}
inline std::string raw(std::span<const std::byte> v) {
  return {reinterpret_cast<const char*>(v.data()), v.size()};
}
template <class T>
std::string raw(const std::vector<T>& v) {
  return raw(std::as_bytes(std::span(v)));
}
inline std::string single(std::uint32_t number, float v) {
  return tag(number, 5) + raw(std::vector<float>{v});
}

}  // namespace wire

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

// TensorProto messages.
namespace tensor {

inline std::string header(std::string_view name, const Ints& dims, int type) {
  std::string out = wire::bytes(8, name) + wire::integer(2, type);
  for (const auto d : dims) out += wire::integer(1, d);
  return out;
}
// Raw data of any element type.
template <class T>
std::string raw(std::string_view name, const Ints& dims, int type, const std::vector<T>& values) {
  return header(name, dims, type) + wire::bytes(9, wire::raw(values));
}
inline std::string floats(std::string_view name, const Ints& dims, const Floats& values) {
  return raw(name, dims, 1, values);
}
inline std::string ints(std::string_view name, const Ints& dims, const Ints& values) {
  return raw(name, dims, 7, values);
}

}  // namespace tensor

// AttributeProto messages.
namespace attribute {

inline std::string integer(std::string_view name, std::int64_t v) {
  return wire::bytes(1, name) + wire::integer(3, v) + wire::integer(20, 2);
}
inline std::string number(std::string_view name, float v) {
  return wire::bytes(1, name) + wire::single(2, v) + wire::integer(20, 1);
}
inline std::string text(std::string_view name, std::string_view v) {
  return wire::bytes(1, name) + wire::bytes(4, v) + wire::integer(20, 3);
}
inline std::string tensor(std::string_view name, std::string_view v) {
  return wire::bytes(1, name) + wire::bytes(5, v) + wire::integer(20, 4);
}
inline std::string ints(std::string_view name, const Ints& v) {
  std::string out = wire::bytes(1, name) + wire::integer(20, 7);
  for (const auto i : v) out += wire::integer(8, i);
  return out;
}
inline std::string floats(std::string_view name, const Floats& v) {
  return wire::bytes(1, name) + wire::integer(20, 6) + wire::bytes(7, wire::raw(v));
}

}  // namespace attribute

// A model with one float input "x"; nodes are named after what is given.
class OnnxBuilder {
 public:
  explicit OnnxBuilder(int opset = 13, const Ints& input = {1, 2, 4, 4}) : opset_(opset) {
    if (!input.empty()) add_input("x", input);
  }

  // Axes of -1 are free.
  OnnxBuilder& add_input(std::string_view name, const Ints& dims, int type = 1) {
    std::string shape;
    for (const auto d : dims) shape += wire::bytes(1, d < 0 ? wire::bytes(2, "N") : wire::integer(1, d));
    const auto of_tensor = wire::integer(1, type) + wire::bytes(2, shape);
    graph_ += wire::bytes(11, wire::bytes(1, name) + wire::bytes(2, wire::bytes(1, of_tensor)));
    return *this;
  }
  OnnxBuilder& output(std::string_view name) { return field(12, wire::bytes(1, name)); }
  OnnxBuilder& initializer(const std::string& message) { return field(5, message); }
  OnnxBuilder& node(std::string_view op, std::initializer_list<std::string_view> inputs,
                    std::initializer_list<std::string_view> outputs, std::initializer_list<std::string> attributes = {},
                    std::string_view name = "n", std::string_view domain = "") {
    std::string out = wire::bytes(3, name) + wire::bytes(4, op) + wire::bytes(7, domain);
    for (const auto i : inputs) out += wire::bytes(1, i);
    for (const auto o : outputs) out += wire::bytes(2, o);
    for (const auto& a : attributes) out += wire::bytes(5, a);
    return field(1, out);
  }
  // Any field of the graph.
  OnnxBuilder& field(std::uint32_t number, std::string_view message) {
    graph_ += wire::bytes(number, message);
    return *this;
  }

  [[nodiscard]] std::string bytes() const {
    return wire::integer(1, 8) + wire::bytes(8, wire::bytes(1, "") + wire::integer(2, opset_)) + wire::bytes(7, graph_);
  }

 private:
  int opset_;
  std::string graph_;
};

}  // namespace liveness::test
