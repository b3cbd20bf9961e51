// Compares the reference interpreter and the engine, on every instruction set of this machine, with ONNX Runtime's
// outputs.
//
//   parity FOLDER [--reference N]    the cases that make_cases.py wrote; the reference runs on N inputs of each
//   (default: all)
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "liveness/error.hpp"
#include "liveness/model.hpp"
#include "model/onnx.hpp"
#include "reference.hpp"

namespace {

using liveness::Graph;
using Outputs = std::vector<std::vector<float>>;

constexpr double kTolerance = 1e-4;  // of max(1, largest |output|)
constexpr double kTie = 1e-6;  // of the same: closer than that, ONNX Runtime's own arg max is a matter of rounding

std::vector<char> read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

// One case file, read input by input.
class Cases {
 public:
  explicit Cases(const std::filesystem::path& path) : file_(path, std::ios::binary), path_(path.string()) {
    std::array<char, 4> magic{};
    get(magic.data(), 4);
    if (std::memcmp(magic.data(), "LVP1", 4) != 0) throw std::runtime_error(path_ + " is no case file");
    get(&divisor_, 4);
    count_ = number();
    elements_ = number();
    sizes_.resize(number());
    for (auto& size : sizes_) size = number();
  }

  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] std::uint32_t elements() const { return elements_; }
  [[nodiscard]] const std::vector<std::uint32_t>& sizes() const { return sizes_; }

  void next(std::vector<float>& input, Outputs& expected) {
    input.resize(elements_);
    if (divisor_ == 0) {
      get(input.data(), elements_ * sizeof(float));
    } else {
      bytes_.resize(elements_);
      get(bytes_.data(), elements_);
      std::transform(bytes_.begin(), bytes_.end(), input.begin(),
                     [&](std::uint8_t b) { return static_cast<float>(b) / divisor_; });
    }
    expected.resize(sizes_.size());
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      expected[i].resize(sizes_[i]);
      get(expected[i].data(), sizes_[i] * sizeof(float));
    }
  }

 private:
  void get(void* to, std::size_t size) {
    if (!file_.read(static_cast<char*>(to), static_cast<std::streamsize>(size)))
      throw std::runtime_error(path_ + " ends early");
  }
  std::uint32_t number() {
    std::uint32_t n = 0;
    get(&n, 4);
    return n;
  }

  std::ifstream file_;
  std::string path_;
  float divisor_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t elements_ = 0;
  std::vector<std::uint32_t> sizes_;
  std::vector<std::uint8_t> bytes_;
};

// What came of one way to run one case.
struct Tally {
  std::uint32_t inputs = 0;
  double worst = 0;           // difference relative to the tolerance's scale
  std::uint32_t arg_max = 0;  // outputs whose arg max differs
  std::string error;

  void compare(const Outputs& expected, const Outputs& found) {
    ++inputs;
    if (found.size() != expected.size()) throw std::runtime_error("the graph has another number of outputs");
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto& e = expected[i];
      const auto& f = found[i];
      if (e.size() != f.size()) throw std::runtime_error("output " + std::to_string(i) + " has another size");
      double scale = 1;
      for (const float v : e) scale = std::max(scale, static_cast<double>(std::fabs(v)));
      for (std::size_t k = 0; k < e.size(); ++k) {
        const double difference = std::fabs(static_cast<double>(e[k]) - static_cast<double>(f[k])) / scale;
        worst = difference <= worst ? worst : difference;  // NaN counts as worse
      }
      const auto best = std::max_element(f.begin(), f.end()) - f.begin();
      const auto top = *std::max_element(e.begin(), e.end());
      if (static_cast<double>(top - e[static_cast<std::size_t>(best)]) > kTie * scale) ++arg_max;
    }
  }
  [[nodiscard]] bool passed() const { return error.empty() && worst <= kTolerance && arg_max == 0; }
};

// The engine as a function from dense input to dense outputs.
class Engine {
 public:
  Engine(const Graph& graph, liveness::Isa isa)
      : shape_(graph.values[static_cast<std::size_t>(graph.inputs[0])].shape),
        outputs_(graph.outputs.size()),
        plan_(liveness::plan_cpu(graph, isa)),
        workspace_(plan_->make_workspace()) {}

  Outputs operator()(const std::vector<float>& input) {
    const auto view = plan_->input(*workspace_);
    const float* from = input.data();
    for (std::int64_t c = 0; c < shape_[1]; ++c) {
      for (std::int64_t y = 0; y < shape_[2]; ++y, from += shape_[3]) {
        std::copy(from, from + shape_[3], view.data + c * view.plane_stride + y * view.row_stride);
      }
    }
    plan_->run(*workspace_);
    Outputs out;
    for (std::size_t i = 0; i < outputs_; ++i) {
      const auto values = plan_->output(*workspace_, i);
      out.emplace_back(values.begin(), values.end());
    }
    return out;
  }

 private:
  liveness::Shape shape_;
  std::size_t outputs_;
  std::unique_ptr<const liveness::Executable> plan_;
  std::unique_ptr<liveness::Workspace> workspace_;
};

// Runs one way over all inputs of a case; an error ends it and is kept.
template <class Make>
Tally run(const std::filesystem::path& file, std::uint32_t limit, const Make& make) {
  Tally tally;
  try {
    auto function = make();
    Cases cases(file);
    std::vector<float> input;
    Outputs expected;
    for (std::uint32_t i = 0; i < std::min(limit, cases.count()); ++i) {
      cases.next(input, expected);
      tally.compare(expected, function(input));
    }
  } catch (const std::exception& error) {
    tally.error = error.what();
  }
  return tally;
}

int check(const std::filesystem::path& folder, std::uint32_t reference_inputs) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".bin") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) throw std::runtime_error("no cases in " + folder.string());

  const auto isas = liveness::available_isas();
  // Operator cases are gathered by their first word, so that the table stays one screen; networks are a line each.
  std::map<std::string, std::map<std::string, Tally>> table;
  std::map<std::string, int> cases;
  int failed = 0;
  for (const auto& file : files) {
    auto model = file;
    model.replace_extension(".onnx");
    const bool network = !std::filesystem::exists(model);
    const auto name = file.stem().string();
    if (network) {
      auto pointer = file;
      const auto place = read(pointer.replace_extension(".path"));
      model = std::string(place.begin(), place.end());
    }
    const auto row = network ? name : name.substr(0, name.find('_'));
    ++cases[row];
    const auto note = [&](const std::string& way, const Tally& tally) {
      if (!tally.passed()) {
        ++failed;
        std::printf("FAILED %s, %s: %s\n", name.c_str(), way.c_str(),
                    !tally.error.empty() ? tally.error.c_str()
                                         : ("difference " + std::to_string(tally.worst) + " of the scale, " +
                                            std::to_string(tally.arg_max) + " other arg max")
                                               .c_str());
      }
      auto& sum = table[row][way];
      sum.inputs += tally.inputs;
      sum.worst = std::max(sum.worst, tally.worst);
      sum.arg_max += tally.arg_max;
      if (sum.error.empty()) sum.error = tally.error;
    };
    Graph graph;
    try {
      const auto bytes = read(model);
      graph = liveness::read_onnx(std::as_bytes(std::span(bytes)), model.string());
    } catch (const liveness::Error& error) {
      Tally refused;
      refused.error = error.what();
      note("reader", refused);
      continue;
    }
    note("reference", run(file, reference_inputs, [&] {
           return [&](const std::vector<float>& input) { return liveness::test::run_reference(graph, input); };
         }));
    for (const auto isa : isas) note(std::string(to_string(isa)), run(file, ~0U, [&] { return Engine(graph, isa); }));
  }

  std::printf("%-30s %6s", "largest difference / scale", "cases");
  std::vector<std::string> ways = {"reference"};
  for (const auto isa : isas) ways.emplace_back(to_string(isa));
  for (const auto& way : ways) std::printf("  %10s %7s", way.c_str(), "inputs");
  std::printf("\n");
  for (auto& [row, tallies] : table) {
    std::printf("%-30s %6d", row.c_str(), cases[row]);
    for (const auto& way : ways) {
      const auto& tally = tallies[way];
      tally.error.empty() ? std::printf("  %10.1e %7u", tally.worst, tally.inputs)
                          : std::printf("  %10s %7u", "error", tally.inputs);
    }
    std::printf("\n");
  }
  std::printf("%zu cases, %d failures (allowed: %.0e of max(1, largest |output|), same arg max)\n", files.size(),
              failed, kTolerance);
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::uint32_t reference_inputs = ~0U;
    if (argc == 4 && std::string(argv[2]) == "--reference")
      reference_inputs = static_cast<std::uint32_t>(std::stoul(argv[3]));
    else if (argc != 2)
      throw std::runtime_error("usage: parity FOLDER [--reference N]");
    return check(argv[1], reference_inputs);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "parity: %s\n", error.what());
    return 2;
  }
}
