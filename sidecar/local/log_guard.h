#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/base/result.h"
#include "sidecar/binlog/log_index.h"
#include "sidecar/wire/member_state.h"

namespace baton::sidecar {

/// Whether something may still be wanted from this member's logs: mysqld is down or does not answer, is held, its logs
/// are offered, or it neither takes writes nor receives.
[[nodiscard]] bool is_incident(const wire::MemberState& state);

/// Keeps second names of a member's logs, so that what mysqld or a person deletes cannot be the last copy of a
/// transaction, and takes them away when it is not. A second name costs no space while the first is there, and neither
/// receiver nor applier is ever held up.
///
/// - Relay logs get one when they are first seen. mysqld purges what it has applied; the second name goes as soon as
///   all transactions are in this member's binary logs.
/// - Binary logs get one while there is an incident.
/// - Nothing goes while there is an incident.
///
/// Thread-safe.
class LogGuard {
 public:
  /// Each listing has a kept_folder, and is followed by the index whose snapshots come in.
  explicit LogGuard(std::vector<binlog::LogListing> listings) : listings_(std::move(listings)) {}

  /// After each look at the logs. Errors: those of binlog::keep_logs and release_log; what was not done is tried again
  /// the next time.
  [[nodiscard]] Result<void> tend(const binlog::LogSnapshot& snapshot, bool is_incident);
  /// Gives all relay logs a second name that survives a loss of power. For who is about to have them deleted.
  [[nodiscard]] Result<void> secure_relay_logs();

 private:
  [[nodiscard]] Result<void> keep(const binlog::LogListing& logs);
  [[nodiscard]] Result<void> release_all(const binlog::LogListing& logs);

  const std::vector<binlog::LogListing> listings_;
  std::mutex mutex_;
  std::map<binlog::LogKind, binlog::FileFacts> kept_as_of_;  ///< The index file whose files have second names.
};

}  // namespace baton::sidecar
