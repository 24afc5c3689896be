#include "sidecar/binlog/gtid_file.h"

#include <format>
#include <span>
#include <string>

#include "sidecar/binlog/byte_source.h"
#include "sidecar/binlog/durable_file.h"

namespace baton::binlog {
namespace {

constexpr std::string_view kHead = "baton-gtid-set 1\n";
constexpr std::string_view kEnd = "\nend\n";
constexpr std::uint64_t kSizeMost = 16 * 1024 * 1024;

}  // namespace

Result<void> write_gtid_file(const std::filesystem::path& path, const GtidSet& set) {
  return replace_durably(path, std::format("{}{}{}", kHead, set.to_string(), kEnd));
}

Result<GtidSet> read_gtid_file(const std::filesystem::path& path) {
  TRY(source, FileSource::open(path));
  TRY(size, source.size());
  if (size > kSizeMost) return fail(ErrorKind::kCorrupt, "{}: {} bytes are no GTID set", path.string(), size);
  std::string text(static_cast<std::size_t>(size), '\0');
  TRY(count, source.read(0, std::as_writable_bytes(std::span(text))));
  text.resize(count);
  auto set = parse_gtid_file(text);
  if (!set) return wrap(path.string(), std::move(set).error());
  return set;
}

Result<GtidSet> parse_gtid_file(std::string_view text) {
  if (!text.starts_with(kHead) || !text.ends_with(kEnd) || text.size() < kHead.size() + kEnd.size()) {
    return fail(ErrorKind::kCorrupt, "the file is not whole, or of an unknown form");
  }
  text.remove_prefix(kHead.size());
  text.remove_suffix(kEnd.size());
  return GtidSet::parse(text);
}

}  // namespace baton::binlog
