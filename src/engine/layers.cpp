#include "engine/layers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "liveness/error.hpp"

namespace liveness::engine {

namespace {

constexpr int kMaxPlanes = 4;  // an input of more channels gains nothing from being read plane by plane

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}
int narrow(std::int64_t v) {
  return static_cast<int>(v);
}

[[noreturn]] void refuse(const Node& node, const std::string& why) {
  throw Error(Status::kUnsupported, "node \"" + node.name + "\" (" + std::string(to_string(node.op)) + "): " + why);
}

// From nodes to layers, one for one where possible; what it makes is correct already, and the passes only make it
// faster.
class Lowering {
 public:
  explicit Lowering(Graph&& graph)
      : graph_(std::move(graph)), places_(graph_.values.size()), uses_(graph_.tensors.size(), 0) {
    for (const Node& node : graph_.nodes) {
      for (const Operand& operand : node.inputs) {
        if (operand.kind == Operand::Kind::kConstant) ++uses_[at(operand.id)];
      }
    }
  }

  Network run() {
    const int input = graph_.inputs.at(0);
    const Shape& shape = shape_of(input);
    if (shape.size() == 4) {
      net_.input = add_value(Layout::kPlanes, narrow(shape[1]), narrow(shape[2]), narrow(shape[3]));
      Layer& layer = add_layer(Kind::kFromPlanes, "input", {net_.input}, add_image(shape));
      places_[at(input)].image = layer.output;
    } else {
      net_.input = add_dense(shape);
      places_[at(input)].dense = net_.input;
    }
    for (const Node& node : graph_.nodes) lower(node);
    for (const int id : graph_.outputs) net_.outputs.push_back(dense(id));
    return std::move(net_);
  }

 private:
  // Where a value of the graph can be had: as an image, as a dense array, or both.
  struct Place {
    int image = -1;
    int dense = -1;
    int padded = -1;  // Pad with zeros whose only readers are convolutions, which pad for themselves: the value inside
    std::vector<std::int64_t> pads;  // top, left, bottom, right of that
  };

  const Shape& shape_of(int value) const { return graph_.values[at(value)].shape; }
  const Tensor& constant(const Node& node, std::size_t i) const { return graph_.tensors[at(node.inputs[i].id)]; }
  // The values of a constant, which are gone from the graph where no other node needs them: weights are large.
  std::vector<float> take(const Node& node, std::size_t i) {
    std::vector<float>& data = graph_.tensors[at(node.inputs[i].id)].data;
    if (uses_[at(node.inputs[i].id)] > 1) return data;
    return std::move(data);
  }
  static bool is_value(const Node& node, std::size_t i) { return node.inputs[i].kind == Operand::Kind::kValue; }
  static bool has_input(const Node& node, std::size_t i) {
    return i < node.inputs.size() && node.inputs[i].kind != Operand::Kind::kNone;
  }
  // Can be kept as rows of pixels: {1, C, H, W} or {1, C}.
  static bool is_image(const Shape& shape) { return shape.size() == 4 || shape.size() == 2; }
  static std::array<int, 3> image_size(const Shape& shape) {
    if (shape.size() == 2) return {narrow(shape[1]), 1, 1};
    return {narrow(shape[1]), narrow(shape[2]), narrow(shape[3])};
  }
  static bool is_pixel(const Shape& shape) {
    return is_image(shape) && image_size(shape)[1] * image_size(shape)[2] == 1;
  }

  int add_value(Layout layout, int channels, int height, int width) {
    net_.values.push_back({layout, channels, height, width, -1, 0});
    return static_cast<int>(net_.values.size()) - 1;
  }
  int add_image(const Shape& shape) {
    const auto [c, h, w] = image_size(shape);
    return add_value(Layout::kNhwc, c, h, w);
  }
  int add_dense(const Shape& shape) {
    // A single pixel is the same in both.
    if (is_pixel(shape)) return add_image(shape);
    return add_value(Layout::kDense, 1, 1, narrow(elements(shape)));
  }

  Layer& add_layer(Kind kind, const std::string& name, std::vector<int> inputs, int output) {
    Layer layer;
    layer.kind = kind;
    layer.name = name;
    layer.inputs = std::move(inputs);
    layer.output = output;
    net_.layers.push_back(std::move(layer));
    return net_.layers.back();
  }

  // The value as rows of pixels.
  int image(int value) {
    Place& place = places_[at(value)];
    if (place.image < 0) {
      if (is_pixel(shape_of(value))) {
        place.image = place.dense;
      } else {
        place.image = add_image(shape_of(value));
        add_layer(Kind::kFromDense, graph_.values[at(value)].name, {place.dense}, place.image);
      }
    }
    return place.image;
  }
  int image(const Node& node, std::size_t i) { return image(node.inputs[i].id); }

  // The value in the order of its shape.
  int dense(int value) {
    Place& place = places_[at(value)];
    if (place.dense < 0) {
      if (is_pixel(shape_of(value))) {
        place.dense = place.image;
      } else {
        place.dense = add_dense(shape_of(value));
        add_layer(Kind::kToDense, graph_.values[at(value)].name, {place.image}, place.dense);
      }
    }
    return place.dense;
  }

  // A layer whose result is an image.
  Layer& image_layer(Kind kind, const Node& node, std::vector<int> inputs) {
    const int output = add_image(shape_of(node.output));
    places_[at(node.output)].image = output;
    return add_layer(kind, node.name, std::move(inputs), output);
  }

  void dense_layer(const Node& node) {
    std::vector<int> inputs;
    for (const Operand& operand : node.inputs) {
      if (operand.kind == Operand::Kind::kValue) inputs.push_back(dense(operand.id));
      if (operand.kind == Operand::Kind::kConstant) inputs.push_back(-1);
    }
    const int output = add_dense(shape_of(node.output));
    places_[at(node.output)].dense = output;
    Layer& layer = add_layer(Kind::kDense, node.name, std::move(inputs), output);
    layer.dense = make_dense_op(graph_, node);
    if (node.op == Op::kLinear) layer.macs = elements(shape_of(node.output)) * layer.dense.shapes[1][0];
    if (node.op == Op::kConvTranspose) {
      layer.macs = elements(layer.dense.shapes[0]) * elements(layer.dense.shapes[1]) / layer.dense.shapes[0][1];
    }
  }

  void set_window(const Node& node, Layer& layer, std::int64_t height, std::int64_t width) {
    const auto strides = node.ints_attr("strides", {1, 1});
    const auto pads = node.ints_attr("pads", {0, 0, 0, 0});
    const auto dilations = node.ints_attr("dilations", {1, 1});
    Operation& op = layer.op;
    op.kernel_h = narrow(height);
    op.kernel_w = narrow(width);
    op.stride_h = narrow(strides[0]);
    op.stride_w = narrow(strides[1]);
    op.dilation_h = narrow(dilations[0]);
    op.dilation_w = narrow(dilations[1]);
    op.pad_top = narrow(pads[0]);
    op.pad_left = narrow(pads[1]);
    op.pad_bottom = narrow(pads[2]);
    op.pad_right = narrow(pads[3]);
  }

  static Precision lowest_of(const Node& node) {
    const std::string name = node.string_attr("precision", to_string(Precision::kAuto));
    for (const Precision precision : {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
      if (name == to_string(precision)) return precision;
    }
    return Precision::kAuto;
  }

  void conv(const Node& node) {
    const Place& place = places_[at(node.inputs[0].id)];
    const bool padded = place.padded >= 0;
    const auto pads = place.pads;
    const int x = padded ? image(place.padded) : image(node, 0);
    const Tensor& w = constant(node, 1);
    const int channels = net_.values[at(x)].channels;
    const int groups = narrow(node.int_attr("group", 1));
    const bool depthwise = groups == channels && w.shape[0] == channels && groups > 1;
    Layer& layer = image_layer(depthwise ? Kind::kDepthwise : Kind::kConv, node, {x});
    set_window(node, layer, w.shape[2], w.shape[3]);
    if (padded) {
      layer.op.pad_top += narrow(pads[0]);
      layer.op.pad_left += narrow(pads[1]);
      layer.op.pad_bottom += narrow(pads[2]);
      layer.op.pad_right += narrow(pads[3]);
    }
    layer.groups = depthwise ? 1 : groups;
    layer.lowest = lowest_of(node);
    layer.weight = take(node, 1);
    if (has_input(node, 2)) {
      layer.bias = take(node, 2);
    } else {
      layer.bias.assign(static_cast<std::size_t>(w.shape[0]), 0.0F);
    }
    layer.macs = elements(shape_of(node.output)) * w.shape[1] * w.shape[2] * w.shape[3];
    if (w.shape[2] * w.shape[3] * (channels <= kMaxPlanes ? channels : 1) > kMaxSegments) {
      refuse(node, "a kernel of " + std::to_string(w.shape[2]) + " x " + std::to_string(w.shape[3]) + " is too large");
    }
  }

  void linear(const Node& node) {
    if (shape_of(node.inputs[0].id).size() != 2) return dense_layer(node);
    const Tensor& w = constant(node, 1);
    const auto depth = static_cast<std::size_t>(w.shape[0]);
    const auto n = static_cast<std::size_t>(w.shape[1]);
    Layer& layer = image_layer(Kind::kConv, node, {image(node, 0)});
    layer.lowest = lowest_of(node);
    layer.weight.resize(depth * n);
    // A few rows at a time, so that what is written stays in the nearest cache until it is complete.
    constexpr std::size_t kRows = 16;
    for (std::size_t k0 = 0; k0 < depth; k0 += kRows) {
      const std::size_t k1 = std::min(depth, k0 + kRows);
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = k0; k < k1; ++k) layer.weight[j * depth + k] = w.data[k * n + j];
      }
    }
    layer.bias.assign(n, 0.0F);
    if (has_input(node, 2)) layer.bias = constant(node, 2).data;
    layer.macs = static_cast<std::int64_t>(depth * n);
  }

  void affine(const Node& node, int x, std::vector<float> scale, std::vector<float> shift) {
    Layer& layer = image_layer(Kind::kPointwise, node, {x});
    layer.op.pointwise = Pointwise::kAffine;
    layer.weight = std::move(scale);
    layer.bias = std::move(shift);
  }

  void batch_norm(const Node& node) {
    if (!is_image(shape_of(node.output))) return dense_layer(node);
    const double epsilon = static_cast<double>(node.float_attr("epsilon", 1e-5F));
    const auto& scale = constant(node, 1).data;
    const auto& bias = constant(node, 2).data;
    const auto& mean = constant(node, 3).data;
    const auto& variance = constant(node, 4).data;
    std::vector<float> factor(scale.size());
    std::vector<float> shift(scale.size());
    for (std::size_t c = 0; c < scale.size(); ++c) {
      const double f = static_cast<double>(scale[c]) / std::sqrt(static_cast<double>(variance[c]) + epsilon);
      factor[c] = static_cast<float>(f);
      shift[c] = static_cast<float>(static_cast<double>(bias[c]) - static_cast<double>(mean[c]) * f);
    }
    affine(node, image(node, 0), std::move(factor), std::move(shift));
  }

  void activation(const Node& node, Act act, float a = 0, float b = 0) {
    if (!is_image(shape_of(node.output))) {
      const int x = dense(node.inputs[0].id);
      const int output = add_dense(shape_of(node.output));
      places_[at(node.output)].dense = output;
      Layer& layer = add_layer(Kind::kDense, node.name, {x}, output);
      layer.dense = make_dense_op(graph_, node);
      layer.op.act = act;  // lets a copy that makes x take this over
      layer.op.act_a = a;
      layer.op.act_b = b;
      return;
    }
    Layer& layer = image_layer(Kind::kPointwise, node, {image(node, 0)});
    layer.op.act = act;
    layer.op.act_a = a;
    layer.op.act_b = b;
  }

  void prelu(const Node& node, std::vector<float> slope) {
    if (!is_image(shape_of(node.output))) return dense_layer(node);
    Layer& layer = image_layer(Kind::kPointwise, node, {image(node, 0)});
    layer.op.act = Act::kPRelu;
    const auto channels = at(net_.values[at(layer.output)].channels);
    layer.slope = slope.size() == channels ? std::move(slope) : std::vector<float>(channels, slope[0]);
  }

  // One number a channel, if that is what the constant is for an image of this shape; empty otherwise.
  static std::vector<float> per_channel(const Tensor& tensor, const Shape& image) {
    const auto channels = static_cast<std::size_t>(image[1]);
    if (tensor.data.size() == 1) return std::vector<float>(channels, tensor.data[0]);
    if (tensor.data.size() != channels || tensor.shape.size() > image.size()) return {};
    const std::size_t axis = image.size() - 1;  // of the channels, counted from the end
    if (tensor.shape.size() < axis) return {};
    return tensor.shape[tensor.shape.size() - axis] == image[1] ? tensor.data : std::vector<float>();
  }

  bool binary_with_constant(const Node& node) {
    const bool first = is_value(node, 0);
    const int x = node.inputs[first ? 0 : 1].id;
    const Shape& shape = shape_of(node.output);
    if (!is_image(shape) || shape_of(x) != shape || (node.op == Op::kDiv && !first)) return false;
    std::vector<float> c = per_channel(constant(node, first ? 1 : 0), shape);
    if (c.empty()) return false;
    std::vector<float> ones(c.size(), 1.0F);
    switch (node.op) {
      case Op::kAdd: affine(node, image(x), std::move(ones), std::move(c)); break;
      case Op::kSub:
        if (first) {
          for (float& v : c) v = -v;
        } else {
          for (float& v : ones) v = -1;
        }
        affine(node, image(x), std::move(ones), std::move(c));
        break;
      case Op::kDiv:
        for (float& v : c) v = 1 / v;
        [[fallthrough]];
      default: affine(node, image(x), std::move(c), std::vector<float>(ones.size(), 0.0F));
    }
    return true;
  }

  void binary(const Node& node) {
    const Pointwise how = node.op == Op::kAdd   ? Pointwise::kAdd
                          : node.op == Op::kSub ? Pointwise::kSub
                          : node.op == Op::kMul ? Pointwise::kMul
                                                : Pointwise::kDiv;
    if (!is_value(node, 0) || !is_value(node, 1)) {
      if (!binary_with_constant(node)) dense_layer(node);
      return;
    }
    int a = node.inputs[0].id;
    int b = node.inputs[1].id;
    const Shape& shape = shape_of(node.output);
    if (shape_of(a) != shape && (how == Pointwise::kAdd || how == Pointwise::kMul)) std::swap(a, b);
    const bool same = shape_of(b) == shape;
    const bool vector = shape.size() == 4 && shape_of(b) == Shape{1, shape[1], 1, 1};
    if (!is_image(shape) || shape_of(a) != shape || (!same && !vector)) return dense_layer(node);
    const int first = image(a);
    const int second = image(b);
    Layer& layer = image_layer(Kind::kPointwise, node, {first, second});
    layer.op.pointwise = how;
    layer.op.b_vector = !same;
  }

  void pool(const Node& node) {
    const auto kernel = node.ints_attr("kernel", {1, 1});
    Layer& layer = image_layer(Kind::kPool, node, {image(node, 0)});
    set_window(node, layer, kernel[0], kernel[1]);
    layer.op.maximum = node.op == Op::kMaxPool;
    layer.op.include_pad = node.int_attr("count_include_pad", 0) != 0;
  }

  void global_pool(const Node& node, bool maximum) {
    Layer& layer = image_layer(Kind::kGlobalPool, node, {image(node, 0)});
    layer.op.maximum = maximum;
  }

  void reshape(const Node& node) {
    const int x = node.inputs[0].id;
    Place& place = places_[at(node.output)];
    const bool pixel = is_pixel(shape_of(node.output));
    if (pixel && is_pixel(shape_of(x))) {
      place.image = image(x);
    } else if (pixel) {
      const int from = dense(x);
      place.image = add_image(shape_of(node.output));
      net_.values[at(place.image)].base = from;
    } else {
      place.dense = dense(x);
    }
  }

  void transpose(const Node& node) {
    const int x = node.inputs[0].id;
    const auto perm = node.ints_attr("perm", {});
    if (perm == std::vector<std::int64_t>{0, 2, 3, 1} && places_[at(x)].image >= 0) {
      const int output = add_dense(shape_of(node.output));
      places_[at(node.output)].dense = output;
      add_layer(Kind::kToDense, node.name, {places_[at(x)].image}, output).op.channels_last = true;
    } else if (perm == std::vector<std::int64_t>{0, 3, 1, 2} && places_[at(x)].dense >= 0) {
      const int from = places_[at(x)].dense;
      image_layer(Kind::kFromDense, node, {from}).op.channels_last = true;
    } else {
      dense_layer(node);
    }
  }

  void concat(const Node& node) {
    if (node.int_attr("axis", 1) != 1 || !is_image(shape_of(node.output))) return dense_layer(node);
    std::vector<int> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) inputs.push_back(image(node, i));
    image_layer(Kind::kConcat, node, std::move(inputs));
  }

  void slice(const Node& node) {
    const bool channels = node.ints_attr("axes", {}) == std::vector<std::int64_t>{1} &&
                          node.ints_attr("steps", {1}) == std::vector<std::int64_t>{1};
    if (!channels || !is_image(shape_of(node.output))) return dense_layer(node);
    const int from = image(node, 0);
    image_layer(Kind::kSlice, node, {from}).op.channel = narrow(node.ints_attr("starts", {0})[0]);
  }

  void pad(const Node& node) {
    const auto pads = node.ints_attr("pads", {});
    const bool around = pads.size() == 8 && pads[0] == 0 && pads[1] == 0 && pads[4] == 0 && pads[5] == 0;
    const bool zeros = node.string_attr("mode", "constant") == "constant" && node.float_attr("value", 0) == 0.0F;
    bool only_convs = std::find(graph_.outputs.begin(), graph_.outputs.end(), node.output) == graph_.outputs.end();
    for (const Node& other : graph_.nodes) {
      for (const Operand& operand : other.inputs) {
        if (operand.kind == Operand::Kind::kValue && operand.id == node.output) only_convs &= other.op == Op::kConv;
      }
    }
    const int x = node.inputs[0].id;
    if (!around || !zeros || !only_convs) return dense_layer(node);
    places_[at(node.output)].padded = x;
    places_[at(node.output)].pads = {pads[2], pads[3], pads[6], pads[7]};
  }

  // Source position of output position i along an axis, as ONNX defines it.
  static float source(const std::string& transform, int i, float scale, int in, int out) {
    if (transform == "asymmetric") return static_cast<float>(i) / scale;
    if (transform == "half_pixel") return (static_cast<float>(i) + 0.5F) / scale - 0.5F;
    return out == 1 ? 0.0F : static_cast<float>(i) * static_cast<float>(in - 1) / static_cast<float>(out - 1);
  }

  static int round(const std::string& rounding, float v) {
    if (rounding == "ceil") return static_cast<int>(std::ceil(v));
    if (rounding == "round_prefer_floor") return static_cast<int>(std::ceil(v - 0.5F));
    if (rounding == "round_prefer_ceil") return static_cast<int>(std::floor(v + 0.5F));
    return static_cast<int>(std::floor(v));
  }

  void resize(const Node& node) {
    Layer& layer = image_layer(Kind::kResize, node, {image(node, 0)});
    const Tensor4& in = net_.values[at(layer.inputs[0])];
    const Tensor4& out = net_.values[at(layer.output)];
    const std::string transform = node.string_attr("transform", "half_pixel");
    const std::string rounding = node.string_attr("rounding", "round_prefer_floor");
    const auto scales = node.floats_attr("scales", {1, 1});
    layer.op.linear = node.string_attr("mode", "nearest") == "linear";
    const auto fill = [&](int from, int to, float scale, std::vector<int>& map, std::vector<float>& lerp) {
      for (int i = 0; i < to; ++i) {
        const float s = source(transform, i, scale, from, to);
        if (layer.op.linear) {
          const float clamped = std::clamp(s, 0.0F, static_cast<float>(from - 1));
          const int first = static_cast<int>(clamped);
          map.insert(map.end(), {first, std::min(first + 1, from - 1)});
          lerp.push_back(clamped - static_cast<float>(first));
        } else {
          const int first = std::clamp(round(rounding, s), 0, from - 1);
          map.insert(map.end(), {first, first});
          lerp.push_back(0);
        }
      }
    };
    fill(in.height, out.height, scales[0], layer.map_y, layer.lerp_y);
    fill(in.width, out.width, scales[1], layer.map_x, layer.lerp_x);
  }

  void reduce_mean(const Node& node) {
    const bool all =
        shape_of(node.inputs[0].id).size() == 4 && node.ints_attr("axes", {}) == std::vector<std::int64_t>{2, 3};
    if (all) return global_pool(node, false);
    dense_layer(node);
  }

  void lower(const Node& node) {
    switch (node.op) {
      case Op::kConv: return conv(node);
      case Op::kBatchNorm: return batch_norm(node);
      case Op::kPRelu: return prelu(node, constant(node, 1).data);
      case Op::kRelu: return activation(node, Act::kClip, 0, std::numeric_limits<float>::infinity());
      case Op::kLeakyRelu: return prelu(node, {node.float_attr("alpha", 0.01F)});
      case Op::kClip:
        return activation(node, Act::kClip, node.float_attr("min", std::numeric_limits<float>::lowest()),
                          node.float_attr("max", std::numeric_limits<float>::max()));
      case Op::kSigmoid: return activation(node, Act::kSigmoid);
      case Op::kHardSigmoid:
        return activation(node, Act::kHardSigmoid, node.float_attr("alpha", 0.2F), node.float_attr("beta", 0.5F));
      case Op::kHardSwish: return activation(node, Act::kHardSwish, 1.0F / 6.0F, 0.5F);
      case Op::kTanh: return activation(node, Act::kTanh);
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
      case Op::kDiv: return binary(node);
      case Op::kMaxPool:
      case Op::kAveragePool: return pool(node);
      case Op::kGlobalAveragePool: return global_pool(node, false);
      case Op::kGlobalMaxPool: return global_pool(node, true);
      case Op::kReduceMean: return reduce_mean(node);
      case Op::kLinear: return linear(node);
      case Op::kReshape: return reshape(node);
      case Op::kTranspose: return transpose(node);
      case Op::kConcat: return concat(node);
      case Op::kSlice: return slice(node);
      case Op::kPad: return pad(node);
      case Op::kResize: return resize(node);
      case Op::kSoftmax:
      case Op::kConvTranspose: return dense_layer(node);
    }
  }

  Graph graph_;
  std::vector<Place> places_;
  std::vector<int> uses_;  // of each constant
  Network net_;
};

// What can be done to the list of layers without changing what it computes (but for rounding).
class Passes {
 public:
  Passes(Network& net, int lanes) : net_(net), lanes_(lanes) {}

  void run(bool gates) {
    // Each enables others: a batch norm folded away leaves an activation beside its convolution, and so on.
    index();
    while (fold_affine_into_producer() || fold_affine_into_consumer() || fuse_activation() || fuse_residual()) {
    }
    if (gates) gate_convolutions();
    std::erase_if(layers(), is_dropped);
    read_planes();
    while (merge_siblings()) {
    }
    while (merge_sliced_depthwise()) {
    }
    shorten_copies();
    remove_unused();
    keep_borders();
    make_views();
  }

 private:
  std::vector<Layer>& layers() { return net_.layers; }
  Tensor4& value(int id) { return net_.values[at(id)]; }

  bool is_output(int id) const {
    return std::any_of(net_.outputs.begin(), net_.outputs.end(), [&](int output) {
      while (output != id && output >= 0) output = net_.values[at(output)].base;
      return output == id;
    });
  }

  // Refreshed after every change; the lists are short.
  void index() {
    producer_.assign(net_.values.size(), -1);
    readers_.resize(net_.values.size());
    for (auto& readers : readers_) readers.clear();
    for (std::size_t i = 0; i < layers().size(); ++i) {
      const Layer& layer = layers()[i];
      if (is_dropped(layer)) continue;
      producer_[at(layer.output)] = static_cast<int>(i);
      for (const int v : layer.inputs) read_by(v, static_cast<int>(i));
      read_by(layer.residual, static_cast<int>(i));
    }
  }
  // Who reads a view reads what it is a view of.
  void read_by(int id, int layer) {
    for (; id >= 0; id = net_.values[at(id)].base) readers_[at(id)].push_back(layer);
  }
  bool used_once(int id) const { return readers_[at(id)].size() == 1 && !is_output(id); }
  Layer* producer(int id) { return id >= 0 && producer_[at(id)] >= 0 ? &layers()[at(producer_[at(id)])] : nullptr; }
  void erase(std::size_t i) { layers().erase(layers().begin() + static_cast<std::ptrdiff_t>(i)); }
  // While layers are fused, those that are no more stay in the list: moving the others up each time would take longer
  // than all the rest.
  void drop(std::size_t i) {
    layers()[i] = Layer();
    index();
  }
  static bool is_dropped(const Layer& layer) { return layer.output < 0; }

  static bool is_affine(const Layer& layer) {
    return layer.kind == Kind::kPointwise && layer.op.pointwise == Pointwise::kAffine && layer.residual < 0 &&
           !is_dropped(layer);
  }
  static bool has_weights(const Layer& layer) { return layer.kind == Kind::kConv || layer.kind == Kind::kDepthwise; }

  // y = conv(x) * scale + shift.
  bool fold_affine_into_producer() {
    bool changed = false;
    for (std::size_t i = 0; i < layers().size(); ++i) {
      const Layer& affine = layers()[i];
      if (!is_affine(affine) || !used_once(affine.inputs[0])) continue;
      Layer* from = producer(affine.inputs[0]);
      if (from == nullptr || from->op.act != Act::kNone || from->residual >= 0) continue;
      if (!has_weights(*from) && !is_affine(*from)) continue;
      const std::size_t taps = from->weight.size() / from->bias.size();
      for (std::size_t c = 0; c < from->bias.size(); ++c) {
        const float factor = affine.weight[c];
        const auto row = std::span(from->weight).subspan(c * taps, taps);
        for (float& w : row) w *= factor;
        from->bias[c] = from->bias[c] * factor + affine.bias[c];
      }
      from->output = affine.output;
      copy_activation(affine, *from);
      drop(i);
      changed = true;
    }
    return changed;
  }

  // y = conv(x * scale + shift): the shift stays out of a padded border, where the convolution sees zeros.
  bool fold_affine_into_consumer() {
    bool changed = false;
    for (std::size_t i = 0; i < layers().size(); ++i) {
      const Layer& affine = layers()[i];
      if (!is_affine(affine) || affine.op.act != Act::kNone || is_output(affine.output)) continue;
      const bool shifted = std::any_of(affine.bias.begin(), affine.bias.end(), [](float v) { return v != 0.0F; });
      const auto& readers = readers_[at(affine.output)];
      const bool fits = !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](int r) {
        const Layer& to = layers()[at(r)];
        const bool padded = to.op.pad_top + to.op.pad_left + to.op.pad_bottom + to.op.pad_right > 0;
        return has_weights(to) && to.residual != affine.output && !(shifted && padded);
      });
      if (!fits) continue;
      for (const int r : readers) scale_inputs(layers()[at(r)], affine);
      drop(i);
      changed = true;
    }
    return changed;
  }

  static void scale_inputs(Layer& conv, const Layer& affine) {
    const std::size_t outs = conv.bias.size();
    const std::size_t window = static_cast<std::size_t>(conv.op.kernel_h) * static_cast<std::size_t>(conv.op.kernel_w);
    const std::size_t ins = conv.weight.size() / outs / window;  // of one group
    const std::size_t outs_of_group = outs / static_cast<std::size_t>(conv.groups);
    for (std::size_t o = 0; o < outs; ++o) {
      for (std::size_t j = 0; j < ins; ++j) {
        const std::size_t c = conv.kind == Kind::kDepthwise ? o : o / outs_of_group * ins + j;
        for (std::size_t k = 0; k < window; ++k) {
          float& w = conv.weight[(o * ins + j) * window + k];
          conv.bias[o] += w * affine.bias[c];
          w *= affine.weight[c];
        }
      }
    }
    conv.inputs[0] = affine.inputs[0];
  }

  static void copy_activation(const Layer& from, Layer& to) {
    to.op.act = from.op.act;
    to.op.act_a = from.op.act_a;
    to.op.act_b = from.op.act_b;
    to.slope = from.slope;
  }

  bool fuse_activation() {
    bool changed = false;
    for (std::size_t i = 0; i < layers().size(); ++i) {
      const Layer& act = layers()[i];
      if (is_dropped(act)) continue;
      const bool image = act.kind == Kind::kPointwise && act.op.pointwise == Pointwise::kIdentity && act.residual < 0;
      const bool dense = act.kind == Kind::kDense && act.op.act != Act::kNone;
      if ((!image && !dense) || !used_once(act.inputs[0])) continue;
      Layer* from = producer(act.inputs[0]);
      if (from == nullptr || from->op.act != Act::kNone || (from->residual >= 0 && !from->op.residual_first)) continue;
      const bool able = from->kind == Kind::kConv || from->kind == Kind::kDepthwise || from->kind == Kind::kPool ||
                        from->kind == Kind::kGlobalPool || from->kind == Kind::kPointwise;
      if (image ? !able : from->kind != Kind::kToDense) continue;
      copy_activation(act, *from);
      from->output = act.output;
      drop(i);
      changed = true;
    }
    return changed;
  }

  // Add(r, f(x)) becomes part of f, which moves to where r is known.
  bool fuse_residual() {
    bool changed = false;
    for (std::size_t i = 0; i < layers().size(); ++i) {
      const Layer& add = layers()[i];
      if (is_dropped(add) || add.kind != Kind::kPointwise || add.op.pointwise != Pointwise::kAdd || add.op.b_vector ||
          add.residual >= 0)
        continue;
      if (add.inputs[0] == add.inputs[1]) continue;
      // The operand that is computed last: the other one is then already there.
      int side = producer_[at(add.inputs[0])] > producer_[at(add.inputs[1])] ? 0 : 1;
      if (!takes_residual(add, side)) side = 1 - side;
      if (!takes_residual(add, side)) continue;
      const auto from = static_cast<std::size_t>(producer_[at(add.inputs[at(side)])]);
      Layer merged = std::move(layers()[from]);
      merged.residual = add.inputs[at(1 - side)];
      merged.op.residual_first = merged.op.act == Act::kNone;
      if (merged.op.residual_first) copy_activation(add, merged);
      merged.output = add.output;
      layers()[i] = std::move(merged);
      drop(from);
      changed = true;
    }
    return changed;
  }

  bool takes_residual(const Layer& add, int side) {
    const int operand = add.inputs[at(side)];
    const Layer* from = producer(operand);
    if (from == nullptr || !used_once(operand) || from->residual >= 0) return false;
    if (from->op.act != Act::kNone && add.op.act != Act::kNone) return false;
    return from->kind == Kind::kConv || (from->kind == Kind::kPointwise && from->op.pointwise == Pointwise::kMul);
  }

  // Squeeze-excite of a linear 1x1 convolution, y = conv(x), s = f(mean(y)), y s. The mean of such a convolution is the
  // convolution of the mean, so y needs no pass of its own: it is computed when s is known, and multiplied on the way.
  void gate_convolutions() {
    for (std::size_t i = 0; i < layers().size(); ++i) {
      const Layer& product = layers()[i];
      if (is_dropped(product) || product.kind != Kind::kPointwise || product.op.pointwise != Pointwise::kMul ||
          !product.op.b_vector || product.residual == product.inputs[0])
        continue;
      const int y = product.inputs[0];
      if (producer(y) == nullptr || readers_[at(y)].size() != 2 || is_output(y)) continue;
      const auto from = static_cast<std::size_t>(producer_[at(y)]);
      const auto squeeze = static_cast<std::size_t>(readers_[at(y)][readers_[at(y)][0] == static_cast<int>(i) ? 1 : 0]);
      if (!is_linear_1x1(layers()[from]) || layers()[squeeze].kind != Kind::kGlobalPool || layers()[squeeze].op.maximum)
        continue;
      const int x = layers()[from].inputs[0];
      // Worth it where a pass over y costs more than the second convolution's weights.
      if (value(x).channels >= value(y).height * value(y).width) continue;

      Layer gated = layers()[from];
      gated.inputs.push_back(product.inputs[1]);
      gated.residual = product.residual;
      gated.op.residual_first = product.op.residual_first;
      copy_activation(product, gated);
      gated.output = product.output;

      Layer& of_mean = layers()[from];  // runs second: the two places are exchanged below
      of_mean.name += " of the mean";
      of_mean.macs = std::int64_t{value(x).channels} * value(y).channels;
      copy_activation(layers()[squeeze], of_mean);
      of_mean.output = layers()[squeeze].output;
      Layer& mean = layers()[squeeze];
      mean.inputs[0] = x;
      mean.op.act = Act::kNone;
      mean.slope.clear();
      Tensor4 pixel = value(x);
      pixel.height = pixel.width = 1;
      net_.values.push_back(pixel);
      mean.output = of_mean.inputs[0] = static_cast<int>(net_.values.size()) - 1;
      std::swap(layers()[from], layers()[squeeze]);
      layers()[i] = std::move(gated);
      index();
    }
  }

  static bool is_linear_1x1(const Layer& layer) {
    const Operation& op = layer.op;
    return layer.kind == Kind::kConv && layer.groups == 1 && op.act == Act::kNone && layer.residual < 0 &&
           layer.inputs.size() == 1 && op.kernel_h * op.kernel_w * op.stride_h * op.stride_w == 1 &&
           op.pad_top + op.pad_left + op.pad_bottom + op.pad_right == 0;
  }

  // A convolution that starts the network reads the planes themselves.
  void read_planes() {
    index();
    for (Layer& layer : layers()) {
      if (layer.kind != Kind::kConv || layer.groups != 1 || layer.inputs.size() > 1) continue;
      const Layer* from = producer(layer.inputs[0]);
      if (from == nullptr || from->kind != Kind::kFromPlanes || value(from->inputs[0]).channels > kMaxPlanes) continue;
      layer.inputs[0] = from->inputs[0];
    }
    remove_unused();
  }

  int vectors(int channels) const { return (channels + lanes_ - 1) / lanes_; }

  static auto geometry(const Layer& layer) {
    const Operation& op = layer.op;
    return std::make_tuple(layer.kind, layer.groups, layer.lowest, layer.residual, op.kernel_h, op.kernel_w,
                           op.stride_h, op.stride_w, op.dilation_h, op.dilation_w, op.pad_top, op.pad_left,
                           op.pad_bottom, op.pad_right, op.act, op.act_a, op.act_b);
  }

  // The layers become one, whose output the old outputs are slices of. `parts` in running order; reads `input`.
  void merge(const std::vector<int>& parts, int input) {
    Layer merged = layers()[at(parts[0])];
    merged.inputs = {input};
    merged.macs = 0;
    merged.weight.clear();
    merged.bias.clear();
    merged.slope.clear();
    std::vector<Layer> slices;
    for (const int p : parts) {
      const Layer& part = layers()[at(p)];
      if (p != parts[0]) merged.name += " + " + part.name;
      merged.macs += part.macs;
      Layer slice;
      slice.kind = Kind::kSlice;
      slice.name = part.name;
      slice.output = part.output;
      slice.op.channel = static_cast<int>(merged.bias.size());
      slices.push_back(std::move(slice));
      merged.weight.insert(merged.weight.end(), part.weight.begin(), part.weight.end());
      merged.bias.insert(merged.bias.end(), part.bias.begin(), part.bias.end());
      merged.slope.insert(merged.slope.end(), part.slope.begin(), part.slope.end());
    }
    Tensor4 whole = value(merged.output);
    whole.channels = static_cast<int>(merged.bias.size());
    net_.values.push_back(whole);
    merged.output = static_cast<int>(net_.values.size()) - 1;
    for (Layer& slice : slices) slice.inputs = {merged.output};
    // Where the first one was, everything the others read is known too: they read the same value.
    std::vector<Layer> rest;
    for (std::size_t i = 0; i < layers().size(); ++i) {
      if (std::find(parts.begin(), parts.end(), static_cast<int>(i)) == parts.end()) {
        rest.push_back(std::move(layers()[i]));
      } else if (static_cast<int>(i) == parts[0]) {
        rest.push_back(merged);
        std::move(slices.begin(), slices.end(), std::back_inserter(rest));
      }
    }
    layers() = std::move(rest);
  }

  // Convolutions of the same value that fill no vector each, where what reads them can live with a slice.
  bool merge_siblings() {
    index();
    for (std::size_t v = 0; v < net_.values.size(); ++v) {
      std::map<decltype(geometry(layers()[0])), std::vector<int>> groups;
      for (const int r : readers_[v]) {
        const Layer& layer = layers()[at(r)];
        if (layer.kind != Kind::kConv || layer.groups != 1 || layer.residual >= 0 || layer.inputs.size() > 1 ||
            layer.inputs[0] != static_cast<int>(v))
          continue;
        if (value(layer.output).channels % lanes_ == 0 || !slice_suits(layer.output)) continue;
        groups[geometry(layer)].push_back(r);
      }
      for (auto& [key, parts] : groups) {
        std::sort(parts.begin(), parts.end());
        parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
        int apart = 0;
        int channels = 0;
        for (const int p : parts) {
          apart += vectors(value(layers()[at(p)].output).channels);
          channels += value(layers()[at(p)].output).channels;
        }
        if (parts.size() < 2 || vectors(channels) >= apart) continue;
        merge(parts, static_cast<int>(v));
        return true;
      }
    }
    return false;
  }

  bool slice_suits(int id) const {
    if (!used_once(id)) return false;
    const Layer& reader = net_.layers[at(readers_[at(id)][0])];
    const bool single =
        reader.kind == Kind::kConv && net_.values[at(id)].channels == 1 && net_.values[at(reader.output)].channels == 1;
    return reader.kind == Kind::kDepthwise || reader.kind == Kind::kToDense || single;
  }

  // Depthwise convolutions of all slices of a value, in order: one of the whole value. A channel alone counts as one:
  // its convolution with one input and one output is the same thing.
  bool merge_sliced_depthwise() {
    index();
    for (std::size_t v = 0; v < net_.values.size(); ++v) {
      std::vector<int> parts;
      int next = 0;
      bool all = readers_[v].size() > 1 && !is_output(static_cast<int>(v));
      for (const int s : readers_[v]) {
        const Layer& slice = layers()[at(s)];
        all = all && slice.kind == Kind::kSlice && slice.inputs[0] == static_cast<int>(v) && slice.op.channel == next &&
              used_once(slice.output);
        if (!all) break;
        next += value(slice.output).channels;
        const Layer& reader = layers()[at(readers_[at(slice.output)][0])];
        const bool depthwise =
            reader.kind == Kind::kDepthwise ||
            (reader.kind == Kind::kConv && value(slice.output).channels == 1 && value(reader.output).channels == 1);
        all = depthwise && reader.residual < 0 && reader.inputs[0] == slice.output;
        parts.push_back(readers_[at(slice.output)][0]);
      }
      if (!all || next != value(static_cast<int>(v)).channels) continue;
      for (const int p : parts) layers()[at(p)].kind = Kind::kDepthwise;
      all = std::all_of(parts.begin(), parts.end(),
                        [&](int p) { return geometry(layers()[at(p)]) == geometry(layers()[at(parts[0])]); });
      if (!all) continue;
      merge(parts, static_cast<int>(v));
      remove_unused();
      return true;
    }
    return false;
  }

  // A dense copy of a slice is a dense copy of some channels.
  void shorten_copies() {
    index();
    for (Layer& layer : layers()) {
      const Layer* from = producer(layer.inputs.empty() ? -1 : layer.inputs[0]);
      if (layer.kind != Kind::kToDense || from == nullptr || from->kind != Kind::kSlice) continue;
      layer.op.channel += from->op.channel;
      layer.op.depth = value(layer.inputs[0]).channels;
      layer.inputs[0] = from->inputs[0];
    }
  }

  void remove_unused() {
    for (bool again = true; again;) {
      again = false;
      index();
      for (std::size_t i = layers().size(); i-- > 0;) {
        if (!readers_[at(layers()[i].output)].empty() || is_output(layers()[i].output)) continue;
        erase(i);
        again = true;
        break;
      }
    }
  }

  // Slices and concatenations that fall on whole vectors need no copy: the narrow value lies inside the wide one.
  void make_views() {
    index();
    for (std::size_t i = 0; i < layers().size(); ++i) {
      const Layer& layer = layers()[i];
      if (layer.kind != Kind::kSlice || layer.op.channel % lanes_ != 0 || is_output(layer.output)) continue;
      value(layer.output).base = layer.inputs[0];
      value(layer.output).channel = layer.op.channel;
      erase(i--);
      index();
    }
    for (std::size_t i = 0; i < layers().size(); ++i) {
      if (layers()[i].kind != Kind::kConcat) continue;
      const Layer layer = std::move(layers()[i]);
      std::vector<Layer> copies;
      int channel = 0;
      bool whole = true;
      for (const int v : layer.inputs) {
        const Layer* from = producer(v);
        whole = whole && channel % lanes_ == 0 && from != nullptr && used_once(v) && value(v).base < 0 &&
                from->kind != Kind::kGlobalPool && from->kind != Kind::kDense && from->kind != Kind::kConcat;
        copies.push_back(layer);
        copies.back().inputs = {v};
        copies.back().op.channel = channel;
        channel += value(v).channels;
      }
      erase(i--);
      if (whole) {
        for (const Layer& copy : copies) {
          value(copy.inputs[0]).base = layer.output;
          value(copy.inputs[0]).channel = copy.op.channel;
        }
      } else {
        layers().insert(layers().begin() + static_cast<std::ptrdiff_t>(i) + 1, copies.begin(), copies.end());
        i += copies.size();
      }
      index();
    }
  }

  static bool has_border(const Operation& op) { return op.kernel_w > 1 || op.pad_left > 0 || op.pad_right > 0; }

  // What writes pixels of its own accord keeps no border of zeros beside them.
  void keep_borders() {
    index();
    for (std::size_t i = 0; i < layers().size(); ++i) {
      const Layer* from = layers()[i].inputs.empty() ? nullptr : producer(layers()[i].inputs[0]);
      if (layers()[i].kind != Kind::kConv || from == nullptr || !has_border(layers()[i].op)) continue;
      if (from->kind != Kind::kGlobalPool && from->kind != Kind::kDense) continue;
      Layer copy;
      copy.name = from->name;
      copy.inputs = {from->output};
      net_.values.push_back(value(from->output));
      copy.output = static_cast<int>(net_.values.size()) - 1;
      layers()[i].inputs[0] = copy.output;
      layers().insert(layers().begin() + static_cast<std::ptrdiff_t>(i), copy);
      index();
    }
  }

  Network& net_;
  int lanes_;
  std::vector<int> producer_;
  std::vector<std::vector<int>> readers_;
};

}  // namespace

Network lower(Graph graph, int lanes, bool gates) {
  Network net = Lowering(std::move(graph)).run();
  Passes(net, lanes).run(gates);
  return net;
}

}  // namespace liveness::engine
