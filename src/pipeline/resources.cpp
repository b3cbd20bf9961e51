#include "liveness/resources.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <map>
#include <mutex>
#include <vector>

namespace liveness {
namespace {

// A file of /proc or /sys that is read again and again: kept open, since a read costs a fraction of an open.
class Probe {
 public:
  explicit Probe(const std::filesystem::path& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Probe() {
    if (fd_ >= 0) close(fd_);
  }
  Probe(Probe&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Probe& operator=(Probe&&) = delete;

  // The first numbers of the file's first line after `skip` words; false where it does not have so many.
  template <std::size_t N>
  bool read(std::array<double, N>& numbers, int skip = 0) const {
    std::array<char, 512> buffer;
    const auto size = fd_ < 0 ? -1 : pread(fd_, buffer.data(), buffer.size(), 0);
    if (size <= 0) return false;
    const char* at = buffer.data();
    const char* const end = at + size;
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
    for (; skip > 0; --skip) {
      while (at < end && !is_space(*at)) ++at;
      while (at < end && is_space(*at)) ++at;
    }
    for (double& number : numbers) {
      while (at < end && is_space(*at)) ++at;
      const auto done = std::from_chars(at, end, number);
      if (done.ec != std::errc()) return false;
      at = done.ptr;
    }
    return true;
  }

 private:
  int fd_;
};

std::string first_word(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

// Sensors of the processor: thermal zones of any kind, and the monitoring chips that are known to sit in processors.
std::vector<Probe> sensors(const std::filesystem::path& root) {
  std::vector<Probe> all;
  std::error_code none;
  for (const auto& zone : std::filesystem::directory_iterator(root / "sys/class/thermal", none))
    if (zone.path().filename().string().starts_with("thermal_zone")) all.emplace_back(zone.path() / "temp");
  for (const auto& chip : std::filesystem::directory_iterator(root / "sys/class/hwmon", none)) {
    const std::string name = first_word(chip.path() / "name");
    if (name != "coretemp" && name != "k10temp" && name != "zenpower" && name != "cpu_thermal") continue;
    for (const auto& file : std::filesystem::directory_iterator(chip.path(), none)) {
      const std::string entry = file.path().filename().string();
      if (entry.starts_with("temp") && entry.ends_with("_input")) all.emplace_back(file.path());
    }
  }
  return all;
}

// The few functions of NVML that are needed, by their documented signatures.
class Nvml {
 public:
  explicit Nvml(const std::string& name) {
    if (name.empty()) return;
    library_ = dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (library_ == nullptr) return;
    int (*init)() = nullptr;
    int (*count)(unsigned*) = nullptr;
    int (*handle)(unsigned, void**) = nullptr;
    unsigned devices = 0;
    if (!find(init, "nvmlInit_v2") || !find(count, "nvmlDeviceGetCount_v2") ||
        !find(handle, "nvmlDeviceGetHandleByIndex_v2") || !find(use_, "nvmlDeviceGetUtilizationRates") ||
        !find(memory_, "nvmlDeviceGetMemoryInfo") || init() != 0)
      return;
    find(temperature_, "nvmlDeviceGetTemperature");
    find(shutdown_, "nvmlShutdown");
    if (count(&devices) != 0) return;
    for (unsigned i = 0; i < devices; ++i)
      if (void* device = nullptr; handle(i, &device) == 0) devices_.push_back(device);
  }
  ~Nvml() {
    if (shutdown_ != nullptr) shutdown_();
    if (library_ != nullptr) dlclose(library_);
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  void sample(ResourceUsage& usage) const {
    for (void* device : devices_) {
      std::array<unsigned, 2> use{};              // of the processors, of the memory's bus; percent
      std::array<unsigned long long, 3> bytes{};  // total, free, used
      unsigned celsius = 0;
      if (use_(device, use.data()) == 0) usage.gpu_use = std::max(usage.gpu_use.value_or(0), use[0] / 100.0);
      if (memory_(device, bytes.data()) == 0) usage.gpu_bytes = usage.gpu_bytes.value_or(0) + bytes[2];
      if (temperature_ != nullptr && temperature_(device, 0, &celsius) == 0)
        usage.temperature = std::max(usage.temperature.value_or(-273), static_cast<double>(celsius));
    }
  }

 private:
  template <class F>
  bool find(F& function, const char* name) {
    function = reinterpret_cast<F>(dlsym(library_, name));
    return function != nullptr;
  }

  void* library_ = nullptr;
  int (*use_)(void*, unsigned*) = nullptr;
  int (*memory_)(void*, unsigned long long*) = nullptr;
  int (*temperature_)(void*, int, unsigned*) = nullptr;
  int (*shutdown_)() = nullptr;
  std::vector<void*> devices_;
};

double process_seconds() {
  // /proc/self/stat counts in hundredths of a second, too coarse for a window of half a second.
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

}  // namespace

class ResourceMonitor::Impl {
 public:
  explicit Impl(const Options& options)
      : stat_(options.root / "proc/stat"),
        memory_(options.root / "proc/self/statm"),
        sensors_(sensors(options.root)),
        nvml_(options.nvml) {
    then_ = Clock::now();
    process_ = process_seconds();
    (void)stat_.read(machine_, 1);
  }

  ResourceUsage sample() {
    ResourceUsage usage;
    const auto now = Clock::now();
    const double process = process_seconds();
    usage.seconds = std::chrono::duration<double>(now - then_).count();
    if (usage.seconds > 0) usage.process_cpu = std::max(0.0, process - process_) / usage.seconds;
    then_ = now;
    process_ = process;
    // user nice system idle iowait irq softirq steal, in ticks since the start; iowait is idle time
    if (std::array<double, 8> ticks{}; stat_.read(ticks, 1)) {
      double all = 0;
      for (std::size_t i = 0; i < ticks.size(); ++i) all += ticks[i] - machine_[i];
      const double idle = ticks[3] - machine_[3] + ticks[4] - machine_[4];
      if (all > 0) usage.machine_cpu = std::clamp(1 - idle / all, 0.0, 1.0);
      machine_ = ticks;
    }
    if (std::array<double, 2> pages{}; memory_.read(pages))  // size, resident
      usage.resident_bytes = static_cast<std::size_t>(pages[1]) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    for (const auto& sensor : sensors_)
      if (std::array<double, 1> milli{}; sensor.read(milli))
        usage.temperature = std::max(usage.temperature.value_or(-273), milli[0] / 1000);
    nvml_.sample(usage);
    return usage;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Probe stat_;
  Probe memory_;
  std::vector<Probe> sensors_;
  Nvml nvml_;
  Clock::time_point then_;
  double process_ = 0;
  std::array<double, 8> machine_{};
};

ResourceMonitor::ResourceMonitor(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
ResourceMonitor::~ResourceMonitor() = default;
ResourceMonitor::ResourceMonitor(ResourceMonitor&&) noexcept = default;
ResourceMonitor& ResourceMonitor::operator=(ResourceMonitor&&) noexcept = default;

ResourceUsage ResourceMonitor::sample() {
  return impl_->sample();
}

class MemoryManager::Impl {
 public:
  struct Holder {
    std::string name;
    std::function<std::size_t()> used;
    std::function<void(std::size_t)> shrink;
  };

  explicit Impl(std::size_t cap) : cap_(cap) {}

  [[nodiscard]] std::size_t used() const {
    std::size_t all = 0;
    for (const auto& [id, holder] : holders_) all += holder.used();
    return all;
  }

  std::size_t cap_;
  mutable std::mutex mutex_;
  std::map<int, Holder> holders_;
  int next_ = 0;
};

MemoryManager::MemoryManager(std::size_t cap) {
  if (cap == 0) throw Error(Status::kInvalidArgument, "memory cap is 0 bytes, expected more");
  impl_ = std::make_unique<Impl>(cap);
}
MemoryManager::~MemoryManager() = default;

MemoryManager::Registration MemoryManager::add(std::string name, std::function<std::size_t()> used,
                                               std::function<void(std::size_t)> shrink) {
  if (!used || !shrink)
    throw Error(Status::kInvalidArgument, "memory holder '" + name + "': both functions are needed");
  const std::scoped_lock lock(impl_->mutex_);
  const int id = impl_->next_++;
  impl_->holders_.emplace(id, Impl::Holder{std::move(name), std::move(used), std::move(shrink)});
  return {*this, id};
}

void MemoryManager::remove(int id) noexcept {
  const std::scoped_lock lock(impl_->mutex_);
  impl_->holders_.erase(id);
}

std::size_t MemoryManager::cap() const noexcept {
  return impl_->cap_;
}

std::size_t MemoryManager::used() const {
  const std::scoped_lock lock(impl_->mutex_);
  return impl_->used();
}

std::size_t MemoryManager::trim(double share) {
  if (!(share >= 0 && share <= 1))
    throw Error(Status::kInvalidArgument, "share is " + std::to_string(share) + ", expected 0 to 1");
  const std::scoped_lock lock(impl_->mutex_);
  const std::size_t before = impl_->used();
  const double target = static_cast<double>(impl_->cap_) * share;
  if (static_cast<double>(before) <= target) return 0;
  std::size_t after = 0;
  for (auto& [id, holder] : impl_->holders_) {
    const std::size_t had = holder.used();
    const auto keep = static_cast<std::size_t>(target * (static_cast<double>(had) / static_cast<double>(before)));
    holder.shrink(keep);
    const std::size_t has = holder.used();
    if (has > keep)
      throw Error(Status::kInternal, "memory holder '" + holder.name + "' keeps " + std::to_string(has) +
                                         " bytes, but may keep " + std::to_string(keep));
    after += has;
  }
#ifdef __GLIBC__
  malloc_trim(0);  // freed blocks stay with the process otherwise
#endif
  return before - after;
}

}  // namespace liveness
