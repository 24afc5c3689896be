#pragma once

#include <string>
#include <variant>
#include <vector>

#include "engine/base/ids.h"
#include "engine/gtid/gtid_set.h"

namespace baton::engine {

// Steps are data. Those that name a member are orders to its sidecar, which checks epoch and revision and its own
// preconditions again; each can be repeated, and each prefix of a plan is a legal place to crash.

struct Initialize {
  Ordinal on;
  ServerUuid uuid;
};  ///< Make the first data directory. Once per cluster, ever.
struct CloneFrom {
  Ordinal on;
  Ordinal donor;
};  ///< Fill an empty directory.
struct Permit {
  Ordinal on;
};  ///< Lift the hold; mysqld boots read-only, threads stopped.
struct Fence {
  Ordinal on;
};  ///< SIGKILL mysqld, hold its start.
struct StopReceiver {
  Ordinal on;
};  ///< It acks nothing more; what it holds is final.
struct Follow {
  Ordinal on;
  Ordinal source;
  bool acks;
};  ///< Receiver-only swap to a source.
struct OfferLogs {
  Ordinal on;
  ServerUuid replica;
  GtidSet set;
};  ///< Its binlog server sends these transactions, at most, to that replica alone.
struct Fetch {
  Ordinal on;
  Ordinal source;
};  ///< Receiver-only swap to a member's logs, without acks.
struct SetDurability {
  Ordinal on;
  bool relaxed;
};  ///< Commits are synced to disk by and by, or each of them; the latter is done when all earlier ones are on disk,
    ///< too.
struct SetAckCount {
  Ordinal on;
  int count;
};  ///< What a commit waits for; 0: semi-sync off.
struct SetAckers {
  Ordinal on;
  std::vector<ServerUuid> replicas;
};  ///< Who may be connected to the primary at all.
struct EnsureReplicationAccount {
  Ordinal on;
  ServerUuid replica;
};  ///< On that member alone.
struct ExpelReplica {
  Ordinal on;
  ServerUuid replica;
};  ///< Lock its account, kill its dump thread, see it gone.
struct EnsureApplicationAccount {
  Ordinal on;
};
struct WriteHeartbeat {
  Ordinal on;
};  ///< A write without content, whose ack frees the commits before it that lost theirs.
struct AllowClone {
  Ordinal on;
  bool allowed;
};  ///< On the donor alone.
struct WaitApplied {
  Ordinal on;
  GtidSet target;
};
struct WaitAckers {
  Ordinal on;
  int count;
};
struct WaitReceived {
  Ordinal on;
  GtidSet target;
};
struct Open {
  Ordinal on;
  GtidSet target;
};  ///< Writes begin. Only after the choice is recorded.
struct Repoint {
  Ordinal to;
};  ///< One write of the primary Service's selector.
struct LabelRole {
  Ordinal on;
  std::string role;
};  ///< For the replicas Service; never before Repoint.

using Step = std::variant<Initialize, CloneFrom, Permit, Fence, StopReceiver, Follow, OfferLogs, Fetch, SetDurability,
                          SetAckCount, SetAckers, EnsureReplicationAccount, ExpelReplica, EnsureApplicationAccount,
                          WriteHeartbeat, AllowClone, WaitApplied, WaitAckers, WaitReceived, Open, Repoint, LabelRole>;

/// The member that carries the step out; for Repoint the one that the endpoint moves to.
[[nodiscard]] Ordinal member_of(const Step& step);
/// One sentence, for logs, events and transcripts: "stop the receiver of shop-2".
[[nodiscard]] std::string describe(const Step& step, const std::string& cluster);
/// The step's type: "StopReceiver".
[[nodiscard]] std::string_view name_of(const Step& step);
/// Whether the record must be as planned still, right before it: it cannot be undone, or decides who may acknowledge.
[[nodiscard]] bool irrevocable(const Step& step);

}  // namespace baton::engine
