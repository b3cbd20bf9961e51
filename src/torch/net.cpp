#include "torch/net.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/_int_mm.h>
#include <ATen/ops/add.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/div.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/prelu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/slice.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "torch/row_kernels.hpp"

extern "C" {
int omp_get_max_threads(void);
void omp_set_num_threads(int);
// MKL's, where LibTorch has it.
int MKL_Set_Num_Threads_Local(int) __attribute__((weak));
}

namespace liveness::torch_plugin {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// What the native engine keeps from int8 too: the first dense layers, those that read few channels, and those whose
// sums of products of bytes might not fit 32 bits.
constexpr int kFloatLayers = 2;
constexpr std::int64_t kFewChannels = 32;
constexpr std::int64_t kMaxInt8Channels = std::int64_t{1} << 16;
constexpr at::MemoryFormat kLast = at::MemoryFormat::ChannelsLast;

std::size_t at_index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

// What follows a convolution and can be done in its result.
struct Activation {
  enum class Kind : std::uint8_t { kNone, kPRelu, kClip, kHardSwish, kSigmoid, kTanh } kind = Kind::kNone;
  at::Tensor slope;  // one a channel
  float low = -kInfinity;
  float high = kInfinity;
};

// A convolution with everything that goes into it.
struct Unit {
  const Node* node = nullptr;
  at::Tensor weight;  // [Co, Ci/g, Kh, Kw], float, CPU
  at::Tensor bias;    // [Co]
  Activation act;
  int input = -1;
  int residual = -1;
  bool residual_first = false;
  int output = -1;
  std::size_t place = 0;  // the node after which everything it reads is there
  bool integer = false;   // computed in int8
  Activation before;      // of the convolution in front, which leaves it to this one's quantisation
};

// Of one thread, kept from pass to pass: what is used again is still in the cache.
struct Scratch {
  std::vector<std::uint8_t> levels;
  std::vector<std::int32_t> sums;
  std::vector<float> steps;
  std::vector<float> lows;
  void fit(std::size_t rows, std::size_t ins, std::size_t outs) {
    if (levels.size() < rows * ins) levels.resize(rows * ins);
    if (sums.size() < rows * outs) sums.resize(rows * outs);
    if (steps.size() < rows) steps.resize(rows);
    if (lows.size() < rows) lows.resize(rows);
  }
  static Scratch& of_thread() {
    thread_local Scratch scratch;
    return scratch;
  }
};

class Builder {
 public:
  Builder(const Graph& graph, const NetOptions& options)
      : graph_(graph), options_(options), cpu_(options.device.is_cpu()), readers_(graph.values.size()) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const Operand& operand : graph.nodes[i].inputs) {
        if (operand.kind == Operand::Kind::kValue) readers_[at_index(operand.id)].push_back(i);
      }
    }
    dtype_ = options.precision == Precision::kFp16 ? at::kHalf : at::kFloat;
    const auto infos = describe(graph);
    for (const NodeInfo& info : infos) macs_.push_back(info.macs);
  }

  std::vector<Net::Step> steps() {
    std::vector<std::optional<Unit>> units(graph_.nodes.size());
    std::vector<bool> taken(graph_.nodes.size(), false);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (graph_.nodes[i].op != Op::kConv) continue;
      Unit unit = unit_of(i);
      grow(unit, taken);
      taken[i] = true;
      taken[unit.place] = true;
      const std::size_t place = unit.place;
      units[place] = std::move(unit);
    }
    leave_activations(units);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (units[i]) {
        const auto conv = static_cast<std::size_t>(units[i]->node - graph_.nodes.data());
        add_step(units[i]->node->name, macs_[conv], convolution(*units[i]), units[i]->output);
      } else if (!taken[i]) {
        add_step(node.name, macs_[i], operation(node), node.output);
      }
    }
    mark_dead();
    return std::move(steps_);
  }

  [[nodiscard]] std::size_t weight_bytes() const noexcept { return weight_bytes_; }

 private:
  using Run = std::function<at::Tensor(const Net::Values&)>;

  [[nodiscard]] const Shape& shape_of(int value) const { return graph_.values[at_index(value)].shape; }
  static bool has_input(const Node& node, std::size_t i) {
    return i < node.inputs.size() && node.inputs[i].kind != Operand::Kind::kNone;
  }
  static bool is_value(const Node& node, std::size_t i) { return node.inputs[i].kind == Operand::Kind::kValue; }

  // A copy of the constant, float, on the CPU.
  [[nodiscard]] at::Tensor constant(const Node& node, std::size_t i) const {
    const Tensor& tensor = graph_.tensors[at_index(node.inputs[i].id)];
    return at::from_blob(const_cast<float*>(tensor.data.data()), tensor.shape, at::kFloat).clone();
  }

  // A weight where and as the network runs.
  at::Tensor place(const at::Tensor& tensor) {
    at::Tensor placed = tensor.to(options_.device, dtype_);
    if (placed.dim() == 4 && !options_.plain) placed = placed.contiguous(kLast);
    weight_bytes_ += placed.nbytes();
    return placed;
  }

  struct Source {
    int value = -1;
    at::Tensor constant;
    const at::Tensor& operator()(const Net::Values& values) const {
      return value < 0 ? constant : values[static_cast<std::size_t>(value)];
    }
  };
  Source source(const Node& node, std::size_t i) {
    if (is_value(node, i)) return {node.inputs[i].id, {}};
    return {-1, place(constant(node, i))};
  }

  void add_step(const std::string& name, std::int64_t macs, Run run, int output) {
    steps_.push_back({name, macs, std::move(run), output, {}});
    reads_.push_back(std::move(reading_));
    reading_.clear();
  }
  int reads(int value) {
    reading_.push_back(value);
    return value;
  }

  void mark_dead() {
    std::vector<int> last(graph_.values.size(), -1);
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      for (const int v : reads_[s]) last[at_index(v)] = static_cast<int>(s);
    }
    for (const int v : graph_.outputs) last[at_index(v)] = -1;
    for (std::size_t v = 0; v < last.size(); ++v) {
      if (last[v] >= 0) steps_[at_index(last[v])].dead.push_back(static_cast<int>(v));
    }
  }

  // ---------------------------------------------------------------------------------------------- convolutions

  Unit unit_of(std::size_t index) const {
    const Node& node = graph_.nodes[index];
    Unit unit;
    unit.node = &node;
    unit.weight = constant(node, 1);
    unit.bias = has_input(node, 2) ? constant(node, 2) : at::zeros({unit.weight.size(0)}, at::kFloat);
    unit.input = node.inputs[0].id;
    unit.output = node.output;
    unit.place = index;
    return unit;
  }

  [[nodiscard]] bool is_output(int value) const {
    return std::find(graph_.outputs.begin(), graph_.outputs.end(), value) != graph_.outputs.end();
  }

  // Takes what follows into the unit for as long as nobody else reads in between.
  void grow(Unit& unit, std::vector<bool>& taken) const {
    for (;;) {
      const auto& readers = readers_[at_index(unit.output)];
      if (is_output(unit.output) || readers.size() != 1 || taken[readers[0]]) return;
      const std::size_t next = readers[0];
      const Node& node = graph_.nodes[next];
      if (node.op == Op::kBatchNorm && unit.act.kind == Activation::Kind::kNone && unit.residual < 0) {
        fold(unit, node);
      } else if (options_.plain) {
        return;
      } else if (node.op == Op::kAdd && unit.residual < 0 && is_value(node, 0) && is_value(node, 1) &&
                 shape_of(node.inputs[0].id) == shape_of(node.inputs[1].id)) {
        unit.residual = node.inputs[0].id == unit.output ? node.inputs[1].id : node.inputs[0].id;
        unit.residual_first = unit.act.kind == Activation::Kind::kNone;
      } else if (unit.act.kind == Activation::Kind::kNone && (unit.residual < 0 || unit.residual_first)) {
        const auto act = activation(node, shape_of(unit.output)[1]);
        if (!act) return;
        unit.act = *act;
      } else {
        return;
      }
      taken[unit.place] = true;
      taken[next] = true;
      unit.place = next;
      unit.output = node.output;
    }
  }

  [[nodiscard]] at::Tensor factor_of(const Node& norm) const {
    const double epsilon = static_cast<double>(norm.float_attr("epsilon", 1e-5F));
    return constant(norm, 1).to(at::kDouble).div(constant(norm, 4).to(at::kDouble).add(epsilon).sqrt());
  }

  void fold(Unit& unit, const Node& norm) const {
    const auto get = [&](std::size_t i) { return constant(norm, i).to(at::kDouble); };
    const at::Tensor factor = factor_of(norm);
    unit.weight = unit.weight.to(at::kDouble).mul(factor.view({-1, 1, 1, 1})).to(at::kFloat);
    unit.bias = unit.bias.to(at::kDouble).sub(get(3)).mul(factor).add(get(2)).to(at::kFloat);
  }

  [[nodiscard]] std::optional<Activation> activation(const Node& node, std::int64_t channels) const {
    Activation act;
    switch (node.op) {
      case Op::kPRelu:
        act.kind = Activation::Kind::kPRelu;
        act.slope = constant(node, 1).flatten().expand({channels}).contiguous();
        return act;
      case Op::kLeakyRelu:
        act.kind = Activation::Kind::kPRelu;
        act.slope = at::full({channels}, node.float_attr("alpha", 0.01F), at::kFloat);
        return act;
      case Op::kRelu:
        act.kind = Activation::Kind::kClip;
        act.low = 0;
        return act;
      case Op::kClip:
        act.kind = Activation::Kind::kClip;
        act.low = node.float_attr("min", std::numeric_limits<float>::lowest());
        act.high = node.float_attr("max", std::numeric_limits<float>::max());
        return act;
      case Op::kHardSwish: act.kind = Activation::Kind::kHardSwish; return act;
      case Op::kSigmoid: act.kind = Activation::Kind::kSigmoid; return act;
      case Op::kTanh: act.kind = Activation::Kind::kTanh; return act;
      default: return std::nullopt;
    }
  }

  // Decides what is computed in int8, and moves activations in front of that into its quantisation, which reads the
  // values anyway.
  void leave_activations(std::vector<std::optional<Unit>>& units) {
    for (auto& unit : units) {
      if (unit) unit->integer = integer(*unit);
    }
    for (auto& reader : units) {
      if (!reader || !reader->integer || is_output(reader->input)) continue;
      if (readers_[at_index(reader->input)].size() != 1) continue;
      for (auto& from : units) {
        if (!from || from->output != reader->input || from->integer || from->residual >= 0 || !in_rows(*from)) continue;
        reader->before = std::exchange(from->act, {});
      }
    }
  }

  struct Window {
    std::vector<std::int64_t> strides;
    std::vector<std::int64_t> dilations;
    std::vector<std::int64_t> padding;  // above and left, where it is the same below and right
    std::vector<std::int64_t> around;   // as constant_pad_nd has it, where it is not: left, right, top, bottom
  };
  static Window window_of(const Node& node) {
    Window w;
    w.strides = node.ints_attr("strides", {1, 1});
    w.dilations = node.ints_attr("dilations", {1, 1});
    const auto pads = node.ints_attr("pads", {0, 0, 0, 0});
    if (pads[0] == pads[2] && pads[1] == pads[3]) {
      w.padding = {pads[0], pads[1]};
    } else {
      w.padding = {0, 0};
      w.around = {pads[1], pads[3], pads[0], pads[2]};
    }
    return w;
  }

  // Pixels in rows of channels.
  static at::Tensor rows(const at::Tensor& x) { return x.contiguous(kLast); }

  struct Finish {
    Epilogue epilogue;
    at::Tensor slope;  // what the epilogue points to
    at::Tensor bias;
  };
  // What the row kernels do of a unit's activation and residual; the rest is `after`.
  static Finish finish_of(const Unit& unit) {
    Finish f;
    f.bias = unit.bias;
    f.slope = unit.act.slope;
    f.epilogue.bias = f.bias.const_data_ptr<float>();
    f.epilogue.low = unit.act.low;
    f.epilogue.high = unit.act.high;
    f.epilogue.residual_first = unit.residual_first;
    if (unit.act.kind == Activation::Kind::kPRelu) f.epilogue.slope = f.slope.const_data_ptr<float>();
    return f;
  }
  static bool in_rows(const Unit& unit) {
    return unit.act.kind == Activation::Kind::kNone || unit.act.kind == Activation::Kind::kPRelu ||
           unit.act.kind == Activation::Kind::kClip;
  }

  static at::Tensor apply(const Activation& act, at::Tensor x) {
    switch (act.kind) {
      case Activation::Kind::kNone: return x;
      case Activation::Kind::kPRelu: return at::prelu(x, act.slope);
      case Activation::Kind::kClip:
        if (act.high == kInfinity) return x.clamp_min_(act.low);
        return x.clamp_(act.low, act.high);
      case Activation::Kind::kHardSwish: return at::hardswish_(x);
      case Activation::Kind::kSigmoid: return x.sigmoid_();
      case Activation::Kind::kTanh: return x.tanh_();
    }
    return x;
  }

  // The native engine's rule: 1x1 over pictures; not the first of them, unless the package says so.
  [[nodiscard]] bool integer(const Unit& unit) {
    if (options_.precision != Precision::kInt8 || !cpu_) return false;
    const Window w = window_of(*unit.node);
    const Shape& out = shape_of(unit.output);
    const bool dense = unit.node->int_attr("group", 1) == 1 && unit.input != graph_.inputs[0] && out[2] * out[3] > 1;
    const bool sensitive = (dense && dense_++ < kFloatLayers) || unit.weight.size(1) < kFewChannels;
    const std::string allowed = unit.node->string_attr("precision", sensitive ? "bf16" : "int8");
    return dense && unit.weight.size(2) * unit.weight.size(3) == 1 && unit.weight.size(1) <= kMaxInt8Channels &&
           w.strides == std::vector<std::int64_t>{1, 1} && w.padding == std::vector<std::int64_t>{0, 0} &&
           w.around.empty() && allowed == "int8";
  }

  Run convolution(const Unit& unit) {
    reads(unit.input);
    if (unit.residual >= 0) reads(unit.residual);
    if (unit.integer) return integer_product(unit);
    const Run conv = float_convolution(unit);
    // A fused sum is part of the convolution already.
    Unit rest = unit;
    if (adds_inside(unit)) rest.residual = -1;
    if (rest.residual < 0 && rest.act.kind == Activation::Kind::kNone) return conv;
    if (cpu_ && dtype_ == at::kFloat && in_rows(unit) && shape_of(unit.output).size() == 4) {
      const Finish finish = finish_of(rest);
      return [conv, finish, residual = rest.residual](const Net::Values& values) {
        at::Tensor y = rows(conv(values));
        at::Tensor other;
        Epilogue epilogue = finish.epilogue;
        if (residual >= 0) {
          other = rows(values[static_cast<std::size_t>(residual)]);
          epilogue.residual = other.const_data_ptr<float>();
        }
        const auto channels = static_cast<std::size_t>(y.size(1));
        activate_rows(y.mutable_data_ptr<float>(), static_cast<std::size_t>(y.numel()) / channels, channels, epilogue);
        return y;
      };
    }
    Activation act = rest.act;
    if (act.slope.defined()) act.slope = place(act.slope);
    return [conv, act, residual = rest.residual, first = rest.residual_first](const Net::Values& values) {
      at::Tensor y = conv(values);
      if (residual >= 0 && first) y = y.add_(values[static_cast<std::size_t>(residual)]);
      y = apply(act, std::move(y));
      if (residual >= 0 && !first) y = y.add_(values[static_cast<std::size_t>(residual)]);
      return y;
    };
  }

  [[nodiscard]] bool mkldnn() const {
    return cpu_ && !options_.plain && dtype_ == at::kFloat && at::globalContext().hasMKLDNN() &&
           find("mkldnn::_convolution_pointwise", "").has_value();
  }
  [[nodiscard]] bool adds_inside(const Unit& unit) const {
    return unit.residual >= 0 && unit.residual_first && mkldnn() &&
           find("mkldnn::_convolution_pointwise", "binary").has_value();
  }

  static std::optional<c10::OperatorHandle> find(const char* name, const char* overload) {
    return c10::Dispatcher::singleton().findSchema({name, overload});
  }

  // Without activation; with the residual where it can be added inside.
  Run float_convolution(const Unit& unit) {
    const Window w = window_of(*unit.node);
    const std::int64_t groups = unit.node->int_attr("group", 1);
    const int input = unit.input;
    const auto padded = [w, input, last = !options_.plain](const Net::Values& values) {
      at::Tensor x = values[static_cast<std::size_t>(input)];
      if (!w.around.empty()) x = at::constant_pad_nd(x, w.around);
      return last ? rows(x) : x;
    };
    const at::Tensor bias = place(unit.bias);
    if (!mkldnn()) {
      const at::Tensor weight = place(unit.weight);
      return [w, groups, padded, weight, bias](const Net::Values& values) {
        return at::conv2d(padded(values), weight, bias, w.strides, w.padding, w.dilations, groups);
      };
    }
    // oneDNN's own, for at::conv2d takes single images to MKL's matrix product, which is slow at these sizes and, where
    // another BLAS was loaded first, is not even MKL's. Boxed calls, because the operators have no C++ name.
    Shape size = shape_of(input);
    if (!w.around.empty()) {
      size[2] += w.around[2] + w.around[3];
      size[3] += w.around[0] + w.around[1];
    }
    at::Tensor weight = unit.weight.contiguous(kLast);
    weight_bytes_ += weight.nbytes();
    if (const auto reorder = find("mkldnn::_reorder_convolution_weight", "")) {
      std::vector<c10::IValue> stack{weight, w.padding, w.strides, w.dilations, groups, c10::IValue(size)};
      reorder->callBoxed(&stack);
      weight = stack[0].toTensor();
    }
    const bool sum = adds_inside(unit);
    const c10::OperatorHandle run = *find("mkldnn::_convolution_pointwise", sum ? "binary" : "");
    const c10::IValue padding(w.padding);
    const c10::IValue strides(w.strides);
    const c10::IValue dilations(w.dilations);
    const c10::IValue none(std::string("none"));
    const c10::IValue add(std::string("add"));
    const c10::IValue scalars(c10::List<std::optional<at::Scalar>>{});
    const c10::IValue empty(std::string(""));
    return [=, residual = unit.residual](const Net::Values& values) {
      std::vector<c10::IValue> stack;
      stack.reserve(13);
      stack.emplace_back(padded(values));
      if (sum) stack.emplace_back(rows(values[static_cast<std::size_t>(residual)]));
      for (const c10::IValue& v : {c10::IValue(weight), c10::IValue(bias), padding, strides, dilations}) {
        stack.push_back(v);
      }
      stack.emplace_back(groups);
      if (sum) {
        stack.push_back(add);
        stack.emplace_back(at::Scalar(1.0));
        stack.emplace_back();
        stack.push_back(scalars);
        stack.emplace_back();
      } else {
        stack.push_back(none);
        stack.push_back(scalars);
        stack.push_back(empty);
      }
      run.callBoxed(&stack);
      return stack[0].toTensor();
    };
  }

  // LibTorch's integer matrix product over pixels that are quantised one by one.
  Run integer_product(const Unit& unit) {
    const std::int64_t outs = unit.weight.size(0);
    const at::Tensor flat = unit.weight.reshape({outs, -1});
    const at::Tensor scale = flat.abs().amax(1).div(127.0).clamp_min(1e-30).contiguous();
    const at::Tensor levels = flat.div(scale.unsqueeze(1)).round().to(at::kChar).contiguous();
    const at::Tensor sums = levels.to(at::kFloat).sum(1).mul(scale).contiguous();
    weight_bytes_ += levels.nbytes() + scale.nbytes() + sums.nbytes() + unit.bias.nbytes();
    const at::Tensor product = levels.t();
    const bool rest = !in_rows(unit);
    Unit inside = unit;
    if (rest) {
      inside.act = {};
      inside.residual = -1;
    }
    const Finish finish = finish_of(inside);
    Unit front;
    front.bias = unit.bias;
    front.act = unit.before;
    const Finish before = finish_of(front);
    const bool active = unit.before.kind != Activation::Kind::kNone;
    return [=, input = unit.input, residual = inside.residual, act = unit.act, late = rest ? unit.residual : -1,
            first = unit.residual_first](const Net::Values& values) {
      const at::Tensor x = rows(values[static_cast<std::size_t>(input)]);
      const std::int64_t ins = x.size(1);
      const std::int64_t pixels = x.numel() / ins;
      const auto count = static_cast<std::size_t>(pixels);
      Scratch& scratch = Scratch::of_thread();
      scratch.fit(count, static_cast<std::size_t>(ins), static_cast<std::size_t>(outs));
      quantize_rows(x.mutable_data_ptr<float>(), scratch.levels.data(), scratch.steps.data(), scratch.lows.data(),
                    count, static_cast<std::size_t>(ins), active ? &before.epilogue : nullptr);
      at::Tensor found = at::from_blob(scratch.sums.data(), {pixels, outs}, at::kInt);
      at::_int_mm_out(found, at::from_blob(scratch.levels.data(), {pixels, ins}, at::kByte), product);
      at::Tensor y = at::empty({x.size(0), outs, x.size(2), x.size(3)}, x.options(), kLast);
      Epilogue epilogue = finish.epilogue;
      at::Tensor other;
      if (residual >= 0) {
        other = rows(values[static_cast<std::size_t>(residual)]);
        epilogue.residual = other.const_data_ptr<float>();
      }
      finish_rows(scratch.sums.data(), y.mutable_data_ptr<float>(), scratch.steps.data(), scratch.lows.data(),
                  scale.const_data_ptr<float>(), sums.const_data_ptr<float>(), count, static_cast<std::size_t>(outs),
                  epilogue);
      if (!rest) return y;
      if (late >= 0 && first) y.add_(values[static_cast<std::size_t>(late)]);
      y = apply(act, y);
      if (late >= 0 && !first) y.add_(values[static_cast<std::size_t>(late)]);
      return y;
    };
  }

  // ---------------------------------------------------------------------------------------------- everything else

  Run unary(const Node& node, at::Tensor (*f)(const at::Tensor&)) {
    const int x = reads(node.inputs[0].id);
    return [x, f](const Net::Values& values) { return f(values[static_cast<std::size_t>(x)]); };
  }
  template <class F>
  Run with_input(const Node& node, F f) {
    const int x = reads(node.inputs[0].id);
    return [x, f = std::move(f)](const Net::Values& values) { return f(values[static_cast<std::size_t>(x)]); };
  }

  Run binary(const Node& node, at::Tensor (*f)(const at::Tensor&, const at::Tensor&)) {
    for (std::size_t i = 0; i < 2; ++i) {
      if (is_value(node, i)) reads(node.inputs[i].id);
    }
    return [a = source(node, 0), b = source(node, 1), f](const Net::Values& values) { return f(a(values), b(values)); };
  }

  Run operation(const Node& node) {
    switch (node.op) {
      case Op::kConv: break;  // a unit
      case Op::kConvTranspose: return conv_transpose(node);
      case Op::kBatchNorm: return batch_norm(node);
      case Op::kPRelu: return prelu(node, constant(node, 1).flatten());
      case Op::kLeakyRelu: return prelu(node, at::full({1}, node.float_attr("alpha", 0.01F), at::kFloat));
      case Op::kRelu: return unary(node, [](const at::Tensor& x) { return x.clamp_min(0); });
      case Op::kClip: {
        const float low = node.float_attr("min", std::numeric_limits<float>::lowest());
        const float high = node.float_attr("max", std::numeric_limits<float>::max());
        return with_input(node, [low, high](const at::Tensor& x) { return at::clamp(x, low, high); });
      }
      case Op::kSigmoid: return unary(node, [](const at::Tensor& x) { return at::sigmoid(x); });
      case Op::kHardSigmoid: {
        const float alpha = node.float_attr("alpha", 0.2F);
        const float beta = node.float_attr("beta", 0.5F);
        return with_input(node, [alpha, beta](const at::Tensor& x) { return x.mul(alpha).add_(beta).clamp_(0, 1); });
      }
      case Op::kHardSwish: return unary(node, [](const at::Tensor& x) { return at::hardswish(x); });
      case Op::kTanh: return unary(node, [](const at::Tensor& x) { return at::tanh(x); });
      case Op::kSoftmax: {
        const std::int64_t axis = node.int_attr("axis", 1);
        return with_input(node, [axis](const at::Tensor& x) { return at::softmax(x, axis); });
      }
      case Op::kAdd: return binary(node, [](const at::Tensor& a, const at::Tensor& b) { return at::add(a, b); });
      case Op::kSub: return binary(node, [](const at::Tensor& a, const at::Tensor& b) { return at::sub(a, b); });
      case Op::kMul: return binary(node, [](const at::Tensor& a, const at::Tensor& b) { return at::mul(a, b); });
      case Op::kDiv: return binary(node, [](const at::Tensor& a, const at::Tensor& b) { return at::div(a, b); });
      case Op::kMaxPool: return max_pool(node);
      case Op::kAveragePool: return average_pool(node);
      case Op::kGlobalAveragePool: return unary(node, [](const at::Tensor& x) { return at::mean(x, {2, 3}, true); });
      case Op::kGlobalMaxPool: return unary(node, [](const at::Tensor& x) { return at::amax(x, {2, 3}, true); });
      case Op::kReduceMean: {
        const auto axes = node.ints_attr("axes", {});
        const bool keep = node.int_attr("keepdims", 1) != 0;
        return with_input(node, [axes, keep](const at::Tensor& x) { return at::mean(x, axes, keep); });
      }
      case Op::kLinear: return linear(node);
      case Op::kReshape: {
        Shape shape = shape_of(node.output);
        return with_input(node, [shape](const at::Tensor& x) {
          Shape whole = shape;
          whole[0] = x.size(0);
          return x.reshape(whole);
        });
      }
      case Op::kTranspose: {
        const auto perm = node.ints_attr("perm", {});
        return with_input(node, [perm](const at::Tensor& x) { return x.permute(perm); });
      }
      case Op::kConcat: return concat(node);
      case Op::kSlice: return slice(node);
      case Op::kPad: return pad(node);
      case Op::kResize: return resize(node);
    }
    TORCH_CHECK(false, "node \"", node.name, "\" (", std::string(to_string(node.op)), "): not supported");
  }

  Run batch_norm(const Node& node) {
    const auto get = [&](std::size_t i) { return constant(node, i).to(at::kDouble); };
    Shape shape(shape_of(node.output).size(), 1);
    shape[1] = -1;
    const at::Tensor factor = factor_of(node);
    const at::Tensor shift = place(get(2).sub(get(3).mul(factor)).to(at::kFloat).view(shape));
    const at::Tensor scale = place(factor.to(at::kFloat).view(shape));
    return with_input(node, [scale, shift](const at::Tensor& x) { return at::mul(x, scale).add_(shift); });
  }

  Run prelu(const Node& node, const at::Tensor& slope) {
    return with_input(node, [slope = place(slope)](const at::Tensor& x) { return at::prelu(x, slope); });
  }

  Run linear(const Node& node) {
    const at::Tensor weight = constant(node, 1).t().contiguous();  // [N, K]
    at::Tensor bias;
    if (has_input(node, 2)) bias = constant(node, 2);
    if (mkldnn() && shape_of(node.inputs[0].id).size() == 2) {
      // As a convolution of one pixel, for the reason that is told there.
      Unit unit;
      Node pixel = node;
      pixel.attributes.clear();
      unit.node = &pixel;
      unit.weight = weight.view({weight.size(0), weight.size(1), 1, 1});
      unit.bias = bias.defined() ? bias : at::zeros({weight.size(0)}, at::kFloat);
      unit.input = 0;
      return with_input(node, [conv = pixel_convolution(unit, weight.size(1))](const at::Tensor& x) {
        return conv({x.reshape({x.size(0), x.size(1), 1, 1})}).flatten(1);
      });
    }
    const at::Tensor w = place(weight);
    const at::Tensor b = bias.defined() ? place(bias) : bias;
    return with_input(node, [w, b](const at::Tensor& x) { return at::linear(x, w, b); });
  }

  Run pixel_convolution(const Unit& unit, std::int64_t channels) {
    Graph pixel;
    pixel.values.push_back({"pixel", {1, channels, 1, 1}});
    Builder builder(pixel, options_);
    Run run = builder.float_convolution(unit);
    weight_bytes_ += builder.weight_bytes_;
    return run;
  }

  Run conv_transpose(const Node& node) {
    const auto strides = node.ints_attr("strides", {1, 1});
    const auto dilations = node.ints_attr("dilations", {1, 1});
    const auto pads = node.ints_attr("pads", {0, 0, 0, 0});
    const auto extra = node.ints_attr("output_padding", {0, 0});
    const std::int64_t groups = node.int_attr("group", 1);
    const at::Tensor weight = place(constant(node, 1));
    const at::Tensor bias = has_input(node, 2) ? place(constant(node, 2)) : at::Tensor();
    const Shape out = shape_of(node.output);
    // Whole, then cut: pads need not be the same on both sides.
    return with_input(node, [=](const at::Tensor& x) {
      std::optional<at::Tensor> b;
      if (bias.defined()) b = bias;
      const at::Tensor whole = at::conv_transpose2d(x, weight, b, strides, {0, 0}, {0, 0}, groups, dilations);
      const at::Tensor longer = at::constant_pad_nd(whole, {0, extra[1], 0, extra[0]});
      if (extra[0] + extra[1] > 0 && bias.defined()) {
        // What output_padding adds sees no input, but the bias.
        if (extra[0] > 0) longer.narrow(2, whole.size(2), extra[0]).add_(bias.view({1, -1, 1, 1}));
        if (extra[1] > 0) {
          longer.narrow(3, whole.size(3), extra[1]).narrow(2, 0, whole.size(2)).add_(bias.view({1, -1, 1, 1}));
        }
      }
      return longer.narrow(2, pads[0], out[2]).narrow(3, pads[1], out[3]);
    });
  }

  Run max_pool(const Node& node) {
    const auto kernel = node.ints_attr("kernel", {1, 1});
    const Window w = window_of(node);
    const auto pads = node.ints_attr("pads", {0, 0, 0, 0});
    std::vector<std::int64_t> around;
    if (pads != std::vector<std::int64_t>{0, 0, 0, 0}) around = {pads[1], pads[3], pads[0], pads[2]};
    return with_input(node, [=](const at::Tensor& x) {
      const at::Tensor padded =
          around.empty() ? x : at::constant_pad_nd(x, around, -std::numeric_limits<double>::infinity());
      return at::max_pool2d(padded, kernel, w.strides, {0, 0}, w.dilations);
    });
  }

  Run average_pool(const Node& node) {
    const auto kernel = node.ints_attr("kernel", {1, 1});
    const auto strides = node.ints_attr("strides", {1, 1});
    const auto pads = node.ints_attr("pads", {0, 0, 0, 0});
    const bool include = node.int_attr("count_include_pad", 0) != 0;
    const std::vector<std::int64_t> around{pads[1], pads[3], pads[0], pads[2]};
    const bool padded = std::any_of(around.begin(), around.end(), [](std::int64_t p) { return p != 0; });
    at::Tensor share;  // of each window that lies inside the image
    if (padded && !include) {
      const Shape& in = shape_of(node.inputs[0].id);
      const at::Tensor ones = at::constant_pad_nd(at::ones({1, 1, in[2], in[3]}, at::kFloat), around);
      share = place(at::avg_pool2d(ones, kernel, strides));
    }
    return with_input(node, [=](const at::Tensor& x) {
      at::Tensor y = at::avg_pool2d(padded ? at::constant_pad_nd(x, around) : x, kernel, strides);
      return share.defined() ? y.div_(share) : y;
    });
  }

  Run concat(const Node& node) {
    std::vector<Source> sources;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (is_value(node, i)) reads(node.inputs[i].id);
      sources.push_back(source(node, i));
    }
    return [sources, axis = node.int_attr("axis", 1)](const Net::Values& values) {
      std::int64_t batch = 1;
      std::vector<at::Tensor> parts;
      for (const Source& s : sources) {
        parts.push_back(s(values));
        if (s.value >= 0) batch = parts.back().size(0);
      }
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (sources[i].value >= 0) continue;
        Shape shape = parts[i].sizes().vec();
        shape[0] = batch;
        parts[i] = parts[i].expand(shape);
      }
      return at::cat(parts, axis);
    };
  }

  Run slice(const Node& node) {
    const auto axes = node.ints_attr("axes", {});
    const auto starts = node.ints_attr("starts", {});
    const auto ends = node.ints_attr("ends", {});
    const auto steps = node.ints_attr("steps", std::vector<std::int64_t>(axes.size(), 1));
    return with_input(node, [=](const at::Tensor& x) {
      at::Tensor y = x;
      for (std::size_t i = 0; i < axes.size(); ++i) y = at::slice(y, axes[i], starts[i], ends[i], steps[i]);
      return y;
    });
  }

  at::Tensor indices(const std::vector<std::int64_t>& values) {
    const at::Tensor tensor =
        at::from_blob(const_cast<std::int64_t*>(values.data()), {static_cast<std::int64_t>(values.size())}, at::kLong)
            .clone()
            .to(options_.device);
    weight_bytes_ += tensor.nbytes();
    return tensor;
  }

  Run pad(const Node& node) {
    const auto pads = node.ints_attr("pads", {});
    const std::string mode = node.string_attr("mode", "constant");
    const Shape& in = shape_of(node.inputs[0].id);
    const std::size_t rank = in.size();
    if (mode == "constant") {
      std::vector<std::int64_t> around;
      for (std::size_t a = rank; a-- > 0;) around.insert(around.end(), {pads[a], pads[rank + a]});
      const float value = node.float_attr("value", 0);
      return with_input(node, [around, value](const at::Tensor& x) { return at::constant_pad_nd(x, around, value); });
    }
    std::vector<std::pair<std::int64_t, at::Tensor>> maps;
    for (std::size_t a = 0; a < rank; ++a) {
      if (pads[a] == 0 && pads[rank + a] == 0) continue;
      std::vector<std::int64_t> map;
      for (std::int64_t i = -pads[a]; i < in[a] + pads[rank + a]; ++i) {
        std::int64_t from = i;
        if (mode == "reflect") {
          while (in[a] > 1 && (from < 0 || from >= in[a])) from = from < 0 ? -from : 2 * (in[a] - 1) - from;
        }
        map.push_back(std::clamp<std::int64_t>(from, 0, in[a] - 1));
      }
      maps.emplace_back(static_cast<std::int64_t>(a), indices(map));
    }
    return with_input(node, [maps](const at::Tensor& x) {
      at::Tensor y = x;
      for (const auto& [axis, map] : maps) y = at::index_select(y, axis, map);
      return y;
    });
  }

  // Along one axis: nearest takes `first`; linear mixes in `second` by `weight`.
  struct Lookup {
    std::int64_t axis = 0;
    at::Tensor first;
    at::Tensor second;
    at::Tensor weight;
    [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const {
      const at::Tensor a = at::index_select(x, axis, first);
      if (!second.defined()) return a;
      const at::Tensor b = at::index_select(x, axis, second);
      return at::sub(b, a).mul_(weight).add_(a);
    }
  };

  Lookup lookup(const Node& node, std::int64_t axis, float scale) {
    const std::string transform = node.string_attr("transform", "half_pixel");
    const std::string rounding = node.string_attr("rounding", "round_prefer_floor");
    const bool linear = node.string_attr("mode", "nearest") == "linear";
    const std::int64_t in = shape_of(node.inputs[0].id)[at_index(axis)];
    const std::int64_t out = shape_of(node.output)[at_index(axis)];
    std::vector<std::int64_t> first;
    std::vector<std::int64_t> second;
    std::vector<float> weight;
    for (std::int64_t i = 0; i < out; ++i) {
      float s = static_cast<float>(i) / scale;
      if (transform == "half_pixel") s = (static_cast<float>(i) + 0.5F) / scale - 0.5F;
      if (transform == "align_corners") {
        s = out == 1 ? 0.0F : static_cast<float>(i) * static_cast<float>(in - 1) / static_cast<float>(out - 1);
      }
      if (linear) {
        s = std::clamp(s, 0.0F, static_cast<float>(in - 1));
        first.push_back(static_cast<std::int64_t>(s));
        second.push_back(std::min(first.back() + 1, in - 1));
        weight.push_back(s - static_cast<float>(first.back()));
        continue;
      }
      float r = std::floor(s);
      if (rounding == "ceil") r = std::ceil(s);
      if (rounding == "round_prefer_floor") r = std::ceil(s - 0.5F);
      if (rounding == "round_prefer_ceil") r = std::floor(s + 0.5F);
      first.push_back(std::clamp(static_cast<std::int64_t>(r), std::int64_t{0}, in - 1));
    }
    Lookup found{axis, indices(first), {}, {}};
    if (linear) {
      found.second = indices(second);
      Shape shape{1, 1, 1, 1};
      shape[at_index(axis)] = out;
      found.weight = place(at::from_blob(weight.data(), shape, at::kFloat).clone());
    }
    return found;
  }

  Run resize(const Node& node) {
    const auto scales = node.floats_attr("scales", {1, 1});
    const Lookup rows_of = lookup(node, 2, scales[0]);
    const Lookup columns_of = lookup(node, 3, scales[1]);
    return with_input(node, [rows_of, columns_of](const at::Tensor& x) { return columns_of(rows_of(x)); });
  }

  const Graph& graph_;
  const NetOptions& options_;
  bool cpu_;
  at::ScalarType dtype_ = at::kFloat;
  std::vector<std::vector<std::size_t>> readers_;
  std::vector<std::int64_t> macs_;
  std::vector<Net::Step> steps_;
  std::vector<std::vector<int>> reads_;
  std::vector<int> reading_;
  int dense_ = 0;  // dense convolutions so far
  std::size_t weight_bytes_ = 0;
};

}  // namespace

Net::Net(const Graph& graph, const NetOptions& options)
    : options_(options), outputs_(graph.outputs), input_(graph.inputs.at(0)), value_count_(graph.values.size()) {
  const c10::InferenceMode inference;
  Builder builder(graph, options_);
  steps_ = builder.steps();
  weight_bytes_ = builder.weight_bytes();
}

at::Tensor Net::prepare(const at::Tensor& x) const {
  at::Tensor start = options_.precision == Precision::kFp16 ? x.to(at::kHalf) : x;
  return start.dim() == 4 && !options_.plain ? start.contiguous(kLast) : start;
}

void Net::step(const Step& step, Values& values) const {
  values[static_cast<std::size_t>(step.output)] = step.run(values);
  for (const int v : step.dead) values[static_cast<std::size_t>(v)].reset();
}

std::vector<at::Tensor> Net::run(const at::Tensor& x) const {
  const c10::InferenceMode inference;
  const at::NoTF32Guard exact;
  Values values(value_count_);
  values[static_cast<std::size_t>(input_)] = prepare(x);
  for (const Step& s : steps_) step(s, values);
  std::vector<at::Tensor> outputs;
  for (const int v : outputs_) outputs.push_back(values[static_cast<std::size_t>(v)].to(at::kFloat).contiguous());
  return outputs;
}

std::vector<Net::StepNote> Net::profile(const at::Tensor& x, int rounds) const {
  using Clock = std::chrono::steady_clock;
  const c10::InferenceMode inference;
  std::vector<StepNote> notes;
  for (const Step& s : steps_) notes.push_back({s.name, s.macs, {}});
  for (int round = 0; round < rounds; ++round) {
    Values values(value_count_);
    values[static_cast<std::size_t>(input_)] = prepare(x);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const auto start = Clock::now();
      step(steps_[i], values);
      notes[i].microseconds.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
  }
  return notes;
}

OneThread::OneThread() : mkl_(0) {
  static_cast<void>(at::get_num_threads());  // makes this thread's settings, where it has none yet
  omp_ = omp_get_max_threads();
  omp_set_num_threads(1);
  if (MKL_Set_Num_Threads_Local != nullptr) mkl_ = MKL_Set_Num_Threads_Local(1);
}

OneThread::~OneThread() {
  omp_set_num_threads(omp_);
  if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(mkl_);
}

}  // namespace liveness::torch_plugin
