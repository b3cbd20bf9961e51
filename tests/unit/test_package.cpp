// The package's reader and writer: what goes in comes out, and what is broken is refused by name.
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>
#include <random>
#include <set>
#include <utility>

#include "model/json.hpp"
#include "model/sha256.hpp"
#include "model/storage.hpp"
#include "package_parts.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

using namespace liveness;
using namespace liveness::test;
using Catch::Matchers::Contains;

namespace {

std::string text_of(const std::filesystem::path& path) {
  const Bytes bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("a package survives writing and reading") {
  const Package package = package_with_goldens();
  const Bytes bytes = write_package(package);
  const Package copy = read_package(bytes);

  CHECK(contract_to_json(copy.contract) == contract_to_json(package.contract));
  REQUIRE(copy.graph.nodes.size() == package.graph.nodes.size());
  for (std::size_t i = 0; i < package.graph.nodes.size(); ++i) {
    const Node& was = package.graph.nodes[i];
    const Node& is = copy.graph.nodes[i];
    CHECK(is.name == was.name);
    CHECK(is.op == was.op);
    REQUIRE(is.attributes.size() == was.attributes.size());
    for (std::size_t k = 0; k < was.attributes.size(); ++k) CHECK(is.attributes[k].value == was.attributes[k].value);
  }
  REQUIRE(copy.graph.tensors.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(copy.graph.tensors[i].name == package.graph.tensors[i].name);
    CHECK(copy.graph.tensors[i].shape == package.graph.tensors[i].shape);
    CHECK(copy.graph.tensors[i].data == package.graph.tensors[i].data);
  }
  REQUIRE(copy.goldens.size() == 2);
  CHECK(copy.goldens[1].pixels == package.goldens[1].pixels);
  CHECK(copy.goldens[1].outputs == package.goldens[1].outputs);
  CHECK(copy.goldens[1].tolerance == package.goldens[1].tolerance);
  CHECK(identity(copy.contract, copy.graph) == identity(package.contract, package.graph));
  CHECK(write_package(copy) == bytes);
}

TEST_CASE("golden inputs of blocks, with some of the outputs, survive") {
  const Package package = package_with_short_golden();
  const Bytes bytes = write_package(package);
  const Package copy = read_package(bytes);
  REQUIRE(copy.goldens.size() == 3);
  CHECK(copy.goldens[0].block == 1);
  CHECK(copy.goldens[2].block == 2);
  CHECK(copy.goldens[2].pixels == package.goldens[2].pixels);
  CHECK(copy.goldens[2].outputs == package.goldens[2].outputs);
  CHECK(write_package(copy) == bytes);
}

TEST_CASE("every kind of attribute and operand survives") {
  Package package = tiny_pad_package({});
  Graph& g = package.graph;
  // A leaky activation (a float), a resize (a text and lists) and a convolution without a bias (an absent operand),
  // before the pooling.
  const Operand kernel = add_tensor(g, "kernel", {3, 1, 1, 1}, {0.1F, 1.0F / 3, -7e-30F});
  using Ints = std::vector<std::int64_t>;
  Graph changed = g;
  changed.nodes.clear();
  const int image = g.inputs[0];
  int v =
      add_node(changed, Op::kConv, "conv", {operand(image), kernel, {}}, {1, 3, 8, 8}, {{"group", std::int64_t{3}}});
  v = add_node(changed, Op::kLeakyRelu, "leaky", {operand(v)}, {1, 3, 8, 8}, {{"alpha", 0.1F}});
  v = add_node(changed, Op::kResize, "resize", {operand(v)}, {1, 3, 16, 16},
               {{"mode", std::string("nearest")},
                {"transform", std::string("asymmetric")},
                {"scales", std::vector<float>{2, 2}},
                {"sizes", Ints{16, 16}},
                {"rounding", std::string("floor")}});
  for (Node node : g.nodes) {
    if (node.op == Op::kGlobalAveragePool) node.inputs = {operand(v)};
    changed.nodes.push_back(node);
  }
  g = changed;
  const Bytes bytes = write_package(package);
  const Package copy = read_package(bytes);
  CHECK(copy.graph.nodes[0].inputs[2].kind == Operand::Kind::kNone);
  CHECK(copy.graph.nodes[0].int_attr("group", 0) == 3);
  CHECK(copy.graph.nodes[1].float_attr("alpha", 0) == 0.1F);
  CHECK(copy.graph.nodes[2].string_attr("mode", "") == "nearest");
  CHECK(copy.graph.nodes[2].floats_attr("scales", {}) == std::vector<float>{2, 2});
  CHECK(copy.graph.nodes[2].ints_attr("sizes", {}) == Ints{16, 16});
  CHECK(copy.graph.tensors[0].data == std::vector<float>{0.1F, 1.0F / 3, -7e-30F});
  CHECK(write_package(copy) == bytes);
}

TEST_CASE("weights stored as int8 or half floats come out as they went in") {
  Package package = package_with_goldens();
  for (const auto storage : {Tensor::Storage::kInt8, Tensor::Storage::kFp16}) {
    const bool int8 = storage == Tensor::Storage::kInt8;
    CAPTURE(int8);
    Tensor& weight = package.graph.tensors.at(0);
    REQUIRE(weight.name == "weight");
    weight.data = {-3, 0.1F, 1e-3F, 1.0F / 3, 0, 0.25F, 7e-5F, 0.5F, -1e-3F};
    const std::vector<float> before = weight.data;
    round_to(weight, storage, 1);
    for (std::size_t i = 0; i < before.size(); ++i) {
      const float step = int8 ? weight.scale.at(i % 3) : std::max(std::abs(before[i]) / 1024, 0x1p-24F);
      CHECK(std::abs(weight.data[i] - before[i]) <= step / 2 * 1.0001F);
    }
    package.goldens = make_goldens(package, 1);
    const Bytes bytes = write_package(package);
    const PackageParts parts(bytes);
    CHECK(parts.header["weight"]["dtype"] == (int8 ? "I8" : "F16"));
    const Package copy = read_package(bytes);
    CHECK(copy.graph.tensors.at(0).data == weight.data);
    CHECK(copy.graph.tensors.at(0).scale == weight.scale);
    CHECK(copy.graph.tensors.at(0).storage == storage);
    CHECK(identity(copy.contract, copy.graph) == identity(package.contract, package.graph));
    CHECK(write_package(copy) == bytes);
    CHECK(Model::from_memory(bytes).verify() <= 1e-5F);

    // What the storage cannot hold is not written.
    weight.data[1] = 0.1F;
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(write_package(package)); }),
               Contains("tensor \"weight\": value 1 is no " + std::string(int8 ? "multiple" : "half float")));
  }
  Tensor huge{"huge", {1}, {1e6F}};
  CHECK_THAT(refusal(Status::kModelInvalid, [&] { round_to(huge, Tensor::Storage::kFp16, 0); }), Contains("huge"));
}

TEST_CASE("broken int8 storage is refused") {
  Package package = package_with_goldens();
  round_to(package.graph.tensors.at(0), Tensor::Storage::kInt8, 1);
  const PackageParts good(write_package(package));
  const auto refused = [&](const std::function<void(PackageParts&)>& change) {
    PackageParts parts = good;
    change(parts);
    return refusal(Status::kModelInvalid, [&] { static_cast<void>(read_package(parts.join())); });
  };
  const auto begin = [&](const char* name) { return good.header[name]["data_offsets"][0].get<std::size_t>(); };
  CHECK_THAT(refused([&](PackageParts& p) { p.data[begin("weight") + 4] = std::byte{0x80}; }),
             Contains("tensor \"weight\": value 4 is -128"));
  CHECK_THAT(refused([](PackageParts& p) { p.set_float("weight.scale", 1, 0); }),
             Contains("tensor \"weight.scale\": a scale is not greater than 0"));
  CHECK_THAT(refused([](PackageParts& p) { p.set_float("weight.scale", 1, std::nanf("")); }),
             Contains("tensor \"weight.scale\": value 1 is NaN"));
  CHECK_THAT(refused([](PackageParts& p) {
               p.header["weight.scale"]["shape"] = {3, 1};
             }),
             Contains("one scale an output channel is needed"));
  CHECK_THAT(refused([](PackageParts& p) {
               p.header["scales"] = p.header["weight.scale"];
               p.header.erase("weight.scale");
             }),
             Contains("the file has no tensor \"weight.scale\""));
  // Only weights of dense operators have an axis of output channels.
  package.graph.tensors.at(1).storage = Tensor::Storage::kInt8;
  CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(write_package(package)); }),
             Contains("only the weights of conv and linear"));
}

TEST_CASE("half floats") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = from_half(half);
    if (std::isnan(value)) {
      CHECK((bits & 0x7fffU) > 0x7c00U);
    } else {
      REQUIRE(to_half(value) == half);
    }
  }
  CHECK(from_half(0x3c00) == 1);
  CHECK(from_half(0x0001) == 0x1p-24F);
  CHECK(to_half(1 + 0x1p-11F) == 0x3c00);  // a tie goes to the even one
  CHECK(to_half(1 + 3 * 0x1p-11F) == 0x3c02);
  CHECK(to_half(0x1p-25F) == 0);
  CHECK(to_half(0x1.8p-24F) == 2);
  CHECK(to_half(65519.0F) == 0x7bff);
  CHECK(to_half(65520.0F) == 0x7c00);
}

TEST_CASE("a tensor that two nodes share is stored once, and one that none uses is left out") {
  Package package = tiny_pad_package({});
  Graph& g = package.graph;
  const int image = g.inputs[0];
  const Operand slope = add_tensor(g, "slope", {3}, {1, 1, 1});
  static_cast<void>(add_tensor(g, "left over", {2}, {1, 2}));
  const int first = add_node(g, Op::kPRelu, "first", {operand(image), slope}, {1, 3, 8, 8});
  const int second = add_node(g, Op::kPRelu, "second", {operand(first), slope}, {1, 3, 8, 8});
  std::rotate(g.nodes.begin(), g.nodes.end() - 2, g.nodes.end());
  g.nodes[2].inputs = {operand(second)};
  const Package copy = read_package(write_package(package));
  CHECK(copy.graph.tensors.size() == 3);
  CHECK(copy.graph.nodes[0].inputs[1].id == copy.graph.nodes[1].inputs[1].id);
}

TEST_CASE("the data starts on a boundary of 64 bytes and floats on one of their size") {
  for (const std::size_t length : {1, 2, 3, 30, 63, 64, 65}) {
    Package package = package_with_goldens();
    package.contract.licence = std::string(length, 'x');
    const Bytes bytes = write_package(package);
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    CHECK((header + sizeof header) % 64 == 0);
    const PackageParts parts(bytes);
    for (const auto& [name, tensor] : parts.header.items()) {
      if (name != "__metadata__" && tensor["dtype"] == "F32")
        CHECK(tensor["data_offsets"][0].get<std::size_t>() % sizeof(float) == 0);
    }
  }
}

TEST_CASE("the identity changes with every weight and every line of the contract, and not with the golden inputs") {
  const Package package = package_with_goldens();
  const std::string before = identity(package.contract, package.graph);
  CHECK(before.size() == 32);
  Package changed = package;
  changed.goldens.clear();
  CHECK(identity(changed.contract, changed.graph) == before);
  std::set<std::string> seen{before};
  for (Tensor& tensor : changed.graph.tensors) {
    for (float& weight : tensor.data) {
      const float was = std::exchange(weight, std::nextafter(weight, 1000.0F));
      CHECK(seen.insert(identity(changed.contract, changed.graph)).second);
      weight = was;
    }
    std::swap(tensor.data.front(), tensor.data.back());
    const bool same = tensor.data.front() == tensor.data.back();
    CHECK(seen.insert(identity(changed.contract, changed.graph)).second != same);
    std::swap(tensor.data.front(), tensor.data.back());
  }
  CHECK(identity(changed.contract, changed.graph) == before);
  changed = package;
  changed.contract.score->temperature = 1.5F;
  CHECK(identity(changed.contract, changed.graph) != before);
  changed = package;
  std::swap(changed.graph.tensors[0].shape[0], changed.graph.tensors[0].shape[1]);
  changed.graph.tensors[0].shape.push_back(1);
  CHECK(identity(changed.contract, changed.graph) != before);
}

TEST_CASE("every broken package is refused by the name of its fault") {
  const auto all = broken_packages();
  for (const BrokenPackage& broken : all) {
    INFO(broken.name);
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(read_package(broken.bytes)); }),
               Contains(broken.message));
  }
  CHECK(all.size() > 60);
}

TEST_CASE("a package cut short anywhere is refused") {
  const Bytes good = write_package(package_with_goldens());
  for (std::size_t size = 0; size < good.size(); size += 7) {
    INFO(size);
    CHECK_THROWS_AS(read_package(std::span(good).first(size)), Error);
  }
}

TEST_CASE("a package with damaged bytes is refused or read, and nothing else") {
  const Bytes good = write_package(package_with_goldens());
  std::mt19937 random(1);
  std::size_t refused = 0;
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes = good;
    for (auto flips = 1 + random() % 3; flips > 0; --flips) bytes[random() % bytes.size()] = std::byte(random() & 255);
    try {
      static_cast<void>(read_package(bytes));
    } catch (const Error& e) {
      ++refused;
      CHECK(e.status() == Status::kModelInvalid);
      CHECK(std::string(e.what()).size() > 10);
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("what cannot be read back is not written") {
  const auto refused = [](const std::function<void(Package&)>& change, const std::string& message) {
    Package package = package_with_goldens();
    change(package);
    CHECK_THAT(refusal(Status::kModelInvalid, [&] { static_cast<void>(write_package(package)); }), Contains(message));
  };
  refused([](Package& p) { p.contract.licence.clear(); }, "licence: is empty");
  refused([](Package& p) { p.contract.input.width = 9; }, "input: width, height and color");
  refused([](Package& p) { p.contract.provenance = "\xff"; }, "not valid UTF-8");
  refused([](Package& p) { p.graph.tensors[0].data[1] = std::numeric_limits<float>::infinity(); }, "\"weight\"");
  refused([](Package& p) { p.graph.tensors[0].name = "__metadata__"; }, "tensor \"__metadata__\": not a usable name");
  refused([](Package& p) { p.graph.tensors[0].name = "golden.0.pixels"; },
          "\"golden.0.pixels\": the name occurs twice");
  refused([](Package& p) { p.goldens[1].pixels.pop_back(); }, "goldens[1]: pixels are not height x width x channels");
  refused([](Package& p) { p.goldens[0].outputs.clear(); }, "goldens[0]: an output is missing");
  refused([](Package& p) { p.goldens[0].outputs["scores"].clear(); }, "goldens[0]: output \"scores\"");
  refused([](Package& p) { p.goldens[0].outputs["scores"].push_back(0); }, "goldens[0]: output \"scores\"");
  refused([](Package& p) { p.goldens[1].block = 3; }, "goldens[1]: blocks of 3 pixels do not fill the input");
  refused([](Package& p) { p.goldens[1].block = 2; }, "goldens[1]: pixels are not height x width x channels");
  refused([](Package& p) { p.goldens[0].outputs["scores"][0] = std::numeric_limits<float>::quiet_NaN(); }, "is NaN");
  refused([](Package& p) { p.goldens[1].tolerance = 0; }, "goldens[1]: tolerance is out of range");
  refused([](Package& p) { p.goldens.resize(65, p.goldens[0]); }, "goldens: 65; at most 64");
}

TEST_CASE("SHA-256 gives the standard's digests, whatever the pieces") {
  CHECK(sha256({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256(to_bytes("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string many(1000000, 'a');
  for (const std::size_t piece : {std::size_t{1000000}, std::size_t{64}, std::size_t{63}, std::size_t{997}}) {
    Sha256 hash;
    for (std::size_t at = 0; at < many.size(); at += piece) hash.add(std::string_view(many).substr(at, piece));
    CHECK(hash.finish() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
  // Every length of the last block, in one piece and byte by byte.
  std::set<std::string> digests;
  for (std::size_t length = 0; length < 130; ++length) {
    Sha256 hash;
    for (std::size_t i = 0; i < length; ++i) hash.add("a");
    CHECK(hash.finish() == sha256(to_bytes(many.substr(0, length))));
    digests.insert(sha256(to_bytes(many.substr(0, length))));
  }
  CHECK(digests.size() == 130);
}

TEST_CASE("a file is written whole or not at all") {
  const TemporaryFolder folder;
  const auto target = folder.file("model.safetensors", "before");
  const Bytes large(100000, std::byte{'x'});

  SECTION("it replaces what was there, and leaves nothing beside it") {
    write_file(target, to_bytes("after"));
    CHECK(text_of(target) == "after");
    CHECK(folder.count() == 1);
  }
  SECTION("a link keeps pointing to what it names") {
    std::filesystem::create_symlink(target, folder / "link");
    write_file(folder / "link", to_bytes("after"));
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(text_of(target) == "after");
  }
  SECTION("where space runs out, the old file stays and nothing is left beside it") {
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
    rlimit small = limit;
    small.rlim_cur = 4096;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    std::string message;
    try {
      write_file(target, large);
    } catch (const Error& e) {
      message = e.what();
      CHECK(e.status() == Status::kIo);
    }
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    std::signal(SIGXFSZ, handler);
    CHECK_THAT(message, Contains(target.string() + ": cannot be written"));
    CHECK(text_of(target) == "before");
    CHECK(folder.count() == 1);
  }
  SECTION("a full device is reported with its name") {
    CHECK_THAT(refusal(Status::kIo, [&] { write_file("/dev/full", large); }),
               Contains("/dev/full: cannot be written: No space left on device"));
  }
  SECTION("a folder is not replaced") {
    CHECK_THAT(refusal(Status::kIo, [&] { write_file(folder / ".", large); }), Contains("Is a directory"));
  }
  SECTION("a folder that is not there is named") {
    const auto path = folder / "none/model.safetensors";
    CHECK_THAT(refusal(Status::kIo, [&] { write_file(path, large); }), Contains(path.string()));
  }
}

TEST_CASE("reading a file has a limit, and says what is wrong") {
  const TemporaryFolder folder;
  const auto path = folder.file("data", "0123456789");
  CHECK(read_file(path, 10).size() == 10);
  CHECK_THAT(refusal(Status::kIo, [&] { static_cast<void>(read_file(path, 9)); }), Contains("limit of 9 bytes"));
  CHECK(read_file(folder.file("none", "")).empty());
  CHECK_THAT(refusal(Status::kNotFound, [&] { static_cast<void>(read_file(folder / "missing")); }),
             Contains("missing: cannot be opened: No such file"));
  CHECK_THAT(refusal(Status::kIo, [&] { static_cast<void>(read_file(folder / ".")); }), Contains("Is a directory"));
  // A device has no size and no end.
  CHECK_THAT(refusal(Status::kIo, [&] { static_cast<void>(read_file("/dev/zero", 100000)); }),
             Contains("limit of 100000 bytes"));
}

TEST_CASE("the manual of the format names every operator and every field of a contract") {
  const std::string manual = text_of(std::filesystem::path(LIVENESS_SOURCE_DIR) / "docs" / "model_format.md");
  std::size_t operators = 0;
  for (int i = 0; to_string(static_cast<Op>(i)) != "unknown"; ++i, ++operators) {
    CHECK_THAT(manual, Contains("`" + std::string(to_string(static_cast<Op>(i))) + "`"));
  }
  CHECK(operators == static_cast<std::size_t>(Op::kResize) + 1);

  Package package = tiny_detector_package();
  package.contract.detector->decode = DetectorContract::Decode::kSsd;
  for (const Contract& contract : {tiny_pad_package({}).contract, package.contract}) {
    const Json whole = Json::parse(contract_to_json(contract));
    for (const auto& [key, field] : whole.items()) {
      if (!field.is_object()) {
        CHECK_THAT(manual, Contains("`" + key + "`"));
        continue;
      }
      for (const auto& [inner, value] : field.items()) CHECK_THAT(manual, Contains("`" + key + "." + inner));
    }
  }
}
