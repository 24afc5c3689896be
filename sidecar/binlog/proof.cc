#include "sidecar/binlog/proof.h"

#include <algorithm>
#include <ranges>

namespace baton::binlog {
namespace {

bool tells(const std::shared_ptr<const LogFile>& file) { return file->contents.has_previous; }

/// Whether the next relay log that tells what was received before it is of the same channel as this one, and so names
/// what this one hides. Kept relay logs of earlier channels lie beside those of the last. Each channel begins with an
/// empty set, and adds to it: the files behind one of its own hold all that this one still shows.
bool is_told_by_the_next(const IndexedLogs& logs, std::size_t place) {
  const LogContents& shown = logs.files[place]->contents;
  const auto behind = logs.files | std::views::drop(place + 1);
  const auto next = std::ranges::find_if(behind, tells);
  if (next == behind.end()) return false;
  const GtidSet& told = (*next)->contents.previous;
  return !told.empty() && told.contains(shown.previous.united(shown.transactions));
}

Result<void> check_relay_logs(const IndexedLogs& logs) {
  for (std::size_t place = logs.files.size(); place > 0; --place) {
    const auto& problem = logs.files[place - 1]->problem;
    if (problem && !is_told_by_the_next(logs, place - 1)) return std::unexpected(*problem);
  }
  return {};
}

Result<void> check_binlogs(const IndexedLogs& logs) {
  for (const auto& file : logs.files | std::views::reverse) {
    if (file->problem) return std::unexpected(*file->problem);
    if (tells(file)) break;
  }
  if (logs.files.empty() || std::ranges::any_of(logs.files, tells)) return {};
  return fail(ErrorKind::kCorrupt, "no binary log tells what came before it; {}",
              logs.files.back()->contents.torn_tail_reason);
}

}  // namespace

Result<GtidSet> prove(const LogSnapshot& snapshot, const GtidSet& outside) {
  for (const IndexedLogs& logs : snapshot.logs) {
    TRY_VOID(logs.kind == LogKind::kRelay ? check_relay_logs(logs) : check_binlogs(logs));
  }
  GtidSet proven = snapshot.executed.united(snapshot.available);
  const GtidSet hidden = snapshot.received.minus(proven).minus(outside);
  if (hidden.empty()) return proven;
  const std::string why = snapshot.problems.empty() ? "" : ": " + snapshot.problems.back().what;
  return fail(ErrorKind::kCorrupt, "the relay logs name {} as received, but no file shows it{}", hidden.to_string(),
              why);
}

}  // namespace baton::binlog
