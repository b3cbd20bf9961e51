#include "engine/dense_ops.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numeric>

namespace liveness::engine {

namespace {

using Position = std::array<std::int64_t, kMaxRank>;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

// Floats from one element to the next along every axis; 0 along axes of size 1, which is what broadcasting needs.
// `rank` axes, the shape's own at the end.
Position strides_of(const Shape& shape, std::size_t rank) {
  Position strides{};
  std::int64_t n = 1;
  for (std::size_t a = shape.size(); a-- > 0;) {
    strides[rank - shape.size() + a] = shape[a] == 1 ? 0 : n;
    n *= shape[a];
  }
  return strides;
}

// Calls visit(i, position) for every element of `shape` in order.
template <class Visit>
void for_each_position(const Shape& shape, const Visit& visit) {
  Position where{};
  const std::int64_t n = elements(shape);
  for (std::int64_t i = 0; i < n; ++i) {
    visit(i, where);
    for (std::size_t a = shape.size(); a-- > 0;) {
      if (++where[a] < shape[a]) break;
      where[a] = 0;
    }
  }
}

template <class Source>
void gather(const Shape& shape, const float* x, float* out, const Source& source) {
  for_each_position(shape, [&](std::int64_t i, const Position& where) { out[i] = x[source(where)]; });
}

template <class F>
void map(const DenseOp& op, const float* x, float* out, const F& f) {
  const std::int64_t n = elements(op.shape);
  for (std::int64_t i = 0; i < n; ++i) out[i] = f(x[i]);
}

// Values of one channel (axis 1) that follow each other.
std::int64_t plane_of(const Shape& shape) {
  return elements(shape) / (shape.at(0) * shape.at(1));
}

template <class F>
void map_channels(const DenseOp& op, const float* x, float* out, const F& f) {
  const std::int64_t n = elements(op.shape);
  const std::int64_t plane = plane_of(op.shape);
  for (std::int64_t i = 0; i < n; ++i) out[i] = f(x[i], at(i / plane));
}

void binary(const DenseOp& op, const float* x, const float* y, float* out) {
  const Position xs = strides_of(op.shapes[0], op.shape.size());
  const Position ys = strides_of(op.shapes[1], op.shape.size());
  const auto each = [&](const auto& f) {
    for_each_position(op.shape, [&](std::int64_t i, const Position& where) {
      const auto offset = [&](const Position& s) {
        return std::inner_product(where.begin(), where.begin() + std::ssize(op.shape), s.begin(), std::int64_t{0});
      };
      out[i] = f(x[offset(xs)], y[offset(ys)]);
    });
  };
  switch (op.op) {
    case Op::kAdd: return each(std::plus<float>());
    case Op::kSub: return each(std::minus<float>());
    case Op::kMul: return each(std::multiplies<float>());
    default: return each(std::divides<float>());
  }
}

void softmax(const DenseOp& op, const float* x, float* out) {
  const std::int64_t n = op.shape[at(op.axis)];
  std::int64_t inner = 1;
  for (std::size_t a = at(op.axis) + 1; a < op.shape.size(); ++a) inner *= op.shape[a];
  const std::int64_t lines = elements(op.shape) / n;
  for (std::int64_t line = 0; line < lines; ++line) {
    const std::int64_t first = line / inner * inner * n + line % inner;
    float top = -std::numeric_limits<float>::infinity();
    for (std::int64_t k = 0; k < n; ++k) top = std::max(top, x[first + k * inner]);
    float sum = 0;
    for (std::int64_t k = 0; k < n; ++k) sum += out[first + k * inner] = std::exp(x[first + k * inner] - top);
    for (std::int64_t k = 0; k < n; ++k) out[first + k * inner] /= sum;
  }
}

void reduce_mean(const DenseOp& op, const float* x, float* out) {
  Shape kept = op.shapes[0];
  for (const auto a : op.list) kept[at(a)] = 1;
  const Position to = strides_of(kept, kept.size());
  const std::int64_t n = elements(kept);
  std::fill_n(out, n, 0.0F);
  for_each_position(op.shapes[0], [&](std::int64_t i, const Position& where) {
    out[std::inner_product(where.begin(), where.begin() + std::ssize(kept), to.begin(), std::int64_t{0})] += x[i];
  });
  const float scale = static_cast<float>(n) / static_cast<float>(elements(op.shapes[0]));
  for (std::int64_t i = 0; i < n; ++i) out[i] *= scale;
}

void linear(const DenseOp& op, const float* x, float* out) {
  const std::int64_t depth = op.shapes[1][0];
  const std::int64_t n = op.shapes[1][1];
  const std::int64_t rows = elements(op.shape) / n;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < n; ++j) out[r * n + j] = op.shapes.size() > 2 ? op.constants[2][at(j)] : 0.0F;
    for (std::int64_t k = 0; k < depth; ++k) {
      const float v = x[r * depth + k];
      const float* w = op.constants[1].data() + k * n;
      for (std::int64_t j = 0; j < n; ++j) out[r * n + j] += v * w[j];
    }
  }
}

void conv_transpose(const DenseOp& op, const float* x, float* out) {
  const Shape& from = op.shapes[0];
  const Shape& kernel = op.shapes[1];
  const std::int64_t ins = from[1] / op.groups;
  const std::int64_t outs = kernel[1];
  const std::int64_t plane = op.shape[2] * op.shape[3];
  for (std::int64_t c = 0; c < op.shape[1]; ++c) {
    std::fill_n(out + c * plane, plane, op.shapes.size() > 2 ? op.constants[2][at(c)] : 0.0F);
  }
  for (std::int64_t ci = 0; ci < from[1]; ++ci) {
    for (std::int64_t j = 0; j < outs; ++j) {
      float* to = out + (ci / ins * outs + j) * plane;
      const float* w = op.constants[1].data() + (ci * outs + j) * kernel[2] * kernel[3];
      for (std::int64_t y = 0; y < from[2]; ++y) {
        for (std::int64_t ky = 0; ky < kernel[2]; ++ky) {
          const std::int64_t oy = y * op.strides[0] - op.list[0] + ky * op.dilations[0];
          if (oy < 0 || oy >= op.shape[2]) continue;
          for (std::int64_t z = 0; z < from[3]; ++z) {
            const float v = x[(ci * from[2] + y) * from[3] + z];
            for (std::int64_t kx = 0; kx < kernel[3]; ++kx) {
              const std::int64_t ox = z * op.strides[1] - op.list[1] + kx * op.dilations[1];
              if (ox >= 0 && ox < op.shape[3]) to[oy * op.shape[3] + ox] += v * w[ky * kernel[3] + kx];
            }
          }
        }
      }
    }
  }
}

void pad(const DenseOp& op, const float* x, float* out) {
  const Shape& from = op.shapes[0];
  const Position strides = strides_of(from, from.size());
  for_each_position(op.shape, [&](std::int64_t i, const Position& where) {
    std::int64_t offset = 0;
    for (std::size_t a = 0; a < from.size(); ++a) {
      const std::int64_t n = from[a];
      std::int64_t p = where[a] - op.list[a];
      if (p < 0 || p >= n) {
        if (op.mode == "constant") {
          out[i] = op.a;
          return;
        }
        p = op.mode == "edge" ? std::clamp<std::int64_t>(p, 0, n - 1) : p < 0 ? -p : 2 * (n - 1) - p;
      }
      offset += p * strides[a];
    }
    out[i] = x[offset];
  });
}

void concat(const DenseOp& op, const float* const* inputs, float* out) {
  std::int64_t inner = 1;
  for (std::size_t a = at(op.axis) + 1; a < op.shape.size(); ++a) inner *= op.shape[a];
  std::int64_t outer = 1;
  for (std::size_t a = 0; a < at(op.axis); ++a) outer *= op.shape[a];
  std::int64_t before = 0;
  for (std::size_t k = 0; k < op.shapes.size(); ++k) {
    const std::int64_t n = op.shapes[k][at(op.axis)];
    for (std::int64_t o = 0; o < outer; ++o) {
      std::copy_n(inputs[k] + o * n * inner, n * inner, out + (o * op.shape[at(op.axis)] + before) * inner);
    }
    before += n;
  }
}

}  // namespace

DenseOp make_dense_op(const Graph& graph, const Node& node) {
  DenseOp op;
  op.op = node.op;
  op.name = node.name;
  for (const auto& operand : node.inputs) {
    if (operand.kind == Operand::Kind::kNone) continue;
    if (operand.kind == Operand::Kind::kConstant) {
      const Tensor& tensor = graph.tensors[static_cast<std::size_t>(operand.id)];
      op.shapes.push_back(tensor.shape);
      op.constants.push_back(tensor.data);
    } else {
      op.shapes.push_back(graph.values[static_cast<std::size_t>(operand.id)].shape);
      op.constants.emplace_back();
    }
  }
  op.shape = graph.values[static_cast<std::size_t>(node.output)].shape;
  const std::size_t rank = op.shapes[0].size();
  switch (node.op) {
    case Op::kLeakyRelu: op.a = node.float_attr("alpha", 0.01F); break;
    case Op::kClip:
      op.a = node.float_attr("min", std::numeric_limits<float>::lowest());
      op.b = node.float_attr("max", std::numeric_limits<float>::max());
      break;
    case Op::kHardSigmoid:
      op.a = node.float_attr("alpha", 0.2F);
      op.b = node.float_attr("beta", 0.5F);
      break;
    case Op::kBatchNorm: {  // kept as a factor and a shift a channel
      const float epsilon = node.float_attr("epsilon", 1e-5F);
      for (std::size_t c = 0; c < op.constants[1].size(); ++c) {
        op.constants[1][c] /= std::sqrt(op.constants[4][c] + epsilon);
        op.constants[2][c] -= op.constants[3][c] * op.constants[1][c];
      }
      break;
    }
    case Op::kSoftmax: op.axis = node.int_attr("axis", static_cast<std::int64_t>(rank) - 1); break;
    case Op::kConcat: op.axis = node.int_attr("axis", 1); break;
    case Op::kReduceMean: op.list = node.ints_attr("axes", {}); break;
    case Op::kTranspose: op.list = node.ints_attr("perm", {}); break;
    case Op::kSlice: {
      const auto axes = node.ints_attr("axes", {});
      const auto starts = node.ints_attr("starts", {});
      const auto steps = node.ints_attr("steps", Shape(axes.size(), 1));
      op.list.assign(rank, 0);
      op.steps.assign(rank, 1);
      for (std::size_t i = 0; i < axes.size(); ++i) {
        op.list[at(axes[i])] = starts[i];
        op.steps[at(axes[i])] = steps[i];
      }
      break;
    }
    case Op::kPad:
      op.list = node.ints_attr("pads", {});
      op.mode = node.string_attr("mode", "constant");
      op.a = node.float_attr("value", 0);
      break;
    case Op::kConvTranspose:
      op.list = node.ints_attr("pads", {0, 0, 0, 0});
      op.strides = node.ints_attr("strides", {1, 1});
      op.dilations = node.ints_attr("dilations", {1, 1});
      op.groups = node.int_attr("group", 1);
      break;
    default: break;
  }
  return op;
}

void run_dense_op(const DenseOp& op, const float* const* inputs, float* out) {
  const auto operand = [&](std::size_t i) { return op.constants[i].empty() ? inputs[i] : op.constants[i].data(); };
  const float* x = operand(0);
  switch (op.op) {
    case Op::kRelu: return map(op, x, out, [](float v) { return v < 0 ? 0.0F : v; });
    case Op::kLeakyRelu: return map(op, x, out, [&](float v) { return v < 0 ? v * op.a : v; });
    case Op::kClip: return map(op, x, out, [&](float v) { return v < op.a ? op.a : v > op.b ? op.b : v; });
    case Op::kSigmoid: return map(op, x, out, [](float v) { return 1 / (1 + std::exp(-v)); });
    case Op::kHardSigmoid: return map(op, x, out, [&](float v) { return std::clamp(op.a * v + op.b, 0.0F, 1.0F); });
    case Op::kHardSwish: return map(op, x, out, [](float v) { return v * std::clamp(v / 6 + 0.5F, 0.0F, 1.0F); });
    case Op::kTanh: return map(op, x, out, [](float v) { return std::tanh(v); });
    case Op::kPRelu: {
      const auto& slope = op.constants[1];
      return map_channels(op, x, out,
                          [&](float v, std::size_t c) { return v < 0 ? v * slope[slope.size() > 1 ? c : 0] : v; });
    }
    case Op::kBatchNorm:
      return map_channels(op, x, out,
                          [&](float v, std::size_t c) { return v * op.constants[1][c] + op.constants[2][c]; });
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kDiv: return binary(op, x, operand(1), out);
    case Op::kSoftmax: return softmax(op, x, out);
    case Op::kReduceMean: return reduce_mean(op, x, out);
    case Op::kLinear: return linear(op, x, out);
    case Op::kConvTranspose: return conv_transpose(op, x, out);
    case Op::kTranspose: {
      const Position strides = strides_of(op.shapes[0], op.shapes[0].size());
      return gather(op.shape, x, out, [&](const Position& where) {
        std::int64_t offset = 0;
        for (std::size_t a = 0; a < op.list.size(); ++a) offset += where[a] * strides[at(op.list[a])];
        return offset;
      });
    }
    case Op::kSlice: {
      const Position strides = strides_of(op.shapes[0], op.shapes[0].size());
      return gather(op.shape, x, out, [&](const Position& where) {
        std::int64_t offset = 0;
        for (std::size_t a = 0; a < op.list.size(); ++a) offset += (op.list[a] + where[a] * op.steps[a]) * strides[a];
        return offset;
      });
    }
    case Op::kPad: return pad(op, x, out);
    case Op::kConcat: return concat(op, inputs, out);
    default: std::copy_n(x, elements(op.shape), out);
  }
}

}  // namespace liveness::engine
