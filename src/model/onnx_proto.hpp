// The messages of an ONNX file, decoded but not interpreted. Text and raw data are views of the file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liveness::onnx {

// Element types, with ONNX's numbers.
enum class Type : std::int64_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
};
[[nodiscard]] std::string name_of(Type type);  // "float16"; "type 16" where it is none of these

struct Tensor {
  std::string_view name;
  Type type = Type::kUndefined;
  std::vector<std::int64_t> dims;
  std::optional<std::span<const std::byte>> raw;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::int64_t> integers;  // int32_data and int64_data
  bool external = false;
};

struct Attribute {
  enum class Kind : std::int64_t {
    kUndefined = 0,
    kFloat = 1,
    kInt = 2,
    kString = 3,
    kTensor = 4,
    kFloats = 6,
    kInts = 7
  };
  std::string_view name;
  Kind kind = Kind::kUndefined;  // other kinds (graphs, strings, ...) keep ONNX's number
  float number = 0;
  std::int64_t integer = 0;
  std::string_view text;
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
  std::vector<Tensor> tensors;  // none or one
};

struct Node {
  std::string_view name;
  std::string_view op;
  std::string_view domain;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::vector<Attribute> attributes;
};

// A graph input or output; free axes are -1.
struct ValueInfo {
  std::string_view name;
  Type type = Type::kUndefined;
  std::optional<std::vector<std::int64_t>> dims;
};

struct Model {
  std::int64_t opset = 0;  // of the default domain; 0 where the file names none
  std::vector<Node> nodes;
  std::vector<Tensor> initializers;
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;
  bool has_sparse_initializers = false;
};

// Throws Error(kModelInvalid) with the byte's offset where the bytes are no such messages or too many of them.
[[nodiscard]] Model decode(std::span<const std::byte> bytes);

}  // namespace liveness::onnx
