#include "pipeline/cache.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "liveness/error.hpp"

namespace liveness {
namespace {

// What a result takes, strings and vectors included; near enough to bound memory.
std::size_t bytes_of(const Result& result) {
  // Node of the list, node and bucket of the index, control block of the shared pointer.
  constexpr std::size_t kBookkeeping = 192;
  std::size_t bytes = kBookkeeping + sizeof(Result) + result.model.capacity();
  for (const FaceResult& face : result.faces) {
    bytes += sizeof face;
    for (const MemberScore& member : face.members) bytes += sizeof member + member.model.capacity();
  }
  return bytes;
}

}  // namespace

PredictionCache::Impl::Impl(const Options& options) : options_(options), hash_(hash_function(default_isa())) {
  if (options_.bytes == 0) throw Error(Status::kInvalidArgument, "bytes: expected at least 1, got 0");
  constexpr std::chrono::milliseconds kLongest = std::chrono::days(3650);  // more would not fit the clock's unit
  if (options_.time_to_live.count() < 0 || options_.time_to_live > kLongest)
    throw Error(Status::kInvalidArgument, "time_to_live: expected 0 to " + std::to_string(kLongest.count()) +
                                              " ms, got " + std::to_string(options_.time_to_live.count()));
  std::random_device random;
  for (std::size_t i = 0; i < secret_.size(); i += sizeof(unsigned)) {
    const unsigned bits = random();
    std::memcpy(&secret_[i], &bits, sizeof bits);
  }
}

Hash PredictionCache::Impl::hash(const Bytes& bytes) const noexcept {
  return hash(bytes.data().data(), bytes.data().size());
}

void PredictionCache::Impl::add_pixels(const ImageView& image, const vision::Footprint& pixels, Bytes& to) const {
  const int first = pixels.first();
  const int last = pixels.last();
  const auto bytes = static_cast<std::ptrdiff_t>(bytes_per_pixel(image.format));
  const std::ptrdiff_t row = image.width * bytes;
  bool whole = image.stride == row;
  for (int y = first; y < last && whole; ++y) whole = pixels[y].begin == 0 && pixels[y].end == image.width;
  if (whole) {  // nothing between the rows
    to.add(hash(image.data + image.stride * first, static_cast<std::size_t>(row * (last - first))));
  } else {
    thread_local std::vector<Hash> rows;  // keeps its capacity
    rows.clear();
    rows.reserve(static_cast<std::size_t>(last - first));
    for (int y = first; y < last; ++y) {
      const auto [begin, end] = pixels[y];
      if (end > 0)
        rows.push_back(
            hash(image.data + image.stride * y + begin * bytes, static_cast<std::size_t>((end - begin) * bytes)));
    }
    to.add(hash(rows.data(), rows.size() * sizeof(Hash)));
  }
  if (image.format != PixelFormat::kNv12 && image.format != PixelFormat::kNv21) return;
  const std::ptrdiff_t stride = image.chroma_stride != 0 ? image.chroma_stride : image.stride;
  const std::uint8_t* chroma = image.chroma != nullptr ? image.chroma : image.data + image.stride * image.height;
  for (int y = first / 2; y <= (last - 1) / 2 && first < last; ++y) {
    // A pair of values for each two columns and rows.
    int begin = image.width;
    int end = 0;
    for (const int luma : {2 * y, 2 * y + 1})
      if (luma < image.height && pixels[luma].end > 0) {
        begin = std::min(begin, pixels[luma].begin & ~1);
        end = std::max(end, (pixels[luma].end + 1) & ~1);
      }
    if (begin < end) to.add(hash(chroma + stride * y + begin, static_cast<std::size_t>(end - begin)));
  }
}

void PredictionCache::Impl::drop(Entries::iterator entry) {
  statistics_.bytes -= entry->bytes;
  ++statistics_.evictions;
  index_.erase(entry->key);
  entries_.erase(entry);
}

std::shared_ptr<const Result> PredictionCache::Impl::find(const Hash& key) {
  const bool ages = options_.time_to_live.count() > 0;
  const Clock::time_point now = ages ? Clock::now() : Clock::time_point();
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) {
    ++statistics_.misses;
    return nullptr;
  }
  const Entries::iterator entry = found->second;
  if (ages && now - entry->born > options_.time_to_live) {
    drop(entry);
    ++statistics_.misses;
    return nullptr;
  }
  ++statistics_.hits;
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->result;
}

void PredictionCache::Impl::insert(const Hash& key, const Result& result) {
  const std::size_t bytes = bytes_of(result);
  if (bytes > options_.bytes) return;
  Entries one;  // made before the lock is taken
  one.push_back({key, std::make_shared<const Result>(result), bytes, Clock::now()});
  const std::lock_guard lock(mutex_);
  // Another thread may have scored the same picture meanwhile: both results are equal.
  const auto [place, fresh] = index_.try_emplace(key, one.begin());
  if (!fresh) return;
  entries_.splice(entries_.begin(), one);
  statistics_.bytes += bytes;
  while (statistics_.bytes > options_.bytes) drop(std::prev(entries_.end()));
}

PredictionCache::Statistics PredictionCache::Impl::statistics() const {
  const std::lock_guard lock(mutex_);
  Statistics now = statistics_;
  now.entries = entries_.size();
  return now;
}

void PredictionCache::Impl::shrink(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  while (statistics_.bytes > bytes) drop(std::prev(entries_.end()));
}

PredictionCache::PredictionCache(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
PredictionCache::~PredictionCache() = default;
const PredictionCache::Options& PredictionCache::options() const noexcept {
  return impl_->options();
}
PredictionCache::Statistics PredictionCache::statistics() const {
  return impl_->statistics();
}
void PredictionCache::shrink(std::size_t bytes) {
  impl_->shrink(bytes);
}

}  // namespace liveness
