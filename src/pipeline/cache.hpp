// What a PredictionCache holds, and how a picture becomes its key.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <type_traits>
#include <unordered_map>

#include "liveness/cache.hpp"
#include "liveness/predictor.hpp"
#include "pipeline/hash.hpp"
#include "vision/footprint.hpp"

namespace liveness {

// Bytes of values behind each other, to be hashed.
class Bytes {
 public:
  template <class T>
  void add(const T& value) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>, "what has padding has no bytes to compare");
    data_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void add(const Rect& r) {
    for (const float v : {r.x, r.y, r.width, r.height}) add(v);
  }
  void add(const std::string& text) {
    add(text.size());
    data_ += text;
  }
  void add(const Hash& hash) {
    add(hash.low);
    add(hash.high);
  }
  void clear() noexcept { data_.clear(); }
  [[nodiscard]] const std::string& data() const noexcept { return data_; }

 private:
  std::string data_;
};

class PredictionCache::Impl {
 public:
  explicit Impl(const Options& options);

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] Hash hash(const Bytes& bytes) const noexcept;
  // Appends a hash of the pixels of a footprint, or several. The image is checked.
  void add_pixels(const ImageView& image, const vision::Footprint& pixels, Bytes& to) const;

  // Null where it is not there, or too old.
  [[nodiscard]] std::shared_ptr<const Result> find(const Hash& key);
  void insert(const Hash& key, const Result& result);
  [[nodiscard]] Statistics statistics() const;
  void shrink(std::size_t bytes);

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    Hash key;
    std::shared_ptr<const Result> result;
    std::size_t bytes = 0;
    Clock::time_point born;
  };
  struct Low {  // a part of a good hash is one
    std::size_t operator()(const Hash& h) const noexcept { return static_cast<std::size_t>(h.low); }
  };
  using Entries = std::list<Entry>;

  [[nodiscard]] Hash hash(const void* data, std::size_t size) const noexcept { return hash_(data, size, secret_); }
  void drop(Entries::iterator entry);

  const Options options_;
  HashFunction hash_;
  Secret secret_;
  // One lock for all: it is held for some 50 ns a call, of which hashing the pixels takes a hundred times as many.
  mutable std::mutex mutex_;
  Entries entries_;  // the most recently used first
  std::unordered_map<Hash, Entries::iterator, Low> index_;
  Statistics statistics_;
};

}  // namespace liveness
