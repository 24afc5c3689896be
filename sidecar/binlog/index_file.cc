#include "sidecar/binlog/index_file.h"

#include <initializer_list>
#include <span>

#include "sidecar/binlog/byte_source.h"

namespace baton::binlog {
namespace {

constexpr std::uint64_t kSizeMost = 16 * 1024 * 1024;

Result<std::string> read_text(const std::filesystem::path& path) {
  TRY(source, FileSource::open(path));
  TRY(size, source.size());
  if (size > kSizeMost) return fail(ErrorKind::kCorrupt, "{}: {} bytes are no index", path.string(), size);
  std::string text(static_cast<std::size_t>(size), '\0');
  TRY(count, source.read(0, std::as_writable_bytes(std::span(text))));
  text.resize(count);
  return text;
}

Result<std::string> read_index_text(const std::filesystem::path& index_file) {
  auto spare = index_file;
  spare.replace_extension(".index_crash_safe");
  auto text = read_text(index_file);
  // The spare may take the index's place between two of these looks, so that neither is seen although one is there.
  for (const auto& path : {spare, index_file, spare, index_file}) {
    if (text || text.error().kind != ErrorKind::kNotFound) break;
    text = read_text(path);
  }
  return text;
}

}  // namespace

Result<std::vector<std::string>> parse_index(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return fail(ErrorKind::kCorrupt, "the last line is cut");
    const std::string_view line = text.substr(0, end);
    if (line.empty()) return fail(ErrorKind::kCorrupt, "an empty line");
    if (line.contains('\0')) return fail(ErrorKind::kCorrupt, "a name has zero bytes");
    names.emplace_back(line);
    text.remove_prefix(end + 1);
  }
  if (names.empty()) return fail(ErrorKind::kCorrupt, "no file is listed");
  return names;
}

Result<std::vector<std::filesystem::path>> read_index(const std::filesystem::path& index_file,
                                                      const std::filesystem::path& data_directory) {
  const std::filesystem::path base = data_directory.empty() ? index_file.parent_path() : data_directory;
  TRY(text, read_index_text(index_file));
  auto names = parse_index(text);
  if (!names) return wrap(index_file.string(), std::move(names).error());
  std::vector<std::filesystem::path> files;
  files.reserve(names->size());
  for (const std::string& name : *names) {
    files.push_back((base / name).lexically_normal());  // An absolute name replaces the base.
  }
  return files;
}

}  // namespace baton::binlog
