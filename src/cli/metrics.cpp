#include "metrics.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "liveness/error.hpp"

namespace liveness::cli {
namespace {

void head(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void one(std::string& text, std::string_view name, std::string_view type, std::string_view help, double value) {
  head(text, name, type, help);
  text += fmt::format("{} {}\n", name, value);
}

}  // namespace

std::string to_prometheus(const StreamFigures& f, const Profiler& profiler) {
  std::string t;
  one(t, "liveness_frames_total", "counter", "Frames taken from the source.", static_cast<double>(f.frames));
  one(t, "liveness_frames_left_out_total", "counter", "Frames not worked on, to hold a budget.",
      static_cast<double>(f.left_out));
  one(t, "liveness_fps", "gauge", "Frames a second taken from the source.", f.fps);
  one(t, "liveness_tracks", "gauge", "Faces that are followed now.", static_cast<double>(f.tracks));
  head(t, "liveness_decisions_total", "counter", "Verdicts reached on tracks.");
  for (const Verdict v : {Verdict::kLive, Verdict::kSpoof, Verdict::kUncertain}) {
    const auto found = f.decisions.find(to_string(v));
    t += fmt::format("liveness_decisions_total{{verdict=\"{}\"}} {}\n", to_string(v),
                     found == f.decisions.end() ? 0 : found->second);
  }
  head(t, "liveness_events_total", "counter", "Events of stream and tracks.");
  for (const auto& [kind, count] : f.events)
    t += fmt::format("liveness_events_total{{event=\"{}\"}} {}\n", kind, count);
  head(t, "liveness_stage_seconds", "summary", "Time of one stage.");
  for (std::size_t s = 0; s < Profiler::kStages; ++s) {
    const auto stage = static_cast<Profiler::Stage>(s);
    const Profiler::Figures p = profiler.figures(stage);
    if (p.count == 0) continue;
    const auto name = Profiler::name(stage);
    for (const auto& [quantile, ms] : {std::pair{0.5, p.p50_ms}, {0.9, p.p90_ms}, {0.99, p.p99_ms}})
      t += fmt::format("liveness_stage_seconds{{stage=\"{}\",quantile=\"{}\"}} {:.9f}\n", name, quantile, ms / 1000);
    t += fmt::format("liveness_stage_seconds_sum{{stage=\"{}\"}} {:.9f}\n", name, p.total_ms / 1000);
    t += fmt::format("liveness_stage_seconds_count{{stage=\"{}\"}} {}\n", name, p.count);
  }
  one(t, "liveness_process_cpu_cores", "gauge", "Cores that the process keeps busy.", f.usage.process_cpu);
  one(t, "liveness_machine_cpu_ratio", "gauge", "Share of all cores that are busy.", f.usage.machine_cpu);
  one(t, "process_resident_memory_bytes", "gauge", "Resident memory.", static_cast<double>(f.usage.resident_bytes));
  if (f.usage.gpu_use) one(t, "liveness_gpu_ratio", "gauge", "Use of the busiest GPU.", *f.usage.gpu_use);
  if (f.usage.gpu_bytes)
    one(t, "liveness_gpu_memory_bytes", "gauge", "GPU memory in use.", static_cast<double>(*f.usage.gpu_bytes));
  if (f.usage.temperature)
    one(t, "liveness_temperature_celsius", "gauge", "The hottest of processor and GPUs.", *f.usage.temperature);
  one(t, "liveness_governor_level", "gauge", "0: as configured; each next one is cheaper a frame.", f.level);
  one(t, "liveness_workload_fps", "gauge", "Frames a second to work on; 0: every frame.", f.workload_fps);
  return t;
}

MetricsServer::MetricsServer(int port) {
  const auto fail = [&](const char* what) {
    const std::string why = std::strerror(errno);
    if (socket_ >= 0) close(socket_);
    throw Error(Status::kIo, fmt::format("monitoring.port: {} 127.0.0.1:{}: {}", what, port, why));
  };
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) fail("no socket for");
  const int yes = 1;
  setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(socket_, any, size) != 0 || listen(socket_, 8) != 0 || getsockname(socket_, any, &size) != 0)
    fail("cannot listen on");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

MetricsServer::~MetricsServer() {
  stop_ = true;
  thread_.join();
  close(socket_);
}

void MetricsServer::publish(std::string text) {
  const std::scoped_lock lock(mutex_);
  text_ = std::move(text);
}

void MetricsServer::serve() {
  while (!stop_) {
    pollfd wait{socket_, POLLIN, 0};
    if (poll(&wait, 1, 200) <= 0) continue;
    const int connection = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    const timeval limit{1, 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    answer(connection);
    close(connection);
  }
}

void MetricsServer::answer(int connection) {
  std::array<char, 2048> buffer;
  std::string request;
  while (request.find("\r\n\r\n") == std::string::npos) {
    const auto got = recv(connection, buffer.data(), buffer.size(), 0);
    if (got <= 0 || request.size() > 8192) return;
    request.append(buffer.data(), static_cast<std::size_t>(got));
  }
  std::string body = "only GET /metrics\n";
  const char* status = "404 Not Found";
  if (request.starts_with("GET /metrics ")) {
    const std::scoped_lock lock(mutex_);
    body = text_;
    status = "200 OK";
  }
  const std::string reply = fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n"
      "Connection: close\r\n\r\n{}",
      status, body.size(), body);
  for (std::size_t sent = 0; sent < reply.size();) {
    const auto n = send(connection, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

std::string write_metrics(const std::string& file, std::string_view text) {
  const std::string fresh = file + ".new";
  std::ofstream out(fresh, std::ios::binary);
  out << text;
  out.close();
  std::error_code failed;
  if (out) std::filesystem::rename(fresh, file, failed);
  if (out && !failed) return "";
  return fmt::format("cannot write {}", file);
}

}  // namespace liveness::cli
