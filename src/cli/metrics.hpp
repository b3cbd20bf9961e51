// Figures of a running stream in Prometheus' text format, in a file or over HTTP on the loopback interface.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "liveness/profiler.hpp"
#include "liveness/resources.hpp"
#include "liveness/types.hpp"

namespace liveness::cli {

// What a stream has done so far.
struct StreamFigures {
  std::uint64_t frames = 0;                                     // taken from the source
  std::uint64_t left_out = 0;                                   // of them not worked on, to hold a budget
  double fps = 0;                                               // taken over the last seconds
  double latency_ms = 0;                                        // of a frame, 99th percentile
  std::map<std::string, std::uint64_t, std::less<>> events;     // by kind
  std::map<std::string, std::uint64_t, std::less<>> decisions;  // by verdict
  std::size_t tracks = 0;                                       // now
  ResourceUsage usage;
  int level = 0;            // of the governor
  double workload_fps = 0;  // 0: every frame
};

// https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4. Times are in seconds, as its customs
// ask.
[[nodiscard]] std::string to_prometheus(const StreamFigures& figures, const Profiler& profiler);

// Answers GET /metrics on 127.0.0.1 with the text that was published last, one request at a time: whoever asks slowly
// or nonsense is cut off.
class MetricsServer {
 public:
  // Throws Error(kIo) where the port cannot be had. Port 0: any free one.
  explicit MetricsServer(int port);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  void publish(std::string text);
  [[nodiscard]] int port() const { return port_; }

 private:
  void serve();
  void answer(int connection);

  int socket_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::string text_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// The file appears whole or not at all. Empty where all is well.
[[nodiscard]] std::string write_metrics(const std::string& file, std::string_view text);

}  // namespace liveness::cli
