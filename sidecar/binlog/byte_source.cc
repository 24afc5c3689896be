#include "sidecar/binlog/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace baton::binlog {

Result<FileSource> FileSource::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const ErrorKind kind = errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kRetry;
    return fail(kind, "open {}: {}", path.string(), std::strerror(errno));
  }
  return FileSource(path, descriptor);
}

FileSource::FileSource(FileSource&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileSource& FileSource::operator=(FileSource&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileSource::~FileSource() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::size_t> FileSource::read(std::uint64_t offset, std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got = ::pread(descriptor_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return fail(ErrorKind::kRetry, "read {} at offset {}: {}", path_.string(), offset + done, std::strerror(errno));
    }
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<std::uint64_t> FileSource::size() {
  struct stat facts{};
  if (::fstat(descriptor_, &facts) != 0)
    return fail(ErrorKind::kRetry, "stat {}: {}", path_.string(), std::strerror(errno));
  return static_cast<std::uint64_t>(facts.st_size);
}

Result<FileIdentity> FileSource::identity() const {
  struct stat facts{};
  if (::fstat(descriptor_, &facts) != 0)
    return fail(ErrorKind::kRetry, "stat {}: {}", path_.string(), std::strerror(errno));
  return FileIdentity{static_cast<std::uint64_t>(facts.st_dev), static_cast<std::uint64_t>(facts.st_ino)};
}

}  // namespace baton::binlog
