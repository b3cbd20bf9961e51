// liveness convert: an ONNX file and its contract become a package.
#include <fmt/format.h>

#include <filesystem>

#include "models.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace {

struct Options {
  std::string onnx;
  std::string contract;
  std::string out;
  int goldens = 4;
};

}  // namespace

void add_convert(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App& verb = *app.add_subcommand("convert", "Makes a package of an ONNX file and a contract");
  verb.add_option("onnx", o->onnx, "the network")->required()->type_name("IN.onnx");
  verb.add_option("--contract", o->contract, "how it is fed and read: YAML or JSON (models/contracts has examples)")
      ->required()
      ->type_name("FILE");
  verb.add_option("-o,--out", o->out, "the package")->required()->type_name("OUT.safetensors");
  verb.add_option("--goldens", o->goldens,
                  "synthetic inputs with their outputs, checked whenever the package is loaded")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  verb.footer("Example:\n  liveness convert net.onnx --contract net.yaml -o net.safetensors");
  verb.callback([o, &action] {
    action = [o] {
      convert_onnx(o->onnx, o->contract, o->out, o->goldens);
      const Model model = load({o->out, {}});
      fmt::print("{}: {}, {:.2f} MMAC, {} parameters, {} golden inputs, {} bytes\n", o->out, model.contract().name,
                 static_cast<double>(model.info().macs) * 1e-6, model.info().parameters, model.goldens().size(),
                 std::filesystem::file_size(o->out));
      return kExitOk;
    };
  });
}

}  // namespace liveness::cli
