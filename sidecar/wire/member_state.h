#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace baton::wire {

/// What lies in the data directory. Text on the wire: the name without `k`.
enum class Directory : std::uint8_t {
  kUnknown,      ///< Not looked at yet.
  kEmpty,        ///< Nothing of value: never initialised, or a scratch directory whose clone did not finish.
  kInitialized,  ///< Made by --initialize as the first primary of this cluster.
  kCloned,       ///< Filled by the CLONE plugin from another member.
};

/// What the local mysqld is doing.
enum class Process : std::uint8_t {
  kUnknown,       ///< The gate has not spoken yet.
  kNotRunning,    ///< Proven: no mysqld of this data directory runs (never started, or its exit was seen).
  kInitializing,  ///< mysqld --initialize-insecure runs.
  kCloning,       ///< A scratch server is being filled by CLONE.
  kStarting,      ///< Started; does not answer on the socket yet (crash recovery may take minutes).
  kRunning,       ///< Answers on the socket.
};

/// Why mysqld may not be started without an order. kNone: the sidecar starts it by itself.
enum class Hold : std::uint8_t {
  kNone,
  kCrashedPrimary,  ///< It was open for writes and ended: a failover may have taken place since.
  kFenced,          ///< An order fenced it.
};

/// How mysqld ended last.
struct Exit {
  std::optional<int> status;  ///< Exit status, if it exited.
  std::optional<int> signal;  ///< Signal number, if one ended it.
  bool ordered =
      false;  ///< An order or the gate's shutdown ended it; otherwise it is a crash or somebody else's doing.

  friend bool operator==(const Exit&, const Exit&) = default;
};

/// A thread's state as SHOW REPLICA STATUS tells it.
enum class Thread : std::uint8_t { kStopped, kConnecting, kRunning };

/// The default replication channel.
struct Channel {
  std::string source_host;  ///< Empty: no channel is configured.
  std::int64_t source_port = 0;
  std::string source_uuid;  ///< Known once the receiver has connected.
  Thread receiver = Thread::kStopped;
  Thread applier = Thread::kStopped;
  std::string retrieved;  ///< Retrieved_Gtid_Set.
  std::string
      place;  ///< In the source's log, how far it has received, also within a transaction: "binlog.000007 4211".
  std::int64_t rows_in_progress = 0;  ///< Of a server that has something to apply: rows changed and not committed yet.
  std::string receiver_error;
  std::string applier_error;

  friend bool operator==(const Channel&, const Channel&) = default;
};

/// Semi-sync variables and status, both sides.
struct SemiSync {
  bool source_enabled = false;        ///< rpl_semi_sync_source_enabled
  std::int64_t wait_for_count = 0;    ///< rpl_semi_sync_source_wait_for_replica_count
  std::int64_t clients = 0;           ///< Rpl_semi_sync_source_clients
  std::int64_t waiting_sessions = 0;  ///< Rpl_semi_sync_source_wait_sessions
  bool source_active = false;         ///< Rpl_semi_sync_source_status
  bool replica_enabled = false;       ///< rpl_semi_sync_replica_enabled
  bool replica_active = false;        ///< Rpl_semi_sync_replica_status: this receiver sends acks

  friend bool operator==(const SemiSync&, const SemiSync&) = default;
};

/// A replica that is connected to this server (SHOW REPLICAS joined with the process list).
struct DumpThread {
  std::string uuid;  ///< The replica's server_uuid.
  std::string host;  ///< Its address, without port.

  friend bool operator==(const DumpThread&, const DumpThread&) = default;
};

/// A replication account on this server; there is one per incarnation.
struct ReplicationAccount {
  std::string uuid;  ///< The incarnation that it is for.
  bool locked = false;

  friend bool operator==(const ReplicationAccount&, const ReplicationAccount&) = default;
};

/// What a running mysqld says of itself. All read over the unix socket within one pass; gtid_owned before
/// gtid_executed.
struct Sql {
  std::string version;
  bool read_only = true;
  bool super_read_only = true;
  std::string gtid_executed;
  std::string gtid_owned;  ///< As a set (owners dropped): in the binlog or on the way, not yet in gtid_executed.
  std::string gtid_purged;
  SemiSync semi_sync;
  Channel channel;
  std::vector<DumpThread> dump_threads;
  std::vector<ReplicationAccount> replication_accounts;
  bool fsyncs_relay_log = false;  ///< sync_relay_log=1: what it acknowledges is on disk.
  bool app_account = false;       ///< bootstrap.user exists.
  bool clone_unlocked = false;    ///< The clone account may log in.
  std::vector<std::string>
      drift;  ///< Pinned settings whose value is not the pinned one: "relay_log_purge is OFF, not ON".
  /// Those of them that SetDurability changes, while it is by that order: "sync_binlog is 100, not 1".
  std::vector<std::string> relaxed;

  friend bool operator==(const Sql&, const Sql&) = default;
};

/// One line of GET /v1/state: all that a sidecar knows of its member. Sent on each change and every 500 ms.
struct MemberState {
  std::string member;  ///< Pod name.
  std::string pod_uid;
  std::string boot_id;
  std::string sidecar_id;     ///< Random, new at each start of the sidecar.
  std::int64_t sequence = 0;  ///< Raised with each line of one sidecar_id.

  // The epoch file: survives restarts of everything, fsynced before an order is answered.
  std::int64_t epoch = 0;         ///< Highest seen.
  std::int64_t revision = 0;      ///< Highest seen.
  std::int64_t opened_epoch = 0;  ///< Epoch at which this data directory was last opened for writes; 0: never.
  Hold hold = Hold::kNone;
  /// Durability was relaxed by an order, and not all that was committed since is known to be on disk again.
  bool relaxed = false;
  std::string uuid;  ///< server_uuid of this incarnation (chosen before the first start).
  std::int64_t server_id = 0;
  Directory directory = Directory::kUnknown;

  Process process = Process::kUnknown;
  bool terminating = false;  ///< The pod got SIGTERM.
  std::optional<Exit> last_exit;
  /// It was open for writes when it ended, was not opened since, and was not ended by a signal as far as is known: a
  /// mysqld that shuts down in order tells clients that wait for acks OK for rows that no replica has.
  bool suspect_end = false;
  /// Uid of the pod in which it was open for writes, whose end nobody saw: it was on another node, or on another boot
  /// of this one, and its mysqld may live on elsewhere. Empty: it was seen, or the directory was opened anew since.
  std::string unseen_pod;
  /// Ends that nobody ordered since mysqld last answered for 30 s on end.
  std::int64_t unordered_ends = 0;
  std::int64_t restart_pause_seconds = 0;  ///< How long the start after the last of them waits.
  /// Why mysqld does not get up: its last words if it ended before it ever answered; else why its start was refused,
  /// the epoch file cannot be trusted or written, or Initialize or CloneFrom failed. Empty once it answers.
  std::string start_error;

  /// Present while process is Running. Not when mysqld has not answered for two seconds, nor when it could not be asked
  /// what an order has changed: what it said before would mislead.
  std::optional<Sql> sql;
  std::string sql_error;  ///< Why a running mysqld could not be asked; that is not death.

  bool logs_readable = false;  ///< While mysqld is down: its binlogs and relay logs were read to their ends.
  /// Then: every complete transaction in them, and what was executed before them.
  std::string logs_gtid_set;
  std::string logs_error;  ///< Else why not.
  /// The complete transactions that lie in binlogs and relay logs and can be sent from there, whether mysqld runs or
  /// not.
  std::string servable;
  /// The first log file of a form that only mysqld can read (encrypted, or of a newer version), until it is purged; as
  /// of the last `sql`.
  std::string unreadable_log;
  std::string offered_to;  ///< The replica of the last OfferLogs; empty: nobody.
  std::string offered;     ///< Its set.
  std::string busy;        ///< The order being carried out, empty if none.

  friend bool operator==(const MemberState&, const MemberState&) = default;
};

/// One line of JSON without a line end. Empty and default fields are left out.
[[nodiscard]] std::string to_line(const MemberState& state);
/// Reads one line. Unknown fields are ignored (a newer sidecar); a wrong type is kCorrupt with the field's name.
[[nodiscard]] Result<MemberState> parse_member_state(std::string_view line);

}  // namespace baton::wire
