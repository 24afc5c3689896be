#include "sidecar/binlog/proof.h"

#include <algorithm>
#include <ranges>

namespace baton::binlog {
namespace {

bool tells(const std::shared_ptr<const LogFile>& file) { return file->contents.has_previous; }

Result<void> check_files(const IndexedLogs& logs) {
  for (const auto& file : logs.files | std::views::reverse) {
    if (file->problem) return std::unexpected(*file->problem);
    if (tells(file)) break;
  }
  if (logs.kind == LogKind::kRelay || logs.files.empty() || std::ranges::any_of(logs.files, tells)) return {};
  return fail(ErrorKind::kCorrupt, "no binary log tells what came before it; {}",
              logs.files.back()->contents.torn_tail_reason);
}

}  // namespace

Result<GtidSet> prove(const LogSnapshot& snapshot, const GtidSet& outside) {
  for (const IndexedLogs& logs : snapshot.logs) TRY_VOID(check_files(logs));
  GtidSet proven = snapshot.executed.united(snapshot.available);
  const GtidSet hidden = snapshot.received.minus(proven).minus(outside);
  if (hidden.empty()) return proven;
  const std::string why = snapshot.problems.empty() ? "" : ": " + snapshot.problems.back().what;
  return fail(ErrorKind::kCorrupt, "the relay logs name {} as received, but no file shows it{}", hidden.to_string(),
              why);
}

}  // namespace baton::binlog
