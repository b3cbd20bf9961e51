#include "download.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "liveness/error.hpp"

extern char** environ;

namespace liveness::cli {
namespace fs = std::filesystem;
namespace {

// Exit codes of curl that mean something of their own here (its manual, EXIT CODES).
enum Curl : int {
  kProxy = 5,
  kHost = 6,
  kConnect = 7,
  kPartial = 18,
  kHttp = 22,
  kWrite = 23,
  kTimeout = 28,
  kNoRange = 33,
  kResume = 36,
  kFile = 37,
  kTooLarge = 63,
};

struct Ended {
  int code = 0;
  std::string said;  // on stderr, without the line's end
};

Ended run_curl(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw Error(Status::kIo, fmt::format("a pipe to curl: {}", std::strerror(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, "curl", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  Ended ended;
  if (failed == 0) {
    std::array<char, 512> part;
    for (ssize_t n = 0; (n = ::read(ends[0], part.data(), part.size())) > 0 || (n < 0 && errno == EINTR);)
      if (n > 0 && ended.said.size() < 4096) ended.said.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  if (failed != 0)
    throw Error(
        Status::kNotFound,
        fmt::format("the program curl cannot be started ({}); install it (Debian: apt-get install curl), or fetch "
                    "the address by hand",
                    std::strerror(failed)));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  while (!ended.said.empty() && (ended.said.back() == '\n' || ended.said.back() == '\r')) ended.said.pop_back();
  // Tries before the last one are of no interest.
  if (const auto line = ended.said.rfind('\n'); line != std::string::npos) ended.said.erase(0, line + 1);
  return ended;
}

std::uint64_t size_of(const fs::path& file) {
  std::error_code none;
  const auto size = fs::file_size(file, none);
  return none ? 0 : size;
}

void check_space(const fs::path& folder, std::uint64_t needed) {
  std::error_code unknown;
  const auto space = fs::space(folder, unknown);
  if (!unknown && space.available < needed)
    throw Error(Status::kIo,
                fmt::format("{}: the disk has {} bytes left, {} are needed", folder.string(), space.available, needed));
}

[[noreturn]] void explain(const ManifestFile& file, const fs::path& part, const Ended& ended) {
  Status status = Status::kIo;
  std::string why = fmt::format("curl ended with {}", ended.code);
  if (ended.code == kProxy || ended.code == kHost || ended.code == kConnect) {
    status = Status::kNotFound;
    why = "the host cannot be reached; is there a network?";
  } else if (ended.code == kHttp || ended.code == kFile) {
    status = Status::kNotFound;
    why = "the address has no such file";
  } else if (ended.code == kWrite) {
    why = fmt::format("{} cannot be written; is the disk full?", part.string());
  } else if (ended.code == kPartial || ended.code == kTimeout) {
    why = fmt::format("broke off after {} of {} bytes; the same command goes on from there", size_of(part), file.size);
  } else if (ended.code == kTooLarge) {
    status = Status::kModelInvalid;
    why = fmt::format("is larger than the {} bytes that the manifest says", file.size);
  }
  throw Error(status, fmt::format("{}: {}{}{}", file.address, why, ended.said.empty() ? "" : " - ", ended.said));
}

}  // namespace

void download(const ManifestFile& file, const fs::path& target) {
  const fs::path folder = target.parent_path();
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw Error(Status::kIo, fmt::format("{}: cannot be made: {}", folder.string(), failed.message()));
  const fs::path part = fs::path(target) += ".part";
  // More than the file can hold is no beginning of it.
  if (size_of(part) > file.size) fs::remove(part, failed);
  bool resumed = size_of(part) > 0;
  check_space(folder, file.size - size_of(part));
  while (size_of(part) < file.size) {
    const Ended ended = run_curl({"curl",
                                  "--fail",
                                  "--silent",
                                  "--show-error",
                                  "--location",
                                  "--proto",
                                  "=https,file",
                                  "--proto-redir",
                                  "=https",
                                  "--connect-timeout",
                                  "20",
                                  "--speed-limit",
                                  "1",
                                  "--speed-time",
                                  "30",
                                  "--retry",
                                  "2",
                                  "--max-filesize",
                                  std::to_string(file.size),
                                  "--continue-at",
                                  "-",
                                  "--output",
                                  part.string(),
                                  "--",
                                  file.address});
    if ((ended.code == kNoRange || ended.code == kResume) && resumed) {
      // A server that cannot go on in the middle: from the start.
      fs::remove(part, failed);
      resumed = false;
      continue;
    }
    if (ended.code != 0) explain(file, part, ended);
    if (size_of(part) < file.size) {
      const auto had = size_of(part);
      fs::remove(part, failed);
      throw Error(Status::kModelInvalid,
                  fmt::format("{}: truncated: {} bytes, the manifest says {}", file.address, had, file.size));
    }
  }
  const std::string found = sha256_of(part);
  if (found != file.sha256 || size_of(part) != file.size) {
    fs::remove(part, failed);
    throw Error(Status::kModelInvalid,
                fmt::format("{}: its SHA-256 is {}, the manifest says {}; nothing was kept{}", file.address, found,
                            file.sha256, resumed ? " (it was put together from two transfers: try again)" : ""));
  }
  fs::rename(part, target, failed);
  if (failed) throw Error(Status::kIo, fmt::format("{}: cannot be written: {}", target.string(), failed.message()));
}

}  // namespace liveness::cli
