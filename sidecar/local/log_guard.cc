#include "sidecar/local/log_guard.h"

#include "sidecar/binlog/kept_logs.h"

namespace baton::sidecar {

using binlog::LogKind;

bool is_incident(const wire::MemberState& state) {
  if (state.process != wire::Process::kRunning || state.hold != wire::Hold::kNone) return true;
  if (!state.offered_to.empty() || !state.sql) return true;
  return state.sql->read_only && state.sql->channel.receiver == wire::Thread::kStopped;
}

Result<void> LogGuard::tend(const binlog::LogSnapshot& snapshot, bool is_incident) {
  const std::scoped_lock lock(mutex_);
  for (const binlog::LogListing& logs : listings_) {
    const bool is_relay = logs.kind == LogKind::kRelay;
    if (is_relay || is_incident) TRY_VOID(keep(logs));
    if (is_incident) continue;
    if (!is_relay) {
      TRY_VOID(release_all(logs));
      continue;
    }
    for (const auto& path : binlog::releasable_relay_logs(snapshot, logs.kept_folder)) {
      TRY_VOID(binlog::release_log(path));
    }
  }
  return {};
}

Result<void> LogGuard::secure_relay_logs() {
  const std::scoped_lock lock(mutex_);
  for (const binlog::LogListing& logs : listings_) {
    if (logs.kind != LogKind::kRelay) continue;
    const auto linked = binlog::keep_logs(logs);
    // What is listed and missing is lost already. Anything else that has one name only must not be deleted.
    TRY(all, binlog::are_kept(logs));
    if (!all) return fail(ErrorKind::kRetry, "relay logs cannot be kept: {}", linked ? "" : linked.error().what);
    TRY_VOID(binlog::sync_kept_logs(logs.kept_folder));
  }
  return {};
}

/// Looks at the files only when the list of them has changed.
Result<void> LogGuard::keep(const binlog::LogListing& logs) {
  const auto facts = binlog::facts_of(logs.index_file);
  // A member that never followed anybody has no relay logs.
  if (!facts && facts.error().kind == ErrorKind::kNotFound) return {};
  if (!facts) return std::unexpected(facts.error());
  const auto known = kept_as_of_.find(logs.kind);
  if (known != kept_as_of_.end() && known->second == *facts) return {};
  TRY(linked, binlog::keep_logs(logs));
  static_cast<void>(linked);
  kept_as_of_[logs.kind] = *facts;
  return {};
}

Result<void> LogGuard::release_all(const binlog::LogListing& logs) {
  kept_as_of_.erase(logs.kind);
  TRY(kept, binlog::kept_logs(logs.kept_folder));
  for (const binlog::KeptLog& log : kept) TRY_VOID(binlog::release_log(log.path));
  return {};
}

}  // namespace baton::sidecar
