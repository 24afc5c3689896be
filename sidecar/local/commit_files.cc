#include "sidecar/local/commit_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include "operator/base/fd.h"

namespace baton::sidecar {
namespace {

namespace fs = std::filesystem;

/// Names pinned by `log_bin`, and given by InnoDB (log0constants.h, LOG_DIRECTORY_NAME).
constexpr std::string_view kBinlogPrefix = "binlog.";
constexpr std::string_view kRedoFolder = "#innodb_redo";

Result<void> sync(const fs::path& path) {
  const Fd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened && errno == ENOENT) return {};
  if (opened && ::fsync(opened.get()) == 0) return {};
  return fail(ErrorKind::kRetry, "fsync {}: {}", path.string(), std::strerror(errno));
}

/// Every file of the folder whose name begins so, and the folder itself.
Result<void> sync_files(const fs::path& folder, std::string_view prefix) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().filename().string().starts_with(prefix)) TRY_VOID(sync(entry->path()));
  }
  if (error) return fail(ErrorKind::kRetry, "read folder {}: {}", folder.string(), error.message());
  return sync(folder);
}

}  // namespace

Result<void> sync_commit_files(const fs::path& data_directory) {
  TRY_VOID(sync_files(data_directory, kBinlogPrefix));
  return sync_files(data_directory / kRedoFolder, "");
}

}  // namespace baton::sidecar
