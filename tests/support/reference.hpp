// Every operator of a graph in the plainest way: the truth that engines are tested against. Slow on purpose; sums in
// double. tests/parity checks it against ONNX Runtime.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "model/graph.hpp"

namespace liveness::test {

// A dense tensor in the order of its shape.
struct Array {
  Shape shape;
  std::vector<float> data;

  [[nodiscard]] std::int64_t size() const { return elements(shape); }
  [[nodiscard]] float& operator[](std::int64_t i) { return data[static_cast<std::size_t>(i)]; }
  [[nodiscard]] float operator[](std::int64_t i) const { return data[static_cast<std::size_t>(i)]; }
  // Element of an image value {1, C, H, W}.
  [[nodiscard]] float& at(std::int64_t c, std::int64_t y, std::int64_t x) { return (*this)[offset(c, y, x)]; }
  [[nodiscard]] float at(std::int64_t c, std::int64_t y, std::int64_t x) const { return (*this)[offset(c, y, x)]; }

 private:
  [[nodiscard]] std::int64_t offset(std::int64_t c, std::int64_t y, std::int64_t x) const {
    return (c * shape[2] + y) * shape[3] + x;
  }
};

namespace reference {

inline Array make(const Shape& shape) {
  return {shape, std::vector<float>(static_cast<std::size_t>(elements(shape)))};
}

// Position of flat element i along every axis.
inline Shape position(const Shape& shape, std::int64_t i) {
  Shape at(shape.size());
  for (std::size_t a = shape.size(); a-- > 0;) {
    at[a] = i % shape[a];
    i /= shape[a];
  }
  return at;
}

inline std::int64_t flat(const Shape& shape, const Shape& at) {
  std::int64_t i = 0;
  for (std::size_t a = 0; a < shape.size(); ++a) i = i * shape[a] + at[a];
  return i;
}

// Channel (axis 1) of flat element i.
inline std::int64_t channel(const Shape& shape, std::int64_t i) {
  return i / (elements(shape) / shape[1]);
}

template <class F>
Array map(const Array& x, const F& f) {
  Array out = x;
  for (auto& v : out.data) v = static_cast<float>(f(static_cast<double>(v)));
  return out;
}

// Element i of `out` is the element of x that `source` names by its position.
template <class F>
Array gather(const Array& x, const Shape& shape, const F& source) {
  Array out = make(shape);
  for (std::int64_t i = 0; i < out.size(); ++i) out[i] = x[flat(x.shape, source(position(shape, i)))];
  return out;
}

inline Array conv(const Node& node, const Shape& shape, const Array& x, const Array& w, const Array* bias) {
  const auto strides = node.ints_attr("strides", {1, 1});
  const auto pads = node.ints_attr("pads", {0, 0, 0, 0});
  const auto dilations = node.ints_attr("dilations", {1, 1});
  const auto group = node.int_attr("group", 1);
  const auto ins = w.shape[1];
  const auto outs = w.shape[0] / group;
  Array out = make(shape);
  for (std::int64_t co = 0; co < shape[1]; ++co) {
    for (std::int64_t y = 0; y < shape[2]; ++y) {
      for (std::int64_t z = 0; z < shape[3]; ++z) {
        double sum = bias != nullptr ? (*bias)[co] : 0;
        for (std::int64_t ci = 0; ci < ins; ++ci) {
          for (std::int64_t ky = 0; ky < w.shape[2]; ++ky) {
            for (std::int64_t kx = 0; kx < w.shape[3]; ++kx) {
              const auto iy = y * strides[0] - pads[0] + ky * dilations[0];
              const auto ix = z * strides[1] - pads[1] + kx * dilations[1];
              if (iy < 0 || iy >= x.shape[2] || ix < 0 || ix >= x.shape[3]) continue;
              sum += static_cast<double>(x.at(co / outs * ins + ci, iy, ix)) *
                     static_cast<double>(w[((co * ins + ci) * w.shape[2] + ky) * w.shape[3] + kx]);
            }
          }
        }
        out.at(co, y, z) = static_cast<float>(sum);
      }
    }
  }
  return out;
}

inline Array conv_transpose(const Node& node, const Shape& shape, const Array& x, const Array& w, const Array* bias) {
  const auto strides = node.ints_attr("strides", {1, 1});
  const auto pads = node.ints_attr("pads", {0, 0, 0, 0});
  const auto dilations = node.ints_attr("dilations", {1, 1});
  const auto group = node.int_attr("group", 1);
  const auto ins = w.shape[0] / group;
  const auto outs = w.shape[1];
  std::vector<double> sums(static_cast<std::size_t>(elements(shape)), 0.0);
  for (std::int64_t ci = 0; ci < x.shape[1]; ++ci) {
    for (std::int64_t y = 0; y < x.shape[2]; ++y) {
      for (std::int64_t z = 0; z < x.shape[3]; ++z) {
        for (std::int64_t co = 0; co < outs; ++co) {
          for (std::int64_t ky = 0; ky < w.shape[2]; ++ky) {
            for (std::int64_t kx = 0; kx < w.shape[3]; ++kx) {
              const auto oy = y * strides[0] - pads[0] + ky * dilations[0];
              const auto ox = z * strides[1] - pads[1] + kx * dilations[1];
              if (oy < 0 || oy >= shape[2] || ox < 0 || ox >= shape[3]) continue;
              sums[static_cast<std::size_t>(((ci / ins * outs + co) * shape[2] + oy) * shape[3] + ox)] +=
                  static_cast<double>(x.at(ci, y, z)) *
                  static_cast<double>(w[((ci * outs + co) * w.shape[2] + ky) * w.shape[3] + kx]);
            }
          }
        }
      }
    }
  }
  Array out = make(shape);
  const auto plane = shape[2] * shape[3];
  for (std::int64_t i = 0; i < out.size(); ++i) {
    const double b = bias != nullptr ? (*bias)[i / plane] : 0;
    out[i] = static_cast<float>(sums[static_cast<std::size_t>(i)] + b);
  }
  return out;
}

inline Array pool(const Node& node, const Shape& shape, const Array& x) {
  const auto kernel = node.ints_attr("kernel", {});
  const auto strides = node.ints_attr("strides", {1, 1});
  const auto pads = node.ints_attr("pads", {0, 0, 0, 0});
  const auto dilations = node.ints_attr("dilations", {1, 1});
  const bool include = node.int_attr("count_include_pad", 0) == 1;
  Array out = make(shape);
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    for (std::int64_t y = 0; y < shape[2]; ++y) {
      for (std::int64_t z = 0; z < shape[3]; ++z) {
        float best = -std::numeric_limits<float>::infinity();
        double sum = 0;
        std::int64_t count = 0;
        for (std::int64_t ky = 0; ky < kernel[0]; ++ky) {
          for (std::int64_t kx = 0; kx < kernel[1]; ++kx) {
            const auto iy = y * strides[0] - pads[0] + ky * dilations[0];
            const auto ix = z * strides[1] - pads[1] + kx * dilations[1];
            if (iy < 0 || iy >= x.shape[2] || ix < 0 || ix >= x.shape[3]) continue;
            best = std::max(best, x.at(c, iy, ix));
            sum += static_cast<double>(x.at(c, iy, ix));
            ++count;
          }
        }
        const auto divisor = static_cast<double>(include ? kernel[0] * kernel[1] : count);
        out.at(c, y, z) = node.op == Op::kMaxPool ? best : static_cast<float>(sum / divisor);
      }
    }
  }
  return out;
}

inline Array global_pool(const Node& node, const Shape& shape, const Array& x) {
  Array out = make(shape);
  const auto plane = static_cast<std::ptrdiff_t>(x.shape[2] * x.shape[3]);
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    const auto first = x.data.begin() + static_cast<std::ptrdiff_t>(c) * plane;
    out[c] = node.op == Op::kGlobalMaxPool
                 ? *std::max_element(first, first + plane)
                 : static_cast<float>(std::accumulate(first, first + plane, 0.0) / static_cast<double>(plane));
  }
  return out;
}

inline Array batch_norm(const Node& node, const Array& x, const Array& scale, const Array& bias, const Array& mean,
                        const Array& variance) {
  const double epsilon = static_cast<double>(node.float_attr("epsilon", 1e-5F));
  Array out = x;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const auto c = channel(x.shape, i);
    const double inverse = 1 / std::sqrt(static_cast<double>(variance[c]) + epsilon);
    out[i] = static_cast<float>((static_cast<double>(x[i]) - static_cast<double>(mean[c])) * inverse *
                                    static_cast<double>(scale[c]) +
                                static_cast<double>(bias[c]));
  }
  return out;
}

inline Array softmax(const Node& node, const Array& x) {
  const auto axis = static_cast<std::size_t>(node.int_attr("axis", static_cast<std::int64_t>(x.shape.size()) - 1));
  const auto inner = std::accumulate(x.shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.shape.end(),
                                     std::int64_t{1}, std::multiplies<>());
  const auto n = x.shape[axis];
  Array out = x;
  for (std::int64_t line = 0; line < x.size() / n; ++line) {
    const auto first = line / inner * inner * n + line % inner;
    double top = -std::numeric_limits<double>::infinity();
    double sum = 0;
    for (std::int64_t k = 0; k < n; ++k) top = std::max(top, static_cast<double>(x[first + k * inner]));
    for (std::int64_t k = 0; k < n; ++k) sum += std::exp(static_cast<double>(x[first + k * inner]) - top);
    for (std::int64_t k = 0; k < n; ++k) {
      out[first + k * inner] = static_cast<float>(std::exp(static_cast<double>(x[first + k * inner]) - top) / sum);
    }
  }
  return out;
}

inline Array binary(const Node& node, const Shape& shape, const Array& a, const Array& b) {
  const auto pick = [&](const Array& from, const Shape& at) {
    Shape inside(at.end() - static_cast<std::ptrdiff_t>(from.shape.size()), at.end());
    for (std::size_t i = 0; i < inside.size(); ++i) inside[i] = from.shape[i] == 1 ? 0 : inside[i];
    return static_cast<double>(from[flat(from.shape, inside)]);
  };
  Array out = make(shape);
  for (std::int64_t i = 0; i < out.size(); ++i) {
    const auto at = position(shape, i);
    const double u = pick(a, at);
    const double v = pick(b, at);
    const double r = node.op == Op::kAdd ? u + v : node.op == Op::kSub ? u - v : node.op == Op::kMul ? u * v : u / v;
    out[i] = static_cast<float>(r);
  }
  return out;
}

inline Array reduce_mean(const Node& node, const Shape& shape, const Array& x) {
  const auto axes = node.ints_attr("axes", {});
  Shape kept = x.shape;
  for (const auto a : axes) kept[static_cast<std::size_t>(a)] = 1;
  std::vector<double> sums(static_cast<std::size_t>(elements(kept)), 0.0);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    auto at = position(x.shape, i);
    for (const auto a : axes) at[static_cast<std::size_t>(a)] = 0;
    sums[static_cast<std::size_t>(flat(kept, at))] += static_cast<double>(x[i]);
  }
  Array out = make(shape);
  const auto n = static_cast<double>(x.size()) / static_cast<double>(out.size());
  for (std::int64_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(sums[static_cast<std::size_t>(i)] / n);
  return out;
}

inline Array linear(const Shape& shape, const Array& x, const Array& w, const Array* bias) {
  const auto inner = w.shape[0];
  const auto n = w.shape[1];
  Array out = make(shape);
  for (std::int64_t i = 0; i < out.size(); ++i) {
    double sum = bias != nullptr ? (*bias)[i % n] : 0;
    for (std::int64_t k = 0; k < inner; ++k) {
      sum += static_cast<double>(x[i / n * inner + k]) * static_cast<double>(w[k * n + i % n]);
    }
    out[i] = static_cast<float>(sum);
  }
  return out;
}

inline Array concat(const Node& node, const Shape& shape, const std::vector<const Array*>& parts) {
  const auto axis = static_cast<std::size_t>(node.int_attr("axis", 0));
  Array out = make(shape);
  for (std::int64_t i = 0; i < out.size(); ++i) {
    auto at = position(shape, i);
    std::size_t part = 0;
    while (at[axis] >= parts[part]->shape[axis]) at[axis] -= parts[part++]->shape[axis];
    out[i] = (*parts[part])[flat(parts[part]->shape, at)];
  }
  return out;
}

inline Array slice(const Node& node, const Shape& shape, const Array& x) {
  const auto axes = node.ints_attr("axes", {});
  const auto starts = node.ints_attr("starts", {});
  const auto steps = node.ints_attr("steps", Shape(axes.size(), 1));
  return gather(x, shape, [&](Shape at) {
    for (std::size_t i = 0; i < axes.size(); ++i) {
      auto& a = at[static_cast<std::size_t>(axes[i])];
      a = starts[i] + a * steps[i];
    }
    return at;
  });
}

inline Array pad(const Node& node, const Shape& shape, const Array& x) {
  const auto pads = node.ints_attr("pads", {});
  const auto mode = node.string_attr("mode", "constant");
  Array out = make(shape);
  for (std::int64_t i = 0; i < out.size(); ++i) {
    auto at = position(shape, i);
    bool inside = true;
    for (std::size_t a = 0; a < at.size(); ++a) {
      const auto n = x.shape[a];
      at[a] -= pads[a];
      if (at[a] >= 0 && at[a] < n) continue;
      inside = mode != "constant" && inside;
      if (mode == "edge") at[a] = std::clamp<std::int64_t>(at[a], 0, n - 1);
      if (mode == "reflect") at[a] = at[a] < 0 ? -at[a] : 2 * (n - 1) - at[a];
    }
    out[i] = inside ? x[flat(x.shape, at)] : node.float_attr("value", 0);
  }
  return out;
}

// Where output position i lies in an input axis; in float, as ONNX Runtime computes it, so that ties round alike.
inline float source(const std::string& transform, std::int64_t i, float scale, std::int64_t in, std::int64_t out) {
  const auto f = [](std::int64_t v) { return static_cast<float>(v); };
  if (transform == "asymmetric") return f(i) / scale;
  if (transform == "half_pixel") return (f(i) + 0.5F) / scale - 0.5F;
  return out == 1 ? 0.0F : f(i) * f(in - 1) / f(out - 1);
}

inline std::int64_t nearest(const std::string& rounding, float at, std::int64_t in) {
  float r = 0;
  if (rounding == "floor") r = std::floor(at);
  if (rounding == "ceil") r = std::ceil(at);
  if (rounding == "round_prefer_floor") r = std::ceil(at - 0.5F);
  if (rounding == "round_prefer_ceil") r = std::floor(at + 0.5F);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(r), 0, in - 1);
}

inline Array resize(const Node& node, const Shape& shape, const Array& x) {
  const auto scales = node.floats_attr("scales", {});
  const auto transform = node.string_attr("transform", "");
  const auto rounding = node.string_attr("rounding", "");
  const bool linear = node.string_attr("mode", "") == "linear";
  Array out = make(shape);
  const auto h = x.shape[2];
  const auto w = x.shape[3];
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    for (std::int64_t y = 0; y < shape[2]; ++y) {
      for (std::int64_t z = 0; z < shape[3]; ++z) {
        const float sy = source(transform, y, scales[0], h, shape[2]);
        const float sx = source(transform, z, scales[1], w, shape[3]);
        if (!linear) {
          out.at(c, y, z) = x.at(c, nearest(rounding, sy, h), nearest(rounding, sx, w));
          continue;
        }
        const double fy = std::clamp(static_cast<double>(sy), 0.0, static_cast<double>(h - 1));
        const double fx = std::clamp(static_cast<double>(sx), 0.0, static_cast<double>(w - 1));
        const auto y0 = static_cast<std::int64_t>(fy);
        const auto x0 = static_cast<std::int64_t>(fx);
        const auto y1 = std::min(y0 + 1, h - 1);
        const auto x1 = std::min(x0 + 1, w - 1);
        const double dy = fy - static_cast<double>(y0);
        const double dx = fx - static_cast<double>(x0);
        const double top = static_cast<double>(x.at(c, y0, x0)) * (1 - dx) + static_cast<double>(x.at(c, y0, x1)) * dx;
        const double low = static_cast<double>(x.at(c, y1, x0)) * (1 - dx) + static_cast<double>(x.at(c, y1, x1)) * dx;
        out.at(c, y, z) = static_cast<float>(top * (1 - dy) + low * dy);
      }
    }
  }
  return out;
}

inline Array run(const Node& node, const Shape& shape, const std::vector<const Array*>& in) {
  const Array& x = *in[0];
  const Array* third = in.size() > 2 ? in[2] : nullptr;
  const auto number = [&](const char* name, float fallback) {
    return static_cast<double>(node.float_attr(name, fallback));
  };
  switch (node.op) {
    case Op::kConv: return conv(node, shape, x, *in[1], third);
    case Op::kConvTranspose: return conv_transpose(node, shape, x, *in[1], third);
    case Op::kBatchNorm: return batch_norm(node, x, *in[1], *in[2], *in[3], *in[4]);
    case Op::kPRelu: {
      Array out = x;
      for (std::int64_t i = 0; i < out.size(); ++i) {
        const float slope = (*in[1])[in[1]->size() == 1 ? 0 : channel(shape, i)];
        if (out[i] < 0) out[i] *= slope;
      }
      return out;
    }
    case Op::kRelu: return map(x, [](double v) { return std::max(v, 0.0); });
    case Op::kLeakyRelu: return map(x, [a = number("alpha", 0.01F)](double v) { return v < 0 ? a * v : v; });
    case Op::kClip: {
      const double low = number("min", std::numeric_limits<float>::lowest());
      const double high = number("max", std::numeric_limits<float>::max());
      return map(x, [=](double v) { return std::min(std::max(v, low), high); });
    }
    case Op::kSigmoid: return map(x, [](double v) { return 1 / (1 + std::exp(-v)); });
    case Op::kHardSigmoid:
      return map(x, [a = number("alpha", 0.2F), b = number("beta", 0.5F)](double v) {
        return std::clamp(a * v + b, 0.0, 1.0);
      });
    case Op::kHardSwish: return map(x, [](double v) { return v * std::clamp(v / 6 + 0.5, 0.0, 1.0); });
    case Op::kTanh: return map(x, [](double v) { return std::tanh(v); });
    case Op::kSoftmax: return softmax(node, x);
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kDiv: return binary(node, shape, x, *in[1]);
    case Op::kMaxPool:
    case Op::kAveragePool: return pool(node, shape, x);
    case Op::kGlobalAveragePool:
    case Op::kGlobalMaxPool: return global_pool(node, shape, x);
    case Op::kReduceMean: return reduce_mean(node, shape, x);
    case Op::kLinear: return linear(shape, x, *in[1], third);
    case Op::kReshape: return {shape, x.data};
    case Op::kTranspose: {
      const auto perm = node.ints_attr("perm", {});
      return gather(x, shape, [&](const Shape& at) {
        Shape from(at.size());
        for (std::size_t i = 0; i < at.size(); ++i) from[static_cast<std::size_t>(perm[i])] = at[i];
        return from;
      });
    }
    case Op::kConcat: return concat(node, shape, in);
    case Op::kSlice: return slice(node, shape, x);
    case Op::kPad: return pad(node, shape, x);
    case Op::kResize: return resize(node, shape, x);
  }
  throw std::logic_error("operator without a reference");
}

}  // namespace reference

// The graph's outputs, in its order, for one dense input. The graph must have passed check_graph.
inline std::vector<std::vector<float>> run_reference(const Graph& graph, std::span<const float> input) {
  std::vector<Array> values(graph.values.size());
  std::vector<Array> constants;
  for (const auto& t : graph.tensors) constants.push_back({t.shape, t.data});
  auto& first = values[static_cast<std::size_t>(graph.inputs.at(0))];
  first = {graph.values[static_cast<std::size_t>(graph.inputs[0])].shape, {input.begin(), input.end()}};
  if (static_cast<std::int64_t>(input.size()) != first.size()) throw std::logic_error("input of the wrong size");
  for (const auto& node : graph.nodes) {
    std::vector<const Array*> in;
    for (const auto& operand : node.inputs) {
      const auto id = static_cast<std::size_t>(operand.id);
      in.push_back(operand.kind == Operand::Kind::kNone       ? nullptr
                   : operand.kind == Operand::Kind::kConstant ? &constants[id]
                                                              : &values[id]);
    }
    const auto output = static_cast<std::size_t>(node.output);
    values[output] = reference::run(node, graph.values[output].shape, in);
  }
  std::vector<std::vector<float>> outputs;
  for (const int id : graph.outputs) outputs.push_back(values[static_cast<std::size_t>(id)].data);
  return outputs;
}

}  // namespace liveness::test
