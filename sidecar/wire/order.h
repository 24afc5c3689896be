#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/result.h"
#include "sidecar/wire/member_state.h"

namespace baton::wire {

/// Ports of a member: mysqld's, and the one where the sidecar's binlog server sends what lies in its files.
inline constexpr std::int64_t kMysqlPort = 3306;
inline constexpr std::int64_t kLogPort = 3307;

/// Makes the first primary's data directory with this server_uuid and starts it read-only, with Baton's accounts.
/// Refused unless the directory is Empty and the uuid is the one that the sidecar proposed. Nothing if already done.
struct Initialize {
  std::string uuid;
};
/// Fills an Empty directory from a donor by CLONE. Answered when begun; `process` tells the rest.
struct CloneFrom {
  std::string host;
  std::int64_t port = kMysqlPort;
};
/// Lifts the hold and lets mysqld start (read-only, replication threads stopped). Nothing if it runs.
struct Permit {};
/// SIGKILLs mysqld if it runs and holds its start. Answered when its exit was seen and the hold is on disk. Also kills
/// where the epoch file cannot be trusted (kUnsafe) or read (kRetry); then the hold is not on disk, as the answer says.
struct Fence {};
/// STOP REPLICA IO_THREAD. The applier goes on. Answered with the received set that is then final.
struct StopReceiver {};
/// Points the receiver at a source (receiver-only swap: the applier stays running, so that relay logs are kept), with
/// semi-sync acks on or off, and starts both threads. Refused on a server that is open for writes.
struct Follow {
  std::string host;
  std::int64_t port = kMysqlPort;
  std::string source_uuid;
  bool acks = false;
};
/// Lets this pod's binlog server (kLogPort) send the transactions of `set`, whatever of them its files hold, to the
/// incarnation `replica`, and to nobody else. An empty `replica` ends it. Forgotten when the sidecar restarts.
struct OfferLogs {
  std::string replica;
  std::string set;
};
/// Relaxed: commits are synced to disk by and by, which a crash of mysqld cannot take back, but one of its node can.
/// For a candidate that catches up while others hold everything. Refused on a server that is open, or may send acks.
/// Noted in the epoch file before anything is changed; once the node was booted after that, mysqld is never started
/// again here. Not relaxed: each commit is synced again, all earlier ones are on disk, the settings were read back, and
/// the note is taken back. kRetry, and still relaxed, when a transaction takes longer than 5 s to end.
struct SetDurability {
  bool relaxed = false;
};
/// rpl_semi_sync_source_enabled / _wait_for_replica_count. wait_for_count 0 turns semi-sync off.
struct SetAckCount {
  std::int64_t wait_for_count = 0;
};
/// Tells a primary whose acks count: dump threads of others are killed on sight, also later, until it is opened in
/// another epoch. Their accounts stay.
struct SetAckers {
  std::vector<std::string> replicas;  ///< uuids of all incarnations that may be connected at all.
};
/// Makes, unlocked, the replication account of an incarnation, on this server alone (not written to the binlog): while
/// commits wait for acks, a binlogged one would lock out the replica whose ack it waits for. Given to every member. It
/// may be connected from then on: the list of the last SetAckers, if there is one, is longer by it.
struct EnsureReplicationAccount {
  std::string uuid;
};
/// Locks an incarnation's account (not written to the binlog), kills its dump threads and sees them gone.
struct ExpelReplica {
  std::string uuid;
};
/// Makes the application's database and account. Written to the binlog.
struct EnsureApplicationAccount {
  std::string database;
  std::string user;
};
/// Unlocks or locks the clone account, on this server alone. Given to the donor.
struct AllowClone {
  bool allowed = false;
};
/// Starts the applier if it does not run, and waits until `target` is in gtid_executed, at most `milliseconds`
/// (<= 5000); kRetry if it is not by then.
struct WaitApplied {
  std::string target;
  std::int64_t milliseconds = 1000;
};
/// Writes a statement without content into the binary log, for its ack. kUnsafe: this server takes no writes; kRetry:
/// it was not acknowledged within 3 s.
struct WriteHeartbeat {};
/// Waits until that many semi-sync replicas are connected, at most `milliseconds` (<= 5000); kRetry if not by then.
/// Looks every few milliseconds, so that an opening is not held up by the stream's pace.
struct WaitAckers {
  std::int64_t count = 1;
  std::int64_t milliseconds = 1000;
};
/// Waits until this member's server has received or executed all of `target`, at most `milliseconds` (<= 5000); kRetry
/// if not by then, or while its receiver is not connected. Looks as often as WaitAckers does.
struct WaitReceived {
  std::string target;
  std::int64_t milliseconds = 1000;
};
/// Refused (kUnsafe, naming what is missing) unless gtid_executed holds `target`. Done already: nothing.
/// Then: STOP REPLICA, RESET REPLICA ALL (only if nothing received is unapplied), super_read_only and read_only off,
/// opened_epoch := the order's epoch.
struct Open {
  std::string target;
};

using Command = std::variant<Initialize, CloneFrom, Permit, Fence, StopReceiver, Follow, OfferLogs, SetDurability,
                             SetAckCount, SetAckers, EnsureReplicationAccount, ExpelReplica, EnsureApplicationAccount,
                             WriteHeartbeat, AllowClone, WaitApplied, WaitAckers, WaitReceived, Open>;

/// POST /v1/orders. Refused (kUnsafe, with the numbers held) when (epoch, revision) is below the highest seen.
struct Order {
  std::int64_t epoch = 0;
  std::int64_t revision = 0;
  std::string member;   ///< The pod that is meant; another refuses.
  std::string pod_uid;  ///< The very pod; another incarnation refuses.
  Command command;
};

/// The answer: HTTP 200 with `error` empty, or 4xx/5xx with kind and sentence. Carries the state after the order.
struct OrderResult {
  std::string error_kind;  ///< name_of(ErrorKind), or empty.
  std::string error;
  MemberState state;
};

/// "StopReceiver", "Follow", …: the `order` field on the wire, logs and metrics.
[[nodiscard]] std::string_view name_of(const Command& command);
[[nodiscard]] std::string to_json_text(const Order& order);
[[nodiscard]] Result<Order> parse_order(std::string_view text);
[[nodiscard]] std::string to_json_text(const OrderResult& result);
[[nodiscard]] Result<OrderResult> parse_order_result(std::string_view text);

}  // namespace baton::wire
