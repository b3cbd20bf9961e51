// The verbs of the program. Each adds itself to the command line and says what to run when it was chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <stdexcept>

namespace liveness::cli {

// What the shell sees.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // an input, or what was asked for, failed; everything else was done
inline constexpr int kExitUsage = 2;   // nothing could be done: bad arguments, models that do not load

// The chosen verb; returns an exit code. Throws liveness::Error or UsageError where nothing could be done.
using Action = std::function<int()>;

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void add_score(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_calibrate(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_convert(CLI::App& app, Action& action);
void add_optimize(CLI::App& app, Action& action);  // quantize, prune, export
void add_bench(CLI::App& app, Action& action);
void add_watch(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_models(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);

}  // namespace liveness::cli
