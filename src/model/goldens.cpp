#include "model/goldens.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "model/package.hpp"

namespace liveness {
namespace {

// SplitMix64: the same numbers on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
  }
  int below(int bound) { return static_cast<int>(next() % static_cast<std::uint64_t>(bound)); }

 private:
  std::uint64_t state_;
};

// A ramp in a direction of its own per channel under smooth noise (random grey levels on a grid, interpolated), all in
// whole numbers. The grid gets finer from picture to picture.
std::vector<std::uint8_t> synthetic_pixels(const InputContract& input, int block, int index) {
  Random random(static_cast<std::uint64_t>(index) + 1);
  const int width = input.width / block;
  const int height = input.height / block;
  const int channels = input.channels();
  const int cell = std::max(2, std::max(width, height) >> (2 + index % 3));
  const int columns = width / cell + 2;
  const int rows = height / cell + 2;
  std::vector<int> grid(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows) *
                        static_cast<std::size_t>(channels));
  for (int& level : grid) level = random.below(256);
  std::vector<int> slopes(2 * static_cast<std::size_t>(channels));
  for (int& slope : slopes) slope = random.below(193) - 96;  // grey levels across the picture
  const auto level = [&](int row, int column, int channel) {
    return grid[static_cast<std::size_t>((row * columns + column) * channels + channel)];
  };

  std::vector<std::uint8_t> pixels;
  pixels.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                 static_cast<std::size_t>(channels));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        const int row = y / cell;
        const int column = x / cell;
        const int fx = x % cell;
        const int fy = y % cell;
        const int top = level(row, column, c) * (cell - fx) + level(row, column + 1, c) * fx;
        const int bottom = level(row + 1, column, c) * (cell - fx) + level(row + 1, column + 1, c) * fx;
        const int noise = (top * (cell - fy) + bottom * fy) / (cell * cell);
        const auto slope = 2 * static_cast<std::size_t>(c);
        const int ramp =
            slopes[slope] * (2 * x - width) / (2 * width) + slopes[slope + 1] * (2 * y - height) / (2 * height);
        pixels.push_back(static_cast<std::uint8_t>(std::clamp(noise + ramp, 0, 255)));
      }
    }
  }
  return pixels;
}

// The input of a detector is large and so are its outputs; a package carries neither whole, so that it loads quickly.
constexpr int kSmallestSide = 64;
constexpr std::size_t kMostValues = 256;

int block_of(const InputContract& input) {
  int block = 1;
  while (input.width % (2 * block) == 0 && input.height % (2 * block) == 0 &&
         std::min(input.width, input.height) >= 2 * block * kSmallestSide) {
    block *= 2;
  }
  return block;
}

// Where value i of `count` lies among an output's `size`.
std::size_t position(std::size_t i, std::size_t count, std::size_t size) {
  return i * size / count;
}

}  // namespace

void feed_pixels(std::span<const std::uint8_t> pixels, int block, const InputContract& input, const PlanarView& view) {
  const int channels = input.channels();
  for (int c = 0; c < channels; ++c) {
    const auto channel = static_cast<std::size_t>(c);
    std::array<float, 256> values;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float level = static_cast<float>(i) / 255.0F * (input.high - input.low) + input.low;
      values[i] = (level - input.mean[channel]) / input.std[channel];
    }
    const std::uint8_t* from = pixels.data() + c;
    for (int y = 0; y < input.height; y += block) {
      float* row = view.data + c * view.plane_stride + y * view.row_stride;
      for (int x = 0; x < input.width; x += block, from += channels) std::fill_n(row + x, block, values[*from]);
      for (int copy = 1; copy < block; ++copy) std::copy_n(row, input.width, row + copy * view.row_stride);
    }
  }
}

float golden_error(const Golden& golden, const InputContract& input, std::span<const TensorInfo> outputs,
                   const Executable& executable, Workspace& workspace) {
  feed_pixels(golden.pixels, golden.block, input, executable.input(workspace));
  executable.run(workspace);
  float worst = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::span<const float> found = executable.output(workspace, i);
    const std::vector<float>& wanted = golden.outputs.at(outputs[i].name);
    float largest = 1;
    float difference = 0;
    if (!std::all_of(found.begin(), found.end(), [](float v) { return std::isfinite(v); })) {
      return std::numeric_limits<float>::infinity();
    }
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      largest = std::max(largest, std::abs(wanted[k]));
      difference = std::max(difference, std::abs(found[position(k, wanted.size(), found.size())] - wanted[k]));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

std::vector<Golden> make_goldens(const Package& package, int count) {
  std::vector<Golden> goldens;
  if (count <= 0) return goldens;
  const auto executable = plan_cpu(package.graph, Isa::kPortable);
  const auto workspace = executable->make_workspace();
  for (int i = 0; i < count; ++i) {
    Golden golden;
    golden.block = block_of(package.contract.input);
    golden.pixels = synthetic_pixels(package.contract.input, golden.block, i);
    feed_pixels(golden.pixels, golden.block, package.contract.input, executable->input(*workspace));
    executable->run(*workspace);
    for (std::size_t k = 0; k < package.graph.outputs.size(); ++k) {
      const Value& value = package.graph.values[static_cast<std::size_t>(package.graph.outputs[k])];
      const std::span<const float> found = executable->output(*workspace, k);
      std::vector<float>& wanted = golden.outputs[value.name];
      wanted.resize(std::min(found.size(), kMostValues));
      for (std::size_t n = 0; n < wanted.size(); ++n) wanted[n] = found[position(n, wanted.size(), found.size())];
    }
    goldens.push_back(std::move(golden));
  }
  return goldens;
}

}  // namespace liveness
