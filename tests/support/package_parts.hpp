// Packages taken apart and put together wrongly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "model/package.hpp"
#include "tiny_models.hpp"

namespace liveness::test {

using Json = nlohmann::json;
using Bytes = std::vector<std::byte>;

inline Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// A file with this header text, right or wrong.
inline Bytes assemble(std::string_view header, const Bytes& data, std::uint64_t announced) {
  Bytes bytes(sizeof announced);
  std::memcpy(bytes.data(), &announced, sizeof announced);
  const Bytes text = to_bytes(header);
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}
inline Bytes assemble(std::string_view header, const Bytes& data) {
  return assemble(header, data, header.size());
}

struct PackageParts {
  Json header;    // without the document
  Json document;  // graph, contract, goldens
  Bytes data;

  explicit PackageParts(const Bytes& bytes) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof length;
    header = Json::parse(text, text + length);
    document = Json::parse(header["__metadata__"]["liveness"].get<std::string>());
    data.assign(bytes.begin() + static_cast<std::ptrdiff_t>(sizeof length + length), bytes.end());
  }

  [[nodiscard]] std::string header_text() const {
    Json whole = header;
    whole["__metadata__"]["liveness"] = document.dump();
    return whole.dump();
  }
  [[nodiscard]] Bytes join() const { return assemble(header_text(), data); }

  void set_float(const std::string& tensor, std::size_t index, float value) {
    const auto begin = header[tensor]["data_offsets"][0].get<std::size_t>();
    std::memcpy(data.data() + begin + index * sizeof value, &value, sizeof value);
  }
};

// The tiny network with two golden inputs made up of its own outputs on the engine under test.
inline Package package_with_goldens() {
  Package package = tiny_pad_package({});
  package.goldens = make_goldens(package, 2);
  return package;
}

// The same with a third one as large networks have them: pixels that stand for 2 x 2, and some of the outputs.
inline Package package_with_short_golden() {
  Package package = package_with_goldens();
  Golden golden = package.goldens[0];
  golden.block = 2;
  golden.pixels.assign(4 * 4 * 3, 200);
  golden.outputs.begin()->second.resize(2);
  package.goldens.push_back(std::move(golden));
  return package;
}

struct BrokenPackage {
  std::string name;
  Bytes bytes;
  std::string message;  // must be part of the refusal
};

// Every way to be wrong that the format's rules name (docs/model_format.md), each made from a package that loads.
inline std::vector<BrokenPackage> broken_packages() {
  const Bytes good = write_package(package_with_goldens());
  const PackageParts parts(good);
  std::vector<BrokenPackage> all;
  const auto raw = [&](const std::string& name, Bytes bytes, const std::string& message) {
    all.push_back({name, std::move(bytes), message});
  };
  const auto edit = [&](const std::string& name, const std::function<void(PackageParts&)>& change,
                        const std::string& message) {
    PackageParts changed = parts;
    change(changed);
    all.push_back({name, changed.join(), message});
  };

  // The frame of the file.
  const std::string text = parts.header_text();
  raw("empty", {}, "0 bytes hold no header length");
  raw("seven bytes", Bytes(7), "7 bytes hold no header length");
  raw("huge header", assemble(text, parts.data, std::uint64_t{1} << 62), "at most 16777216");
  raw("header past the end", assemble(text, {}, text.size() + 1), "ends within the header");
  raw("no object", assemble("[]", {}), "does not start with '{'");
  raw("no JSON", assemble("{\"a\": }", {}), "header:1:7: not valid JSON");
  raw("bad UTF-8", assemble("{\"a\xff\": 1}", {}), "not valid JSON");
  raw("deep nesting", assemble("{\"a\":" + std::string(100000, '[') + "}", {}), "nested deeper than 32 levels");
  raw("key twice", assemble(R"({"weight": {}, "weight": {}})", {}), "the key \"weight\" occurs twice");
  raw("plain safetensors", assemble("{}", {}), "__metadata__ has no \"liveness\"");
  raw("other metadata", assemble(R"({"__metadata__": {"format": "pt"}})", {}), "__metadata__ has no \"liveness\"");
  raw("metadata no map", assemble(R"({"__metadata__": 3})", {}), "__metadata__");
  raw("document no text", assemble(R"({"__metadata__": {"liveness": 3}})", {}), "expected text");
  raw("document no JSON", assemble(R"({"__metadata__": {"liveness": "{"}})", {}),
      "__metadata__.liveness:1:2: not valid");
  raw("document no map", assemble(R"({"__metadata__": {"liveness": "[]"}})", {}), "expected a map, found a list");

  // Tensors.
  using P = PackageParts;
  edit(
      "dtype", [](P& p) { p.header["weight"]["dtype"] = "BF16"; }, "tensor \"weight\": dtype \"BF16\"");
  edit(
      "dtype missing", [](P& p) { p.header["weight"].erase("dtype"); }, "weight.dtype: missing");
  edit(
      "unknown key of a tensor", [](P& p) { p.header["weight"]["stride"] = 1; }, "weight.stride: unknown key");
  edit(
      "negative size",
      [](P& p) {
        p.header["weight"]["shape"] = {-3, 3};
      },
      "weight.shape[0]: -3 is not in");
  edit(
      "size of zero",
      [](P& p) {
        p.header["weight"]["shape"] = {0, 3};
      },
      "weight.shape[0]: 0 is not in");
  edit(
      "size is a fraction",
      [](P& p) {
        p.header["weight"]["shape"] = {3.5, 3};
      },
      "weight.shape[0]: expected a whole");
  edit(
      "shape overflows",
      [](P& p) {
        p.header["weight"]["shape"] = {1 << 28, 1 << 28, 1 << 28};
      },
      "tensor \"weight\": its shape makes more than");
  edit(
      "too many axes", [](P& p) { p.header["weight"]["shape"] = {1, 1, 1, 1, 1, 1, 1, 3, 3}; },
      "weight.shape: a list of 9");
  edit(
      "shape and offsets",
      [](P& p) {
        p.header["weight"]["shape"] = {3, 4};
      },
      "make 48 bytes, but the offsets span 36");
  edit(
      "offset huge", [](P& p) { p.header["weight"]["data_offsets"][1] = std::numeric_limits<std::uint64_t>::max(); },
      "weight.data_offsets[1]: 18446744073709551615 is not in");
  edit(
      "offsets outside",
      [](P& p) {
        p.header["weight"]["data_offsets"] = {1 << 20, (1 << 20) + 36};
      },
      "tensor \"weight\": bytes 1048576 to 1048612 are not within");
  edit(
      "offsets reversed",
      [](P& p) {
        p.header["weight"]["data_offsets"] = {36, 0};
      },
      "tensor \"weight\": bytes 36 to 0 are not within");
  edit(
      "one offset", [](P& p) { p.header["weight"]["data_offsets"] = {0}; },
      "weight.data_offsets: two offsets are needed");
  edit(
      "overlap",
      [](P& p) {
        p.header["bias"]["data_offsets"] = {0, 12};
      },
      "overlaps the tensor before it in the file");
  edit(
      "hole",
      [](P& p) {
        p.header["late"] = {{"dtype", "U8"}, {"shape", {1}}, {"data_offsets", {p.data.size() + 4, p.data.size() + 5}}};
        p.data.resize(p.data.size() + 5);
      },
      "the 4 bytes before it belong to no tensor");
  edit(
      "trailing bytes", [](P& p) { p.data.resize(p.data.size() + 3); }, "3 bytes after the last tensor");
  edit(
      "tensor that nothing uses",
      [](P& p) {
        p.header["stray"] = {{"dtype", "U8"}, {"shape", {1}}, {"data_offsets", {p.data.size(), p.data.size() + 1}}};
        p.data.resize(p.data.size() + 1);
      },
      "tensor \"stray\": nothing in the graph uses it");
  edit(
      "NaN", [](P& p) { p.set_float("weight", 5, std::numeric_limits<float>::quiet_NaN()); }, "\"weight\"");
  edit(
      "infinity", [](P& p) { p.set_float("bias", 2, -std::numeric_limits<float>::infinity()); }, "\"bias\"");

  // The document and the graph.
  edit(
      "format missing", [](P& p) { p.document.erase("format"); }, "format: missing");
  edit(
      "later format", [](P& p) { p.document["format"] = 2; }, "format: 2; this library reads format 1");
  edit(
      "unknown part", [](P& p) { p.document["graf"] = 1; }, "graf: unknown key; did you mean \"graph\"?");
  edit(
      "no graph", [](P& p) { p.document.erase("graph"); }, "graph: missing");
  edit(
      "no contract", [](P& p) { p.document.erase("contract"); }, "contract: missing");
  edit(
      "no goldens", [](P& p) { p.document.erase("goldens"); }, "goldens: missing");
  const auto graph = [&](const std::string& name, const std::function<void(Json&)>& change,
                         const std::string& message) {
    edit(
        name, [&](P& p) { change(p.document["graph"]); }, message);
  };
  graph(
      "no nodes",
      [](Json& g) {
        g["nodes"] = Json::array();
        g["outputs"] = {"image"};
      },
      "graph");
  graph(
      "too many nodes",
      [](Json& g) {
        g["nodes"] = Json::array();
        for (std::size_t i = 0; i <= kMaxNodes; ++i) g["nodes"].push_back(1);
      },
      "graph.nodes: a list of 4097; at most 4096");
  graph(
      "unknown operator", [](Json& g) { g["nodes"][0]["op"] = "warp"; },
      "graph.nodes[0].op: node \"pooled\" has the unknown operator \"warp\"");
  graph(
      "unknown key of a node", [](Json& g) { g["nodes"][1]["atributes"] = Json::object(); },
      "graph.nodes[1].atributes: unknown key; did you mean \"attributes\"?");
  graph(
      "unknown attribute", [](Json& g) { g["nodes"][1]["attributes"]["shap"] = 1; }, "\"shap\"");
  graph(
      "attribute is a map", [](Json& g) { g["nodes"][1]["attributes"]["shape"] = Json::object(); },
      "graph.nodes[1].attributes.shape: an attribute is");
  graph(
      "attribute too large", [](Json& g) { g["nodes"][1]["attributes"]["shape"] = 1e300; },
      "graph.nodes[1].attributes.shape: 1e+300 does not fit a 32-bit float");
  graph(
      "attribute of the wrong type", [](Json& g) { g["nodes"][1]["attributes"]["shape"] = "flat"; }, "\"flat\"");
  graph(
      "node without a name", [](Json& g) { g["nodes"][0].erase("name"); }, "graph.nodes[0].name: missing");
  graph(
      "node name twice", [](Json& g) { g["nodes"][1]["name"] = "pooled"; }, "\"pooled\"");
  graph(
      "value computed twice", [](Json& g) { g["nodes"][1]["output"] = "pooled"; },
      "graph.nodes[1].output: \"pooled\" is computed already");
  graph(
      "value used before it is computed", [](Json& g) { g["nodes"][0]["inputs"] = {"scores"}; },
      "graph.nodes[0].inputs[0]: \"scores\" is not computed before it is used");
  graph(
      "operand is a number", [](Json& g) { g["nodes"][0]["inputs"] = {7}; },
      "graph.nodes[0].inputs[0]: expected a map");
  graph(
      "operand missing", [](Json& g) { g["nodes"][0]["inputs"] = Json::array(); }, "\"pooled\"");
  graph(
      "tensor that is not there", [](Json& g) { g["nodes"][2]["inputs"][1]["tensor"] = "wait"; },
      "graph.nodes[2].inputs[1].tensor: the file has no tensor \"wait\"");
  graph(
      "bytes as a weight", [](Json& g) { g["nodes"][2]["inputs"][1]["tensor"] = "golden.0.pixels"; },
      "tensor \"golden.0.pixels\" is U8; F32 is needed here");
  graph(
      "weight of the wrong shape", [](Json& g) { g["nodes"][2]["inputs"][1]["tensor"] = "bias"; }, "\"scores\"");
  graph(
      "no outputs", [](Json& g) { g["outputs"] = Json::array(); }, "graph.outputs: is empty");
  graph(
      "output that nothing computes", [](Json& g) { g["outputs"] = {"verdict"}; },
      "graph.outputs[0]: no node computes \"verdict\"");
  graph(
      "output twice",
      [](Json& g) {
        g["outputs"] = {"scores", "scores"};
      },
      "graph.outputs[1]: \"scores\" is an output already");
  graph(
      "two inputs", [](Json& g) { g["inputs"].push_back(g["inputs"][0]); }, "graph.inputs: a list of 2");
  graph(
      "no inputs", [](Json& g) { g["inputs"] = Json::array(); }, "graph.nodes[0].inputs[0]: \"image\"");
  graph(
      "batch of two",
      [](Json& g) {
        g["inputs"][0]["shape"] = {2, 3, 8, 8};
      },
      "\"image\"");
  graph(
      "enormous input",
      [](Json& g) {
        g["inputs"][0]["shape"] = {1, 3, 1 << 28, 1 << 28};
      },
      "\"image\"");

  // The contract in the package; test_contract.cpp has the rest.
  const auto contract = [&](const std::string& name, const std::function<void(Json&)>& change,
                            const std::string& message) {
    edit(
        name, [&](P& p) { change(p.document["contract"]); }, message);
  };
  contract(
      "contract key", [](Json& c) { c["input"]["colour"] = "rgb"; },
      "contract.input.colour: unknown key; did you mean \"color\"?");
  contract(
      "contract value", [](Json& c) { c["input"]["std"][1] = 0; }, "contract.input.std[1]: 0.0 is not greater than 0");
  contract(
      "contract size", [](Json& c) { c["input"]["width"] = 9; }, "input: width, height and color make 1x3x8x9");
  contract(
      "score output", [](Json& c) { c["score"]["output"] = "score"; },
      "score.output: \"score\" is no output of the graph, which has \"scores\"; did you mean \"scores\"?");
  contract(
      "class count", [](Json& c) { c["score"]["classes"].push_back("mask"); },
      "score.output: output \"scores\" has 3 values; score.classes gives 4");

  // Golden inputs.
  const auto golden = [&](const std::string& name, const std::function<void(Json&)>& change,
                          const std::string& message) {
    edit(
        name, [&](P& p) { change(p.document["goldens"]); }, message);
  };
  golden(
      "tolerance of zero", [](Json& g) { g[0]["tolerance"] = 0; }, "goldens[0].tolerance: 0 is not greater than 0");
  golden(
      "tolerance of one", [](Json& g) { g[1]["tolerance"] = 1.0; }, "goldens[1].tolerance: 1.0 is not greater than 0");
  golden(
      "golden without an output", [](Json& g) { g[0]["outputs"] = Json::object(); },
      "goldens[0].outputs: names 0 of the graph's 1 outputs");
  golden(
      "golden of an unknown output",
      [](Json& g) {
        g[0]["outputs"] = {{"pooled", "golden.0.output.scores"}};
      },
      "goldens[0].outputs.pooled: the graph has no such output");
  golden(
      "golden tensor twice", [](Json& g) { g[1]["pixels"] = "golden.0.pixels"; },
      "goldens[1].pixels: tensor \"golden.0.pixels\" has another use already");
  golden(
      "floats as pixels", [](Json& g) { g[0]["pixels"] = "golden.0.output.scores"; }, "is F32; U8 is needed here");
  edit(
      "pixels of the wrong shape",
      [](P& p) {
        p.header["golden.0.pixels"]["shape"] = {3, 8, 8};
      },
      "goldens[0].pixels: tensor \"golden.0.pixels\" has neither the shape height x width x channels nor");
  edit(
      "pixels that stand for blocks of two shapes",
      [](P& p) {
        p.header["golden.0.pixels"]["shape"] = {4, 16, 3};
      },
      "goldens[0].pixels: tensor \"golden.0.pixels\" has neither the shape height x width x channels nor");
  edit(
      "pixels without a shape", [](P& p) { p.header["golden.0.pixels"]["shape"] = {192}; },
      "goldens[0].pixels: tensor \"golden.0.pixels\" has neither the shape height x width x channels nor");
  edit(
      "NaN expected", [](P& p) { p.set_float("golden.1.output.scores", 0, std::numeric_limits<float>::quiet_NaN()); },
      "tensor \"golden.1.output.scores\": value 0 is NaN");
  edit(
      "expected outputs of the wrong shape",
      [](P& p) {
        p.header["golden.0.output.scores"]["shape"] = {3, 1};
      },
      "has neither the shape of the output nor is it a list of some of its values");
  edit(
      "all expected values as a list", [](P& p) { p.header["golden.0.output.scores"]["shape"] = {3}; },
      "has neither the shape of the output nor is it a list of some of its values");
  return all;
}

}  // namespace liveness::test
