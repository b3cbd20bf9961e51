#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "liveness/error.hpp"
#include "model/package.hpp"

namespace liveness {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int error, Status status = Status::kIo) {
  throw Error(status, path.string() + ": " + what + ": " + std::generic_category().message(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }
  // A full disk may show only here.
  [[nodiscard]] bool close() noexcept { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

int open_to_read(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    fail(path, "cannot be opened", error, error == ENOENT || error == ENOTDIR ? Status::kNotFound : Status::kIo);
  }
  return fd;
}

// 0, or the error number.
int write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return 0;
}

}  // namespace

void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::error_code none;
  // A link keeps pointing to what it names.
  const std::filesystem::path target =
      std::filesystem::is_symlink(path, none) ? std::filesystem::canonical(path, none) : path;
  const auto kind = std::filesystem::status(target, none).type();
  if (kind == std::filesystem::file_type::directory) fail(path, "cannot be written", EISDIR);
  if (kind != std::filesystem::file_type::regular && kind != std::filesystem::file_type::not_found) {
    // A device or a pipe cannot be replaced by renaming.
    Descriptor out(::open(target.c_str(), O_WRONLY | O_CLOEXEC));
    if (out.get() < 0) fail(path, "cannot be opened for writing", errno);
    if (const int error = write_all(out.get(), bytes); error != 0) fail(path, "cannot be written", error);
    if (!out.close()) fail(path, "cannot be written", errno);
    return;
  }
  static std::atomic<unsigned> serial{0};
  std::filesystem::path temporary = target;
  temporary += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(serial.fetch_add(1));
  Descriptor out(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (out.get() < 0) fail(path, "cannot be created", errno);
  int error = write_all(out.get(), bytes);
  if (error == 0 && ::fsync(out.get()) != 0) error = errno;
  if (!out.close() && error == 0) error = errno;
  if (error == 0 && ::rename(temporary.c_str(), target.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    fail(path, "cannot be written", error);
  }
}

void MemorySource::read(std::uint64_t offset, std::span<std::byte> into) const {
  const auto part = bytes_.subspan(static_cast<std::size_t>(offset), into.size());
  std::copy(part.begin(), part.end(), into.begin());
}

FileSource::FileSource(std::filesystem::path path) : path_(std::move(path)), fd_(open_to_read(path_)) {
  struct stat info {};
  const bool known = ::fstat(fd_, &info) == 0;
  if (known && S_ISREG(info.st_mode)) {
    size_ = static_cast<std::uint64_t>(info.st_size);
    return;
  }
  const int error = !known ? errno : S_ISDIR(info.st_mode) ? EISDIR : ESPIPE;
  ::close(fd_);
  fail(path_, "cannot be read", error);
}

FileSource::~FileSource() {
  ::close(fd_);
}

void FileSource::read(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t n = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path_, "cannot be read", errno);
    if (n == 0) throw Error(Status::kIo, path_.string() + ": became shorter while it was read");
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

std::vector<std::byte> read_file(const std::filesystem::path& path, std::size_t limit) {
  const Descriptor in(open_to_read(path));
  struct stat info {};
  if (::fstat(in.get(), &info) != 0) fail(path, "cannot be read", errno);
  if (S_ISDIR(info.st_mode)) fail(path, "cannot be read", EISDIR);
  const auto refuse_size = [&] {
    throw Error(Status::kIo, path.string() + ": is larger than the limit of " + std::to_string(limit) + " bytes");
  };
  if (info.st_size > 0 && static_cast<std::uintmax_t>(info.st_size) > limit) refuse_size();
  // A pipe has no size, and a file may grow: read until the end, wherever it is.
  std::vector<std::byte> bytes(static_cast<std::size_t>(info.st_size > 0 ? info.st_size : 4096));
  for (std::size_t filled = 0;;) {
    if (filled == bytes.size()) {
      std::byte extra;
      const ssize_t n = ::read(in.get(), &extra, 1);
      if (n == 0) return bytes;
      if (n < 0 && errno != EINTR) fail(path, "cannot be read", errno);
      if (n == 1) {
        if (filled >= limit) refuse_size();
        bytes.resize(std::min(limit, 2 * bytes.size()));
        bytes[filled++] = extra;
      }
      continue;
    }
    const ssize_t n = ::read(in.get(), bytes.data() + filled, bytes.size() - filled);
    if (n < 0 && errno != EINTR) fail(path, "cannot be read", errno);
    if (n == 0) {
      bytes.resize(filled);
      return bytes;
    }
    if (n > 0) filled += static_cast<std::size_t>(n);
  }
}

}  // namespace liveness
