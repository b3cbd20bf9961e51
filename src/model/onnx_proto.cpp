#include "model/onnx_proto.hpp"

#include "liveness/error.hpp"
#include "model/graph.hpp"
#include "model/protobuf.hpp"

namespace liveness::onnx {
namespace {

// Counts far above any network that check_graph would take; they bound what a small hostile file can make us hold.
constexpr std::size_t kMaxOnnxNodes = 4 * kMaxNodes;
constexpr std::size_t kMaxTensors = 4 * kMaxNodes;
constexpr std::size_t kMaxPorts = 1024;      // inputs or outputs of a node or graph
constexpr std::size_t kMaxAttributes = 24;   // of a node
constexpr std::size_t kMaxListed = 1 << 16;  // integers or floats in an attribute
constexpr std::size_t kMaxDims = 64;
constexpr auto kMaxData = static_cast<std::size_t>(kMaxElements);

// Room for one more of something that the file repeats.
template <class T>
T& add(std::vector<T>& list, std::size_t limit, std::string_view what) {
  if (list.size() >= limit) {
    throw Error(Status::kModelInvalid,
                "more than " + std::to_string(limit) + " " + std::string(what) + " in one place");
  }
  return list.emplace_back();
}

Tensor decode_tensor(const WireField& message) {
  Tensor tensor;
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    switch (field.number()) {
      case 1: field.integers(tensor.dims, kMaxDims); break;
      case 2: tensor.type = static_cast<Type>(field.integer()); break;
      case 4: field.singles(tensor.floats, kMaxData); break;
      case 5:
      case 7: field.integers(tensor.integers, kMaxData); break;
      case 8: tensor.name = field.text(); break;
      case 9: tensor.raw = field.bytes(); break;
      case 10: field.doubles(tensor.doubles, kMaxData); break;
      case 13: tensor.external = true; break;
      case 14: tensor.external = tensor.external || field.integer() != 0; break;
      default: break;
    }
  }
  return tensor;
}

Attribute decode_attribute(const WireField& message) {
  Attribute attribute;
  using Kind = Attribute::Kind;
  auto seen = Kind::kUndefined;  // files of the first ONNX versions do not say the kind
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    switch (field.number()) {
      case 1: attribute.name = field.text(); break;
      case 2: attribute.number = field.single(), seen = Kind::kFloat; break;
      case 3: attribute.integer = field.integer(), seen = Kind::kInt; break;
      case 4: attribute.text = field.text(), seen = Kind::kString; break;
      case 5: add(attribute.tensors, 1, "tensors of an attribute") = decode_tensor(field), seen = Kind::kTensor; break;
      case 7: field.singles(attribute.floats, kMaxListed), seen = Kind::kFloats; break;
      case 8: field.integers(attribute.integers, kMaxListed), seen = Kind::kInts; break;
      case 20: attribute.kind = static_cast<Kind>(field.integer()); break;
      default: break;
    }
  }
  if (attribute.kind == Kind::kUndefined) attribute.kind = seen;
  return attribute;
}

Node decode_node(const WireField& message) {
  Node node;
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    switch (field.number()) {
      case 1: add(node.inputs, kMaxPorts, "inputs") = field.text(); break;
      case 2: add(node.outputs, kMaxPorts, "outputs") = field.text(); break;
      case 3: node.name = field.text(); break;
      case 4: node.op = field.text(); break;
      case 5: add(node.attributes, kMaxAttributes, "attributes") = decode_attribute(field); break;
      case 7: node.domain = field.text(); break;
      default: break;
    }
  }
  return node;
}

std::vector<std::int64_t> decode_shape(const WireField& message) {
  std::vector<std::int64_t> dims;
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.number() != 1) continue;
    std::int64_t& dim = add(dims, kMaxDims, "axes");
    dim = -1;
    WireReader inner(field);
    for (WireField part; inner.next(part);) {
      if (part.number() == 1 && part.integer() > 0) dim = part.integer();
    }
  }
  return dims;
}

ValueInfo decode_value(const WireField& message) {
  ValueInfo value;
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.number() == 1) value.name = field.text();
    if (field.number() != 2) continue;
    WireReader type(field);
    for (WireField kind; type.next(kind);) {
      if (kind.number() != 1) continue;
      WireReader tensor(kind);
      for (WireField part; tensor.next(part);) {
        if (part.number() == 1) value.type = static_cast<Type>(part.integer());
        if (part.number() == 2) value.dims = decode_shape(part);
      }
    }
  }
  return value;
}

void decode_graph(const WireField& message, Model& model) {
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    switch (field.number()) {
      case 1: add(model.nodes, kMaxOnnxNodes, "nodes") = decode_node(field); break;
      case 5: add(model.initializers, kMaxTensors, "initializers") = decode_tensor(field); break;
      case 11: add(model.inputs, kMaxTensors, "graph inputs") = decode_value(field); break;
      case 12: add(model.outputs, kMaxPorts, "graph outputs") = decode_value(field); break;
      case 15: model.has_sparse_initializers = true; break;
      default: break;
    }
  }
}

void decode_opset(const WireField& message, Model& model) {
  std::string_view domain;
  std::int64_t version = 0;
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.number() == 1) domain = field.text();
    if (field.number() == 2) version = field.integer();
  }
  if (domain.empty() || domain == "ai.onnx") model.opset = version;
}

}  // namespace

std::string name_of(Type type) {
  switch (type) {
    case Type::kUndefined: return "undefined";
    case Type::kFloat: return "float";
    case Type::kUint8: return "uint8";
    case Type::kInt8: return "int8";
    case Type::kInt32: return "int32";
    case Type::kInt64: return "int64";
    case Type::kBool: return "bool";
    case Type::kFloat16: return "float16";
    case Type::kDouble: return "double";
  }
  return "type " + std::to_string(static_cast<std::int64_t>(type));
}

Model decode(std::span<const std::byte> bytes) {
  Model model;
  bool has_graph = false;
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    if (field.number() == 8) decode_opset(field, model);
    if (field.number() != 7) continue;
    if (has_graph) throw Error(Status::kModelInvalid, "the file holds two graphs");
    has_graph = true;
    decode_graph(field, model);
  }
  if (!has_graph) throw Error(Status::kModelInvalid, "the file holds no ONNX graph");
  return model;
}

}  // namespace liveness::onnx
