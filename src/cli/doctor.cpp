// liveness doctor: what this machine and this installation have, what is missing, and how to get it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <opencv2/core.hpp>
#include <opencv2/videoio/registry.hpp>
#include <string>
#include <thread>

#include "liveness/backends.hpp"
#include "liveness/builtin.hpp"
#include "liveness/version.hpp"
#include "models.hpp"
#include "record.hpp"
#include "verbs.hpp"

namespace liveness::cli {
namespace {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      if (const auto colon = line.find(": "); colon != std::string::npos) return line.substr(colon + 2);
  return "unknown";
}

std::vector<std::string> cpu_features() {
  std::vector<std::string> all;
#if defined(__x86_64__) || defined(__i386__)
  const auto note = [&](bool has, const char* name) {
    if (has) all.emplace_back(name);
  };
  note(__builtin_cpu_supports("sse4.2") != 0, "sse4.2");
  note(__builtin_cpu_supports("avx") != 0, "avx");
  note(__builtin_cpu_supports("avx2") != 0, "avx2");
  note(__builtin_cpu_supports("fma") != 0, "fma");
  note(__builtin_cpu_supports("avx512f") != 0, "avx512f");
  note(__builtin_cpu_supports("avx512bw") != 0, "avx512bw");
  note(__builtin_cpu_supports("avx512dq") != 0, "avx512dq");
  note(__builtin_cpu_supports("avx512vl") != 0, "avx512vl");
  note(__builtin_cpu_supports("avx512vnni") != 0, "avx512vnni");
  note(__builtin_cpu_supports("avx512bf16") != 0, "avx512bf16");
  const std::vector<Isa> isas = available_isas();
  note(std::find(isas.begin(), isas.end(), Isa::kAmx) != isas.end(), "amx");
#endif
  return all;
}

struct Found {
  std::string file;
  std::string name;
  std::string task;
  std::string error;
  std::string licence;
};

Found examine(const ModelFile& file) {
  Found f;
  f.file = file.path.string();
  try {
    const Model model = load(file);
    f.name = model.contract().name;
    f.licence = model.contract().licence;
    f.task = model.contract().task == Task::kPad        ? "pad"
             : model.contract().task == Task::kDetector ? "detector"
                                                        : "other";
  } catch (const std::exception& e) {
    f.error = e.what();
  }
  return f;
}

Json list_backends(const std::vector<BackendStatus>& all) {
  Json list = Json::array();
  for (const BackendStatus& b : all)
    list.push_back({{"backend", to_string(b.backend)},
                    {"available", b.available},
                    {"version", b.version},
                    {"file", b.file},
                    {"devices", b.devices},
                    {"blas", b.blas},
                    {"graphs", b.graphs},
                    {"missing", b.missing.empty() ? Json(nullptr) : Json(b.missing)}});
  return list;
}

int doctor(bool as_json) {
  const std::vector<BackendStatus> found_backends = backends();
  std::vector<std::string> isas;
  for (const Isa isa : available_isas()) isas.emplace_back(to_string(isa));
  std::vector<std::string> missing;
  std::string chosen;
  std::vector<std::string> fast;
  try {
    chosen = to_string(default_isa());
    for (const Precision precision : fast_precisions(default_isa())) fast.emplace_back(to_string(precision));
  } catch (const Error& e) {
    chosen = "none";
    missing.push_back(fmt::format("an engine: {}", e.what()));
  }

  std::vector<Found> packages;
  for (const BuiltinModel& model : builtin_models()) packages.push_back(examine({"built in", {}, model.name}));
  const auto folders = search_path();
  for (const auto& folder : folders)
    for (const auto& package : packages_in(folder)) packages.push_back(examine({package, {}}));
  std::vector<Found> foreign;
  for (const auto& file : third_party_pair()) foreign.push_back(examine(file));
  if (const ModelFile file = third_party_detector(); !file.path.empty()) foreign.push_back(examine(file));

  const auto count = [](const std::vector<Found>& all, const std::string& task) {
    return std::count_if(all.begin(), all.end(), [&](const Found& f) { return f.task == task; });
  };
  for (const auto& f : packages)
    if (!f.error.empty()) missing.push_back(fmt::format("a package that loads: {}", f.error));
  for (const auto& f : foreign)
    if (!f.error.empty()) missing.push_back(fmt::format("a third-party network that loads: {}", f.error));
  const bool pad = count(packages, "pad") > 0 || count(foreign, "pad") > 0;
  const bool detector = count(packages, "detector") > 0 || count(foreign, "detector") > 0;
  const std::string way = fmt::format(
      "put a package (*.safetensors) into a folder of LIVENESS_MODEL_PATH, make one with `liveness convert`, or set "
      "LIVENESS_MODELS to the "
      "folder of the third-party networks (looked for in {})",
      third_party_folder().string());
  if (!pad) missing.push_back("a PAD network: " + way);
  if (!detector) missing.push_back("a face detector: " + way);
#if !LIVENESS_YAML
  missing.emplace_back("contracts in YAML: build with LIVENESS_WITH_YAML=ON, or write them in JSON");
#endif
  bool ffmpeg = false;
  for (const auto backend : cv::videoio_registry::getStreamBackends()) ffmpeg |= backend == cv::CAP_FFMPEG;
  if (!ffmpeg) missing.emplace_back("videos: this OpenCV has no FFmpeg; install one that has");

  const bool ready = pad && detector && chosen != "none";
  std::vector<std::string> folder_names;
  for (const auto& f : folders) folder_names.push_back(f.string());
  const auto list = [](const std::vector<Found>& all) {
    Json j = Json::array();
    for (const auto& f : all)
      j.push_back({{"file", f.file},
                   {"name", f.name},
                   {"task", f.task},
                   {"licence", f.licence},
                   {"error", f.error.empty() ? Json(nullptr) : Json(f.error)}});
    return j;
  };
  if (as_json) {
    const Json j = {
        {"version", library_version()},
        {"ready", ready},
        {"cpu", {{"name", cpu_name()}, {"threads", std::thread::hardware_concurrency()}, {"features", cpu_features()}}},
        {"engine", {{"available", isas}, {"chosen", chosen}, {"fast_precisions", fast}}},
        {"backends", list_backends(found_backends)},
        {"opencv", {{"version", CV_VERSION}, {"ffmpeg", ffmpeg}}},
        {"yaml", LIVENESS_YAML != 0},
        {"search_path", folder_names},
        {"packages", list(packages)},
        {"third_party", list(foreign)},
        {"missing", missing}};
    fmt::print("{}\n", j.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("liveness     {}\n", library_version());
    fmt::print("cpu          {}, {} threads\n", cpu_name(), std::thread::hardware_concurrency());
    fmt::print("features     {}\n", joined(cpu_features(), " "));
    fmt::print("engine       {} (available: {}; LIVENESS_ISA picks another)\n", chosen, joined(isas, ", "));
    fmt::print("precisions   fp32{}\n",
               fast.empty() ? "; the others gain nothing here" : ", faster: " + joined(fast, ", "));
    for (const BackendStatus& b : found_backends) {
      const std::string name = fmt::format("backend {}", to_string(b.backend));
      if (!b.available) {
        fmt::print("{:<13} not here: {}\n", name, b.missing);
      } else if (b.backend == Backend::kTorch) {
        fmt::print("{:<13} LibTorch {} on {}{}, matrix products of {} ({})\n", name, b.version, joined(b.devices, ", "),
                   b.graphs ? ", recorded passes" : "", b.blas, b.file);
      } else {
        fmt::print("{:<13} on {}\n", name, joined(b.devices, ", "));
      }
    }
    fmt::print("opencv       {}, videos {}\n", CV_VERSION, ffmpeg ? "through FFmpeg" : "not readable");
    fmt::print("contracts    JSON{}\n", LIVENESS_YAML != 0 ? ", YAML" : "");
    fmt::print("search path  {}\n", folder_names.empty() ? "none of its folders exists" : joined(folder_names, ", "));
    const auto print = [](const char* kind, const Found& f) {
      fmt::print("{:<12} {}{}\n", kind, f.file,
                 f.error.empty() ? fmt::format("  ({}, {}; {})", f.name, f.task, f.licence) : "  BROKEN");
    };
    for (const auto& f : packages) print("package", f);
    for (const auto& f : foreign) print("third party", f);
    for (const auto& m : missing) fmt::print("missing      {}\n", m);
    fmt::print("{}\n", ready ? "ready: `liveness score PICTURE` works here" : "not ready: see what is missing");
  }
  return ready ? kExitOk : kExitFailed;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  CLI::App& verb =
      *app.add_subcommand("doctor", "Tells what this machine has, which models are found, and what is missing");
  auto json = std::make_shared<bool>(false);
  verb.add_flag("--json", *json, "one JSON document");
  verb.footer("Exit code 0 where a picture can be scored, otherwise 1.");
  verb.callback([json, &action] { action = [json] { return doctor(*json); }; });
}

}  // namespace liveness::cli
