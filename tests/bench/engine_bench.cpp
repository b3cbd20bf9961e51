// Times of the native engine, and how far they are from what the core can do:
//   engine_bench [--isa NAME] [--precision NAME] [--rounds N] [--steps] MODEL.onnx...
// Peak is measured by a loop of fused multiply-adds that touch no memory, between the passes, so that both see one
// clock.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "liveness/error.hpp"
#include "model/onnx.hpp"
#include "model/package.hpp"

namespace {

using namespace liveness;
using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Multiply-accumulates per second of one core, in units of 1e9; 0 where there is no such loop.
double fma_peak(Isa isa) {
#if defined(__x86_64__)
  constexpr long kRounds = 40000;
  constexpr int kSums = 16;
  const auto start = Clock::now();
  if (isa >= Isa::kAvx512) {
    asm volatile(
        "mov %0, %%rcx\n"
        "1:\n"
        ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "vfmadd231ps %%zmm31, %%zmm30, %%zmm\\r\n"
        ".endr\n"
        "dec %%rcx\n"
        "jnz 1b\n"
        "vzeroupper\n" ::"r"(kRounds)
        : "rcx", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
          "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    return 16.0 * kSums * static_cast<double>(kRounds) / seconds(start) / 1e9;
  }
  if (isa == Isa::kAvx2) {
    asm volatile(
        "mov %0, %%rcx\n"
        "1:\n"
        ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13\n"
        "vfmadd231ps %%ymm15, %%ymm14, %%ymm\\r\n"
        ".endr\n"
        "dec %%rcx\n"
        "jnz 1b\n"
        "vzeroupper\n" ::"r"(kRounds)
        : "rcx", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
          "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    return 8.0 * (kSums - 2) * static_cast<double>(kRounds) / seconds(start) / 1e9;
  }
#endif
  static_cast<void>(isa);
  return 0;
}

Graph load(const std::string& path) {
  const auto bytes = read_file(path);
  if (path.ends_with(".safetensors")) return read_package(bytes).graph;
  Graph graph = read_onnx(bytes, path);
  check_graph(graph);
  return graph;
}

void fill(const Executable& executable, Workspace& workspace, const Shape& shape) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(0, 255);
  const PlanarView view = executable.input(workspace);
  for (std::int64_t c = 0; c < shape.at(1); ++c) {
    for (std::int64_t y = 0; y < shape.at(2); ++y) {
      float* row = view.data + c * view.plane_stride + y * view.row_stride;
      std::generate_n(row, shape.at(3), [&] { return uniform(random); });
    }
  }
}

void bench(const std::string& path, Isa isa, Precision precision, int rounds, bool steps) {
  const Graph graph = load(path);
  std::int64_t macs = 0;
  for (const NodeInfo& node : describe(graph)) macs += node.macs;
  const auto executable = plan_cpu(graph, isa, precision);
  const auto workspace = executable->make_workspace();
  fill(*executable, *workspace, graph.values[static_cast<std::size_t>(graph.inputs.at(0))].shape);
  std::vector<double> times;
  double peak = 0;
  for (int i = 0; i < rounds; ++i) {
    if (i % 16 == 0) peak = std::max(peak, fma_peak(isa));
    const auto start = Clock::now();
    executable->run(*workspace);
    times.push_back(seconds(start) * 1e3);
  }
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  const double rate = static_cast<double>(macs) / median / 1e6;
  std::printf("%s on %s: median %.4f ms, fastest %.4f ms, %.2f MMAC, %.1f GMAC/s", path.c_str(),
              std::string(to_string(isa)).c_str(), median, times.front(), static_cast<double>(macs) / 1e6, rate);
  if (peak > 0) std::printf(", %.1f %% of the core's %.1f", 100 * rate / peak, peak);
  std::printf("; weights %zu KiB, workspace %zu KiB\n", executable->weight_bytes() >> 10,
              executable->workspace_bytes() >> 10);
  if (!steps) return;
  double sum = 0;
  for (const StepTime& step : executable->profile(rounds)) {
    sum += step.microseconds;
    std::printf("  %9.2f us %8.3f MMAC %7.1f GMAC/s  %s\n", step.microseconds, static_cast<double>(step.macs) / 1e6,
                static_cast<double>(step.macs) / step.microseconds / 1e3, step.name.c_str());
  }
  std::printf("  %9.2f us in all steps\n", sum);
}

}  // namespace

int main(int argc, char** argv) {
  Isa isa = Isa::kAuto;
  Precision precision = Precision::kFp32;
  int rounds = 400;
  bool steps = false;
  try {
    for (int i = 1; i < argc; ++i) {
      const std::string arg = argv[i];
      if (arg == "--steps") {
        steps = true;
      } else if (arg == "--rounds" && i + 1 < argc) {
        rounds = std::max(1, std::stoi(argv[++i]));
      } else if (arg == "--isa" && i + 1 < argc) {
        const std::string name = argv[++i];
        for (const Isa one : available_isas()) isa = to_string(one) == name ? one : isa;
        if (to_string(isa) != name) throw Error(Status::kUnsupported, "--isa " + name + ": not on this machine");
      } else if (arg == "--precision" && i + 1 < argc) {
        const std::string name = argv[++i];
        for (const Precision one : {Precision::kFp32, Precision::kBf16, Precision::kInt8}) {
          precision = to_string(one) == name ? one : precision;
        }
        if (to_string(precision) != name) throw Error(Status::kInvalidArgument, "--precision " + name);
      } else {
        bench(arg, isa == Isa::kAuto ? default_isa() : isa, precision, rounds, steps);
      }
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "engine_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
