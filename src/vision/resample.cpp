#include "vision/resample.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace liveness::vision {
namespace {

constexpr int kRowsAtOnce = 64;

// The nearest pixel of the frame alone, where the crop misses the frame along an axis.
Axis reaching(Axis axis) noexcept {
  if (axis.origin < axis.frame && axis.origin + axis.length > 0) return axis;
  return {axis.begin(), 1, axis.frame, axis.out, axis.border};
}

// The line of a crop that stands for `i`: its own edge repeats.
int edge_line(const Axis& down, int i) noexcept {
  return std::clamp(i, 0, down.length - 1);
}

// How a pass combines pixels: two neighbours along each axis, or as many as there are.
struct Combination {
  bool fir = false;
  bool like_area = false;
};
Combination combination(ResizeFilter filter, const Axis& across, const Axis& down) noexcept {
  const bool shrinks = across.length >= across.out && down.length >= down.out;
  const bool halves = across.length == 2 * across.out && down.length == 2 * down.out;
  return {filter == ResizeFilter::kLanczos || (filter == ResizeFilter::kArea && shrinks && !halves),
          filter == ResizeFilter::kArea && !shrinks};
}

bool misses(const Region& r, Size frame) noexcept {
  return r.x >= frame.width || r.y >= frame.height || r.x + r.width <= 0 || r.y + r.height <= 0;
}

// Rows of one frame as the filters read them: pixels of 1, 3 or 4 bytes, from the first column that is needed.
class RowReader {
 public:
  RowReader(const RoiKernels& kernels, const ImageView& image, bool grey, int begin, int end,
            std::array<std::vector<std::uint8_t>, 2>& scratch)
      : kernels_(kernels), image_(image), scratch_(scratch) {
    const bool biplanar = image.format == PixelFormat::kNv12 || image.format == PixelFormat::kNv21;
    converts_ = biplanar;
    grey_ = grey || image.format == PixelFormat::kGray;
    begin_ = biplanar ? begin & ~1 : begin;
    count_ = end - begin_;
    bytes_ = biplanar ? (grey ? 1 : 4) : bytes_per_pixel(image.format);
    chroma_stride_ = image.chroma_stride != 0 ? image.chroma_stride : image.stride;
    chroma_ = image.chroma != nullptr ? image.chroma : image.data + image.stride * image.height;
    if (converts_)
      for (auto& s : scratch_) s.resize(std::max(s.size(), static_cast<std::size_t>(padded(count_)) * 4 + 256));
  }

  [[nodiscard]] int begin() const noexcept { return begin_; }
  [[nodiscard]] bool converts() const noexcept { return converts_; }
  // Bytes behind the start of a row that may be read.
  [[nodiscard]] int readable() const noexcept {
    return converts_ ? padded(count_) * bytes_ + 256 : (image_.width - begin_) * bytes_;
  }
  [[nodiscard]] PixelLayout layout(ColorOrder color) const noexcept {
    if (bytes_ == 1) return {1, 1, {0, 0, 0}};
    const bool rgb_in = image_.format == PixelFormat::kRgb || image_.format == PixelFormat::kRgba;
    // Planes that become grey are blue, green, red.
    return (color == ColorOrder::kRgb) != rgb_in ? PixelLayout{bytes_, 3, {2, 1, 0}}
                                                 : PixelLayout{bytes_, 3, {0, 1, 2}};
  }
  // Row y of the frame from column begin() on. A converted row stays valid until the second next call.
  const std::uint8_t* row(int y) {
    const std::uint8_t* from =
        image_.data + image_.stride * y + std::ptrdiff_t{begin_} * bytes_per_pixel(image_.format);
    if (!converts_) return from;
    std::size_t slot = next_;
    for (std::size_t i = 0; i < 2; ++i)
      if (held_[i] == y) slot = i;
    next_ = 1 - slot;
    if (held_[slot] == y) return scratch_[slot].data();
    held_[slot] = y;
    std::uint8_t* to = scratch_[slot].data();
    if (grey_)
      kernels_.luma_row(from, count_, to);
    else
      kernels_.nv12_row(from, chroma_ + chroma_stride_ * (y / 2) + begin_, count_, image_.format == PixelFormat::kNv21,
                        to);
    return to;
  }

 private:
  const RoiKernels& kernels_;
  const ImageView& image_;
  std::array<std::vector<std::uint8_t>, 2>& scratch_;
  std::array<int, 2> held_{-1, -1};
  std::size_t next_ = 0;
  bool converts_ = false;
  bool grey_ = false;
  int begin_ = 0;
  int count_ = 0;
  int bytes_ = 0;
  std::ptrdiff_t chroma_stride_ = 0;
  const std::uint8_t* chroma_ = nullptr;
};

struct Scratch {
  std::array<std::vector<std::uint8_t>, 2> rows;
  LinearTaps columns;
  LinearTaps rows_between;
  std::vector<LinearLine> lines;
  LinearRow linear;
  std::vector<std::uint8_t> constant;
  Fir column_fir;
  Fir line_fir;
  FirRow fir;
  Table<float> buffer;
  Table<float> pixels;
  std::vector<float> levels;
};

template <class Vector>
void grow(Vector& v, std::size_t n) {
  if (v.size() < n) v.resize(n);
}

class Pass {
 public:
  Pass(const RoiKernels& kernels, const ImageView& image, const Resample& job, PlanarView out, Scratch& scratch)
      : kernels_(kernels),
        job_(job),
        out_(out),
        scratch_(scratch),
        across_(reaching({job.region.x, job.region.width, image.width, job.out.width, job.border})),
        down_(reaching({job.region.y, job.region.height, image.height, job.out.height, job.border})),
        reader_(kernels, image, job.color == ColorOrder::kGray, across_.begin(), across_.end(), scratch.rows),
        layout_(reader_.layout(job.color)),
        direct_(layout_.planes == (job.color == ColorOrder::kGray ? 1 : 3)) {
    grow(scratch.levels, static_cast<std::size_t>(3 * padded(job.out.width)));
  }

  void run() {
    const Combination how = combination(job_.filter, across_, down_);
    if (how.fir)
      fir();
    else
      linear(how.like_area);
  }

 private:
  // Where row y of plane c is written, and how; grey levels first where planes are not made one by one.
  struct Target {
    float* out[3];
    float mul[3];
    float add[3];
  };
  Target target(int y) {
    Target t{};
    for (int c = 0; c < 3; ++c) {
      t.out[c] = direct_ ? out_.data + out_.row_stride * y + out_.plane_stride * (c < layout_.planes ? c : 0)
                         : scratch_.levels.data() + std::ptrdiff_t{c} * padded(job_.out.width);
      t.mul[c] = direct_ ? job_.mul[c] : 1.0F;
      t.add[c] = direct_ ? job_.add[c] : 0.0F;
    }
    return t;
  }
  void finish(int y, const Target& t) {
    if (direct_) return;
    const int n = job_.out.width;
    float* to = out_.data + out_.row_stride * y;
    if (layout_.planes == 3) {
      kernels_.grey_row(t.out[0], t.out[1], t.out[2], n, job_.mul[0], job_.add[0], to);
    } else {
      for (int c = 0; c < 3; ++c) kernels_.scale_row(t.out[0], n, job_.mul[c], job_.add[c], to + out_.plane_stride * c);
    }
  }

  void linear_columns(bool like_area) {
    LinearRow& row = scratch_.linear;
    linear_taps(across_, Along::kRow, like_area, scratch_.columns);
    const int n = padded(across_.out);
    const int last = across_.frame - 1 - reader_.begin();
    const int bytes = layout_.bytes;
    row.pixel = layout_;
    row.width = across_.out;
    row.readable = reader_.readable();
    row.second = across_.frame > 1 || reader_.converts() ? bytes : 0;
    row.offset.resize(static_cast<std::size_t>(n));
    row.weights.resize(static_cast<std::size_t>(n) * 2);
    row.bias.clear();
    const std::int32_t* tap = scratch_.columns.index.data();
    std::int32_t* offset = row.offset.data();
    std::copy(scratch_.columns.weights.begin(), scratch_.columns.weights.end(), row.weights.begin());
    if (across_.origin >= 0 && across_.origin + across_.length <= across_.frame) {
      const int origin = across_.origin - reader_.begin();
      for (int x = 0; x < across_.out; ++x) offset[x] = (origin + tap[x]) * bytes;
    } else {
      for (int x = 0; x < across_.out; ++x) offset[x] = bordered(x, tap[x]) * bytes;
    }
    // Of the frame's last pixel only the first tap counts: it becomes the second of the pair before.
    for (int x = 0; x < across_.out && last > 0; ++x) {
      if (offset[x] != last * bytes) continue;
      offset[x] -= bytes;
      std::int16_t* weights = row.weights.data() + std::ptrdiff_t{2} * x;
      weights[1] = std::exchange(weights[0], std::int16_t{0});
    }
    std::fill(row.offset.begin() + across_.out, row.offset.end(),
              row.offset[static_cast<std::size_t>(across_.out) - 1]);
    std::fill(row.weights.begin() + std::ptrdiff_t{2} * across_.out, row.weights.end(), std::int16_t{0});
    kernels_.prepare_linear(row);
  }

  // Where the taps at `index` and behind it are, where the crop reaches outside the frame: the pixel from which both
  // can be read in the order of the frame, with the weights of result x moved accordingly.
  int bordered(int x, int index) {
    std::int16_t* weights = scratch_.linear.weights.data() + std::ptrdiff_t{2} * x;
    const int a = across_.source(index);
    const int b = weights[1] != 0 ? across_.source(index + 1) : a;
    if (a < 0 || b < 0) {
      auto& bias = scratch_.linear.bias;
      if (bias.empty()) bias.assign(scratch_.linear.offset.size(), 0);
      bias[static_cast<std::size_t>(x)] = ((a < 0 ? weights[0] : 0) + (b < 0 ? weights[1] : 0)) * job_.border_value;
      weights[0] = a >= 0 ? weights[0] : b >= 0 ? weights[1] : std::int16_t{0};
      weights[1] = 0;
      return std::max({a, b, reader_.begin()}) - reader_.begin();
    }
    if (b < a) std::swap(weights[0], weights[1]);
    if (a == b) {
      weights[0] = static_cast<std::int16_t>(weights[0] + weights[1]);
      weights[1] = 0;
    }
    return std::min(a, b) - reader_.begin();
  }

  void linear(bool like_area) {
    linear_columns(like_area);
    linear_taps(down_, Along::kColumn, like_area, scratch_.rows_between);
    if (job_.border == BorderRule::kConstant)
      scratch_.constant.assign(static_cast<std::size_t>(scratch_.linear.readable), job_.border_value);
    const auto pixels = [&](int y) { return y < 0 ? scratch_.constant.data() : reader_.row(y); };
    const int rows = job_.out.height;
    scratch_.lines.resize(static_cast<std::size_t>(rows));
    // Rows that are converted or finished one by one cannot be asked for all at once.
    const bool one_by_one = reader_.converts() || !direct_;
    for (int y = 0; y < rows; ++y) {
      const auto i = static_cast<std::size_t>(y);
      const int index = scratch_.rows_between.index[i];
      LinearLine& l = scratch_.lines[i];
      l.upper = pixels(line(index));
      l.lower = pixels(line(index + 1));
      l.upper_weight = scratch_.rows_between.weights[2 * i];
      l.lower_weight = scratch_.rows_between.weights[2 * i + 1];
      if (!one_by_one) continue;
      const Target t = target(y);
      kernels_.linear(scratch_.linear, &l, 1, t.mul, t.add, t.out, 0);
      finish(y, t);
    }
    if (one_by_one) return;
    const Target t = target(0);
    kernels_.linear(scratch_.linear, scratch_.lines.data(), rows, t.mul, t.add, t.out, out_.row_stride);
  }
  // The row of the frame at line i of the crop.
  [[nodiscard]] int line(int i) const noexcept { return down_.source(edge_line(down_, i)); }

  // The part of the crop that lies outside the frame, from the part inside.
  void extend(const FirRow& row, float* buffer) const {
    const int from = across_.begin() - across_.origin;
    const int to = across_.end() - across_.origin;
    const int skip = across_.begin() - reader_.begin();  // pixels read before the first one, to begin at an even one
    float* const first = buffer + (row.planar ? 1 : layout_.bytes) * skip;
    const std::ptrdiff_t pixel = row.planar ? 1 : layout_.bytes;
    const std::ptrdiff_t channel = row.planar ? static_cast<std::ptrdiff_t>(row.plane_stride) : 1;
    const auto fill = [&](int i) {
      const int source = across_.source(i);
      for (int c = 0; c < layout_.planes; ++c)
        first[pixel * i + channel * c] =
            source < 0 ? static_cast<float>(job_.border_value) : first[pixel * (source - across_.origin) + channel * c];
    };
    for (int i = 0; i < std::min(from, across_.length); ++i) fill(i);
    for (int i = std::max(to, 0); i < across_.length; ++i) fill(i);
  }

  void fir() {
    const bool lanczos = job_.filter == ResizeFilter::kLanczos;
    const auto taps = [&](const Axis& axis, Fir& fir) {
      lanczos ? lanczos_taps(axis.length, axis.out, fir) : area_taps(axis.length, axis.out, fir);
    };
    Fir& lines = scratch_.line_fir;
    taps(across_, scratch_.column_fir);
    taps(down_, lines);

    FirRow& row = scratch_.fir;
    row.pixel = layout_;
    row.width = across_.out;
    row.taps = scratch_.column_fir.taps;
    row.start.swap(scratch_.column_fir.start);
    row.weight.swap(scratch_.column_fir.weight);
    row.start.resize(static_cast<std::size_t>(padded(row.width)), row.start[static_cast<std::size_t>(row.width) - 1]);
    // Room for pixels read beside the crop: one before it (even column of NV12), and vectors behind its end.
    const int extent = padded(across_.length + row.taps + 1) + kLanes;
    row.plane_stride = static_cast<std::size_t>(extent);
    kernels_.prepare_fir(row);
    grow(scratch_.buffer, static_cast<std::size_t>(extent) * 4);
    grow(scratch_.pixels, static_cast<std::size_t>(padded(row.width)) * 4);
    // What is never written has weight 0, but must be finite.
    std::fill_n(scratch_.buffer.begin(), static_cast<std::size_t>(extent) * 4, 0.0F);

    const int skip = across_.begin() - reader_.begin();
    const int count = across_.end() - reader_.begin();
    const std::ptrdiff_t pixel = row.planar ? 1 : layout_.bytes;
    // The crop's pixel 0 stands at buffer + skip pixels; what the row reader gives begins at the frame's column
    // begin().
    float* const crop = scratch_.buffer.data() + pixel * skip;
    float* const inside = scratch_.buffer.data() + pixel * (across_.begin() - across_.origin);
    std::array<const std::uint8_t*, kRowsAtOnce> rows{};
    std::array<float, kRowsAtOnce> weights{};
    for (int y = 0; y < job_.out.height; ++y) {
      const int start = lines.start[static_cast<std::size_t>(y)];
      const float* weight = lines.weight.data() + std::ptrdiff_t{y} * lines.taps;
      float base = 0;
      int held = 0;
      bool more = false;
      const auto flush = [&] {
        kernels_.accumulate(row, rows.data(), weights.data(), held, base, count, more, inside);
        more = true;
        held = 0;
      };
      for (int k = 0; k < lines.taps; ++k) {
        if (weight[k] == 0) continue;
        const int source = down_.source(start + k);
        if (source < 0) base += weight[k] * static_cast<float>(job_.border_value);
      }
      for (int k = 0; k < lines.taps; ++k) {
        if (weight[k] == 0) continue;
        const int source = down_.source(start + k);
        if (source < 0) continue;
        rows[static_cast<std::size_t>(held)] = reader_.row(source);
        weights[static_cast<std::size_t>(held)] = weight[k];
        // Two converted rows are held at a time.
        if (++held == (reader_.converts() ? 2 : kRowsAtOnce)) flush();
      }
      if (held > 0 || !more) flush();
      extend(row, scratch_.buffer.data());
      const Target t = target(y);
      kernels_.reduce(row, crop, scratch_.pixels.data(), t.mul, t.add, t.out);
      finish(y, t);
    }
    row.start.swap(scratch_.column_fir.start);
    row.weight.swap(scratch_.column_fir.weight);
  }

  const RoiKernels& kernels_;
  const Resample& job_;
  const PlanarView out_;
  Scratch& scratch_;
  const Axis across_;
  const Axis down_;
  RowReader reader_;
  const PixelLayout layout_;
  const bool direct_;  // planes of the result are planes of the frame
};

}  // namespace

void resample(const RoiKernels& kernels, const ImageView& image, const Resample& job, PlanarView out) {
  if (job.border == BorderRule::kConstant && misses(job.region, {image.width, image.height})) {
    for (int c = 0; c < (job.color == ColorOrder::kGray ? 1 : 3); ++c)
      for (int y = 0; y < job.out.height; ++y)
        std::fill_n(out.data + out.plane_stride * c + out.row_stride * y, job.out.width,
                    static_cast<float>(job.border_value) * job.mul[c] + job.add[c]);
    return;
  }
  thread_local Scratch scratch;
  Pass(kernels, image, job, out, scratch).run();
}

void rows_read(Size frame, const Resample& job, Footprint& to) {
  if (job.border == BorderRule::kConstant && misses(job.region, frame)) return;
  const Axis across = reaching({job.region.x, job.region.width, frame.width, job.out.width, job.border});
  const Axis down = reaching({job.region.y, job.region.height, frame.height, job.out.height, job.border});
  const Combination how = combination(job.filter, across, down);
  if (how.fir) {
    const int begin = across.begin();
    const int end = across.end();
    for (int y = down.begin(), last = down.end(); y < last; ++y) to.add(y, begin, end);
    return;
  }
  thread_local LinearTaps taps;
  linear_taps(down, Along::kColumn, how.like_area, taps);
  const int begin = across.begin();
  const int end = across.end();
  const bool inside =
      down.origin >= 0 && down.origin + down.length <= frame.height;  // as source() would say, but sooner
  for (const int index : taps.index)
    for (const int i : {index, index + 1})
      if (const int row = inside ? down.origin + edge_line(down, i) : down.source(edge_line(down, i)); row >= 0)
        to.add(row, begin, end);
}

}  // namespace liveness::vision
