#include "sidecar/binlog/kept_logs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <format>
#include <string>
#include <system_error>
#include <tuple>

#include "sidecar/binlog/durable_file.h"
#include "sidecar/binlog/index_file.h"

namespace baton::binlog {
namespace {

/// Links a file into the folder, under the first name like its own that is free. False: it is not there any more.
Result<bool> link_into(const std::filesystem::path& file, const std::filesystem::path& folder) {
  constexpr int kNamesMost = 10'000;
  for (int number = 0; number < kNamesMost; ++number) {
    std::string name = file.filename().string();
    if (number > 0) name += std::format(".{}", number);
    const auto there = folder / name;
    if (::link(file.c_str(), there.c_str()) == 0) return true;
    if (errno == ENOENT) return false;
    if (errno == EXDEV) {
      return fail(ErrorKind::kTerminal, "{} lies on another file system than {}", folder.string(), file.string());
    }
    if (errno != EEXIST) {
      return fail(ErrorKind::kRetry, "link {} to {}: {}", file.string(), there.string(), std::strerror(errno));
    }
  }
  return fail(ErrorKind::kTerminal, "{} holds too many files called {}", folder.string(), file.filename().string());
}

bool is_among(const std::vector<KeptLog>& kept, const FileIdentity& identity) {
  return std::ranges::any_of(kept, [&](const KeptLog& log) { return log.facts.identity == identity; });
}

bool is_only_name(const std::filesystem::path& path) {
  struct stat facts{};
  return ::stat(path.c_str(), &facts) == 0 && facts.st_nlink == 1;
}

}  // namespace

Result<std::size_t> keep_logs(const LogListing& logs) {
  TRY(files, read_index(logs.index_file, logs.data_directory));
  std::error_code error;
  std::filesystem::create_directories(logs.kept_folder, error);
  if (error) return fail(ErrorKind::kRetry, "make the folder {}: {}", logs.kept_folder.string(), error.message());
  // By identity: under which name a file is kept depends on what was kept when it came.
  TRY(before, kept_logs(logs.kept_folder));
  std::size_t linked = 0;
  std::string missing;
  for (const auto& file : files) {
    const auto facts = facts_of(file);
    if (!facts && facts.error().kind != ErrorKind::kNotFound) return std::unexpected(facts.error());
    if (facts && is_among(before, facts->identity)) continue;
    TRY(is_linked, facts ? link_into(file, logs.kept_folder) : Result<bool>(false));
    linked += is_linked ? 1 : 0;
    if (is_linked) continue;
    // mysqld purges what was applied; what is still listed must be there.
    const auto now = read_index(logs.index_file, logs.data_directory);
    if (now && std::ranges::find(*now, file) != now->end()) missing = file.string();
  }
  // Told only now: one that is lost must not leave the others with one name.
  if (!missing.empty()) return fail(ErrorKind::kRetry, "{} is listed but missing", missing);
  return linked;
}

Result<std::vector<KeptLog>> kept_logs(const std::filesystem::path& folder) {
  std::vector<KeptLog> kept;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    auto facts = facts_of(entry->path());
    if (!facts && facts.error().kind == ErrorKind::kNotFound) continue;
    if (!facts) return std::unexpected(std::move(facts).error());
    kept.push_back({entry->path(), *facts});
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail(ErrorKind::kRetry, "read the folder {}: {}", folder.string(), error.message());
  }
  std::ranges::sort(kept, {}, [](const KeptLog& log) { return std::tuple(log.facts.changed_ns, log.path); });
  return kept;
}

Result<bool> are_kept(const LogListing& logs) {
  TRY(files, read_index(logs.index_file, logs.data_directory));
  TRY(kept, kept_logs(logs.kept_folder));
  for (const auto& file : files) {
    const auto facts = facts_of(file);
    if (!facts && facts.error().kind == ErrorKind::kNotFound) continue;
    if (!facts) return std::unexpected(facts.error());
    if (!is_among(kept, facts->identity)) return false;
  }
  return true;
}

Result<void> sync_kept_logs(const std::filesystem::path& folder) {
  TRY(kept, kept_logs(folder));
  for (const KeptLog& log : kept) TRY_VOID(sync_path(log.path));
  return sync_path(folder);
}

std::vector<std::filesystem::path> releasable_relay_logs(const LogSnapshot& snapshot,
                                                         const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> result;
  if (!snapshot.is_complete) return result;
  for (const IndexedLogs& logs : snapshot.logs) {
    if (logs.kind != LogKind::kRelay) continue;
    for (const auto& file : logs.files) {
      const bool is_unlisted = file->path.parent_path() == folder;
      const bool is_elsewhere = !file->problem && snapshot.executed.contains(file->contents.transactions);
      if (is_unlisted && is_elsewhere && is_only_name(file->path)) result.push_back(file->path);
    }
  }
  return result;
}

Result<void> release_log(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) return fail(ErrorKind::kRetry, "remove {}: {}", path.string(), error.message());
  return {};
}

}  // namespace baton::binlog
