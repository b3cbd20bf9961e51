#include "optimize/channels.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>

namespace liveness {
namespace {

// Disjoint sets of numbers that grow one by one.
class Sets {
 public:
  int add() {
    parents_.push_back(static_cast<int>(parents_.size()));
    return parents_.back();
  }
  int find(int i) {
    while (parents_[static_cast<std::size_t>(i)] != i) {
      auto& parent = parents_[static_cast<std::size_t>(i)];
      i = parent = parents_[static_cast<std::size_t>(parent)];
    }
    return i;
  }
  void join(int a, int b) { parents_[static_cast<std::size_t>(find(a))] = find(b); }
  [[nodiscard]] std::size_t size() const { return parents_.size(); }

 private:
  std::vector<int> parents_;
};

std::int64_t product(const Shape& shape, std::size_t from, std::size_t to) {
  std::int64_t n = 1;
  for (std::size_t i = from; i < to; ++i) n *= shape[i];
  return n;
}

}  // namespace

// Walks over the nodes once and says of each value which channels it has.
class ChannelFinder {
 public:
  explicit ChannelFinder(Channels& out) : out_(out), graph_(out.graph_) {}

  void run() {
    out_.lines_.resize(graph_.values.size());
    const auto input = static_cast<std::size_t>(graph_.inputs[0]);
    out_.lines_[input] = fresh(graph_.values[input].shape.size() > 1 ? 1 : 0, graph_.values[input].shape);
    freeze(out_.lines_[input]);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      node_ = static_cast<int>(i);
      out_.lines_[static_cast<std::size_t>(graph_.nodes[i].output)] = visit(graph_.nodes[i]);
    }
    for (const int id : graph_.outputs) freeze(out_.lines_[static_cast<std::size_t>(id)]);
    number();
  }

 private:
  using Line = Channels::Line;

  [[nodiscard]] const Shape& shape(int value) const { return graph_.values[static_cast<std::size_t>(value)].shape; }
  [[nodiscard]] const Shape& constant(const Node& node, std::size_t i) const {
    return graph_.tensors[static_cast<std::size_t>(node.inputs[i].id)].shape;
  }
  [[nodiscard]] const Line& line(const Node& node, std::size_t i = 0) const {
    return out_.lines_[static_cast<std::size_t>(node.inputs[i].id)];
  }
  static bool is_value(const Node& node, std::size_t i) { return node.inputs[i].kind == Operand::Kind::kValue; }
  static bool is_constant(const Node& node, std::size_t i) {
    return i < node.inputs.size() && node.inputs[i].kind == Operand::Kind::kConstant;
  }

  Line fresh(std::size_t axis, const Shape& of) {
    Line made{axis, {}};
    for (std::int64_t i = 0; i < of[axis]; ++i) made.units.push_back(sets_.add());
    made_.push_back({node_, made.units});
    return made;
  }
  void freeze(const Line& of) { frozen_.insert(of.units.begin(), of.units.end()); }
  // Nothing of what goes in may be taken out, nor of what comes out.
  Line freeze_all(const Node& node) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (is_value(node, i)) freeze(line(node, i));
    const Line made = fresh(1, shape(node.output));
    freeze(made);
    return made;
  }
  void slice(const Node& node, std::size_t operand, std::size_t axis, const std::vector<int>& units, bool makes) {
    out_.slices_.push_back({node_, node.inputs[operand].id, axis, units, makes});
  }

  Line visit(const Node& node) {
    switch (node.op) {
      case Op::kConv:
      case Op::kConvTranspose: return conv(node);
      case Op::kBatchNorm:
      case Op::kPRelu: return per_channel(node);
      case Op::kRelu:
      case Op::kLeakyRelu:
      case Op::kClip:
      case Op::kSigmoid:
      case Op::kHardSigmoid:
      case Op::kHardSwish:
      case Op::kTanh: return line(node);
      case Op::kSoftmax:
        return static_cast<std::size_t>(node.int_attr("axis", 1)) == line(node).axis ? freeze_all(node) : line(node);
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
      case Op::kDiv: return binary(node);
      case Op::kMaxPool:
      case Op::kAveragePool:
      case Op::kGlobalAveragePool:
      case Op::kGlobalMaxPool:
      case Op::kResize: return line(node).axis == 1 ? line(node) : freeze_all(node);
      case Op::kReduceMean: return reduce(node);
      case Op::kLinear: return linear(node);
      case Op::kReshape: return reshape(node);
      case Op::kTranspose: return transpose(node);
      case Op::kConcat: return concat(node);
      case Op::kSlice: {
        const auto axes = node.ints_attr("axes", {});
        const auto axis = static_cast<std::int64_t>(line(node).axis);
        return std::count(axes.begin(), axes.end(), axis) != 0 ? freeze_all(node) : line(node);
      }
      case Op::kPad: {
        const auto pads = node.ints_attr("pads", {});
        const auto axis = line(node).axis;
        return pads[axis] + pads[axis + pads.size() / 2] != 0 ? freeze_all(node) : line(node);
      }
    }
    return freeze_all(node);
  }

  Line conv(const Node& node) {
    const Line& in = line(node);
    if (in.axis != 1) return freeze_all(node);
    const auto group = node.int_attr("group", 1);
    const bool transposed = node.op == Op::kConvTranspose;
    const auto channels = shape(node.inputs[0].id)[1];
    if (group == 1) {
      const Line made = fresh(1, shape(node.output));
      slice(node, 1, transposed ? 1 : 0, made.units, true);
      slice(node, 1, transposed ? 0 : 1, in.units, false);
      if (is_constant(node, 2)) slice(node, 2, 0, made.units, true);
      return made;
    }
    if (group != channels) return freeze_all(node);
    // Depthwise: each channel makes its own `times` ones.
    const auto times = shape(node.output)[1] / channels;
    Line made{1, {}};
    for (const int unit : in.units) made.units.insert(made.units.end(), static_cast<std::size_t>(times), unit);
    slice(node, 1, 0, transposed ? in.units : made.units, true);
    if (is_constant(node, 2)) slice(node, 2, 0, made.units, true);
    return made;
  }

  Line per_channel(const Node& node) {
    const Line& in = line(node);
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      if (constant(node, i)[0] == 1 && shape(node.inputs[0].id)[1] != 1) continue;  // one slope for all
      if (in.axis != 1) return freeze_all(node);
      // Mean and variance, slopes: they do not make a channel, but go with it.
      slice(node, i, 0, in.units, node.op == Op::kBatchNorm && i <= 2);
    }
    return in;
  }

  Line binary(const Node& node) {
    const Shape& out = shape(node.output);
    // Axes are counted from the right, as shapes broadcast.
    const auto from_right = [](const Shape& of, std::size_t axis) { return of.size() - axis; };
    if (!is_value(node, 0) || !is_value(node, 1)) {
      const std::size_t v = is_value(node, 0) ? 0 : 1;
      const Line& in = line(node, v);
      const Shape& x = shape(node.inputs[v].id);
      const Shape& c = constant(node, 1 - v);
      const std::size_t right = from_right(x, in.axis);
      if (out.size() != x.size() || out[in.axis] != x[in.axis]) return freeze_all(node);
      if (c.size() >= right && c[c.size() - right] == x[in.axis] && x[in.axis] > 1)
        slice(node, 1 - v, c.size() - right, in.units, node.op == Op::kAdd || node.op == Op::kSub);
      return in;
    }
    const Line& a = line(node, 0);
    const Line& b = line(node, 1);
    const std::size_t right_a = from_right(shape(node.inputs[0].id), a.axis);
    const std::size_t right_b = from_right(shape(node.inputs[1].id), b.axis);
    if (right_a != right_b) return freeze_all(node);
    const Line* wide = &a;
    if (a.units.size() == b.units.size()) {
      for (std::size_t i = 0; i < a.units.size(); ++i) sets_.join(a.units[i], b.units[i]);
    } else {
      // One channel for all of the other's: it stays.
      wide = a.units.size() > b.units.size() ? &a : &b;
      freeze(wide == &a ? b : a);
    }
    return {out.size() - right_a, wide->units};
  }

  Line reduce(const Node& node) {
    const Line& in = line(node);
    const auto axes = node.ints_attr("axes", {});
    const bool keep = node.int_attr("keepdims", 1) != 0;
    std::size_t axis = in.axis;
    for (const auto a : axes) {
      if (static_cast<std::size_t>(a) == in.axis) return freeze_all(node);
      if (!keep && static_cast<std::size_t>(a) < in.axis) --axis;
    }
    return {axis, in.units};
  }

  Line linear(const Node& node) {
    const Line& in = line(node);
    if (in.axis + 1 != shape(node.inputs[0].id).size()) return in;
    const Line made = fresh(shape(node.output).size() - 1, shape(node.output));
    slice(node, 1, 0, in.units, false);
    slice(node, 1, 1, made.units, true);
    if (is_constant(node, 2)) slice(node, 2, 0, made.units, true);
    return made;
  }

  // The axis of the result along which the channels lie, each a block of places where others were folded into it.
  Line reshape(const Node& node) {
    const Line& in = line(node);
    const Shape& x = shape(node.inputs[0].id);
    const Shape& y = shape(node.output);
    const std::int64_t inner = product(x, in.axis + 1, x.size());
    const std::int64_t count = x[in.axis];
    const std::int64_t all = elements(x);
    const auto unit_of = [&](std::int64_t i) { return in.units[static_cast<std::size_t>(i / inner % count)]; };
    for (std::size_t axis = 1; axis < y.size(); ++axis) {
      const std::int64_t within = product(y, axis + 1, y.size());
      if (y[axis] < count) continue;
      Line made{axis, {}};
      for (std::int64_t i = 0; i < y[axis]; ++i) made.units.push_back(unit_of(i * within));
      bool fits = true;
      for (std::int64_t i = 0; i < all && fits; ++i)
        fits = made.units[static_cast<std::size_t>(i / within % y[axis])] == unit_of(i);
      if (fits) return made;
    }
    return freeze_all(node);
  }

  Line transpose(const Node& node) {
    const Line& in = line(node);
    const auto perm = node.ints_attr("perm", {});
    const auto at = std::find(perm.begin(), perm.end(), static_cast<std::int64_t>(in.axis));
    return {static_cast<std::size_t>(at - perm.begin()), in.units};
  }

  Line concat(const Node& node) {
    const auto joined = static_cast<std::size_t>(node.int_attr("axis", 1));
    const std::size_t axis = line(node).axis;
    Line made{axis, {}};
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Line& in = line(node, i);
      if (in.axis != axis) return freeze_all(node);
      if (joined == axis) {
        made.units.insert(made.units.end(), in.units.begin(), in.units.end());
      } else if (i == 0) {
        made.units = in.units;
      } else {
        for (std::size_t k = 0; k < in.units.size(); ++k) sets_.join(made.units[k], in.units[k]);
      }
    }
    return made;
  }

  // Sets become units 0.. in the order of their first channel; what stays becomes -1. Widths that share a unit are one
  // group.
  void number() {
    std::set<int> stay;
    for (const int i : frozen_) stay.insert(sets_.find(i));
    std::map<int, int> units;
    Sets groups;
    struct Width {
      int node;
      std::vector<int> units;
    };
    std::vector<Width> widths;
    for (const auto& made : made_) {
      Width width{made.node, {}};
      for (const int i : made.units) {
        const int root = sets_.find(i);
        if (stay.count(root) != 0) continue;
        const auto [at, is_new] = units.emplace(root, static_cast<int>(units.size()));
        if (is_new) groups.add();
        width.units.push_back(at->second);
      }
      for (const int u : width.units) groups.join(u, width.units[0]);
      widths.push_back(std::move(width));
    }
    std::map<int, std::size_t> index;
    std::set<int> placed;
    for (const auto& width : widths) {
      if (width.units.empty()) continue;
      const auto [at, is_new] = index.emplace(groups.find(width.units[0]), out_.groups_.size());
      if (is_new) out_.groups_.push_back({graph_.nodes[static_cast<std::size_t>(width.node)].name, {}});
      for (const int u : width.units)
        if (placed.insert(u).second) out_.groups_[at->second].units.push_back(u);
    }
    out_.unit_count_ = units.size();
    const auto renumber = [&](std::vector<int>& all) {
      for (int& i : all) {
        const auto found = units.find(sets_.find(i));
        i = found == units.end() ? -1 : found->second;
      }
    };
    for (auto& of : out_.lines_) renumber(of.units);
    for (auto& of : out_.slices_) renumber(of.units);
    std::erase_if(out_.slices_, [](const ChannelSlice& s) {
      return std::all_of(s.units.begin(), s.units.end(), [](int u) { return u < 0; });
    });
  }

  struct Made {
    int node;
    std::vector<int> units;
  };

  Channels& out_;
  const Graph& graph_;
  int node_ = 0;
  Sets sets_;
  std::set<int> frozen_;
  std::vector<Made> made_;
};

Channels::Channels(const Graph& graph) : graph_(graph) {
  ChannelFinder(*this).run();
}

namespace {

// The entries along an axis that stay.
Tensor cut(const Tensor& from, std::size_t axis, const std::vector<int>& units, const std::vector<bool>& keep) {
  Tensor to = from;
  to.data.clear();
  const std::int64_t inner = product(from.shape, axis + 1, from.shape.size());
  const std::int64_t outer = product(from.shape, 0, axis);
  const auto stays = [&](std::size_t i) { return units[i] < 0 || keep[static_cast<std::size_t>(units[i])]; };
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < units.size(); ++i) {
      if (!stays(i)) continue;
      const auto begin = from.data.begin() +
                         static_cast<std::ptrdiff_t>((o * from.shape[axis] + static_cast<std::int64_t>(i)) * inner);
      to.data.insert(to.data.end(), begin, begin + static_cast<std::ptrdiff_t>(inner));
    }
  }
  std::int64_t kept = 0;
  for (std::size_t i = 0; i < units.size(); ++i) kept += stays(i) ? 1 : 0;
  to.shape[axis] = kept;
  return to;
}

}  // namespace

Graph Channels::shrink(const std::vector<bool>& keep) const {
  Graph made = graph_;
  const auto kept = [&](const std::vector<int>& units) {
    return std::count_if(units.begin(), units.end(), [&](int u) { return u < 0 || keep[static_cast<std::size_t>(u)]; });
  };
  // Cuts by use: nodes may share a constant and still keep different parts of it.
  std::map<std::pair<int, int>, std::vector<const ChannelSlice*>> cuts;
  for (const auto& slice : slices_) {
    if (kept(slice.units) != static_cast<std::ptrdiff_t>(slice.units.size()))
      cuts[{slice.node, slice.tensor}].push_back(&slice);
  }
  std::vector<int> uses(made.tensors.size(), 0);
  for (const auto& node : made.nodes)
    for (const auto& o : node.inputs)
      if (o.kind == Operand::Kind::kConstant) ++uses[static_cast<std::size_t>(o.id)];
  std::set<std::string> names;
  for (const auto& tensor : made.tensors) names.insert(tensor.name);
  for (const auto& [use, slices] : cuts) {
    const auto id = static_cast<std::size_t>(use.second);
    Tensor tensor = graph_.tensors[id];
    for (const ChannelSlice* slice : slices) tensor = cut(tensor, slice->axis, slice->units, keep);
    tensor.storage = Tensor::Storage::kFp32;
    tensor.scale.clear();
    auto& inputs = made.nodes[static_cast<std::size_t>(use.first)].inputs;
    if (uses[id] == 1) {
      made.tensors[id] = std::move(tensor);
      continue;
    }
    for (int i = 2; !names.insert(tensor.name).second; ++i)
      tensor.name = graph_.tensors[id].name + "_" + std::to_string(i);
    for (auto& o : inputs) {
      if (o.kind != Operand::Kind::kConstant || o.id != use.second) continue;
      o.id = static_cast<int>(made.tensors.size());
      --uses[id];
    }
    made.tensors.push_back(std::move(tensor));
  }
  const auto set = [](Node& node, const char* name, AttributeValue value) {
    for (auto& attribute : node.attributes)
      if (attribute.name == name) attribute.value = std::move(value);
  };
  for (auto& node : made.nodes) {
    const Line& out = lines_[static_cast<std::size_t>(node.output)];
    if ((node.op == Op::kConv || node.op == Op::kConvTranspose) && node.int_attr("group", 1) > 1) {
      const Line& in = lines_[static_cast<std::size_t>(node.inputs[0].id)];
      if (node.int_attr("group", 1) == static_cast<std::int64_t>(in.units.size()))
        set(node, "group", static_cast<std::int64_t>(kept(in.units)));
    }
    if (node.op == Op::kReshape) {
      Shape shape = node.ints_attr("shape", {});
      shape[out.axis] = static_cast<std::int64_t>(kept(out.units));
      set(node, "shape", shape);
    }
  }
  check_graph(made);
  return made;
}

}  // namespace liveness
