#include "model/package.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include "model/builtin.hpp"
#include "model/contract.hpp"
#include "model/json.hpp"
#include "model/sha256.hpp"
#include "model/storage.hpp"

namespace liveness {
namespace {

static_assert(std::endian::native == std::endian::little, "packages are little-endian and read without swapping");

constexpr int kFormat = 1;
constexpr std::size_t kMaxHeader = std::size_t{16} << 20;
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMaxOutputs = 256;
constexpr std::size_t kMaxOperands = 1024;
constexpr std::size_t kMaxAttributeValues = 4096;
constexpr float kMaxTolerance = 0.1F;
constexpr const char* kMetadata = "__metadata__";
constexpr const char* kDocument = "liveness";

[[noreturn]] void invalid(const std::string& message) {
  throw Error(Status::kModelInvalid, message);
}

std::string tensor_label(const std::string& name) {
  return "tensor " + in_quotes(name);
}

void check_finite(const std::string& label, std::span<const float> values) {
  const std::size_t bad = first_not_finite(values);
  if (bad == values.size()) return;
  invalid(label + ": value " + std::to_string(bad) + " is " + (std::isnan(values[bad]) ? "NaN" : "infinite"));
}

// ---------------------------------------------------------------- tensors

enum class Dtype : std::uint8_t { kF32, kF16, kI8, kU8 };
constexpr std::array<std::string_view, 4> kDtypes{"F32", "F16", "I8", "U8"};
constexpr std::array<std::size_t, 4> kDtypeBytes{4, 2, 1, 1};
constexpr const char* kScale = ".scale";  // what the scales of an I8 tensor are called after it
constexpr std::string_view name_of(Dtype dtype) {
  return kDtypes[static_cast<std::size_t>(dtype)];
}

struct StoredTensor {
  Dtype dtype = Dtype::kF32;
  Shape shape;
  std::uint64_t offset = 0;  // in the file
  std::size_t size = 0;      // bytes
  bool used = false;
};

// The tensors of a safetensors file: described by the header, proven to tile the data exactly.
class TensorFile {
 public:
  // `begin`: where the data starts in the source.
  TensorFile(const Document& header, const ByteSource& source, std::uint64_t data_begin)
      : source_(source), data_begin_(data_begin), data_size_(source.size() - data_begin) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    std::vector<const std::string*> names;
    for (const auto& [name, field] : Field(header).members()) {
      if (name == kMetadata) continue;
      const auto [begin, end] = add(name, field);
      ranges.emplace_back(begin, end);
      names.push_back(&tensors_.find(name)->first);
    }
    std::vector<std::size_t> order(ranges.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return ranges[a] < ranges[b]; });
    std::uint64_t at = 0;
    for (const std::size_t i : order) {
      const auto [begin, end] = ranges[i];
      if (begin < at) invalid(tensor_label(*names[i]) + ": overlaps the tensor before it in the file");
      if (begin > at) {
        invalid(tensor_label(*names[i]) + ": starts at byte " + std::to_string(begin) + " of the data; the " +
                std::to_string(begin - at) + " bytes before it belong to no tensor");
      }
      at = end;
    }
    if (at != data_size_) {
      invalid("the file has " + std::to_string(data_size_ - at) + " bytes after the last tensor");
    }
  }

  std::vector<float> take_floats(const std::string& name, Shape& shape, const Field& where) {
    const StoredTensor& tensor = take(name, Dtype::kF32, where);
    shape = tensor.shape;
    return read<float>(tensor);
  }

  // A constant of the graph in whatever storage it has. `channel`: axis of the output channels, -1 where there is none.
  Tensor take_constant(const std::string& name, int channel, const Field& where) {
    Tensor result;
    result.name = name;
    const auto found = tensors_.find(name);
    const Dtype dtype = found == tensors_.end() ? Dtype::kF32 : found->second.dtype;
    if (dtype == Dtype::kF16) {
      const StoredTensor& tensor = take(name, dtype, where);
      const std::vector<std::uint16_t> halves = read<std::uint16_t>(tensor);
      result.shape = tensor.shape;
      result.storage = Tensor::Storage::kFp16;
      result.data.resize(halves.size());
      std::transform(halves.begin(), halves.end(), result.data.begin(), from_half);
    } else if (dtype == Dtype::kI8) {
      if (channel < 0) where.fail(tensor_label(name) + " is I8; only the weights of conv and linear may be");
      const StoredTensor& tensor = take(name, dtype, where);
      const std::vector<std::int8_t> steps = read<std::int8_t>(tensor);
      result.shape = tensor.shape;
      result.storage = Tensor::Storage::kInt8;
      Shape scales;
      result.scale = take_floats(name + kScale, scales, where);
      const auto axis = static_cast<std::size_t>(channel);
      if (axis >= result.shape.size() || scales != Shape{result.shape[axis]}) {
        where.fail(tensor_label(name + kScale) + " has shape " + to_string(scales) +
                   "; one scale an output channel is needed");
      }
      check_finite(tensor_label(name + kScale), result.scale);
      for (const float scale : result.scale) {
        if (!(scale > 0)) where.fail(tensor_label(name + kScale) + ": a scale is not greater than 0");
      }
      const ChannelOf channel_of(result.shape, axis);
      result.data.resize(steps.size());
      for (std::size_t i = 0; i < steps.size(); ++i) {
        if (steps[i] == std::numeric_limits<std::int8_t>::min()) {
          where.fail(tensor_label(name) + ": value " + std::to_string(i) + " is -128; -127 to 127 are allowed");
        }
        result.data[i] = static_cast<float>(steps[i]) * result.scale[channel_of(i)];
      }
    } else {
      result.data = take_floats(name, result.shape, where);
    }
    return result;
  }

  std::vector<std::uint8_t> take_bytes(const std::string& name, Shape& shape, const Field& where) {
    const StoredTensor& tensor = take(name, Dtype::kU8, where);
    shape = tensor.shape;
    return read<std::uint8_t>(tensor);
  }

  void check_all_used() const {
    for (const auto& [name, tensor] : tensors_) {
      if (!tensor.used) invalid(tensor_label(name) + ": nothing in the graph uses it");
    }
  }

 private:
  template <class Value>
  std::vector<Value> read(const StoredTensor& tensor) const {
    std::vector<Value> values(tensor.size / sizeof(Value));
    source_.read(tensor.offset, std::as_writable_bytes(std::span(values)));
    return values;
  }

  // A tensor may be asked for once.
  const StoredTensor& take(const std::string& name, Dtype dtype, const Field& where) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) where.fail("the file has no tensor " + in_quotes(name));
    StoredTensor& tensor = found->second;
    if (tensor.dtype != dtype) {
      where.fail(tensor_label(name) + " is " + std::string(name_of(tensor.dtype)) + "; " + std::string(name_of(dtype)) +
                 " is needed here");
    }
    if (tensor.used) where.fail(tensor_label(name) + " has another use already");
    tensor.used = true;
    return tensor;
  }

  std::pair<std::uint64_t, std::uint64_t> add(const std::string& name, const Field& field) {
    if (name.empty()) invalid("a tensor has an empty name");
    const std::string label = tensor_label(name);
    field.only({"dtype", "shape", "data_offsets"});
    StoredTensor tensor;
    const std::string& dtype = field["dtype"].text();
    const auto* known = std::find(kDtypes.begin(), kDtypes.end(), dtype);
    if (known == kDtypes.end()) invalid(label + ": dtype " + in_quotes(dtype) + " is none of F32, F16, I8, U8");
    tensor.dtype = static_cast<Dtype>(known - kDtypes.begin());
    std::uint64_t elements = 1;
    for (const Field& size : field["shape"].items(kMaxRank)) {
      tensor.shape.push_back(size.integer(1, kMaxElements));
      elements *= static_cast<std::uint64_t>(tensor.shape.back());
      if (elements > static_cast<std::uint64_t>(kMaxElements)) {
        invalid(label + ": its shape makes more than " + std::to_string(kMaxElements) + " values");
      }
    }
    const std::vector<Field> offsets = field["data_offsets"].items(2);
    if (offsets.size() != 2) field["data_offsets"].fail("two offsets are needed");
    constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
    const auto begin = static_cast<std::uint64_t>(offsets[0].integer(0, kLargest));
    const auto end = static_cast<std::uint64_t>(offsets[1].integer(0, kLargest));
    if (begin > end || end > data_size_) {
      invalid(label + ": bytes " + std::to_string(begin) + " to " + std::to_string(end) + " are not within the " +
              std::to_string(data_size_) + " bytes of data");
    }
    const std::uint64_t wanted = elements * kDtypeBytes[static_cast<std::size_t>(tensor.dtype)];
    if (end - begin != wanted) {
      invalid(label + ": dtype and shape make " + std::to_string(wanted) + " bytes, but the offsets span " +
              std::to_string(end - begin));
    }
    tensor.offset = data_begin_ + begin;
    tensor.size = static_cast<std::size_t>(wanted);
    tensors_.emplace(name, std::move(tensor));
    return {begin, end};
  }

  const ByteSource& source_;
  std::uint64_t data_begin_;  // in the file
  std::uint64_t data_size_;
  std::map<std::string, StoredTensor> tensors_;
};

// ---------------------------------------------------------------- graph

AttributeValue read_attribute(const Field& field) {
  const Json& json = field.json();
  constexpr auto kLow = std::numeric_limits<std::int64_t>::min();
  constexpr auto kHigh = std::numeric_limits<std::int64_t>::max();
  if (json.is_string()) return field.text();
  if (json.is_number_integer()) return field.integer(kLow, kHigh);
  if (json.is_number()) return field.number();
  if (!json.is_array()) field.fail("an attribute is a number, a text or a list of numbers");
  const std::vector<Field> items = field.items(kMaxAttributeValues);
  const bool whole =
      std::all_of(items.begin(), items.end(), [](const Field& f) { return f.json().is_number_integer(); });
  if (whole) {
    std::vector<std::int64_t> values;
    values.reserve(items.size());
    for (const Field& item : items) values.push_back(item.integer(kLow, kHigh));
    return values;
  }
  std::vector<float> values;
  values.reserve(items.size());
  for (const Field& item : items) values.push_back(item.number());
  return values;
}

Json attribute_to_value(const AttributeValue& value) {
  struct Visitor {
    Json operator()(std::int64_t v) const { return v; }
    Json operator()(float v) const { return short_number(v); }
    Json operator()(const std::string& v) const { return v; }
    Json operator()(const std::vector<std::int64_t>& v) const { return v; }
    Json operator()(const std::vector<float>& v) const {
      Json list = Json::array();
      for (const float f : v) list.push_back(short_number(f));
      return list;
    }
  };
  return std::visit(Visitor{}, value);
}

class GraphReader {
 public:
  explicit GraphReader(TensorFile& tensors) : tensors_(tensors) {}

  Graph read(const Field& field) {
    field.only({"inputs", "outputs", "nodes"});
    for (const Field& input : field["inputs"].items(1)) {
      input.only({"name", "shape"});
      const int id = add_value(input["name"]);
      for (const Field& size : input["shape"].items(kMaxRank)) {
        graph_.values.back().shape.push_back(size.integer(1, kMaxElements));
      }
      graph_.inputs.push_back(id);
    }
    const std::vector<Field> nodes = field["nodes"].items(kMaxNodes);
    graph_.nodes.reserve(nodes.size());
    for (const Field& node : nodes) read_node(node);
    std::set<int> seen;
    for (const Field& output : field["outputs"].items(kMaxOutputs)) {
      const auto found = values_.find(output.text());
      if (found == values_.end()) output.fail("no node computes " + in_quotes(output.text()));
      if (!seen.insert(found->second).second) output.fail(in_quotes(output.text()) + " is an output already");
      graph_.outputs.push_back(found->second);
    }
    if (graph_.outputs.empty()) field["outputs"].fail("is empty");
    return std::move(graph_);
  }

 private:
  int add_value(const Field& name) {
    const int id = static_cast<int>(graph_.values.size());
    if (!values_.emplace(name.text(), id).second) name.fail(in_quotes(name.text()) + " is computed already");
    graph_.values.push_back({name.text(), {}});
    return id;
  }

  Operand read_operand(const Field& field, Op op, std::size_t index) {
    if (field.json().is_null()) return {};
    if (field.json().is_string()) {
      const auto found = values_.find(field.text());
      if (found == values_.end()) field.fail(in_quotes(field.text()) + " is not computed before it is used");
      return {Operand::Kind::kValue, found->second};
    }
    const Field name = field.only({"tensor"})["tensor"];
    const auto [entry, is_new] = constants_.emplace(name.text(), static_cast<int>(graph_.tensors.size()));
    if (is_new) {
      graph_.tensors.push_back(tensors_.take_constant(name.text(), channel_axis(op, index), name));
    }
    return {Operand::Kind::kConstant, entry->second};
  }

  void read_node(const Field& field) {
    field.only({"op", "name", "inputs", "output", "attributes"});
    Node node;
    node.name = field["name"].text();
    const std::string& op = field["op"].text();
    if (!from_string(op, node.op)) {
      field["op"].fail("node " + in_quotes(node.name) + " has the unknown operator " + in_quotes(op));
    }
    for (const Field& operand : field["inputs"].items(kMaxOperands)) {
      node.inputs.push_back(read_operand(operand, node.op, node.inputs.size()));
    }
    node.output = add_value(field["output"]);
    if (field.has("attributes")) {
      for (const auto& [name, value] : field["attributes"].members()) {
        node.attributes.push_back({name, read_attribute(value)});
      }
    }
    graph_.nodes.push_back(std::move(node));
  }

  TensorFile& tensors_;
  Graph graph_;
  std::unordered_map<std::string, int> values_;
  std::unordered_map<std::string, int> constants_;
};

// Constants in the order of their first use; what nothing uses is left out.
std::vector<int> used_tensors(const Graph& graph) {
  std::vector<int> order;
  std::vector<bool> seen(graph.tensors.size(), false);
  for (const Node& node : graph.nodes) {
    for (const Operand& operand : node.inputs) {
      if (operand.kind != Operand::Kind::kConstant || seen.at(static_cast<std::size_t>(operand.id))) continue;
      seen[static_cast<std::size_t>(operand.id)] = true;
      order.push_back(operand.id);
    }
  }
  return order;
}

// Where the output channels of a constant lie, by its first use.
int constant_axis(const Graph& graph, int tensor) {
  for (const Node& node : graph.nodes) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Operand& operand = node.inputs[i];
      if (operand.kind == Operand::Kind::kConstant && operand.id == tensor) return channel_axis(node.op, i);
    }
  }
  return -1;
}

Json graph_to_value(const Graph& graph) {
  const auto value_name = [&](int id) -> const std::string& {
    return graph.values.at(static_cast<std::size_t>(id)).name;
  };
  Json inputs = Json::array();
  for (const int id : graph.inputs) {
    inputs.push_back({{"name", value_name(id)}, {"shape", graph.values.at(static_cast<std::size_t>(id)).shape}});
  }
  Json outputs = Json::array();
  for (const int id : graph.outputs) outputs.push_back(value_name(id));
  Json nodes = Json::array();
  for (const Node& node : graph.nodes) {
    Json operands = Json::array();
    for (const Operand& operand : node.inputs) {
      switch (operand.kind) {
        case Operand::Kind::kNone: operands.push_back(nullptr); break;
        case Operand::Kind::kValue: operands.push_back(value_name(operand.id)); break;
        case Operand::Kind::kConstant:
          operands.push_back({{"tensor", graph.tensors.at(static_cast<std::size_t>(operand.id)).name}});
          break;
      }
    }
    Json entry{{"op", to_string(node.op)},
               {"name", node.name},
               {"inputs", std::move(operands)},
               {"output", value_name(node.output)}};
    for (const Attribute& attribute : node.attributes) {
      entry["attributes"][attribute.name] = attribute_to_value(attribute.value);
    }
    nodes.push_back(std::move(entry));
  }
  return {{"inputs", std::move(inputs)}, {"outputs", std::move(outputs)}, {"nodes", std::move(nodes)}};
}

// ---------------------------------------------------------------- goldens

Golden read_golden(const Field& field, const Package& package, TensorFile& tensors) {
  field.only({"pixels", "outputs", "tolerance"});
  Golden golden;
  golden.tolerance = field["tolerance"].number();
  if (!(golden.tolerance > 0 && golden.tolerance <= kMaxTolerance)) {
    field["tolerance"].fail(field["tolerance"].json().dump() + " is not greater than 0 and at most " +
                            short_number(kMaxTolerance).dump());
  }
  const InputContract& input = package.contract.input;
  Shape shape;
  golden.pixels = tensors.take_bytes(field["pixels"].text(), shape, field["pixels"]);
  const auto block = shape.empty() ? 0 : input.height / shape[0];
  if (block < 1 || shape != Shape{input.height / block, input.width / block, input.channels()} ||
      input.height % block != 0 || input.width % block != 0) {
    field["pixels"].fail(tensor_label(field["pixels"].text()) +
                         " has neither the shape height x width x channels nor a whole part of height and width");
  }
  golden.block = static_cast<int>(block);
  for (const auto& [name, entry] : field["outputs"].members()) {
    const auto is_it = [&, &wanted = name](int id) {
      return package.graph.values[static_cast<std::size_t>(id)].name == wanted;
    };
    const auto found = std::find_if(package.graph.outputs.begin(), package.graph.outputs.end(), is_it);
    if (found == package.graph.outputs.end()) entry.fail("the graph has no such output");
    check_finite(tensor_label(entry.text()), golden.outputs[name] = tensors.take_floats(entry.text(), shape, entry));
    const Shape& whole = package.graph.values[static_cast<std::size_t>(*found)].shape;
    if (shape != whole && (shape.size() != 1 || shape[0] >= elements(whole))) {
      entry.fail(tensor_label(entry.text()) +
                 " has neither the shape of the output nor is it a list of some of its values");
    }
  }
  if (golden.outputs.size() != package.graph.outputs.size()) {
    field["outputs"].fail("names " + std::to_string(golden.outputs.size()) + " of the graph's " +
                          std::to_string(package.graph.outputs.size()) + " outputs");
  }
  return golden;
}

void check_golden(const Golden& golden, std::size_t index, const Package& package) {
  const std::string label = "goldens[" + std::to_string(index) + "]";
  const InputContract& input = package.contract.input;
  if (golden.block < 1 || input.width % golden.block != 0 || input.height % golden.block != 0) {
    invalid(label + ": blocks of " + std::to_string(golden.block) + " pixels do not fill the input");
  }
  const auto pixels = static_cast<std::size_t>(input.width / golden.block) *
                      static_cast<std::size_t>(input.height / golden.block) *
                      static_cast<std::size_t>(input.channels());
  if (golden.pixels.size() != pixels) invalid(label + ": pixels are not height x width x channels");
  if (!(golden.tolerance > 0 && golden.tolerance <= kMaxTolerance)) invalid(label + ": tolerance is out of range");
  if (golden.outputs.size() != package.graph.outputs.size()) invalid(label + ": an output is missing");
  for (const int id : package.graph.outputs) {
    const Value& value = package.graph.values[static_cast<std::size_t>(id)];
    const auto found = golden.outputs.find(value.name);
    if (found == golden.outputs.end() || found->second.empty() ||
        found->second.size() > static_cast<std::size_t>(elements(value.shape))) {
      invalid(label + ": output " + in_quotes(value.name) + " is missing or has the wrong size");
    }
    check_finite(label + ": output " + in_quotes(value.name), found->second);
  }
}

// ---------------------------------------------------------------- identity

// Numbers as their bytes, texts and lists with their length before them, so that no two networks give the same bytes.
template <class Part>
void add_part(Sha256& hash, const Part& part) {
  if constexpr (std::is_arithmetic_v<Part>) {
    hash.add(std::as_bytes(std::span(&part, 1)));
  } else {
    add_part(hash, static_cast<std::uint64_t>(part.size()));
    hash.add(std::as_bytes(std::span(part.data(), part.size())));
  }
}

// A change of weights, however small, changes it. Hashing megabytes with SHA-256 would be a good part of a program's
// start; eight independent lanes take the weights at the speed of memory.
std::array<std::uint64_t, 8> checksum(std::span<const float> values) {
  std::array<std::uint64_t, 8> lanes{1, 2, 3, 4, 5, 6, 7, 8};
  std::array<std::uint64_t, 8> words;
  // Each step can be undone, so no change of one word is ever lost.
  const auto step = [&] {
    for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = std::rotl(lanes[i] ^ words[i], 29) * 0x9e3779b97f4a7c15U;
  };
  std::span<const std::byte> rest = std::as_bytes(values);
  for (; rest.size() >= sizeof words; rest = rest.subspan(sizeof words)) {
    std::memcpy(words.data(), rest.data(), sizeof words);
    step();
  }
  words = {};
  std::memcpy(words.data(), rest.data(), rest.size());
  step();
  return lanes;
}

// ---------------------------------------------------------------- writing

std::vector<std::uint16_t> to_halves(const Tensor& tensor) {
  std::vector<std::uint16_t> halves(tensor.data.size());
  for (std::size_t i = 0; i < halves.size(); ++i) {
    halves[i] = to_half(tensor.data[i]);
    if (from_half(halves[i]) != tensor.data[i]) {
      invalid(tensor_label(tensor.name) + ": value " + std::to_string(i) + " is no half float");
    }
  }
  return halves;
}

std::vector<std::int8_t> to_steps(const Tensor& tensor, int channel) {
  const auto axis = static_cast<std::size_t>(channel);
  if (channel < 0 || axis >= tensor.shape.size()) {
    invalid(tensor_label(tensor.name) + ": only the weights of conv and linear may be stored as int8");
  }
  const ChannelOf channel_of(tensor.shape, axis);
  if (tensor.scale.size() != channel_of.count) {
    invalid(tensor_label(tensor.name) + ": " + std::to_string(tensor.scale.size()) + " scales for " +
            std::to_string(channel_of.count) + " output channels");
  }
  std::vector<std::int8_t> steps(tensor.data.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const float scale = tensor.scale[channel_of(i)];
    const float step = std::nearbyint(tensor.data[i] / scale);
    if (!(scale > 0) || !(std::abs(step) <= 127.0F) || step * scale != tensor.data[i]) {
      invalid(tensor_label(tensor.name) + ": value " + std::to_string(i) + " is no multiple -127..127 of its scale");
    }
    steps[i] = static_cast<std::int8_t>(step);
  }
  return steps;
}

class PackageWriter {
 public:
  // Returns the name, so that the document can refer to it.
  const std::string& add(const std::string& name, std::string_view dtype, const Shape& shape,
                         std::span<const std::byte> bytes) {
    if (name.empty() || name == kMetadata) invalid(tensor_label(name) + ": not a usable name");
    if (header_.contains(name)) invalid(tensor_label(name) + ": the name occurs twice");
    header_[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {size_, size_ + bytes.size()}}};
    parts_.push_back(bytes);
    size_ += bytes.size();
    return name;
  }

  std::vector<std::byte> finish(const Json& document) {
    header_[kMetadata] = {{kDocument, dump_json(document)}};
    std::string text = dump_json(header_);
    // Spaces after the header put the data on a boundary that vector loads and memory maps like.
    constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);
    text.append((kAlignment - (kLengthBytes + text.size()) % kAlignment) % kAlignment, ' ');
    if (text.size() > kMaxHeader) invalid("the header would be larger than " + std::to_string(kMaxHeader) + " bytes");
    std::vector<std::byte> bytes(kLengthBytes + text.size() + size_);
    const std::uint64_t length = text.size();
    auto at = bytes.begin();
    const auto append = [&](std::span<const std::byte> part) { at = std::copy(part.begin(), part.end(), at); };
    append(std::as_bytes(std::span(&length, 1)));
    append(std::as_bytes(std::span(text)));
    for (const auto part : parts_) append(part);
    return bytes;
  }

 private:
  Json header_ = Json::object();
  std::vector<std::span<const std::byte>> parts_;
  std::size_t size_ = 0;
};

}  // namespace

namespace {

// The header of the file and, out of it, the package's own document.
struct Front {
  Document header;
  Document document;
  std::uint64_t data_begin = 0;
};

Front read_front(const ByteSource& source) {
  std::uint64_t length = 0;
  if (source.size() < sizeof length) {
    invalid("not a model package: " + std::to_string(source.size()) + " bytes hold no header length");
  }
  source.read(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > kMaxHeader) {
    invalid("not a model package: a header of " + std::to_string(length) + " bytes; at most " +
            std::to_string(kMaxHeader) + " are allowed");
  }
  if (length > source.size() - sizeof length) {
    invalid("the file ends within the header: " + std::to_string(length) + " bytes announced, " +
            std::to_string(source.size() - sizeof length) + " there");
  }
  std::string header_text(static_cast<std::size_t>(length), '\0');
  source.read(sizeof length, std::as_writable_bytes(std::span(header_text)));
  if (!header_text.starts_with('{')) invalid("not a model package: the header does not start with '{'");
  Document header = parse_json(header_text, "header", Status::kModelInvalid);
  const Field metadata(header);
  if (!metadata.has(kMetadata) || !metadata[kMetadata].has(kDocument)) {
    invalid("a safetensors file, but not a model package: __metadata__ has no \"liveness\"");
  }
  Document document = parse_json(metadata[kMetadata][kDocument].text(), "__metadata__.liveness", Status::kModelInvalid);
  document.origin.clear();
  const Field root(document);
  if (root.json().is_object() && root.has("format")) {
    const auto format = root["format"].integer(1, std::numeric_limits<int>::max());
    if (format != kFormat) {
      root["format"].fail(std::to_string(format) + "; this library reads format " + std::to_string(kFormat));
    }
  }
  root.only({"format", "contract", "graph", "goldens"});
  static_cast<void>(root["format"]);
  return {std::move(header), std::move(document), sizeof length + length};
}

}  // namespace

Contract read_package_contract(const ByteSource& source) {
  const Front front = read_front(source);
  return contract_from_value(Field(front.document)["contract"]);
}

Package read_package(const ByteSource& source) {
  const Front front = read_front(source);
  TensorFile tensors(front.header, source, front.data_begin);
  const Field root(front.document);
  Package package;
  package.contract = contract_from_value(root["contract"]);
  package.graph = GraphReader(tensors).read(root["graph"]);
  check_graph(package.graph);
  check_contract(package.contract, package.graph);
  for (const Field& golden : root["goldens"].items(kMaxGoldens)) {
    package.goldens.push_back(read_golden(golden, package, tensors));
  }
  tensors.check_all_used();
  return package;
}

std::vector<std::byte> write_package(const Package& package) {
  Graph graph = package.graph;
  check_graph(graph);
  check_contract(package.contract, graph);
  PackageWriter writer;
  const std::vector<int> tensors = used_tensors(graph);
  std::vector<std::vector<std::uint16_t>> halves;
  std::vector<std::vector<std::int8_t>> steps;
  halves.reserve(tensors.size());
  steps.reserve(tensors.size());
  const auto stored_as = [&](Tensor::Storage storage, const auto& write) {
    for (const int id : tensors) {
      const Tensor& tensor = graph.tensors[static_cast<std::size_t>(id)];
      if (tensor.storage == storage) write(tensor, id);
    }
  };
  stored_as(Tensor::Storage::kFp32, [&](const Tensor& tensor, int) {
    writer.add(tensor.name, "F32", tensor.shape, std::as_bytes(std::span(tensor.data)));
  });
  stored_as(Tensor::Storage::kInt8, [&](const Tensor& tensor, int) {
    writer.add(tensor.name + kScale, "F32", {static_cast<std::int64_t>(tensor.scale.size())},
               std::as_bytes(std::span(tensor.scale)));
  });
  if (package.goldens.size() > static_cast<std::size_t>(kMaxGoldens)) {
    invalid("goldens: " + std::to_string(package.goldens.size()) + "; at most " + std::to_string(kMaxGoldens));
  }
  Json goldens = Json::array();
  for (std::size_t i = 0; i < package.goldens.size(); ++i) {
    const Golden& golden = package.goldens[i];
    check_golden(golden, i, package);
    Json& entry = goldens.emplace_back(Json{{"tolerance", short_number(golden.tolerance)}});
    const std::string prefix = "golden." + std::to_string(i) + ".";
    for (const int id : graph.outputs) {
      const Value& value = graph.values[static_cast<std::size_t>(id)];
      const auto& values = golden.outputs.at(value.name);
      const auto count = static_cast<std::int64_t>(values.size());
      entry["outputs"][value.name] =
          writer.add(prefix + "output." + value.name, "F32",
                     count == elements(value.shape) ? value.shape : Shape{count}, std::as_bytes(std::span(values)));
    }
  }
  // From wide to narrow, so that every value stays on a boundary of its own size.
  stored_as(Tensor::Storage::kFp16, [&](const Tensor& tensor, int) {
    halves.push_back(to_halves(tensor));
    writer.add(tensor.name, "F16", tensor.shape, std::as_bytes(std::span(halves.back())));
  });
  stored_as(Tensor::Storage::kInt8, [&](const Tensor& tensor, int id) {
    steps.push_back(to_steps(tensor, constant_axis(graph, id)));
    writer.add(tensor.name, "I8", tensor.shape, std::as_bytes(std::span(steps.back())));
  });
  const InputContract& input = package.contract.input;
  for (std::size_t i = 0; i < package.goldens.size(); ++i) {
    const int block = package.goldens[i].block;
    goldens[i]["pixels"] = writer.add("golden." + std::to_string(i) + ".pixels", "U8",
                                      {input.height / block, input.width / block, input.channels()},
                                      std::as_bytes(std::span(package.goldens[i].pixels)));
  }
  return writer.finish({{"format", kFormat},
                        {"contract", contract_to_value(package.contract)},
                        {"graph", graph_to_value(graph)},
                        {"goldens", std::move(goldens)}});
}

std::string identity(const Contract& contract, const Graph& graph) {
  Sha256 hash;
  hash.add(dump_json(contract_to_value(contract)));
  const auto add = [&](const auto&... parts) { (add_part(hash, parts), ...); };
  const auto value = [&](int id) -> const Value& { return graph.values.at(static_cast<std::size_t>(id)); };
  add(graph.inputs.size());
  for (const int id : graph.inputs) add(value(id).name, value(id).shape);
  add(graph.outputs.size());
  for (const int id : graph.outputs) add(value(id).name);
  for (const Node& node : graph.nodes) {
    add(to_string(node.op), node.name, value(node.output).name, node.inputs.size());
    for (const Operand& operand : node.inputs) {
      add(static_cast<std::size_t>(operand.kind));
      if (operand.kind == Operand::Kind::kValue) add(value(operand.id).name);
      if (operand.kind == Operand::Kind::kConstant) add(graph.tensors.at(static_cast<std::size_t>(operand.id)).name);
    }
    // Their order has no meaning.
    std::map<std::string_view, const AttributeValue*> attributes;
    for (const Attribute& attribute : node.attributes) attributes.emplace(attribute.name, &attribute.value);
    add(attributes.size());
    for (const auto& [name, attribute] : attributes) {
      add(name, attribute->index());
      std::visit(add, *attribute);
    }
  }
  for (const int id : used_tensors(graph)) {
    const Tensor& tensor = graph.tensors[static_cast<std::size_t>(id)];
    add(tensor.name, tensor.shape, checksum(tensor.data));
  }
  return hash.finish().substr(0, 32);
}

}  // namespace liveness
