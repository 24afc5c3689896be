#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "engine/base/ids.h"
#include "engine/gtid/gtid_set.h"

namespace baton::engine {

/// Who a member is, precisely enough that a successor is not mistaken for it: a new data directory has another uuid, a
/// new pod on the same directory another pod_uid, a rebooted node another boot_id.
struct Identity {
  Ordinal ordinal;
  ServerUuid uuid;
  PodUid pod_uid;
  BootId boot_id;
  /// Whether all that it acknowledged under this identity is on disk, so that a reboot of its node takes nothing back.
  /// A property, no part of who it is.
  bool fsyncs = false;

  friend bool operator==(const Identity& a, const Identity& b) {
    return std::tie(a.ordinal, a.uuid, a.pod_uid, a.boot_id) == std::tie(b.ordinal, b.uuid, b.pod_uid, b.boot_id);
  }
};

/// A member as the primary: its incarnation matters, not its pod.
struct PrimaryRef {
  Ordinal ordinal;
  ServerUuid uuid;

  friend bool operator==(const PrimaryRef&, const PrimaryRef&) = default;
};

/// An epoch that is over: transactions of its primary's uuid beyond final_set never were part of the history.
struct EndedEpoch {
  Epoch epoch;
  ServerUuid uuid;
  GtidSet final_set;
  GtidSet given_up;  ///< See FailoverRecord: the account of what a person's word cost outlives the next failover.

  friend bool operator==(const EndedEpoch&, const EndedEpoch&) = default;
};

enum class FailoverPhase : std::uint8_t {
  kRevoking,  ///< Intent is durable; nothing irrevocable has happened.
  kOpening,   ///< The new primary is recorded: forward only.
};

/// The failover in progress.
struct FailoverRecord {
  std::string id;  ///< "<name>-<epoch>".
  PrimaryRef old_primary;
  std::string evidence;  ///< Why the old primary counts as lost.
  FailoverPhase phase = FailoverPhase::kRevoking;
  GtidSet given_up;  ///< What may have been acknowledged and was lost, because a person forced the failover.

  friend bool operator==(const FailoverRecord&, const FailoverRecord&) = default;
};

/// What the resource's status records, the only memory that decisions have. Written by compare-and-set alone.
/// Invariants, at every instant:
///  1. ackers ⊇ the replicas whose acks the primary counts (record first, then enable; disable, then record);
///  2. ack_count <= what the primary really waits for (record before lowering, after raising);
///  3. everything acknowledged before the last removal from ackers, raise of ack_count or change of primary is in
///  floor.
struct Recorded {
  std::optional<PrimaryRef> bootstrap;  ///< Written before the only initialise order there ever is.
  std::optional<PrimaryRef> current_primary;
  Epoch epoch{0};
  Revision revision{0};
  std::vector<Identity> ackers;  ///< A
  int ack_count = 0;             ///< W; 0: semi-sync is off and the primary's own log is mandatory
  /// Why the primary's own log is mandatory although commits wait for acks: something may have been acknowledged that
  /// no acker has. Empty: it is not.
  std::string mandatory_log;
  GtidSet floor;
  /// What the primary was last seen to have executed while it was open: acknowledged, or about to be. Older than ten
  /// seconds only if the primary was not heard.
  GtidSet watermark;
  /// Once true, ack_count is never below 1 while the cluster is wanted with two or more and belowMinimum is Block.
  bool ever_ready = false;
  std::vector<EndedEpoch> epochs;
  std::optional<FailoverRecord> failover;

  /// What a new primary must hold, whatever the logs prove.
  [[nodiscard]] GtidSet required() const { return floor.united(watermark); }
  [[nodiscard]] bool is_acker(const ServerUuid& uuid) const {
    return std::ranges::any_of(ackers, [&](const Identity& acker) { return acker.uuid == uuid; });
  }

  friend bool operator==(const Recorded&, const Recorded&) = default;
};

}  // namespace baton::engine
