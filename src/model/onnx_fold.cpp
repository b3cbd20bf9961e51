#include "model/onnx_fold.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "liveness/error.hpp"

namespace liveness::onnx {
namespace {

constexpr std::size_t kMaxName = 256;

float from_half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1F;
  const int mantissa = bits & 0x3FF;
  const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 31)
    return mantissa != 0 ? std::numeric_limits<float>::quiet_NaN() : sign * std::numeric_limits<float>::infinity();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

std::int64_t from_int8(std::uint8_t bits) {
  return bits < 128 ? bits : bits - 256;
}

template <class T>
T load(std::span<const std::byte> raw, std::size_t i) {
  static_assert(std::endian::native == std::endian::little, "ONNX raw data is little-endian");
  T value;
  std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
  return value;
}

std::size_t element_size(Type type) {
  switch (type) {
    case Type::kUint8:
    case Type::kInt8:
    case Type::kBool: return 1;
    case Type::kFloat16: return 2;
    case Type::kFloat:
    case Type::kInt32: return 4;
    case Type::kInt64:
    case Type::kDouble: return 8;
    default: return 0;
  }
}

// Position of flat element i of a shape along each axis, one element after another.
class Walk {
 public:
  explicit Walk(const Shape& shape) : shape_(shape), at_(shape.size(), 0) {}
  [[nodiscard]] const Shape& at() const noexcept { return at_; }
  void step() {
    for (std::size_t a = shape_.size(); a-- > 0;) {
      if (++at_[a] < shape_[a]) return;
      at_[a] = 0;
    }
  }

 private:
  const Shape& shape_;
  Shape at_;
};

// Flat element that each axis steps over; 0 for axes of size 1, which is what broadcasting wants.
Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 0);
  std::int64_t n = 1;
  for (std::size_t a = shape.size(); a-- > 0;) {
    strides[a] = shape[a] == 1 ? 0 : n;
    n *= shape[a];
  }
  return strides;
}

// Strides of `shape` as seen from a shape of higher rank.
Shape aligned(const Shape& shape, std::size_t rank) {
  Shape strides = strides_of(shape);
  strides.insert(strides.begin(), rank - shape.size(), 0);
  return strides;
}

std::size_t dot(const Shape& at, const Shape& strides) {
  return static_cast<std::size_t>(std::inner_product(at.begin(), at.end(), strides.begin(), std::int64_t{0}));
}

Constant empty_like(const Constant& from, Shape shape) {
  Constant out;
  const auto n = static_cast<std::size_t>(elements(shape));
  out.integer = from.integer;
  out.shape = std::move(shape);
  from.integer ? out.integers.resize(n) : out.floats.resize(n);
  return out;
}

void copy_element(const Constant& from, std::size_t i, Constant& to, std::size_t o) {
  from.integer ? void(to.integers[o] = from.integers[i]) : void(to.floats[o] = from.floats[i]);
}

// Reads constants for one node and computes its result.
class Folder {
 public:
  Folder(NodeReader& node, std::span<const ConstantPtr> inputs, FoldBudget& budget)
      : node_(node), inputs_(inputs), budget_(budget) {}

  Constant run();

 private:
  [[nodiscard]] const Constant& in(std::size_t i) const {
    if (i >= inputs_.size() || inputs_[i] == nullptr) node_.invalid("input " + std::to_string(i) + " is missing");
    return *inputs_[i];
  }
  [[nodiscard]] bool present(std::size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  [[nodiscard]] const std::vector<std::int64_t>& list(std::size_t i) const { return integers_of(node_, in(i)); }
  // Axes from the attribute of older opsets or the input of newer ones.
  [[nodiscard]] std::vector<std::int64_t> axes(std::int64_t input_since) const {
    if (node_.opset() < input_since) return node_.integers("axes", {});
    return present(1) ? list(1) : std::vector<std::int64_t>{};
  }

  // Refuses shapes that are out of bounds or that would spend more than the budget.
  const Shape& afford(const Shape& shape) const {
    std::int64_t n = 1;
    bool sane = shape.size() <= kMaxRank;
    for (const auto d : shape) {
      sane = sane && d >= 0 && d <= kMaxElements && n * d <= kMaxElements;
      if (!sane) break;
      n *= d;
    }
    if (!sane || n > budget_.left) node_.invalid("its constant result of shape " + to_string(shape) + " is too large");
    budget_.left -= n + 1;
    return shape;
  }

  // Element `at` of the result is element dot(at, strides) + offset of `from`.
  Constant view(const Constant& from, const Shape& shape, const Shape& strides, std::int64_t offset = 0) const {
    Constant out = empty_like(from, afford(shape));
    Walk walk(out.shape);
    for (std::size_t i = 0; i < out.size(); ++i, walk.step()) {
      copy_element(from, dot(walk.at(), strides) + static_cast<std::size_t>(offset), out, i);
    }
    return out;
  }

  Constant reshaped(const Constant& from, Shape shape) const {
    afford(shape);
    Constant out = from;
    out.shape = std::move(shape);
    return out;
  }

  Constant one_integer(std::int64_t value) const {
    Constant out;
    out.integer = true;
    out.integers = {value};
    return out;
  }

  Shape broadcast(const Shape& a, const Shape& b) const {
    Shape out(std::max(a.size(), b.size()), 1);
    for (std::size_t i = 1; i <= out.size(); ++i) {
      const auto da = i <= a.size() ? a[a.size() - i] : 1;
      const auto db = i <= b.size() ? b[b.size() - i] : 1;
      if (da != db && da != 1 && db != 1)
        node_.invalid("shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
      out[out.size() - i] = da == 1 ? db : da;
    }
    return out;
  }

  template <class F>
  Constant unary(const F& f) const {
    if (in(0).integer) node_.unsupported("on integers it would need a rule for folding");
    Constant out = reshaped(in(0), in(0).shape);
    for (auto& v : out.floats) v = f(v);
    return out;
  }

  Constant arithmetic() const;
  Constant equal() const;
  Constant where() const;
  Constant cast() const;
  Constant gather() const;
  Constant concat() const;
  Constant slice() const;
  Constant range() const;
  Constant filled() const;
  Constant product() const;
  Constant transpose() const;

  NodeReader& node_;
  std::span<const ConstantPtr> inputs_;
  FoldBudget& budget_;
};

Constant Folder::arithmetic() const {
  const auto& a = in(0);
  const auto& b = in(1);
  if (a.integer != b.integer) node_.invalid("its inputs differ in element type");
  Constant out = empty_like(a, afford(broadcast(a.shape, b.shape)));
  const auto sa = aligned(a.shape, out.shape.size());
  const auto sb = aligned(b.shape, out.shape.size());
  const char op = node_.node().op == "Add"   ? '+'
                  : node_.node().op == "Sub" ? '-'
                  : node_.node().op == "Mul" ? '*'
                                             : '/';
  Walk walk(out.shape);
  for (std::size_t i = 0; i < out.size(); ++i, walk.step()) {
    const auto ia = dot(walk.at(), sa);
    const auto ib = dot(walk.at(), sb);
    if (!a.integer) {
      const float u = a.floats[ia];
      const float v = b.floats[ib];
      out.floats[i] = op == '+' ? u + v : op == '-' ? u - v : op == '*' ? u * v : u / v;
      continue;
    }
    const auto u = a.integers[ia];
    const auto v = b.integers[ib];
    bool bad = false;
    auto& r = out.integers[i];
    if (op == '+') bad = __builtin_add_overflow(u, v, &r);
    if (op == '-') bad = __builtin_sub_overflow(u, v, &r);
    if (op == '*') bad = __builtin_mul_overflow(u, v, &r);
    if (op == '/') {
      bad = v == 0 || (v == -1 && u == std::numeric_limits<std::int64_t>::min());
      r = bad ? 0 : u / v;
    }
    if (bad) node_.invalid("integer arithmetic overflows or divides by zero");
  }
  return out;
}

Constant Folder::equal() const {
  const auto& a = in(0);
  const auto& b = in(1);
  if (a.integer != b.integer) node_.invalid("its inputs differ in element type");
  Constant out;
  out.integer = true;
  out.shape = afford(broadcast(a.shape, b.shape));
  out.integers.resize(static_cast<std::size_t>(elements(out.shape)));
  const auto sa = aligned(a.shape, out.shape.size());
  const auto sb = aligned(b.shape, out.shape.size());
  Walk walk(out.shape);
  for (auto& r : out.integers) {
    const auto ia = dot(walk.at(), sa);
    const auto ib = dot(walk.at(), sb);
    r = (a.integer ? a.integers[ia] == b.integers[ib] : a.floats[ia] == b.floats[ib]) ? 1 : 0;
    walk.step();
  }
  return out;
}

Constant Folder::where() const {
  const auto& condition = list(0);
  const auto& yes = in(1);
  const auto& no = in(2);
  if (yes.integer != no.integer) node_.invalid("its inputs differ in element type");
  Constant out = empty_like(yes, afford(broadcast(broadcast(in(0).shape, yes.shape), no.shape)));
  const auto rank = out.shape.size();
  const std::array<Shape, 3> strides = {aligned(in(0).shape, rank), aligned(yes.shape, rank), aligned(no.shape, rank)};
  Walk walk(out.shape);
  for (std::size_t i = 0; i < out.size(); ++i, walk.step()) {
    const bool take = condition[dot(walk.at(), strides[0])] != 0;
    copy_element(take ? yes : no, dot(walk.at(), strides[take ? 1 : 2]), out, i);
  }
  return out;
}

Constant Folder::cast() const {
  node_.ignore("saturate");
  const auto& x = in(0);
  const auto to = static_cast<Type>(node_.integer("to", 0));
  Constant out;
  out.shape = afford(x.shape);
  const auto bounds = [&]() -> std::pair<std::int64_t, std::int64_t> {
    switch (to) {
      case Type::kUint8: return {0, 255};
      case Type::kInt8: return {-128, 127};
      case Type::kInt32: return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
      default: return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
    }
  }();
  switch (to) {
    case Type::kFloat:
    case Type::kFloat16:
    case Type::kDouble:
      if (!x.integer) out.floats = x.floats;
      for (const auto v : x.integers) out.floats.push_back(static_cast<float>(v));
      return out;
    case Type::kBool:
      out.integer = true;
      for (const auto v : x.integers) out.integers.push_back(v != 0 ? 1 : 0);
      for (const auto v : x.floats) out.integers.push_back(v != 0 ? 1 : 0);
      return out;
    case Type::kUint8:
    case Type::kInt8:
    case Type::kInt32:
    case Type::kInt64:
      out.integer = true;
      out.integers = x.integers;
      for (const auto v : x.floats) {
        if (!(std::fabs(v) < 9.2e18F)) node_.invalid("a value does not fit " + name_of(to));
        out.integers.push_back(static_cast<std::int64_t>(v));
      }
      for (const auto v : out.integers) {
        if (v < bounds.first || v > bounds.second) node_.invalid("a value does not fit " + name_of(to));
      }
      return out;
    default: node_.unsupported("casting to " + name_of(to) + " would need that element type");
  }
}

Constant Folder::gather() const {
  const auto& x = in(0);
  const auto& indices = list(1);
  const auto axis = static_cast<std::size_t>(node_.axis(node_.integer("axis", 0), x.shape.size()));
  const auto split = static_cast<std::ptrdiff_t>(axis);
  Shape shape(x.shape.begin(), x.shape.begin() + split);
  shape.insert(shape.end(), in(1).shape.begin(), in(1).shape.end());
  shape.insert(shape.end(), x.shape.begin() + split + 1, x.shape.end());
  afford(in(1).shape);
  Constant out = empty_like(x, afford(shape));
  const auto inner = std::accumulate(x.shape.begin() + split + 1, x.shape.end(), std::size_t{1},
                                     [](std::size_t n, std::int64_t d) { return n * static_cast<std::size_t>(d); });
  const auto size = x.shape[axis];
  std::vector<std::size_t> rows;
  for (const auto i : indices) {
    if (i < -size || i >= size)
      node_.invalid("index " + std::to_string(i) + " is outside an axis of " + std::to_string(size));
    rows.push_back(static_cast<std::size_t>(i < 0 ? i + size : i));
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto outer = i / inner / rows.size();
    copy_element(x, (outer * static_cast<std::size_t>(size) + rows[i / inner % rows.size()]) * inner + i % inner, out,
                 i);
  }
  return out;
}

Constant Folder::concat() const {
  const auto& first = in(0);
  const auto axis = static_cast<std::size_t>(node_.axis(node_.integer("axis", 0), first.shape.size()));
  Shape shape = first.shape;
  shape[axis] = 0;
  for (std::size_t k = 0; k < inputs_.size(); ++k) {
    Shape other = in(k).shape;
    if (other.size() != shape.size() || in(k).integer != first.integer) node_.invalid("its inputs do not join");
    shape[axis] += std::exchange(other[axis], shape[axis]);
    other[axis] = shape[axis];
    if (other != shape) node_.invalid("its inputs do not join");
  }
  Constant out = empty_like(first, afford(shape));
  std::size_t inner = 1;
  for (std::size_t a = axis + 1; a < shape.size(); ++a) inner *= static_cast<std::size_t>(shape[a]);
  const auto row = static_cast<std::size_t>(shape[axis]) * inner;
  std::size_t start = 0;
  for (std::size_t k = 0; k < inputs_.size(); ++k) {
    const auto& part = in(k);
    const auto width = static_cast<std::size_t>(part.shape[axis]) * inner;
    for (std::size_t i = 0; i < part.size(); ++i) copy_element(part, i, out, i / width * row + start + i % width);
    start += width;
  }
  return out;
}

Constant Folder::slice() const {
  const auto& x = in(0);
  std::vector<Range> ranges;
  if (node_.opset() < 10) {
    const auto starts = node_.integers("starts", {});
    const auto ends = node_.integers("ends", {});
    ranges = resolve_slice(node_, x.shape, starts, ends, node_.integers("axes", {}), {});
  } else {
    ranges =
        resolve_slice(node_, x.shape, list(1), list(2), present(3) ? list(3) : Shape{}, present(4) ? list(4) : Shape{});
  }
  Shape shape = x.shape;
  Shape strides = strides_of(x.shape);
  std::int64_t offset = 0;
  for (const auto& r : ranges) {
    const auto a = static_cast<std::size_t>(r.axis);
    shape[a] = r.count;
    offset += r.count > 0 ? r.start * strides[a] : 0;
    strides[a] *= r.step;
  }
  return view(x, shape, strides, offset);
}

Constant Folder::range() const {
  if (in(0).size() != 1 || in(1).size() != 1 || in(2).size() != 1) node_.invalid("its inputs must be single numbers");
  const auto start = list(0)[0];
  const auto limit = list(1)[0];
  const auto step = list(2)[0];
  constexpr std::int64_t kFar = std::int64_t{1} << 40;
  if (step == 0 || std::max({std::abs(start / 2), std::abs(limit / 2), std::abs(step / 2)}) > kFar)
    node_.invalid("its inputs are out of range");
  const auto span = step > 0 ? limit - start : start - limit;
  Constant out = empty_like(in(0), afford({span > 0 ? (span - 1) / std::abs(step) + 1 : 0}));
  for (std::size_t i = 0; i < out.size(); ++i) out.integers[i] = start + static_cast<std::int64_t>(i) * step;
  return out;
}

Constant Folder::filled() const {
  Constant value;
  value.floats = {0};
  if (const Tensor* given = node_.tensor("value")) value = *make_constant(*given, node_.name());
  if (value.size() != 1) node_.invalid("its value must be a single number");
  Constant out = empty_like(value, afford(list(0)));
  std::fill(out.floats.begin(), out.floats.end(), value.integer ? 0 : value.floats[0]);
  std::fill(out.integers.begin(), out.integers.end(), value.integer ? value.integers[0] : 0);
  return out;
}

Constant Folder::product() const {
  const bool keep = node_.flag("keepdims", true);
  auto over = axes(18);
  const auto& x = in(0);
  afford(x.shape);
  if (node_.flag("noop_with_empty_axes", false) && over.empty()) return reshaped(x, x.shape);
  if (!over.empty() && (over.size() != 1 || x.shape.size() != 1))
    node_.unsupported("it would need folding over single axes");
  std::int64_t n = 1;
  for (const auto v : list(0)) {
    if (__builtin_mul_overflow(n, v, &n)) node_.invalid("integer arithmetic overflows");
  }
  Constant out = one_integer(n);
  if (keep) out.shape.assign(x.shape.size(), 1);
  return out;
}

Constant Folder::transpose() const {
  const auto& x = in(0);
  const auto perm = resolve_perm(node_, x.shape.size());
  const auto strides = strides_of(x.shape);
  Shape shape;
  Shape from;
  for (const auto p : perm) {
    shape.push_back(x.shape[static_cast<std::size_t>(p)]);
    from.push_back(strides[static_cast<std::size_t>(p)]);
  }
  return view(x, shape, from);
}

Constant Folder::run() {
  const auto op = node_.node().op;
  if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div") return arithmetic();
  if (op == "Cast") return cast();
  if (op == "Concat") return concat();
  if (op == "ConstantOfShape") return filled();
  if (op == "Equal") return equal();
  if (op == "Gather") return gather();
  if (op == "Range") return range();
  if (op == "ReduceProd") return product();
  if (op == "Slice") return slice();
  if (op == "Transpose") return transpose();
  if (op == "Where") return where();
  if (op == "Ceil") return unary([](float v) { return std::ceil(v); });
  if (op == "Floor") return unary([](float v) { return std::floor(v); });
  if (op == "Sqrt") return unary([](float v) { return std::sqrt(v); });
  if (op == "Reshape") {
    const bool allow_zero = node_.flag("allowzero", false);
    return reshaped(in(0), resolve_reshape(node_, in(0).shape, list(1), allow_zero));
  }
  if (op == "Squeeze") return reshaped(in(0), squeezed(node_, in(0).shape, axes(13)));
  if (op == "Unsqueeze") return reshaped(in(0), unsqueezed(node_, in(0).shape, axes(13)));
  if (op == "Expand") {
    const auto shape = broadcast(in(0).shape, list(1));
    return view(in(0), shape, aligned(in(0).shape, shape.size()));
  }
  node_.unsupported("it would need a rule for folding constants");
}

constexpr auto kFolded =
    std::to_array<std::string_view>({"Add",    "Cast",  "Ceil",    "Concat", "ConstantOfShape", "Div",        "Equal",
                                     "Expand", "Floor", "Gather",  "Mul",    "Range",           "ReduceProd", "Reshape",
                                     "Slice",  "Sqrt",  "Squeeze", "Sub",    "Transpose",       "Unsqueeze",  "Where"});

}  // namespace

std::string clean(std::string_view text) {
  std::string out(text.substr(0, kMaxName));
  for (auto& c : out) c = c >= ' ' && c <= '~' ? c : '_';
  return out;
}

NodeReader::NodeReader(const Node& node, std::int64_t opset)
    : node_(node), opset_(opset), name_(clean(node.name)), used_(node.attributes.size(), false) {
  if (name_.empty()) name_ = clean(node.op) + "_" + (node.outputs.empty() ? "" : clean(node.outputs[0]));
}

void NodeReader::unsupported(const std::string& message) const {
  throw Error(Status::kUnsupported, "node \"" + name_ + "\" (" + clean(node_.op) + "): " + message);
}

void NodeReader::invalid(const std::string& message) const {
  throw Error(Status::kModelInvalid, "node \"" + name_ + "\" (" + clean(node_.op) + "): " + message);
}

bool NodeReader::has(std::string_view name) const {
  return std::any_of(node_.attributes.begin(), node_.attributes.end(),
                     [&](const Attribute& a) { return a.name == name; });
}

const Attribute* NodeReader::take(std::string_view name, Attribute::Kind kind) {
  for (std::size_t i = 0; i < node_.attributes.size(); ++i) {
    if (node_.attributes[i].name != name) continue;
    used_[i] = true;
    if (node_.attributes[i].kind != kind) invalid("attribute \"" + std::string(name) + "\" has the wrong type");
    return &node_.attributes[i];
  }
  return nullptr;
}

std::int64_t NodeReader::integer(std::string_view name, std::int64_t fallback) {
  const auto* a = take(name, Attribute::Kind::kInt);
  return a != nullptr ? a->integer : fallback;
}

bool NodeReader::flag(std::string_view name, bool fallback) {
  return integer(name, fallback ? 1 : 0) != 0;
}

float NodeReader::number(std::string_view name, float fallback) {
  const auto* a = take(name, Attribute::Kind::kFloat);
  return a != nullptr ? a->number : fallback;
}

std::string NodeReader::text(std::string_view name, std::string_view fallback) {
  const auto* a = take(name, Attribute::Kind::kString);
  return clean(a != nullptr ? a->text : fallback);
}

std::vector<std::int64_t> NodeReader::integers(std::string_view name, const std::vector<std::int64_t>& fallback) {
  const auto* a = take(name, Attribute::Kind::kInts);
  return a != nullptr ? a->integers : fallback;
}

std::vector<float> NodeReader::floats(std::string_view name, const std::vector<float>& fallback) {
  const auto* a = take(name, Attribute::Kind::kFloats);
  return a != nullptr ? a->floats : fallback;
}

const Tensor* NodeReader::tensor(std::string_view name) {
  const auto* a = take(name, Attribute::Kind::kTensor);
  if (a == nullptr) return nullptr;
  if (a->tensors.empty()) invalid("attribute \"" + std::string(name) + "\" holds no tensor");
  return &a->tensors[0];
}

void NodeReader::ignore(std::string_view name) {
  for (std::size_t i = 0; i < node_.attributes.size(); ++i) used_[i] = used_[i] || node_.attributes[i].name == name;
}

void NodeReader::finish() const {
  for (std::size_t i = 0; i < used_.size(); ++i) {
    if (!used_[i]) unsupported("attribute \"" + clean(node_.attributes[i].name) + "\" is not understood");
  }
}

std::int64_t NodeReader::axis(std::int64_t value, std::size_t rank) const {
  const auto n = static_cast<std::int64_t>(rank);
  if (value < -n || value >= n)
    invalid("axis " + std::to_string(value) + " is outside an input of " + std::to_string(n) + " axes");
  return value < 0 ? value + n : value;
}

ConstantPtr make_constant(const Tensor& tensor, std::string name) {
  const auto where = "tensor \"" + name + "\": ";
  const auto size = element_size(tensor.type);
  if (tensor.external)
    throw Error(Status::kUnsupported, where + "its data lie in another file; save the model with its data inside");
  if (size == 0) {
    throw Error(Status::kUnsupported,
                where + "element type " + name_of(tensor.type) +
                    " is not read; float, double, float16, int64, int32, int8, uint8 and bool are");
  }
  Constant c;
  c.name = std::move(name);
  std::int64_t n = 1;
  if (tensor.dims.size() > kMaxRank) throw Error(Status::kModelInvalid, where + "has too many axes");
  for (const auto d : tensor.dims) {
    if (d < 0 || d > kMaxElements || n * d > kMaxElements) {
      throw Error(Status::kModelInvalid, where + "shape " + to_string(tensor.dims) + " is too large or negative");
    }
    n *= d;
  }
  c.shape = tensor.dims;
  const auto count = static_cast<std::size_t>(n);
  c.integer = tensor.type != Type::kFloat && tensor.type != Type::kFloat16 && tensor.type != Type::kDouble;
  const auto expect = [&](std::size_t found, std::size_t want) {
    if (found == want) return;
    throw Error(Status::kModelInvalid, where + "shape " + to_string(tensor.dims) + " of " + name_of(tensor.type) +
                                           " needs " + std::to_string(want) + (tensor.raw ? " bytes" : " values") +
                                           ", the file has " + std::to_string(found));
  };
  if (tensor.raw) {
    const auto raw = *tensor.raw;
    expect(raw.size(), count * size);
    c.integer ? c.integers.resize(count) : c.floats.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      switch (tensor.type) {
        case Type::kFloat: c.floats[i] = load<float>(raw, i); break;
        case Type::kFloat16: c.floats[i] = from_half(load<std::uint16_t>(raw, i)); break;
        case Type::kDouble: c.floats[i] = static_cast<float>(load<double>(raw, i)); break;
        case Type::kInt64: c.integers[i] = load<std::int64_t>(raw, i); break;
        case Type::kInt32: c.integers[i] = load<std::int32_t>(raw, i); break;
        case Type::kInt8: c.integers[i] = from_int8(load<std::uint8_t>(raw, i)); break;
        default: c.integers[i] = load<std::uint8_t>(raw, i); break;
      }
    }
  } else if (tensor.type == Type::kFloat) {
    expect(tensor.floats.size(), count);
    c.floats = tensor.floats;
  } else if (tensor.type == Type::kDouble) {
    expect(tensor.doubles.size(), count);
    for (const double v : tensor.doubles) c.floats.push_back(static_cast<float>(v));
  } else {
    expect(tensor.integers.size(), count);
    if (c.integer)
      c.integers = tensor.integers;
    else
      for (const auto v : tensor.integers) c.floats.push_back(from_half(static_cast<std::uint16_t>(v)));
  }
  return std::make_shared<const Constant>(std::move(c));
}

std::vector<Range> resolve_slice(const NodeReader& node, const Shape& shape, const std::vector<std::int64_t>& starts,
                                 const std::vector<std::int64_t>& ends, std::vector<std::int64_t> axes,
                                 std::vector<std::int64_t> steps) {
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (starts.size() != ends.size() || starts.size() != axes.size() || starts.size() != steps.size()) {
    node.invalid("starts, ends, axes and steps differ in length");
  }
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = node.axis(axes[i], shape.size());
    if (std::any_of(ranges.begin(), ranges.end(), [&](const Range& r) { return r.axis == axis; }))
      node.invalid("an axis is named twice");
    const auto n = shape[static_cast<std::size_t>(axis)];
    const auto step = std::clamp<std::int64_t>(steps[i], -kMaxElements, kMaxElements);
    if (step == 0) node.invalid("a step of 0");
    const auto low = step > 0 ? 0 : -1;
    const auto high = step > 0 ? n : n - 1;
    const auto bound = [&](std::int64_t v) { return std::clamp<std::int64_t>(v < 0 ? v + n : v, low, high); };
    const auto start = std::max<std::int64_t>(bound(starts[i]), 0);
    const auto end = bound(ends[i]);
    const auto span = step > 0 ? end - start : start - end;
    ranges.push_back({axis, start, step, n > 0 && span > 0 ? (span - 1) / std::abs(step) + 1 : 0});
  }
  return ranges;
}

Shape resolve_reshape(const NodeReader& node, const Shape& shape, const std::vector<std::int64_t>& target,
                      bool allow_zero) {
  const auto text = "shape " + to_string(target) + " does not hold the elements of " + to_string(shape);
  if (target.size() > kMaxRank) node.invalid("shape " + to_string(target) + " has too many axes");
  Shape out = target;
  std::int64_t known = 1;
  std::ptrdiff_t open = -1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == 0 && !allow_zero) {
      if (i >= shape.size()) node.invalid(text);
      out[i] = shape[i];
    }
    if (out[i] == -1) {
      if (open >= 0) node.invalid("shape " + to_string(target) + " leaves two axes open");
      open = static_cast<std::ptrdiff_t>(i);
      continue;
    }
    if (out[i] < 0 || out[i] > kMaxElements || known * out[i] > kMaxElements) node.invalid(text);
    known *= out[i];
  }
  const auto all = elements(shape);
  if (open >= 0) {
    if (known == 0 || all % known != 0) node.invalid(text);
    out[static_cast<std::size_t>(open)] = all / known;
  } else if (known != all) {
    node.invalid(text);
  }
  return out;
}

Shape squeezed(const NodeReader& node, const Shape& shape, const std::vector<std::int64_t>& axes) {
  if (axes.size() > kMaxRank) node.invalid("names too many axes");
  std::vector<bool> drop(shape.size(), false);
  for (std::size_t i = 0; axes.empty() && i < shape.size(); ++i) drop[i] = shape[i] == 1;
  for (const auto a : axes) {
    const auto axis = static_cast<std::size_t>(node.axis(a, shape.size()));
    if (shape[axis] != 1) node.invalid("axis " + std::to_string(axis) + " of " + to_string(shape) + " is not 1");
    drop[axis] = true;
  }
  Shape out;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (!drop[i]) out.push_back(shape[i]);
  }
  return out;
}

Shape unsqueezed(const NodeReader& node, const Shape& shape, const std::vector<std::int64_t>& axes) {
  const auto rank = shape.size() + axes.size();
  if (rank > kMaxRank) node.invalid("has too many axes");
  std::vector<bool> fresh(rank, false);
  for (const auto a : axes) {
    const auto axis = static_cast<std::size_t>(node.axis(a, rank));
    if (fresh[axis]) node.invalid("an axis is named twice");
    fresh[axis] = true;
  }
  Shape out;
  auto next = shape.begin();
  for (std::size_t i = 0; i < rank; ++i) out.push_back(fresh[i] ? 1 : *next++);
  return out;
}

std::vector<std::int64_t> resolve_perm(NodeReader& node, std::size_t rank) {
  std::vector<std::int64_t> reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  auto perm = node.integers("perm", reversed);
  auto sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  if (!std::equal(sorted.begin(), sorted.end(), reversed.rbegin(), reversed.rend()))
    node.invalid("perm does not name every axis once");
  return perm;
}

const std::vector<std::int64_t>& integers_of(const NodeReader& node, const Constant& constant) {
  if (!constant.integer) node.invalid("\"" + constant.name + "\" must hold integers");
  return constant.integers;
}

bool can_fold(std::string_view op) {
  return std::find(kFolded.begin(), kFolded.end(), op) != kFolded.end();
}

ConstantPtr fold(NodeReader& node, std::span<const ConstantPtr> inputs, std::string name, FoldBudget& budget) {
  Constant out = Folder(node, inputs, budget).run();
  node.finish();
  out.name = std::move(name);
  return std::make_shared<const Constant>(std::move(out));
}

}  // namespace liveness::onnx
