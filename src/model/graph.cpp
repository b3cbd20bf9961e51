#include "model/graph.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <span>
#include <unordered_set>

#include "liveness/error.hpp"

namespace liveness {
namespace {

constexpr std::int64_t kMaxWindow =
    1 << 16;  // strides, pads, dilations and kernel sizes: far above any use, far from overflow

struct OpTraits {
  std::string_view name;
  std::size_t min_inputs;
  std::size_t max_inputs;
  std::array<std::string_view, 5> attributes;
};

// In the order of Op.
constexpr auto kTraits = std::to_array<OpTraits>({
    {"conv", 2, 3, {"strides", "pads", "dilations", "group", "precision"}},
    {"conv_transpose", 2, 3, {"strides", "pads", "dilations", "group", "output_padding"}},
    {"batch_norm", 5, 5, {"epsilon"}},
    {"prelu", 2, 2, {}},
    {"relu", 1, 1, {}},
    {"leaky_relu", 1, 1, {"alpha"}},
    {"clip", 1, 1, {"min", "max"}},
    {"sigmoid", 1, 1, {}},
    {"hard_sigmoid", 1, 1, {"alpha", "beta"}},
    {"hard_swish", 1, 1, {}},
    {"tanh", 1, 1, {}},
    {"softmax", 1, 1, {"axis"}},
    {"add", 2, 2, {}},
    {"sub", 2, 2, {}},
    {"mul", 2, 2, {}},
    {"div", 2, 2, {}},
    {"max_pool", 1, 1, {"kernel", "strides", "pads", "dilations"}},
    {"average_pool", 1, 1, {"kernel", "strides", "pads", "count_include_pad"}},
    {"global_average_pool", 1, 1, {}},
    {"global_max_pool", 1, 1, {}},
    {"reduce_mean", 1, 1, {"axes", "keepdims"}},
    {"linear", 2, 3, {"precision"}},
    {"reshape", 1, 1, {"shape"}},
    {"transpose", 1, 1, {"perm"}},
    {"concat", 1, 1024, {"axis"}},
    {"slice", 1, 1, {"axes", "starts", "ends", "steps"}},
    {"pad", 1, 1, {"pads", "mode", "value"}},
    {"resize", 1, 1, {"mode", "transform", "scales", "sizes", "rounding"}},
});
static_assert(kTraits.size() == static_cast<std::size_t>(Op::kResize) + 1);

const OpTraits& traits(Op op) {
  return kTraits[static_cast<std::size_t>(op)];
}

[[noreturn]] void invalid(const std::string& message) {
  throw Error(Status::kModelInvalid, message);
}

template <class T>
std::string quote(const T& name) {
  return "\"" + std::string(name) + "\"";
}

std::string label(const Node& node) {
  return "node " + quote(node.name) + " (" + std::string(to_string(node.op)) + "): ";
}

[[noreturn]] void fail(const Node& node, const std::string& message) {
  invalid(label(node) + message);
}

// False where a size is not positive or the product passes kMaxElements.
bool in_bounds(const Shape& shape) {
  if (shape.size() > kMaxRank) return false;
  std::int64_t n = 1;
  for (const auto d : shape) {
    if (d < 1 || d > kMaxElements) return false;
    n *= d;
    if (n > kMaxElements) return false;
  }
  return true;
}

template <class T>
const T* find(const Node& node, std::string_view name) {
  for (const auto& attribute : node.attributes) {
    if (attribute.name != name) continue;
    if (const T* value = std::get_if<T>(&attribute.value)) return value;
    fail(node, "attribute " + quote(name) + " has the wrong type");
  }
  return nullptr;
}

bool has(const Node& node, std::string_view name) {
  return std::any_of(node.attributes.begin(), node.attributes.end(),
                     [&](const Attribute& a) { return a.name == name; });
}

// One node of a graph whose earlier values all have shapes.
class Checker {
 public:
  Checker(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  Shape infer() {
    const auto& op = traits(node_.op);
    if (node_.inputs.size() < op.min_inputs || node_.inputs.size() > op.max_inputs) {
      error("has " + std::to_string(node_.inputs.size()) + " inputs, needs " + std::to_string(op.min_inputs) +
            (op.max_inputs == op.min_inputs ? "" : " to " + std::to_string(op.max_inputs)));
    }
    for (std::size_t i = 0; i < node_.attributes.size(); ++i) check_attribute(op, i);
    switch (node_.op) {
      case Op::kConv: return conv();
      case Op::kConvTranspose: return conv_transpose();
      case Op::kBatchNorm: return batch_norm();
      case Op::kPRelu: return prelu();
      case Op::kClip: return clip();
      case Op::kRelu:
      case Op::kLeakyRelu:
      case Op::kSigmoid:
      case Op::kHardSigmoid:
      case Op::kHardSwish:
      case Op::kTanh: float_or("alpha", 0), float_or("beta", 0); return value(0);
      case Op::kSoftmax: return softmax();
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
      case Op::kDiv: return broadcast();
      case Op::kMaxPool:
      case Op::kAveragePool: return pool();
      case Op::kGlobalAveragePool:
      case Op::kGlobalMaxPool: return {image()[0], image()[1], 1, 1};
      case Op::kReduceMean: return reduce();
      case Op::kLinear: return linear();
      case Op::kReshape: return reshape();
      case Op::kTranspose: return transpose();
      case Op::kConcat: return concat();
      case Op::kSlice: return slice();
      case Op::kPad: return pad();
      case Op::kResize: return resize();
    }
    error("unknown operator");
  }

  // Multiply-accumulates; at most 2^56, since each factor is the size of a checked value or constant.
  std::int64_t macs(const Shape& output) const {
    if (node_.op == Op::kConv) return elements(output) * (elements(constant(1)) / constant(1)[0]);
    if (node_.op == Op::kConvTranspose) return elements(value(0)) * (elements(constant(1)) / constant(1)[0]);
    if (node_.op == Op::kLinear) return elements(value(0)) * constant(1)[1];
    return 0;
  }

 private:
  [[noreturn]] void error(const std::string& message) const { fail(node_, message); }

  void check_attribute(const OpTraits& op, std::size_t i) const {
    const auto& attribute = node_.attributes[i];
    if (attribute.name.empty() ||
        std::find(op.attributes.begin(), op.attributes.end(), attribute.name) == op.attributes.end()) {
      error("has no attribute " + quote(attribute.name));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (node_.attributes[j].name == attribute.name) error("attribute " + quote(attribute.name) + " is given twice");
    }
    const auto* floats = std::get_if<std::vector<float>>(&attribute.value);
    const auto* one = std::get_if<float>(&attribute.value);
    if ((one != nullptr && !std::isfinite(*one)) ||
        (floats != nullptr && !std::all_of(floats->begin(), floats->end(), [](float v) { return std::isfinite(v); }))) {
      error("attribute " + quote(attribute.name) + " is not finite");
    }
  }

  float float_or(std::string_view name, float fallback) const { return node_.float_attr(name, fallback); }

  const Shape& value(std::size_t i) const {
    if (node_.inputs[i].kind != Operand::Kind::kValue)
      error("input " + std::to_string(i) + " must be a computed value");
    return graph_.values[static_cast<std::size_t>(node_.inputs[i].id)].shape;
  }

  const Tensor& tensor(std::size_t i) const {
    if (node_.inputs[i].kind != Operand::Kind::kConstant) error("input " + std::to_string(i) + " must be a constant");
    return graph_.tensors[static_cast<std::size_t>(node_.inputs[i].id)];
  }
  const Shape& constant(std::size_t i) const { return tensor(i).shape; }

  bool present(std::size_t i) const { return i < node_.inputs.size() && node_.inputs[i].kind != Operand::Kind::kNone; }

  std::int64_t rank() const { return static_cast<std::int64_t>(value(0).size()); }

  const Shape& image() const {
    if (value(0).size() != 4) error("input has shape " + to_string(value(0)) + ", needs 4 axes");
    return value(0);
  }

  void expect(std::size_t i, std::string_view what, const Shape& want) const {
    if (constant(i) != want) {
      error(std::string(what) + " has shape " + to_string(constant(i)) + ", needs " + to_string(want));
    }
  }

  std::size_t axis(std::int64_t a) const {
    if (a < 1 || a >= rank()) {
      error("axis " + std::to_string(a) + " is outside 1.." + std::to_string(rank() - 1) + " of an input of shape " +
            to_string(value(0)));
    }
    return static_cast<std::size_t>(a);
  }

  std::vector<std::int64_t> window(std::string_view name, std::size_t count, std::int64_t low,
                                   bool required = false) const {
    if (required && !has(node_, name)) error("attribute " + quote(name) + " is missing");
    auto list = node_.ints_attr(name, std::vector<std::int64_t>(count, low));
    if (list.size() != count) {
      error("attribute " + quote(name) + " has " + std::to_string(list.size()) + " entries, needs " +
            std::to_string(count));
    }
    for (const auto v : list) {
      if (v < low || v > kMaxWindow) {
        error("attribute " + quote(name) + " holds " + std::to_string(v) + ", outside " + std::to_string(low) + ".." +
              std::to_string(kMaxWindow));
      }
    }
    return list;
  }

  // Positions that a window takes along one axis.
  std::int64_t positions(std::int64_t size, std::int64_t before, std::int64_t after, std::int64_t extent,
                         std::int64_t stride) const {
    const auto room = size + before + after - extent;
    if (room < 0) {
      error("window of " + std::to_string(extent) + " does not fit into " + std::to_string(size) + " + padding " +
            std::to_string(before) + " and " + std::to_string(after));
    }
    return room / stride + 1;
  }

  std::int64_t group(std::int64_t channels) const {
    const auto g = node_.int_attr("group", 1);
    if (g < 1 || channels % g != 0)
      error("group " + std::to_string(g) + " does not divide " + std::to_string(channels) + " channels");
    return g;
  }

  void check_precision() const {
    const std::string precision = node_.string_attr("precision", "fp32");
    if (precision != "fp32" && precision != "bf16" && precision != "int8") {
      error("precision is " + quote(precision) + ", expected fp32, bf16 or int8");
    }
  }

  const Shape& weight4() const {
    if (constant(1).size() != 4) error("weight has shape " + to_string(constant(1)) + ", needs 4 axes");
    if (constant(1)[2] > kMaxWindow || constant(1)[3] > kMaxWindow) error("kernel is too large");
    return constant(1);
  }

  Shape conv() const {
    check_precision();
    const auto& x = image();
    const auto& w = weight4();
    const auto strides = window("strides", 2, 1);
    const auto pads = window("pads", 4, 0);
    const auto dilations = window("dilations", 2, 1);
    const auto g = group(x[1]);
    if (w[1] != x[1] / g || w[0] % g != 0) {
      error("weight " + to_string(w) + " does not fit " + std::to_string(x[1]) + " channels in " + std::to_string(g) +
            " groups");
    }
    if (present(2)) expect(2, "bias", {w[0]});
    return {1, w[0], positions(x[2], pads[0], pads[2], (w[2] - 1) * dilations[0] + 1, strides[0]),
            positions(x[3], pads[1], pads[3], (w[3] - 1) * dilations[1] + 1, strides[1])};
  }

  Shape conv_transpose() const {
    const auto& x = image();
    const auto& w = weight4();
    const auto strides = window("strides", 2, 1);
    const auto pads = window("pads", 4, 0);
    const auto dilations = window("dilations", 2, 1);
    const auto extra = window("output_padding", 2, 0);
    const auto g = group(x[1]);
    if (w[0] != x[1]) error("weight " + to_string(w) + " does not fit " + std::to_string(x[1]) + " channels");
    if (present(2)) expect(2, "bias", {w[1] * g});
    Shape out = {1, w[1] * g, 0, 0};
    for (std::size_t i = 0; i < 2; ++i) {
      if (extra[i] >= std::max(strides[i], dilations[i]))
        error("output_padding must be below the stride or the dilation");
      out[i + 2] = (x[i + 2] - 1) * strides[i] + (w[i + 2] - 1) * dilations[i] + 1 + extra[i] - pads[i] - pads[i + 2];
      if (out[i + 2] < 1) error("padding leaves no output");
    }
    return out;
  }

  std::int64_t channels() const {
    if (rank() < 2) error("input has shape " + to_string(value(0)) + ", which has no channel axis");
    return value(0)[1];
  }

  Shape batch_norm() const {
    const Shape want = {channels()};
    expect(1, "scale", want);
    expect(2, "bias", want);
    expect(3, "mean", want);
    expect(4, "variance", want);
    const float epsilon = float_or("epsilon", 1e-5F);
    for (const float v : tensor(4).data) {
      if (!(v >= 0 && v + epsilon > 0)) error("variance + epsilon is not positive");
    }
    return value(0);
  }

  Shape prelu() const {
    if (constant(1) != Shape{1}) expect(1, "slope", {channels()});
    return value(0);
  }

  Shape clip() const {
    if (!(float_or("min", std::numeric_limits<float>::lowest()) <=
          float_or("max", std::numeric_limits<float>::max()))) {
      error("min is above max");
    }
    return value(0);
  }

  Shape softmax() const {
    if (!has(node_, "axis")) error("attribute \"axis\" is missing");
    axis(node_.int_attr("axis", 0));
    return value(0);
  }

  Shape broadcast() const {
    const auto shape_of = [&](std::size_t i) -> const Shape& {
      return node_.inputs[i].kind == Operand::Kind::kConstant ? constant(i) : value(i);
    };
    const Shape& a = shape_of(0);
    const Shape& b = shape_of(1);
    if (node_.inputs[0].kind == Operand::Kind::kConstant && node_.inputs[1].kind == Operand::Kind::kConstant) {
      error("both inputs are constants");
    }
    Shape out(std::max(a.size(), b.size()), 1);
    for (std::size_t i = 1; i <= out.size(); ++i) {
      const auto da = i <= a.size() ? a[a.size() - i] : 1;
      const auto db = i <= b.size() ? b[b.size() - i] : 1;
      if (da != db && da != 1 && db != 1)
        error("shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
      out[out.size() - i] = std::max(da, db);
    }
    return out;
  }

  Shape pool() const {
    const auto& x = image();
    const auto kernel = window("kernel", 2, 1, true);
    const auto strides = window("strides", 2, 1);
    const auto pads = window("pads", 4, 0);
    const auto dilations = node_.op == Op::kMaxPool ? window("dilations", 2, 1) : std::vector<std::int64_t>{1, 1};
    if (node_.op == Op::kAveragePool) flag("count_include_pad", 0);
    Shape out = {1, x[1], 0, 0};
    for (std::size_t i = 0; i < 2; ++i) {
      const auto extent = (kernel[i] - 1) * dilations[i] + 1;
      if (pads[i] >= extent || pads[i + 2] >= extent) error("padding must be smaller than the window");
      out[i + 2] = positions(x[i + 2], pads[i], pads[i + 2], extent, strides[i]);
      // With dilation or a small picture, padding smaller than the window does not suffice: every tap may miss the
      // picture.
      const auto misses = [&](std::int64_t o) {
        const auto first = o * strides[i] - pads[i];
        const auto skipped = first < 0 ? (-first + dilations[i] - 1) / dilations[i] : 0;
        return skipped >= kernel[i] || first + skipped * dilations[i] >= x[i + 2];
      };
      bool lost = misses(out[i + 2] - 1);
      for (std::int64_t o = 0; o < out[i + 2] && o * strides[i] < pads[i]; ++o) lost = lost || misses(o);
      if (lost) error("a window sees nothing but padding");
    }
    return out;
  }

  bool flag(std::string_view name, std::int64_t fallback) const {
    const auto v = node_.int_attr(name, fallback);
    if (v != 0 && v != 1) error("attribute " + quote(name) + " is " + std::to_string(v) + ", needs 0 or 1");
    return v == 1;
  }

  Shape reduce() const {
    const auto axes = node_.ints_attr("axes", {});
    const bool keep = flag("keepdims", 1);
    if (axes.empty()) error("attribute \"axes\" is missing or empty");
    Shape out = value(0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (i > 0 && axes[i] <= axes[i - 1]) error("axes are not ascending");
      out[axis(axes[i])] = keep ? 1 : 0;
    }
    std::erase(out, 0);
    return out;
  }

  Shape linear() const {
    check_precision();
    const auto& w = constant(1);
    if (rank() < 2 || w.size() != 2 || value(0).back() != w[0]) {
      error("weight " + to_string(w) + " does not fit an input of shape " + to_string(value(0)));
    }
    if (present(2)) expect(2, "bias", {w[1]});
    Shape out = value(0);
    out.back() = w[1];
    return out;
  }

  Shape reshape() const {
    Shape out = node_.ints_attr("shape", {});
    if (!in_bounds(out) || elements(out) != elements(value(0))) {
      error("shape " + to_string(out) + " does not hold the elements of " + to_string(value(0)));
    }
    return out;
  }

  Shape transpose() const {
    const auto perm = node_.ints_attr("perm", {});
    const auto& x = value(0);
    Shape out(x.size(), 0);
    if (perm.size() != x.size() || perm[0] != 0) error("perm must name every axis once, the batch axis first");
    for (std::size_t i = 0; i < perm.size(); ++i) {
      if (perm[i] < 0 || perm[i] >= rank() || std::count(perm.begin(), perm.end(), perm[i]) != 1) {
        error("perm must name every axis once, the batch axis first");
      }
      out[i] = x[static_cast<std::size_t>(perm[i])];
    }
    return out;
  }

  Shape concat() const {
    const auto a = axis(node_.int_attr("axis", 0));
    Shape out = value(0);
    for (std::size_t i = 1; i < node_.inputs.size(); ++i) {
      Shape other = value(i);
      if (other.size() == out.size()) {
        out[a] += other[a];
        other[a] = out[a];
      }
      if (other != out || !in_bounds(out)) {
        error("shapes " + to_string(value(0)) + " and " + to_string(value(i)) + " do not join at axis " +
              std::to_string(a));
      }
    }
    return out;
  }

  Shape slice() const {
    const auto axes = node_.ints_attr("axes", {});
    const auto starts = node_.ints_attr("starts", {});
    const auto ends = node_.ints_attr("ends", {});
    const auto steps = node_.ints_attr("steps", std::vector<std::int64_t>(axes.size(), 1));
    if (axes.empty() || starts.size() != axes.size() || ends.size() != axes.size() || steps.size() != axes.size()) {
      error("axes, starts, ends and steps must be lists of one length");
    }
    Shape out = value(0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const auto a = axis(axes[i]);
      if (std::count(axes.begin(), axes.end(), axes[i]) != 1)
        error("axis " + std::to_string(axes[i]) + " is given twice");
      if (starts[i] < 0 || ends[i] > out[a] || starts[i] >= ends[i] || steps[i] < 1) {
        error("range " + std::to_string(starts[i]) + ":" + std::to_string(ends[i]) + ":" + std::to_string(steps[i]) +
              " is empty, backward or outside axis " + std::to_string(a) + " of " + std::to_string(out[a]));
      }
      out[a] = (ends[i] - starts[i] - 1) / steps[i] + 1;
    }
    return out;
  }

  Shape pad() const {
    const auto& x = value(0);
    const auto pads = window("pads", 2 * x.size(), 0, true);
    const auto mode = choice("mode", "constant", {"constant", "reflect", "edge"});
    float_or("value", 0);
    Shape out = x;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto before = pads[i];
      const auto after = pads[i + x.size()];
      if (mode == "reflect" && (before >= x[i] || after >= x[i]))
        error("reflected padding must be smaller than the axis");
      out[i] += before + after;
    }
    return out;
  }

  std::string choice(std::string_view name, std::string_view fallback,
                     std::initializer_list<std::string_view> allowed) const {
    auto text = node_.string_attr(name, fallback);
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
      error("attribute " + quote(name) + " is " + quote(text) + ", which is unknown");
    }
    return text;
  }

  Shape resize() const {
    const auto& x = image();
    const bool nearest = choice("mode", "", {"nearest", "linear"}) == "nearest";
    choice("transform", "", {"asymmetric", "half_pixel", "align_corners"});
    if (nearest) choice("rounding", "", {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"});
    const auto scales = node_.floats_attr("scales", {});
    if (scales.size() != 2) error("attribute \"scales\" needs 2 entries");
    Shape out = {1, x[1], 0, 0};
    for (std::size_t i = 0; i < 2; ++i) {
      const auto size = static_cast<double>(scales[i]) * static_cast<double>(x[i + 2]);
      if (!(scales[i] > 0) || size > static_cast<double>(kMaxElements))
        error("scale " + std::to_string(scales[i]) + " is out of range");
      out[i + 2] = static_cast<std::int64_t>(std::floor(size));
    }
    if (has(node_, "sizes")) {
      const auto sizes = node_.ints_attr("sizes", {});
      if (sizes.size() != 2) error("attribute \"sizes\" needs 2 entries");
      for (std::size_t i = 0; i < 2; ++i) {
        if (sizes[i] < out[i + 2] - 1 || sizes[i] > out[i + 2] + 1) {
          error("size " + std::to_string(sizes[i]) + " contradicts scale " + std::to_string(scales[i]));
        }
        out[i + 2] = sizes[i];
      }
    }
    return out;
  }

  const Graph& graph_;
  const Node& node_;
};

// Refuses names that are missing or used twice.
class Names {
 public:
  explicit Names(std::string_view what) : what_(what) {}
  void add(const std::string& name) {
    if (name.empty()) invalid("graph: a " + std::string(what_) + " has no name");
    if (!seen_.insert(name).second) invalid("graph: two " + std::string(what_) + "s are called " + quote(name));
  }

 private:
  std::string_view what_;
  std::unordered_set<std::string_view> seen_;
};

void check_tensor(const Tensor& tensor) {
  const auto name = "tensor " + quote(tensor.name) + ": ";
  if (!in_bounds(tensor.shape)) invalid(name + "shape " + to_string(tensor.shape) + " is empty or too large");
  if (tensor.data.size() != static_cast<std::size_t>(elements(tensor.shape))) {
    invalid(name + "has " + std::to_string(tensor.data.size()) + " values for shape " + to_string(tensor.shape));
  }
  const std::size_t bad = first_not_finite(tensor.data);
  if (bad < tensor.data.size()) invalid(name + "element " + std::to_string(bad) + " is not a finite number");
}

// `where` names the node that computes the value, or is empty for the graph's input.
void check_value(const Value& value, const std::string& where) {
  const auto text = where + "value " + quote(value.name) + " has shape " + to_string(value.shape);
  if (!in_bounds(value.shape)) invalid(text + ", which is empty or too large");
  if (value.shape.empty() || value.shape[0] != 1) invalid(text + "; the first axis must stay the batch, 1");
}

}  // namespace

std::string_view to_string(Op op) noexcept {
  const auto i = static_cast<std::size_t>(op);
  return i < kTraits.size() ? kTraits[i].name : "unknown";
}

bool from_string(std::string_view name, Op& op) noexcept {
  for (std::size_t i = 0; i < kTraits.size(); ++i) {
    if (kTraits[i].name != name) continue;
    op = static_cast<Op>(i);
    return true;
  }
  return false;
}

std::int64_t Node::int_attr(std::string_view name_, std::int64_t fallback) const {
  const auto* v = find<std::int64_t>(*this, name_);
  return v != nullptr ? *v : fallback;
}

float Node::float_attr(std::string_view name_, float fallback) const {
  for (const auto& attribute : attributes) {
    if (attribute.name != name_) continue;
    if (const auto* integer = std::get_if<std::int64_t>(&attribute.value)) return static_cast<float>(*integer);
  }
  const auto* v = find<float>(*this, name_);
  return v != nullptr ? *v : fallback;
}

std::string Node::string_attr(std::string_view name_, std::string_view fallback) const {
  const auto* v = find<std::string>(*this, name_);
  return v != nullptr ? *v : std::string(fallback);
}

std::vector<std::int64_t> Node::ints_attr(std::string_view name_, const std::vector<std::int64_t>& fallback) const {
  const auto* v = find<std::vector<std::int64_t>>(*this, name_);
  return v != nullptr ? *v : fallback;
}

std::vector<float> Node::floats_attr(std::string_view name_, const std::vector<float>& fallback) const {
  for (const auto& attribute : attributes) {
    if (attribute.name != name_) continue;
    if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&attribute.value)) {
      std::vector<float> floats;
      for (const auto i : *integers) floats.push_back(static_cast<float>(i));
      return floats;
    }
  }
  const auto* v = find<std::vector<float>>(*this, name_);
  return v != nullptr ? *v : fallback;
}

std::size_t first_not_finite(std::span<const float> values) noexcept {
  // An exponent of ones, and no other, carries into the sign's place when one is added to it: three instructions a
  // vector on every machine.
  std::uint32_t carried = 0;
  for (const float v : values) carried |= (std::bit_cast<std::uint32_t>(v) & 0x7fffffffU) + 0x00800000U;
  if (carried < 0x80000000U) return values.size();
  return static_cast<std::size_t>(
      std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); }) - values.begin());
}

std::int64_t elements(const Shape& shape) noexcept {
  std::int64_t n = 1;
  for (const auto d : shape) n *= d;
  return n;
}

std::string to_string(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (std::size_t i = 0; i < shape.size() && i < 2 * kMaxRank; ++i) {
    if (i > 0) text += 'x';
    text += std::to_string(shape[i]);
  }
  return shape.size() > 2 * kMaxRank ? text + "..." : text;
}

Shape infer_shape(const Graph& graph, const Node& node) {
  Shape shape = Checker(graph, node).infer();
  if (!in_bounds(shape)) fail(node, "its result has shape " + to_string(shape) + ", which is empty or too large");
  return shape;
}

void check_graph(Graph& graph) {
  if (graph.nodes.empty()) invalid("graph: has no nodes");
  if (graph.nodes.size() > kMaxNodes) {
    invalid("graph: has " + std::to_string(graph.nodes.size()) + " nodes, at most " + std::to_string(kMaxNodes) +
            " are taken");
  }
  if (graph.inputs.size() != 1)
    invalid("graph: has " + std::to_string(graph.inputs.size()) + " inputs, needs exactly 1");
  if (graph.outputs.empty()) invalid("graph: has no outputs");

  Names value_names("value");
  for (const auto& value : graph.values) value_names.add(value.name);
  Names tensor_names("tensor");
  for (const auto& tensor : graph.tensors) {
    tensor_names.add(tensor.name);
    check_tensor(tensor);
  }
  Names node_names("node");
  for (const auto& node : graph.nodes) node_names.add(node.name);

  const auto is_value = [&](int id) { return id >= 0 && static_cast<std::size_t>(id) < graph.values.size(); };
  std::vector<bool> written(graph.values.size(), false);
  if (!is_value(graph.inputs[0])) invalid("graph: the input names no value");
  const auto input = static_cast<std::size_t>(graph.inputs[0]);
  check_value(graph.values[input], "");
  written[input] = true;

  std::int64_t macs = 0;
  for (const auto& node : graph.nodes) {
    if (static_cast<std::size_t>(node.op) >= kTraits.size()) fail(node, "unknown operator");
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto& operand = node.inputs[i];
      const auto where = "input " + std::to_string(i);
      switch (operand.kind) {
        case Operand::Kind::kValue:
          if (!is_value(operand.id)) fail(node, where + " names no value");
          if (!written[static_cast<std::size_t>(operand.id)]) {
            fail(node, where + ", " + quote(graph.values[static_cast<std::size_t>(operand.id)].name) +
                           ", is used before it is computed");
          }
          break;
        case Operand::Kind::kConstant:
          if (operand.id < 0 || static_cast<std::size_t>(operand.id) >= graph.tensors.size())
            fail(node, where + " names no tensor");
          break;
        case Operand::Kind::kNone: break;
      }
    }
    if (!is_value(node.output)) fail(node, "its output names no value");
    const auto output = static_cast<std::size_t>(node.output);
    if (written[output]) fail(node, "writes " + quote(graph.values[output].name) + ", which is written already");
    graph.values[output].shape = infer_shape(graph, node);
    check_value(graph.values[output], label(node));
    written[output] = true;
    macs += Checker(graph, node).macs(graph.values[output].shape);
    if (macs > kMaxMacs)
      fail(node, "the network needs more than " + std::to_string(kMaxMacs) + " multiply-accumulates up to here");
  }
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (!written[i]) invalid("graph: value " + quote(graph.values[i].name) + " is never computed");
  }
  std::unordered_set<int> outputs;
  for (const int id : graph.outputs) {
    if (!is_value(id)) invalid("graph: an output names no value");
    const auto& name = graph.values[static_cast<std::size_t>(id)].name;
    if (id == graph.inputs[0]) invalid("graph: output " + quote(name) + " is the input itself");
    if (!outputs.insert(id).second) invalid("graph: output " + quote(name) + " is listed twice");
  }
}

std::vector<NodeInfo> describe(const Graph& graph) {
  std::vector<NodeInfo> infos;
  std::vector<bool> counted(graph.tensors.size(), false);
  for (const auto& node : graph.nodes) {
    const auto& shape = graph.values[static_cast<std::size_t>(node.output)].shape;
    NodeInfo info{node.name,
                  std::string(to_string(node.op)),
                  {shape.begin() + 1, shape.end()},
                  Checker(graph, node).macs(shape),
                  0};
    for (const auto& operand : node.inputs) {
      if (operand.kind != Operand::Kind::kConstant || counted[static_cast<std::size_t>(operand.id)]) continue;
      counted[static_cast<std::size_t>(operand.id)] = true;
      info.parameters += elements(graph.tensors[static_cast<std::size_t>(operand.id)].shape);
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

}  // namespace liveness
