#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>

#include "liveness/error.hpp"
#include "liveness/version.hpp"
#include "verbs.hpp"

namespace {

// OpenCV and FFmpeg would write to stderr whatever they stumble over; the program says itself which input failed and
// why.
void silence_opencv() {
  setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 0);
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  cv::redirectError([](int, const char*, const char*, const char*, int, void*) { return 0; });
  cv::setNumThreads(1);
}

int run(int argc, char** argv) {
  using namespace liveness::cli;
  CLI::App app("Tells live faces from prints, screens and masks.", "liveness");
  app.set_version_flag("--version", fmt::format("liveness {}", liveness::library_version()));
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  liveness score photo.jpg                       a verdict with its reasons\n"
      "  liveness score --json pictures/ clip.mp4       one JSON line a picture or frame\n"
      "  liveness score --sheet sheet.png pictures/     a contact sheet of all of them\n"
      "  liveness eval pictures/ --html report.html      error rates of bona fide and attacks, with intervals\n"
      "  liveness calibrate pictures/ -o camera.yaml    thresholds for one's own camera\n"
      "  liveness watch camera:0 --until-decided        decides on who stands before a camera\n"
      "  liveness info model.safetensors --verify       what a model is, and whether it works here\n"
      "  liveness models list                           models that can be fetched, and those that are here\n"
      "  liveness doctor                                what this machine has and lacks\n"
      "Each verb has its own --help. Exit codes: 0 done, 1 an input failed, 2 nothing could be done.");
  Action action;
  add_score(app, action);
  add_eval(app, action);
  add_calibrate(app, action);
  add_info(app, action);
  add_convert(app, action);
  add_optimize(app, action);
  add_bench(app, action);
  add_watch(app, action);
  add_config(app, action);
  add_models(app, action);
  add_doctor(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitOk : kExitUsage;
  }
  silence_opencv();
  return action();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const liveness::Error& e) {
    fmt::print(stderr, "liveness: {} ({})\n", e.what(), liveness::to_string(e.status()));
  } catch (const std::exception& e) {
    fmt::print(stderr, "liveness: {}\n", e.what());
  }
  return liveness::cli::kExitUsage;
}
