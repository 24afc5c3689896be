#include "sidecar/binlog/preserve.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <format>
#include <string>
#include <vector>

#include "sidecar/binlog/durable_file.h"
#include "sidecar/binlog/index_file.h"

namespace baton::binlog {
namespace {

Result<FileIdentity> identity_of(const std::filesystem::path& path) {
  TRY(source, FileSource::open(path));
  return source.identity();
}

/// Links a file into the folder. Gives the name there; empty when the file has gone meanwhile. `is_new`: whether there
/// was no such link before.
Result<std::string> link_into(const std::filesystem::path& file, const std::filesystem::path& into, bool& is_new) {
  constexpr int kNamesMost = 10'000;
  is_new = false;
  auto identity = identity_of(file);
  if (!identity && identity.error().kind == ErrorKind::kNotFound) return std::string();
  if (!identity) return std::unexpected(identity.error());
  for (int number = 0; number < kNamesMost; ++number) {
    std::string name = file.filename().string();
    if (number > 0) name += std::format(".{}", number);
    const auto there = into / name;
    if (::link(file.c_str(), there.c_str()) == 0) {
      is_new = true;
      return name;
    }
    if (errno == ENOENT) return std::string();
    if (errno == EXDEV) {
      return fail(ErrorKind::kTerminal, "{} lies on another file system than {}", into.string(), file.string());
    }
    if (errno != EEXIST) {
      return fail(ErrorKind::kRetry, "link {} to {}: {}", file.string(), there.string(), std::strerror(errno));
    }
    TRY(other, identity_of(there));
    if (other == *identity) return name;
  }
  return fail(ErrorKind::kTerminal, "{} holds too many files called {}", into.string(), file.filename().string());
}

/// Names that the folder's index has already; none without an index.
Result<std::vector<std::string>> kept_names(const std::filesystem::path& index) {
  std::vector<std::string> names;
  auto files = read_index(index, {});
  if (!files && files.error().kind == ErrorKind::kNotFound) return names;
  if (!files) return std::unexpected(files.error());
  for (const auto& file : *files) names.push_back(file.filename().string());
  return names;
}

}  // namespace

Result<Preserved> preserve_logs(const LogListing& logs, const std::filesystem::path& into) {
  TRY(files, read_index(logs.index_file, logs.data_directory));
  std::error_code error;
  std::filesystem::create_directories(into, error);
  if (error) return fail(ErrorKind::kRetry, "make the folder {}: {}", into.string(), error.message());
  Preserved preserved;
  preserved.logs = {logs.kind, into / logs.index_file.filename(), {}};
  TRY(names, kept_names(preserved.logs.index_file));
  for (const auto& file : files) {
    bool is_new = false;
    TRY(name, link_into(file, into, is_new));
    if (name.empty()) {
      // mysqld purges what was applied; what is still listed must be there.
      const auto now = read_index(logs.index_file, logs.data_directory);
      if (now && std::ranges::find(*now, file) != now->end()) {
        return fail(ErrorKind::kRetry, "{} is listed but missing", file.string());
      }
      continue;
    }
    TRY_VOID(sync_path(into / name));
    (is_new ? preserved.linked : preserved.kept)++;
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  std::string text;
  for (const std::string& name : names) text += std::format("./{}\n", name);
  TRY_VOID(sync_path(into));
  TRY_VOID(replace_durably(preserved.logs.index_file, text));
  return preserved;
}

}  // namespace baton::binlog
