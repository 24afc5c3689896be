#include "sidecar/binlog/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "operator/base/fd.h"

namespace baton::binlog {

Result<void> replace_durably(const std::filesystem::path& path, std::string_view text) {
  auto temporary = path;
  temporary += ".new";
  {
    constexpr mode_t kMode = 0640;
    const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
    if (!file) return fail(ErrorKind::kRetry, "open {}: {}", temporary.string(), std::strerror(errno));
    while (!text.empty()) {
      const ssize_t count = ::write(file.get(), text.data(), text.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return fail(ErrorKind::kRetry, "write {}: {}", temporary.string(), std::strerror(errno));
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    if (::fsync(file.get()) != 0) {
      return fail(ErrorKind::kRetry, "fsync {}: {}", temporary.string(), std::strerror(errno));
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return fail(ErrorKind::kRetry, "rename {}: {}", temporary.string(), std::strerror(errno));
  }
  return sync_path(path.parent_path());
}

Result<void> sync_path(const std::filesystem::path& path) {
  const Fd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) {
    return fail(ErrorKind::kRetry, "fsync {}: {}", path.string(), std::strerror(errno));
  }
  return {};
}

}  // namespace baton::binlog
