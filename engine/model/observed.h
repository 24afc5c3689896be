#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/gtid/gtid_set.h"

namespace baton::engine {

enum class Directory : std::uint8_t { kUnknown, kEmpty, kInitialized, kCloned };
enum class Process : std::uint8_t { kUnknown, kNotRunning, kInitializing, kCloning, kStarting, kRunning };
enum class Thread : std::uint8_t { kStopped, kConnecting, kRunning };

/// How a mysqld ended that was open for writes.
enum class OpenEnd : std::uint8_t {
  kNone,    ///< By a signal, which tells clients nothing; or it was not open; or it was opened anew since.
  kUntold,  ///< Not known (yet).
  /// By itself, in order: clients whose commits waited for acks were told OK for rows that no replica has.
  kShutDown,
};

struct SemiSync {
  /// On, and not fallen back to off since: by a timeout that somebody shortened, or for want of replicas.
  bool source_enabled = false;
  int wait_for_count = 0;
  int clients = 0;
  int waiting_sessions = 0;
  bool replica_enabled = false;
  bool replica_active = false;
};

struct Channel {
  std::string source_host;  ///< Empty: no channel.
  bool from_logs = false;   ///< The source is that member's binlog server, which takes no acks, not its mysqld.
  std::string source_uuid;  ///< Known once connected.
  Thread receiver = Thread::kStopped;
  Thread applier = Thread::kStopped;
  GtidSet retrieved;
  std::string receiver_error;
  std::string applier_error;
};

struct DumpThread {
  ServerUuid uuid;
  std::string host;
};

struct ReplicationAccount {
  ServerUuid uuid;
  bool locked = false;
};

/// What a running mysqld said of itself in one pass; variables are read before gtid_owned, that before gtid_executed.
struct Server {
  std::string version;
  bool read_only = true;
  GtidSet executed;
  GtidSet owned;  ///< In the binlog or on the way there, not yet executed.
  SemiSync semi_sync;
  Channel channel;
  std::vector<DumpThread> dump_threads;
  std::vector<ReplicationAccount> replication_accounts;
  bool app_account = false;
  bool clone_unlocked = false;
  std::vector<std::string> drift;
  /// The first of them that acks rest on, and without which commits may go on unacknowledged; empty: none.
  std::string ack_drift;
  bool fsyncs_relay_log = false;  ///< sync_relay_log=1: what it acknowledges is on disk.
  bool relaxed = false;           ///< Its settings do not sync each commit: a crash of its node may take commits back.
};

/// The newest line of one incarnation's sidecar.
struct Report {
  ServerUuid uuid;
  PodUid pod_uid;
  BootId boot_id;
  Epoch held_epoch{0};
  Revision held_revision{0};
  Epoch opened_epoch{0};
  bool held = false;  ///< mysqld starts by an order only.
  /// Its durability was relaxed by an order, and not all that was committed since is known to be on disk again.
  bool relaxed = false;
  Directory directory = Directory::kUnknown;
  Process process = Process::kUnknown;
  bool terminating = false;
  std::string exit;  ///< "killed by signal 9", empty if it never ended.
  OpenEnd open_end = OpenEnd::kNone;
  /// The pod in which it was open, whose end nobody saw: on another node it may be open still. Empty: there is none.
  PodUid unseen_pod;
  int unordered_ends = 0;    ///< Ends that nobody ordered since it last answered for half a minute on end.
  Duration restart_pause{};  ///< How long the start after the last of them waits.
  std::string start_error;
  std::optional<Server> server;
  std::string sql_error;
  /// mysqld is down and its binlogs and relay logs were read to the end: everything they hold, and what was executed
  /// before them.
  std::optional<GtidSet> dead_log;
  std::string dead_log_error;  ///< Why they could not be read. Both empty while mysqld is down: they are being read.
  /// The first log file that only its mysqld can read, until it is purged; of an encrypted one, what to do about it.
  std::string unreadable_log;
  GtidSet servable;  ///< Complete transactions in this volume's files, that its binlog server can send.
  /// Whom the binlog server serves, by an order; empty: nobody.
  ServerUuid offered_to;
  GtidSet offered;  ///< And which transactions at most.
  std::string busy;
};

/// One member (an ordinal) as seen now.
struct ObservedMember {
  Ordinal ordinal;
  std::string pod;          ///< Pod name.
  PodUid pod_uid;           ///< Empty: there is no pod.
  std::string address;      ///< Pod IP, empty if none yet.
  std::string pod_trouble;  ///< A sentence when Kubernetes says what is wrong: image, volume, crash loop. Empty: none.
  std::string refusal;     ///< A sentence while sidecar and operator do not take each other's credentials. Empty: none.
  std::string role_label;  ///< "primary", "replica" or empty.
  bool heard = false;      ///< A line from this very pod's sidecar within the last two seconds.
  std::optional<Report> report;       ///< The newest line, however old.
  std::optional<Instant> down_since;  ///< Since when the sidecar says that mysqld does not run.
  std::optional<Instant>
      not_acking_since;               ///< Since when it has not been seen acking (receiver connected, semi-sync on).
  std::optional<Instant> idle_since;  ///< Since when it has received nothing, not even a part, and executed nothing.
  /// Since when the sets of what it has received whole and executed, and the rows of what it executes, are the same. A
  /// receiver that is turned changes none of them.
  std::optional<Instant> unmoved_since;
  std::optional<Instant> waiting_since;  ///< Since when commits there wait for acks, at each look.
  std::optional<Instant> turned_since;   ///< Since when its channel points to the source that it points to.
};

struct ObservedCluster {
  std::vector<ObservedMember> members;  ///< By ordinal, without gaps from 0 to the highest known.
  /// Newest lines of incarnations that no present pod has (volume replaced, pod away): what they proved stays proven.
  std::vector<Report> departed;
  /// Pods whose containers the kubelet reported as terminated; a force-deleted pod never gets here.
  std::set<PodUid> ended_pods;
  /// One more than the highest ordinal that has a volume, as long as there is no record: members that once were.
  int volumes = 0;
  std::string endpoint_pod;  ///< The pod that the primary Service selects; empty if none.
  Epoch endpoint_epoch{0};
  /// The member that a person calls lost: when it is the primary, the failover goes on without what no log holds.
  std::optional<Ordinal> forced;
};

}  // namespace baton::engine
