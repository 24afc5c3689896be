#include "sidecar/binlog/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "operator/base/fd.h"

namespace baton::binlog {

Result<void> sync_path(const std::filesystem::path& path) {
  const Fd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) {
    return fail(ErrorKind::kRetry, "fsync {}: {}", path.string(), std::strerror(errno));
  }
  return {};
}

}  // namespace baton::binlog
