// liveness info: what a model is.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "models.hpp"
#include "record.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace {

struct Options {
  std::string file;
  std::string contract;
  EngineFlags engine;
  bool json = false;
  bool verify = false;
};

template <class Dims>
std::string shape_text(const Dims& shape) {
  return shape.empty() ? "scalar" : joined(shape, " x ");
}

std::string_view name_of(Task task) {
  return task == Task::kPad ? "presentation attack detection" : task == Task::kDetector ? "face detector" : "other";
}

// What --verify found: the largest difference, or why there is none.
struct Verification {
  std::optional<float> difference;
  std::string error;
};

Verification verify(const Model& model) {
  if (model.goldens().empty()) return {std::nullopt, "the file holds no golden inputs, so nothing can be verified"};
  try {
    return {model.verify(), ""};
  } catch (const Error& e) {
    return {std::nullopt, e.what()};
  }
}

Json tensors_json(const std::vector<TensorInfo>& tensors) {
  Json all = Json::array();
  for (const auto& t : tensors) all.push_back({{"name", t.name}, {"shape", t.shape}});
  return all;
}

void print_json(const std::string& file, const Model& model, const std::optional<Verification>& verification) {
  const ModelInfo& info = model.info();
  Json nodes = Json::array();
  for (const auto& n : info.nodes)
    nodes.push_back({{"name", n.name},
                     {"type", n.type},
                     {"output_shape", n.output_shape},
                     {"macs", n.macs},
                     {"parameters", n.parameters}});
  Json j = {{"file", file},
            {"identity", info.identity},
            {"macs", info.macs},
            {"parameters", info.parameters},
            {"weight_bytes", info.weight_bytes},
            {"workspace_bytes", info.workspace_bytes},
            {"isa", to_string(info.isa)},
            {"backend", to_string(info.backend)},
            {"precision", to_string(info.precision)},
            {"device", info.device},
            {"fallback", info.fallback},
            {"inputs", tensors_json(info.inputs)},
            {"outputs", tensors_json(info.outputs)},
            {"goldens", model.goldens().size()},
            {"contract", Json::parse(contract_to_json(model.contract()))},
            {"nodes", nodes},
            {"verified", nullptr}};
  if (verification) {
    j["verified"] = {{"ok", verification->error.empty()}, {"largest_difference", nullptr}, {"error", nullptr}};
    if (verification->difference)
      j["verified"]["largest_difference"] = number(*verification->difference);
    else
      j["verified"]["error"] = verification->error;
  }
  fmt::print("{}\n", j.dump(2, ' ', false, Json::error_handler_t::replace));
}

void print_text(const std::string& file, const Model& model, const std::optional<Verification>& verification) {
  const ModelInfo& info = model.info();
  const Contract& c = model.contract();
  const auto row = [](std::string_view key, const std::string& value) {
    if (!value.empty()) fmt::print("{:<12} {}\n", key, value);
  };
  row("file", file);
  row("name", c.name + (c.version.empty() ? "" : " " + c.version));
  row("task", std::string(name_of(c.task)));
  row("identity", info.identity);
  row("cost", fmt::format("{:.2f} MMAC a pass, {} parameters", static_cast<double>(info.macs) * 1e-6, info.parameters));
  row("memory",
      fmt::format("{:.2f} MB weights, {:.2f} MB scratch a running pass", static_cast<double>(info.weight_bytes) / 1e6,
                  static_cast<double>(info.workspace_bytes) / 1e6));
  row("engine", fmt::format("{}, {}, {} on {}", to_string(info.backend), to_string(info.precision), to_string(info.isa),
                            info.device));
  row("fallback", info.fallback);
  std::string qualified;
  for (const Precision p : c.qualified) qualified.append(qualified.empty() ? "" : ", ").append(to_string(p));
  row("qualified", qualified.empty() ? "fp32 only" : "fp32, " + qualified);
  for (const auto& t : info.inputs) row("input", fmt::format("{}  {}", t.name, shape_text(t.shape)));
  for (const auto& t : info.outputs) row("output", fmt::format("{}  {}", t.name, shape_text(t.shape)));
  row("goldens", std::to_string(model.goldens().size()));
  row("licence", c.licence);
  row("provenance", c.provenance);
  row("sha256", c.source_sha256.empty() ? "" : c.source_sha256 + " (of the file it was made from)");

  fmt::print("\ncontract\n{}\n", Json::parse(contract_to_json(c)).dump(2, ' ', false, Json::error_handler_t::replace));

  std::size_t wide = 4;
  for (const auto& n : info.nodes) wide = std::max(wide, std::min<std::size_t>(n.name.size(), 40));
  fmt::print("\n{:<{}}  {:<20} {:<18} {:>10} {:>10}\n", "node", wide, "type", "output", "MMAC", "params");
  for (const auto& n : info.nodes)
    fmt::print("{:<{}.40}  {:<20} {:<18} {:>10.3f} {:>10}\n", n.name, wide, n.type, shape_text(n.output_shape),
               static_cast<double>(n.macs) * 1e-6, n.parameters);
  if (verification)
    fmt::print("\nverified: {}\n", verification->difference ? fmt::format("yes, largest relative difference {:.2e}",
                                                                          *verification->difference)
                                                            : "NO: " + verification->error);
}

}  // namespace

void add_info(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App& verb = *app.add_subcommand("info", "Tells what a model is: graph, cost, memory, contract, licence");
  verb.add_option("file", o->file, "package, ONNX file, or the name of a package")->required()->type_name("FILE");
  verb.add_option("--contract", o->contract, "contract (YAML or JSON) of an ONNX file that has none beside it")
      ->type_name("FILE");
  o->engine.add_to(verb);
  verb.add_flag("--json", o->json, "one JSON document");
  verb.add_flag("--verify", o->verify, "score the golden inputs that the package carries; exit code 1 where they miss");
  verb.footer("Example:\n  liveness info model.onnx --contract model.yaml");
  verb.callback([o, &action] {
    action = [o] {
      ModelFile file = resolve(o->file);
      if (!o->contract.empty()) file.contract = o->contract;
      Model::Options options = o->engine.options();
      options.verify = false;  // a package whose goldens miss can still be looked at
      const Model model = load(file, options);
      std::optional<Verification> verification;
      if (o->verify) verification = verify(model);
      if (o->json)
        print_json(file.path.string(), model, verification);
      else
        print_text(file.path.string(), model, verification);
      return verification && !verification->error.empty() ? kExitFailed : kExitOk;
    };
  });
}

}  // namespace liveness::cli
