// From layers to a flat list of steps over one arena.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#ifdef LIVENESS_X86
#include <xmmintrin.h>
#endif

#include "engine/engine.hpp"
#include "engine/isa.hpp"
#include "engine/kernels.hpp"
#include "engine/layers.hpp"
#include "engine/memory.hpp"
#include "liveness/error.hpp"

namespace liveness {

namespace engine {

namespace {

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}
Index rounded(Index n, Index to) {
  return (n + to - 1) / to * to;
}

const Kernels& kernels_of(Isa isa) {
  switch (isa) {
#ifdef LIVENESS_X86
    case Isa::kAmx:
    case Isa::kAvx512: return kAvx512Kernels;
    case Isa::kAvx2: return kAvx2Kernels;
#endif
    default: return kPortableKernels;
  }
}

const LowKernels& low_kernels_of(Isa isa) {
  switch (isa) {
#ifdef LIVENESS_X86
    case Isa::kAmx: return kAmxLow;
    case Isa::kAvx512: return has_bf16(isa) ? kAvx512Bf16Low : has_vnni(isa) ? kAvx512VnniLow : kAvx512Low;
    case Isa::kAvx2: return has_vnni(isa) ? kAvx2VnniLow : kAvx2Low;
#endif
    default: return kPortableLow;
  }
}

struct RowRange {
  int first = 0;
  int end = 0;
};

struct Step {
  int layer = 0;
  int y0 = 0;
  int y1 = 0;
  // Rows of the network's input that it reads; all before `end` must be there.
  RowRange input = {std::numeric_limits<int>::max(), 0};
};

// A layer with everything in its place.
struct Planned {
  Kernel kernel = nullptr;  // null: a dense operation
  Operation op;
  std::optional<Operation> from_ring;  // where it reads the network's input: the same, reading a ring of rows
  std::vector<ConvBlock> blocks;
  int per_unit = 1;                 // values a 32-bit unit of the weights holds
  bool int8 = false;                // with scales
  std::vector<Index> dense_inputs;  // arena offsets; -1 where the operand is a constant
  Index dense_output = 0;
};

// ------------------------------------------------------------------------------------------------ rows

// Rows of the input that output rows [y0, y1) of a window of this geometry read.
RowRange window_rows(const Operation& op, int height, int y0, int y1) {
  const int first = y0 * op.stride_h - op.pad_top;
  const int end = (y1 - 1) * op.stride_h - op.pad_top + (op.kernel_h - 1) * op.dilation_h + 1;
  return {std::clamp(first, 0, height), std::clamp(end, 0, height)};
}

// Steps go row by row through layers that follow each other, so that what one makes is still in the cache when the next
// one reads it; values between them then need only a few rows of memory.
class Scheduler {
 public:
  Scheduler(const Network& net, const std::vector<int>& roots) : net_(net), roots_(roots) {
    rings_.resize(net.values.size());
    for (std::size_t v = 0; v < net.values.size(); ++v) rings_[v] = net.values[v].height;
    readers_.resize(net.values.size());
    done_.assign(net.layers.size(), 0);
    for (std::size_t i = 0; i < net.layers.size(); ++i) {
      for (const int v : inputs(net.layers[i])) readers_[at(root(v))].push_back(static_cast<int>(i));
    }
  }

  void run() {
    const int count = static_cast<int>(net_.layers.size());
    for (int first = 0; first < count;) {
      int end = first + 1;
      while (end < count && joins(end, first)) ++end;
      run_segment(first, end);
      first = end;
    }
  }

  std::vector<Step> steps;
  [[nodiscard]] int ring(int root) const { return rings_[at(root)]; }

 private:
  int root(int value) const { return roots_[at(value)]; }

  static std::vector<int> inputs(const Layer& layer) {
    std::vector<int> all;
    for (const int v : layer.inputs) {
      if (v >= 0) all.push_back(v);
    }
    if (layer.residual >= 0) all.push_back(layer.residual);
    return all;
  }

  // Rows that the layer works through: of its output, but of its input where it reduces that to a pixel.
  int height(const Layer& layer) const {
    const int v = layer.kind == Kind::kGlobalPool || layer.kind == Kind::kToDense ? layer.inputs[0] : layer.output;
    return layer.kind == Kind::kDense ? 1 : net_.values[at(v)].height;
  }

  // Rows of `value` that rows [y0, y1) of the layer read.
  RowRange needed(const Layer& layer, int value, int y0, int y1) const {
    const int rows = net_.values[at(value)].height;
    if (y0 >= y1) return {rows, rows};
    if (value == layer.inputs[0]) {
      switch (layer.kind) {
        case Kind::kConv:
        case Kind::kDepthwise:
        case Kind::kPool: {
          RowRange range = window_rows(layer.op, rows, y0, y1);
          if (value == layer.residual) range = {std::min(range.first, y0), std::max(range.end, y1)};
          return range;
        }
        case Kind::kResize: return {layer.map_y[at(2 * y0)], layer.map_y[at(2 * y1 - 1)] + 1};
        case Kind::kFromDense:
        case Kind::kDense: return {0, rows};
        default: return {y0, y1};
      }
    }
    if (rows == 1 || layer.kind == Kind::kDense) return {0, rows};
    return {y0, y1};
  }

  bool joins(int layer, int first) const {
    const Layer& next = net_.layers[at(layer)];
    if (next.kind == Kind::kDense) return false;
    for (const int v : inputs(next)) {
      const Tensor4& value = net_.values[at(v)];
      const Index bytes = Index{4} * value.height * value.width * rounded(value.channels, kAlign);
      if (bytes < kFuseBytes || value.height == 1) continue;
      for (int i = first; i < layer; ++i) {
        if (root(net_.layers[at(i)].output) == root(v) && net_.layers[at(i)].kind != Kind::kDense) return true;
      }
    }
    // Writers of one value stay together.
    return root(net_.layers[at(layer - 1)].output) == root(next.output) &&
           net_.layers[at(layer - 1)].kind != Kind::kDense;
  }

  void run_segment(int first, int end) {
    first_ = first;
    end_ = end;
    std::vector<int> rings(net_.values.size(), 0);
    extent_ = &rings;
    pull(end - 1, height(net_.layers[at(end - 1)]));
    for (int i = first; i < end; ++i) pull(i, height(net_.layers[at(i)]));
    for (int i = first; i < end; ++i) {
      const int v = root(net_.layers[at(i)].output);
      if (shrinks(v)) rings_[at(v)] = std::min(rings_[at(v)], rings[at(v)]);
    }
  }

  // Read only inside the segment, written by one layer, and not through views.
  bool shrinks(int value) const {
    for (std::size_t v = 0; v < net_.values.size(); ++v) {
      if (static_cast<int>(v) != value && roots_[v] == value) return false;
    }
    if (net_.values[at(value)].layout != Layout::kNhwc) return false;
    if (std::find(net_.outputs.begin(), net_.outputs.end(), value) != net_.outputs.end()) return false;
    for (int i = 0; i < static_cast<int>(net_.layers.size()); ++i) {
      if (net_.layers[at(i)].output == value && (i < first_ || i >= end_)) return false;
    }
    const auto& readers = readers_[at(value)];
    return !readers.empty() &&
           std::all_of(readers.begin(), readers.end(), [&](int r) { return r >= first_ && r < end_; });
  }

  // Makes rows of the layer up to `upto`, a few at a time, each time no more of what they need than that.
  void pull(int layer, int upto) {
    const Layer& l = net_.layers[at(layer)];
    while (done_[at(layer)] < upto) {
      const int y0 = done_[at(layer)];
      const int y1 = std::min(height(l), y0 + rows_at_once(l));
      Step step{layer, y0, y1, {}};
      for (const int v : inputs(l)) {
        const RowRange range = needed(l, v, y0, y1);
        const int end = range.end;
        if (root(v) == net_.input) step.input = range;
        for (int i = first_; i < end_; ++i) {
          const Layer& from = net_.layers[at(i)];
          if (root(from.output) != root(v) || i == layer) continue;
          pull(i, from.kind == Kind::kGlobalPool || from.kind == Kind::kToDense ? height(from) : end);
        }
      }
      steps.push_back(step);
      done_[at(layer)] = y1;
      note_extent(root(l.output), y1);
    }
  }

  // How many rows of a value must be kept when rows up to `end` are there.
  void note_extent(int value, int end) {
    int oldest = end;
    for (const int r : readers_[at(value)]) {
      if (r < first_ || r >= end_) continue;
      const Layer& reader = net_.layers[at(r)];
      const int y0 = done_[at(r)];
      for (const int v : inputs(reader)) {
        if (root(v) == value && y0 < height(reader)) oldest = std::min(oldest, needed(reader, v, y0, y0 + 1).first);
      }
    }
    (*extent_)[at(value)] = std::max((*extent_)[at(value)], end - oldest);
  }

  int rows_at_once(const Layer& layer) const {
    if (end_ - first_ == 1) return height(layer);
    const int width = std::max(1, net_.values[at(layer.output)].width);
    if (layer.kind == Kind::kToDense || layer.kind == Kind::kGlobalPool) return 1;
    return std::max(1, (kPixelsAtOnce + width - 1) / width);
  }

  static constexpr Index kFuseBytes = Index{128} << 10;
  static constexpr int kPixelsAtOnce = 160;

  const Network& net_;
  const std::vector<int>& roots_;
  std::vector<int> rings_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> done_;  // rows that each layer has made
  int first_ = 0;
  int end_ = 0;
  std::vector<int>* extent_ = nullptr;
};

// ------------------------------------------------------------------------------------------------ memory

// Places for buffers with lifetimes: no two that live at once overlap.
class ArenaLayout {
 public:
  int add(Index size, int first_step, int last_step) {
    blocks_.push_back({rounded(size, kAlign), first_step, last_step, 0});
    return static_cast<int>(blocks_.size()) - 1;
  }

  // Largest first, each at the lowest place that is free for its whole life.
  void place() {
    std::vector<std::size_t> order(blocks_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return blocks_[a].size > blocks_[b].size; });
    std::vector<std::size_t> placed;  // by offset
    for (const std::size_t i : order) {
      Block& block = blocks_[i];
      Index offset = 0;
      for (const std::size_t j : placed) {
        const Block& other = blocks_[j];
        if (other.last < block.first || block.last < other.first) continue;
        if (offset + block.size <= other.offset) break;
        offset = std::max(offset, other.offset + other.size);
      }
      block.offset = offset;
      size_ = std::max(size_, offset + block.size);
      placed.insert(std::upper_bound(placed.begin(), placed.end(), offset,
                                     [&](Index o, std::size_t j) { return o < blocks_[j].offset; }),
                    i);
    }
  }

  [[nodiscard]] Index offset(int block) const { return blocks_[at(block)].offset; }
  [[nodiscard]] Index size() const { return size_; }

 private:
  struct Block {
    Index size;
    int first;
    int last;
    Index offset;
  };
  std::vector<Block> blocks_;
  Index size_ = 0;
};

// ------------------------------------------------------------------------------------------------ the plan

// The kernels may read `margin` floats before and after what they use.
class CpuWorkspace final : public Workspace {
 public:
  CpuWorkspace(Index floats, Index margin) : memory_(floats + 2 * margin), margin_(margin) {}
  [[nodiscard]] float* arena() const noexcept { return memory_.get() + margin_; }

 private:
  Floats memory_;
  Index margin_;
};

// What a pass needs of the thread that runs it. Numbers too small for a whole fraction count as zero, whatever the
// caller has chosen: many CPUs take a hundred times as long over them.
class ThreadState {
 public:
  // `low`: null where no layer is below fp32.
  explicit ThreadState(const LowKernels* low) : low_(low) {
#ifdef LIVENESS_X86
    _mm_setcsr(control_ | kTinyIsZero);
#endif
    if (low_ != nullptr && low_->enter != nullptr) low_->enter();
  }
  ~ThreadState() {
    if (low_ != nullptr && low_->leave != nullptr) low_->leave();
#ifdef LIVENESS_X86
    _mm_setcsr(control_);
#endif
  }
  ThreadState(const ThreadState&) = delete;
  ThreadState& operator=(const ThreadState&) = delete;

 private:
  const LowKernels* low_;
#ifdef LIVENESS_X86
  static constexpr unsigned kTinyIsZero = 0x8040;  // flush to zero, denormals are zeros
  const unsigned control_ = _mm_getcsr();
#endif
};

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(Graph graph, Isa isa, Precision precision) : kernels_(kernels_of(isa)), low_(low_kernels_of(isa)) {
    for (const int id : graph.outputs) {
      output_sizes_.push_back(static_cast<std::size_t>(elements(graph.values[at(id)].shape)));
    }
    net_ = lower(std::move(graph), kernels_.lanes, precision == Precision::kFp32 || low_.gates);
    choose_precisions(precision);
    find_roots();
    Scheduler scheduler(net_, roots_);
    scheduler.run();
    steps_ = std::move(scheduler.steps);
    find_pads();
    lay_out(scheduler);
    for (std::size_t i = 0; i < net_.layers.size(); ++i) {
      planned_.push_back(plan(net_.layers[i], precisions_[i] == Precision::kFp32));
      if (precisions_[i] != Precision::kFp32) plan_low(precisions_[i], planned_.back());
    }
    pack();
    find_input_ring();
  }

  std::unique_ptr<Workspace> make_workspace() const override {
    return std::make_unique<CpuWorkspace>(arena_floats_, margin_);
  }

  PlanarView input(Workspace& workspace) const override {
    const Rows& rows = rows_[at(net_.input)];
    return {static_cast<CpuWorkspace&>(workspace).arena() + rows.offset, rows.pitch, rows.plane};
  }

  void run(Workspace& workspace) const override {
    const ThreadState state(low_used_ ? &low_ : nullptr);
    float* arena = static_cast<CpuWorkspace&>(workspace).arena();
    for (const Step& step : steps_) run_step(step, arena, false);
  }

  // Rows are brought just before they are needed, to a ring of as few as the steps allow: what has been copied is still
  // in the nearest cache when it is read, and what comes next is fetched while the first layer computes.
  void run_from(Workspace& workspace, const float* values, const InputContract& /*size*/) const override {
    const ThreadState state(low_used_ ? &low_ : nullptr);
    float* arena = static_cast<CpuWorkspace&>(workspace).arena();
    const Rows& in = rows_[at(net_.input)];
    int rows = 0;
    const auto bring = [&](int upto) {
      const int ahead = upto - rows;
      for (; rows < upto; ++rows) {
        const int next = std::min(rows + ahead, in.height - 1);
        for (int c = 0; c < in.channels; ++c) {
          const float* plane = values + Index{c} * in.height * in.width;
          for (Index x = 0; x < in.width; x += kAlign) __builtin_prefetch(plane + Index{next} * in.width + x);
          std::copy_n(plane + Index{rows} * in.width, in.width,
                      arena + in.offset + c * in.plane + rows % input_ring_ * in.pitch);
        }
      }
    };
    for (const Step& step : steps_) {
      bring(step.input.end);
      run_step(step, arena, true);
    }
    if (input_ring_ == in.height) bring(in.height);  // an output may be the input itself
  }

  std::span<const float> output(const Workspace& workspace, std::size_t i) const override {
    const float* arena = static_cast<const CpuWorkspace&>(workspace).arena();
    return {arena + rows_[at(net_.outputs.at(i))].offset, output_sizes_[i]};
  }

  std::size_t weight_bytes() const noexcept override { return weights_.size_bytes(); }
  std::size_t workspace_bytes() const noexcept override {
    return static_cast<std::size_t>(arena_floats_ + 2 * margin_) * sizeof(float);
  }

  std::vector<StepTime> profile(int rounds) const override {
    using Clock = std::chrono::steady_clock;
    const ThreadState state(low_used_ ? &low_ : nullptr);
    const CpuWorkspace workspace(arena_floats_, margin_);
    std::vector<std::vector<double>> times(net_.layers.size());
    for (int round = 0; round < rounds; ++round) {
      std::vector<double> spent(net_.layers.size(), 0.0);
      for (const Step& step : steps_) {
        const auto start = Clock::now();
        run_step(step, workspace.arena(), false);
        spent[at(step.layer)] += std::chrono::duration<double, std::micro>(Clock::now() - start).count();
      }
      for (std::size_t i = 0; i < spent.size(); ++i) times[i].push_back(spent[i]);
    }
    std::vector<StepTime> result;
    for (std::size_t i = 0; i < times.size(); ++i) {
      auto& t = times[i];
      const auto middle = t.begin() + std::ssize(t) / 2;
      std::nth_element(t.begin(), middle, t.end());
      result.push_back({net_.layers[i].name, net_.layers[i].macs, *middle});
    }
    return result;
  }

 private:
  // `ring`: the network's input is a ring of rows, as run_from() makes it.
  void run_step(const Step& step, float* arena, bool ring) const {
    const Planned& planned = planned_[at(step.layer)];
    if (planned.kernel != nullptr) {
      planned.kernel(ring && planned.from_ring ? *planned.from_ring : planned.op, arena, step.y0, step.y1);
      return;
    }
    const float* inputs[kMaxDenseInputs];
    for (std::size_t i = 0; i < planned.dense_inputs.size(); ++i) {
      inputs[i] = planned.dense_inputs[i] < 0 ? nullptr : arena + planned.dense_inputs[i];
    }
    run_dense_op(net_.layers[at(step.layer)].dense, inputs, arena + planned.dense_output);
  }

  // run_from() keeps as many rows of the input as any step, and those after it, still read of what is there by then.
  void find_input_ring() {
    const Rows& in = rows_[at(net_.input)];
    std::vector<int> oldest(steps_.size() + 1, in.height);
    for (std::size_t i = steps_.size(); i-- > 0;) oldest[i] = std::min(oldest[i + 1], steps_[i].input.first);
    int end = 0;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      end = std::max(end, steps_[i].input.end);
      input_ring_ = std::max(input_ring_, end - oldest[i]);
    }
    const auto is_input = [&](int v) { return roots_[at(v)] == net_.input; };
    if (std::any_of(net_.outputs.begin(), net_.outputs.end(), is_input)) input_ring_ = in.height;
    for (std::size_t i = 0; i < planned_.size(); ++i) {
      const auto& inputs = net_.layers[i].inputs;
      if (inputs.empty() || inputs[0] != net_.input) continue;
      planned_[i].from_ring = planned_[i].op;
      planned_[i].from_ring->a.ring = input_ring_;
    }
  }

  void find_roots() {
    roots_.resize(net_.values.size());
    for (std::size_t v = 0; v < roots_.size(); ++v) {
      int root = static_cast<int>(v);
      while (net_.values[at(root)].base >= 0) root = net_.values[at(root)].base;
      roots_[v] = root;
    }
  }

  // Columns of zeros that the input planes, and images that a wide kernel reads, have beside them.
  struct Pads {
    int left = 0;
    int right = 0;
  };

  void find_pads() {
    pads_.resize(net_.values.size());
    for (const Layer& layer : net_.layers) {
      if (layer.kind != Kind::kConv) continue;
      const Tensor4& in = net_.values[at(layer.inputs[0])];
      const Tensor4& out = net_.values[at(layer.output)];
      const Operation& op = layer.op;
      Pads& pads = pads_[at(roots_[at(layer.inputs[0])])];
      const auto beyond = [](int size, int outs, int stride, int kernel, int dilation, int before) {
        return std::max(0, (outs - 1) * stride + (kernel - 1) * dilation + 1 - before - size);
      };
      pads.left = std::max(pads.left, op.pad_left);
      pads.right =
          std::max(pads.right, beyond(in.width, out.width, op.stride_w, op.kernel_w, op.dilation_w, op.pad_left));
    }
  }

  Index stride_of(const Tensor4& value) const {
    return value.layout == Layout::kNhwc ? rounded(value.channels, kernels_.lanes) : 1;
  }

  void lay_out(const Scheduler& scheduler) {
    rows_.resize(net_.values.size());
    constexpr int kNever = std::numeric_limits<int>::max();
    std::vector<RowRange> lives(net_.values.size(), {kNever, -1});
    const auto live = [&](int value, int step) {
      if (value < 0) return;
      RowRange& life = lives[at(roots_[at(value)])];
      life = {std::min(life.first, step), std::max(life.end, step)};
    };
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      const Layer& layer = net_.layers[at(steps_[s].layer)];
      for (const int v : layer.inputs) live(v, static_cast<int>(s));
      live(layer.residual, static_cast<int>(s));
      live(layer.output, static_cast<int>(s));
    }
    for (const int v : net_.outputs) live(v, kNever);
    live(net_.input, -1);  // its border is written once, when the workspace is made
    live(net_.input, kNever);

    ArenaLayout layout;
    std::vector<int> blocks(net_.values.size(), -1);
    std::vector<Index> starts(net_.values.size(), 0);  // of pixel (0, 0) in its block
    Index zeros = kAlign;
    for (std::size_t v = 0; v < net_.values.size(); ++v) {
      const Tensor4& value = net_.values[v];
      const Pads& pads = pads_[v];
      if (roots_[v] != static_cast<int>(v) || lives[v].first > lives[v].end) continue;
      Rows& rows = rows_[v];
      rows.height = value.height;
      rows.width = value.width;
      rows.channels = value.channels;
      rows.stride = stride_of(value);
      rows.ring = scheduler.ring(static_cast<int>(v));
      rows.pad_left = pads.left;
      rows.pad_right = pads.right;
      rows.pitch = (pads.left + value.width + pads.right) * rows.stride;
      Index size = rows.ring * rows.pitch;
      starts[v] = pads.left * rows.stride;
      if (value.layout == Layout::kPlanes) {
        // Whoever fills the input does so faster where rows start on a cache line.
        const Index left = rounded(pads.left, kAlign);
        rows.pitch = left + rounded(value.width + pads.right, kAlign);
        rows.plane = value.height * rows.pitch;
        starts[v] = left;
        size = rows.plane * value.channels;
      } else if (value.layout == Layout::kDense || value.height * value.width == 1) {
        rows.plane = 1;
      }
      zeros = std::max(zeros, rows.pitch);
      blocks[v] = layout.add(size, lives[v].first, lives[v].end);
    }
    const int zero_block = layout.add(zeros, -1, kNever);
    const Index scratch = scratch_floats();
    const int scratch_block = scratch > 0 ? layout.add(scratch, -1, kNever) : zero_block;
    layout.place();
    zeros_ = layout.offset(zero_block);
    scratch_ = layout.offset(scratch_block);
    arena_floats_ = std::max<Index>(layout.size(), 1);
    for (std::size_t v = 0; v < net_.values.size(); ++v) {
      if (blocks[v] >= 0) rows_[v].offset = layout.offset(blocks[v]) + starts[v];
    }
    for (std::size_t v = 0; v < net_.values.size(); ++v) {
      if (roots_[v] == static_cast<int>(v)) continue;
      Index channel = 0;
      for (int u = static_cast<int>(v); net_.values[at(u)].base >= 0; u = net_.values[at(u)].base) {
        channel += net_.values[at(u)].channel;
      }
      Rows& rows = rows_[v];
      rows = rows_[at(roots_[v])];
      rows.offset += channel;
      rows.channels = net_.values[v].channels;
      if (net_.values[at(roots_[v])].layout == Layout::kDense) {
        rows.width = 1;
        rows.pitch = rows.stride = stride_of(net_.values[v]);
      }
    }
  }

  Planned plan(const Layer& layer, bool fp32) {
    Planned planned;
    Operation& op = planned.op;
    op = layer.op;
    op.zeros = zeros_;
    op.out = rows_[at(layer.output)];
    if (layer.kind == Kind::kDense) {
      for (const int v : layer.inputs) planned.dense_inputs.push_back(v < 0 ? -1 : rows_[at(v)].offset);
      planned.dense_output = op.out.offset;
      if (planned.dense_inputs.size() > kMaxDenseInputs) {
        throw Error(Status::kUnsupported, "node \"" + layer.name +
                                              "\": " + std::to_string(planned.dense_inputs.size()) +
                                              " inputs; at most " + std::to_string(kMaxDenseInputs) + " are supported");
      }
      return planned;
    }
    op.a = rows_[at(layer.inputs[0])];
    Rows& second = layer.kind == Kind::kPointwise ? op.c : op.b;
    bool& has_second = layer.kind == Kind::kPointwise ? op.has_c : op.has_b;
    if (layer.residual >= 0) {
      second = rows_[at(layer.residual)];
      has_second = true;
    }
    switch (layer.kind) {
      case Kind::kConv:
        if (layer.inputs.size() > 1) {
          op.c = rows_[at(layer.inputs[1])];
          op.has_c = true;
        }
        planned.kernel =
            net_.values[at(layer.inputs[0])].layout == Layout::kPlanes ? kernels_.conv_planes : kernels_.conv;
        shape_conv(layer, fp32, planned);
        break;
      case Kind::kDepthwise:
        planned.kernel = kernels_.depthwise;
        margin_ = std::max(margin_, rounded(op.kernel_w * op.a.stride, kAlign));
        op.depth = static_cast<int>(rounded(op.out.channels, kernels_.lanes));
        break;
      case Kind::kPool: planned.kernel = kernels_.pool; break;
      case Kind::kGlobalPool: planned.kernel = kernels_.global_pool; break;
      case Kind::kPointwise:
        planned.kernel = kernels_.pointwise;
        if (layer.inputs.size() > 1) {
          op.b = rows_[at(layer.inputs[1])];
          op.has_b = true;
        }
        break;
      case Kind::kResize: planned.kernel = kernels_.resize; break;
      case Kind::kFromPlanes: planned.kernel = kernels_.from_planes; break;
      case Kind::kToDense:
        planned.kernel = kernels_.to_dense;
        op.out.channels = op.depth > 0 ? op.depth : op.a.channels;
        break;
      case Kind::kFromDense: planned.kernel = kernels_.from_dense; break;
      case Kind::kConcat:
      case Kind::kSlice: planned.kernel = kernels_.concat; break;
      case Kind::kDense: break;
    }
    return planned;
  }

  // ---------------------------------------------------------------------------------------------- below fp32

  // 1x1 of stride 1: a product of matrices with a row a pixel.
  static bool is_plain(const Operation& op) {
    return op.kernel_h == 1 && op.kernel_w == 1 && op.stride_h == 1 && op.stride_w == 1 && op.pad_top == 0 &&
           op.pad_left == 0 && op.pad_bottom == 0 && op.pad_right == 0;
  }

  // What each layer is computed in. Only dense convolutions over pictures go below fp32: the first layer, which reads
  // the input's planes, depthwise layers and what works on a single pixel (squeeze-excite, the classifier) do not.
  void choose_precisions(Precision precision) {
    precisions_.assign(net_.layers.size(), Precision::kFp32);
    int dense = 0;
    for (std::size_t i = 0; i < net_.layers.size(); ++i) {
      Layer& layer = net_.layers[i];
      const Tensor4& in = net_.values[at(layer.inputs.empty() ? 0 : layer.inputs[0])];
      const Tensor4& out = net_.values[at(layer.output)];
      if (layer.kind != Kind::kConv || layer.groups != 1 || in.layout != Layout::kNhwc || out.height * out.width == 1) {
        continue;
      }
      // Rounding to whole numbers costs scores most in the first layers, and with few channels it gains no time.
      const bool sensitive = dense++ < kFloatLayers;
      const bool gains = in.channels >= low_.int8_inputs && out.channels >= low_.int8_outputs;
      Precision lowest = layer.lowest;
      if (lowest == Precision::kAuto) lowest = sensitive || !gains ? Precision::kBf16 : Precision::kInt8;
      Precision chosen = std::min(precision, lowest);
      // Sums of a million products of bytes would not fit 32 bits.
      if (chosen == Precision::kInt8 && (!is_plain(layer.op) || in.channels > kMaxInt8Channels)) {
        chosen = Precision::kBf16;
      }
      if (chosen == Precision::kBf16 && low_.conv_bf16 == nullptr) {
        // No instructions for it: the same weights, in fp32.
        std::transform(layer.weight.begin(), layer.weight.end(), layer.weight.begin(),
                       [](float w) { return from_bf16(to_bf16(w)); });
        chosen = Precision::kFp32;
      }
      precisions_[i] = chosen;
      low_used_ = low_used_ || chosen != Precision::kFp32;
    }
  }

  // To nearest, ties to even; weights are finite.
  static std::uint16_t to_bf16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
  }
  static float from_bf16(std::uint16_t half) { return std::bit_cast<float>(std::uint32_t{half} << 16); }

  // Units of a pixel.
  int units(int channels, int per_unit) const {
    return static_cast<int>(rounded((channels + per_unit - 1) / per_unit, low_.depth_multiple));
  }

  // What the largest of the layers below fp32 makes of its input.
  Index scratch_floats() const {
    Index most = 0;
    for (std::size_t i = 0; i < net_.layers.size(); ++i) {
      if (precisions_[i] == Precision::kFp32) continue;
      const Layer& layer = net_.layers[i];
      const Tensor4& in = net_.values[at(layer.inputs[0])];
      const bool int8 = precisions_[i] == Precision::kInt8;
      const Index pixel = units(in.channels, int8 ? low_.int8_per_unit : kBf16PerUnit);
      Index size = low_.chunk * (2 + pixel);
      if (!is_plain(layer.op)) {
        const Pads& pads = pads_[at(roots_[at(layer.inputs[0])])];
        const Index ring = (layer.op.kernel_h - 1) * layer.op.dilation_h + 1;
        const Index columns = pads.left + in.width + pads.right + low_.beyond * layer.op.stride_w;
        size = ring * (columns * pixel + kernels_.lanes);
      }
      most = std::max(most, low_.sums + size + kAlign);  // vectors are written whole
    }
    return most;
  }

  void plan_low(Precision precision, Planned& planned) const {
    Operation& op = planned.op;
    const bool int8 = precision == Precision::kInt8;
    const int pixel = units(op.a.channels, int8 ? low_.int8_per_unit : kBf16PerUnit);
    const bool together = op.dilation_w == 1;
    planned.kernel = int8 ? low_.conv_int8 : low_.conv_bf16;
    planned.per_unit = int8 ? low_.int8_per_unit : kBf16PerUnit;
    planned.int8 = int8;
    op.segments = op.kernel_h * (together ? 1 : op.kernel_w);
    op.depth = together ? op.kernel_w * pixel : pixel;
    op.scratch = scratch_;
  }

  // Weights as the units that the kernels multiply with.
  void pack_low_block(const Layer& layer, const Planned& planned, const ConvBlock& block, float* to) const {
    const Operation& op = planned.op;
    const int width = block.vectors * kernels_.lanes;
    const int first = block.first * kernels_.lanes;
    const int used = std::min(width, op.out.channels - first);
    const int per = planned.per_unit;
    const int pixel = units(op.a.channels, per);
    const auto window = Index{op.kernel_h} * op.kernel_w;
    auto* bytes = reinterpret_cast<std::byte*>(to);
    for (int j = 0; j < used; ++j) {
      const float* from = layer.weight.data() + (first + j) * window * op.a.channels;
      const float inverse = planned.int8 ? 1 / int8_step(layer, op, first + j) : 0.0F;
      for (int c = 0; c < op.a.channels; ++c) {
        for (Index tap = 0; tap < window; ++tap, ++from) {
          const Index unit = (tap * pixel + c / per) * width + j;
          std::byte* place = bytes + unit * Index{sizeof(float)} + c % per * Index{sizeof(float)} / per;
          if (!planned.int8) {
            store_as<std::uint16_t>(place, to_bf16(*from));
          } else if (per == 4) {
            store_as<std::int8_t>(place, static_cast<std::int8_t>(whole(*from * inverse)));
          } else {
            store_as<std::int16_t>(place, static_cast<std::int16_t>(whole(*from * inverse)));
          }
        }
      }
    }
  }

  template <class T>
  static void store_as(std::byte* place, T value) {
    std::memcpy(place, &value, sizeof value);
  }
  static float whole(float value) { return std::clamp(std::nearbyint(value), -127.0F, 127.0F); }

  // Step of the whole numbers that stand for an output's weights.
  static float int8_step(const Layer& layer, const Operation& op, int output) {
    const auto count = at(op.a.channels);
    const float* weight = layer.weight.data() + at(output) * count;
    float largest = 0;
    for (std::size_t k = 0; k < count; ++k) largest = std::max(largest, std::abs(weight[k]));
    return std::max(largest / 127.0F, std::numeric_limits<float>::min());
  }

  void pack_int8_scales(const Layer& layer, const Operation& op, float* scale, float* sum) const {
    for (int o = 0; o < op.out.channels; ++o) {
      scale[o] = int8_step(layer, op, o);
      const float* weight = layer.weight.data() + at(o) * at(op.a.channels);
      for (int k = 0; k < op.a.channels; ++k) sum[o] += whole(weight[k] * (1 / scale[o]));
    }
  }

  // How a window is read, and which output channels go together.
  void shape_conv(const Layer& layer, bool fp32, Planned& planned) const {
    Operation& op = planned.op;
    const int lanes = kernels_.lanes;
    const int vectors = (op.out.channels + lanes - 1) / lanes;
    const int ins = op.a.channels;
    const bool planes = net_.values[at(layer.inputs[0])].layout == Layout::kPlanes;
    if (planes) {
      const bool together = op.dilation_w == 1;
      op.segments = ins * op.kernel_h * (together ? 1 : op.kernel_w);
      op.depth = together ? op.kernel_w : 1;
    } else {
      // Whole kernel rows where pixels follow each other without a gap.
      const bool together = op.dilation_w == 1 && layer.groups == 1 && op.a.stride == ins;
      op.segments = op.kernel_h * (together ? 1 : op.kernel_w);
      op.depth = together ? op.kernel_w * ins : ins;
    }
    if (layer.groups > 1) {
      // A vector of outputs reads the channels of the groups that it touches; what belongs to another output of the
      // vector has weight 0.
      const int per_in = ins / layer.groups;
      const int per_out = op.out.channels / layer.groups;
      std::vector<RowRange> ranges;
      op.depth = 0;
      for (int v = 0; v < vectors; ++v) {
        const int last = std::min((v + 1) * lanes, op.out.channels) - 1;
        ranges.push_back({v * lanes / per_out * per_in, (last / per_out + 1) * per_in});
        op.depth = std::max(op.depth, ranges.back().end - ranges.back().first);
      }
      for (int v = 0; v < vectors; ++v)
        planned.blocks.push_back({v, 1, std::min(ranges[at(v)].first, ins - op.depth), nullptr});
      return;
    }
    for (int v = 0; v < vectors;) {
      const int n = block_vectors(vectors - v, fp32 ? kernels_.wide_vectors : low_.wide_vectors);
      planned.blocks.push_back({v, n, 0, nullptr});
      v += n;
    }
    const int rest = op.out.channels % lanes;
    const bool common = op.act == Act::kNone || (!op.has_b && (op.act == Act::kPRelu || op.act == Act::kClip));
    ConvBlock& last = planned.blocks.back();
    last.half = kernels_.halves && fp32 && !planes && common && last.vectors > 1 && rest > 0 && rest <= lanes / 2;
  }

  // Equal shares rather than a narrow rest: a narrow tile loads more for each multiplication.
  static int block_vectors(int left, int widest) {
    const int blocks = (left + widest - 1) / widest;
    return (left + blocks - 1) / blocks;
  }

  // Weights, biases and maps of all layers in running order in one array, so that they stream.
  void pack() {
    const Index lanes = kernels_.lanes;
    Index size = 0;
    const auto reserve = [&](Index n) { return std::exchange(size, size + rounded(n, kAlign)); };
    std::vector<std::vector<Index>> block_places(planned_.size());
    std::vector<Index> weight_places(planned_.size(), -1);
    std::vector<Index> scale_places(planned_.size(), -1);
    std::vector<Index> bias_places(planned_.size(), -1);
    std::vector<Index> slope_places(planned_.size(), -1);
    for (std::size_t i = 0; i < planned_.size(); ++i) {
      const Layer& layer = net_.layers[i];
      const Operation& op = planned_[i].op;
      const Index channels = rounded(op.out.channels, lanes);
      for (const ConvBlock& block : planned_[i].blocks) {
        block_places[i].push_back(reserve(Index{op.segments} * op.depth * block.vectors * lanes));
      }
      if (layer.kind == Kind::kDepthwise) weight_places[i] = reserve(Index{op.kernel_h} * op.kernel_w * channels);
      if (layer.kind == Kind::kPointwise && !layer.weight.empty()) weight_places[i] = reserve(channels);
      if (planned_[i].int8) {
        weight_places[i] = reserve(channels);
        scale_places[i] = reserve(channels);
      }
      if (!layer.bias.empty()) bias_places[i] = reserve(channels);
      if (!layer.slope.empty()) slope_places[i] = reserve(channels);
    }
    weights_ = Floats(std::max<Index>(size, 1));
    for (std::size_t i = 0; i < planned_.size(); ++i) {
      Layer& layer = net_.layers[i];
      Planned& planned = planned_[i];
      Operation& op = planned.op;
      std::vector<Index> rows;
      if (!planned.blocks.empty() && planned.per_unit == 1) rows = weight_rows(layer, op);
      for (std::size_t j = 0; j < planned.blocks.size(); ++j) {
        if (planned.per_unit > 1) {
          pack_low_block(layer, planned, planned.blocks[j], weights_.get() + block_places[i][j]);
        } else {
          pack_block(layer, op, planned.blocks[j], rows, weights_.get() + block_places[i][j]);
        }
        planned.blocks[j].weight = weights_.get() + block_places[i][j];
      }
      op.blocks = planned.blocks.data();
      op.block_count = static_cast<int>(planned.blocks.size());
      if (planned.int8) {
        float* sums = weights_.get() + weight_places[i];
        float* scales = weights_.get() + scale_places[i];
        pack_int8_scales(layer, op, scales, sums);
        op.weight = sums;
        op.scale = scales;
      } else if (weight_places[i] >= 0) {
        float* to = weights_.get() + weight_places[i];
        op.weight = to;
        const Index channels = rounded(op.out.channels, lanes);
        const Index taps = static_cast<Index>(layer.weight.size()) / op.out.channels;
        for (Index c = 0; c < op.out.channels; ++c) {
          for (Index k = 0; k < taps; ++k) to[k * channels + c] = layer.weight[static_cast<std::size_t>(c * taps + k)];
        }
      }
      if (bias_places[i] >= 0)
        op.bias = std::copy(layer.bias.begin(), layer.bias.end(), weights_.get() + bias_places[i]) - layer.bias.size();
      if (slope_places[i] >= 0)
        op.slope =
            std::copy(layer.slope.begin(), layer.slope.end(), weights_.get() + slope_places[i]) - layer.slope.size();
      op.map_y = layer.map_y.data();
      op.map_x = layer.map_x.data();
      op.lerp_y = layer.lerp_y.data();
      op.lerp_x = layer.lerp_x.data();
      layer.weight = {};
      layer.bias = {};
      layer.slope = {};
    }
  }

  // Where each weight of an output goes, in vectors of outputs; weights of one output follow each other in `layer`.
  std::vector<Index> weight_rows(const Layer& layer, const Operation& op) const {
    const bool planes = net_.values[at(layer.inputs[0])].layout == Layout::kPlanes;
    const int ins = op.a.channels / layer.groups;
    std::vector<Index> rows;
    rows.reserve(at(ins * op.kernel_h * op.kernel_w));
    for (int i = 0; i < ins; ++i) {
      for (int ky = 0; ky < op.kernel_h; ++ky) {
        for (int kx = 0; kx < op.kernel_w; ++kx) {
          rows.push_back(planes                       ? (Index{i} * op.kernel_h + ky) * op.kernel_w + kx
                         : op.segments == op.kernel_h ? Index{ky} * op.depth + Index{kx} * ins + i
                                                      : (Index{ky} * op.kernel_w + kx) * op.depth + i);
        }
      }
    }
    return rows;
  }

  void pack_block(const Layer& layer, const Operation& op, const ConvBlock& block, const std::vector<Index>& rows,
                  float* to) const {
    const int width = block.vectors * kernels_.lanes;
    const int first = block.first * kernels_.lanes;
    const int used = std::min(width, op.out.channels - first);
    const int ins = op.a.channels / layer.groups;
    const int outs = op.out.channels / layer.groups;
    const std::size_t window = rows.size();
    // A cache line of every output at a time: what is written then stays in the nearest cache until it is complete.
    for (std::size_t k0 = 0; k0 < window; k0 += kAlign) {
      const std::size_t k1 = std::min(window, k0 + kAlign);
      for (int j = 0; j < used; ++j) {
        const int o = first + j;
        const float* from = layer.weight.data() + at(o) * window;
        // Of the channels that a block reads, those of this output's group.
        float* column = to + j + (layer.groups > 1 ? Index{o / outs * ins - block.channel} * width : 0);
        for (std::size_t k = k0; k < k1; ++k) column[rows[k] * width] = from[k];
        if (!block.half || j < width - kernels_.lanes) continue;
        column += kernels_.lanes / 2;
        for (std::size_t k = k0; k < k1; ++k) column[rows[k] * width] = from[k];
      }
    }
  }

  static constexpr std::size_t kMaxDenseInputs = 1024;
  static constexpr int kFloatLayers = 2;
  static constexpr int kMaxInt8Channels = 1 << 16;

  const Kernels& kernels_;
  const LowKernels& low_;
  Network net_;
  std::vector<Precision> precisions_;  // of each layer
  bool low_used_ = false;              // one of them is below fp32
  std::vector<int> roots_;             // the value in whose memory a value lies
  std::vector<Pads> pads_;
  std::vector<Rows> rows_;
  std::vector<Step> steps_;
  std::vector<Planned> planned_;
  std::vector<std::size_t> output_sizes_;
  Floats weights_;
  Index zeros_ = 0;
  Index scratch_ = 0;
  int input_ring_ = 1;
  Index arena_floats_ = 0;
  Index margin_ = 0;
};

}  // namespace

}  // namespace engine

std::unique_ptr<const Executable> plan_cpu(Graph graph, Isa isa, Precision precision) {
  return std::make_unique<engine::CpuExecutable>(std::move(graph), isa, precision);
}

}  // namespace liveness
