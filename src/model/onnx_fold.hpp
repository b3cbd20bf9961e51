// Constants of an ONNX file and the arithmetic on them: what exporters write to compute shapes and to prepare weights.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/graph.hpp"
#include "model/onnx_proto.hpp"

namespace liveness::onnx {

// A tensor whose elements are known. Unlike a graph's tensors it may be of integers (bool too) and may be empty.
struct Constant {
  std::string name;
  Shape shape;
  bool integer = false;
  std::vector<float> floats;           // where !integer
  std::vector<std::int64_t> integers;  // where integer

  [[nodiscard]] std::size_t size() const noexcept { return integer ? integers.size() : floats.size(); }
};
using ConstantPtr = std::shared_ptr<const Constant>;

// Text of a hostile file made fit for messages and names: printable ASCII, bounded.
[[nodiscard]] std::string clean(std::string_view text);

// A node being read: what names it in messages, and its attributes by name. An attribute that nobody asked for is one
// that nobody understood, so finish() refuses the node.
class NodeReader {
 public:
  NodeReader(const Node& node, std::int64_t opset);

  [[nodiscard]] const Node& node() const noexcept { return node_; }
  [[nodiscard]] std::int64_t opset() const noexcept { return opset_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  [[noreturn]] void unsupported(const std::string& message) const;
  [[noreturn]] void invalid(const std::string& message) const;

  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t fallback);
  [[nodiscard]] bool flag(std::string_view name, bool fallback);
  [[nodiscard]] float number(std::string_view name, float fallback);
  [[nodiscard]] std::string text(std::string_view name, std::string_view fallback);
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view name, const std::vector<std::int64_t>& fallback);
  [[nodiscard]] std::vector<float> floats(std::string_view name, const std::vector<float>& fallback);
  [[nodiscard]] const Tensor* tensor(std::string_view name);
  void ignore(std::string_view name);
  void finish() const;

  // An axis counted from 0; throws where it is outside an input of that rank.
  [[nodiscard]] std::int64_t axis(std::int64_t value, std::size_t rank) const;

 private:
  const Attribute* take(std::string_view name, Attribute::Kind kind);

  const Node& node_;
  std::int64_t opset_;
  std::string name_;
  std::vector<bool> used_;
};

// Elements that folding may make in all, so that a small file cannot ask for a lot of memory or time.
struct FoldBudget {
  std::int64_t left = std::int64_t{1} << 25;
};

// Throws Error(kModelInvalid) or Error(kUnsupported), naming the tensor.
[[nodiscard]] ConstantPtr make_constant(const Tensor& tensor, std::string name);

// What operators on constants take; the reader of the graph resolves the same arguments for computed values.
struct Range {
  std::int64_t axis = 0;
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};
[[nodiscard]] std::vector<Range> resolve_slice(const NodeReader& node, const Shape& shape,
                                               const std::vector<std::int64_t>& starts,
                                               const std::vector<std::int64_t>& ends, std::vector<std::int64_t> axes,
                                               std::vector<std::int64_t> steps);
[[nodiscard]] Shape resolve_reshape(const NodeReader& node, const Shape& shape, const std::vector<std::int64_t>& target,
                                    bool allow_zero);
[[nodiscard]] Shape squeezed(const NodeReader& node, const Shape& shape,
                             const std::vector<std::int64_t>& axes);  // no axes: all of size 1
[[nodiscard]] Shape unsqueezed(const NodeReader& node, const Shape& shape, const std::vector<std::int64_t>& axes);
[[nodiscard]] std::vector<std::int64_t> resolve_perm(NodeReader& node, std::size_t rank);

// Integers of a constant operand; throws where it is none of integers.
[[nodiscard]] const std::vector<std::int64_t>& integers_of(const NodeReader& node, const Constant& constant);

// Whether `op` is one that fold() knows.
[[nodiscard]] bool can_fold(std::string_view op);

// The node's result where all inputs are constants (null where an optional one is left out).
[[nodiscard]] ConstantPtr fold(NodeReader& node, std::span<const ConstantPtr> inputs, std::string name,
                               FoldBudget& budget);

}  // namespace liveness::onnx
