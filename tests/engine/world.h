#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/decide/decide.h"

namespace baton::test {

/// What lies on a member's volume and survives its pod.
struct Volume {
  ServerUuid uuid;
  engine::Directory directory = engine::Directory::kEmpty;
  GtidSet log;  ///< The binlog: executed, and what waits for acks.
  GtidSet executed;
  GtidSet retrieved;
  GtidSet kept;            ///< Relay logs that were deleted under mysqld's name and have another.
  std::string source;      ///< Address that the channel points to.
  bool from_logs = false;  ///< And there to the binlog server.
  Epoch held_epoch{0};
  Revision held_revision{0};
  Epoch opened_epoch{0};
  bool open_mark = false;  ///< Opened, and mysqld has not ended since.
  engine::OpenEnd open_end = engine::OpenEnd::kNone;
  bool held = false;
  bool relaxed = false;    ///< By an order; until all that was committed since is on disk.
  bool untrusted = false;  ///< Its node crashed meanwhile: the sidecar starts nothing and tells nothing of it.
  std::map<std::string, bool> accounts;  ///< uuid to "is locked".
  bool app_account = false;
  bool clone_unlocked = false;
  bool readable = true;  ///< Whether a dead log can be read.
  bool sends = true;     ///< Whether its binlog server can still read what it offers.
  bool starts = true;    ///< Whether mysqld gets up.
};

/// A pod with its mysqld.
struct Pod {
  PodUid uid;
  std::string address;
  engine::Process process = engine::Process::kNotRunning;
  std::string exit;
  std::string start_error;
  bool log_read = false;
  bool read_only = true;
  bool source_enabled = false;
  int wait_for_count = 0;
  bool acks_time_out = false;  ///< Somebody made commits go on when too few ackers are there.
  bool replica_enabled = false;
  bool replica_active = false;
  bool relaxed = false;  ///< What mysqld's settings say: a new mysqld is strict.
  engine::Thread receiver = engine::Thread::kStopped;
  engine::Thread applier = engine::Thread::kStopped;
  std::optional<Ordinal> clone_donor;
  ServerUuid offered_to;
  GtidSet offered;
};

/// An ordinal: its volume, its pod if there is one, and what the operator knows of it.
struct Member {
  Volume volume;
  std::optional<Pod> pod;
  int boot = 1;
  bool heard = true;    ///< The operator's link to the sidecar, both ways.
  bool frozen = false;  ///< The receiver is connected and gets nothing.
  bool applies = true;
  bool returns = true;  ///< Whether the StatefulSet's next pod can be scheduled.
  std::string role;
  std::optional<engine::Report> line;  ///< The newest line of the present pod, or of one before it.
  std::optional<Instant> down_since;
  std::optional<Instant> not_acking_since;
  std::optional<Instant> idle_since;
  std::optional<Instant> unmoved_since;
  std::optional<Instant> turned_since;
  GtidSet seen_holdings;
  GtidSet seen_executed;
  std::string seen_source;
};

/// A small model of a cluster that behaves as sidecars, mysqld and the API server do, as far as decisions can tell.
/// Every change checks the invariants; what was broken is kept in `violations`.
class World {
 public:
  World(int replicas, int acks);

  engine::Spec spec;
  engine::Recorded recorded;
  std::vector<Member> members;
  bool void_by_hand = false;      ///< Somebody else lowered W: the record is wrong until it says so.
  bool strict = false;            ///< Every mysqld fsyncs its relay logs before it acknowledges.
  std::optional<Ordinal> forced;  ///< A person's word: that member is given up.
  bool load = false;              ///< With every tick each open member gets a write.
  int apply_at_most = 0;          ///< Transactions that an applier applies at a time; 0: all that it has.

  // Faults and their end.
  void kill_mysqld(int i);
  /// SIGTERM by nobody's order: clients that wait for acks are told OK.
  void shut_down(int i);
  void delete_pod(int i, bool force);
  void lose_volume(int i);
  void reboot_node(int i);
  void restart_all();
  void forget_record();
  /// A new operator process: nothing is known but what is heard from now on.
  void new_leader();
  void heal();

  /// Each open member takes so many writes.
  void write(int count);
  /// The outside goes on: processes start, logs are read, receivers receive, pods come and go; then `by` passes.
  void tick(Duration by);

  [[nodiscard]] engine::ObservedCluster observe();
  [[nodiscard]] engine::Decision decide();
  /// Compare-and-set of the record.
  void write_record(const engine::RecordChange& change);
  /// The order as the sidecar carries it out. Empty if it was, else why it refused.
  std::string apply(const engine::Step& step);

  [[nodiscard]] bool is_open() const;
  [[nodiscard]] const GtidSet& acknowledged() const { return acknowledged_; }
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  /// All of the world but time, as bytes: equal ones mean that nothing happened between.
  [[nodiscard]] std::string fingerprint() const;

 private:
  void broken(std::string sentence);
  void check();
  void check_provable();
  void check_relaxing(const engine::Decision& decision);
  void note_watermark(const engine::ObservedCluster& observed, engine::ClusterState state);
  void give_up(const GtidSet& kept);
  void end_process(Member& member, std::string exit);
  void start_pods();
  void run_process(Member& member);
  void finish_clone(Member& member);
  void replicate();
  void apply_received(Member& member) const;
  void receive(Member& member, Member& source, const GtidSet& sent);
  void fetch(Member& member, Member& source);
  void commit_waiting(Member& member);
  void new_volume(Member& member);
  [[nodiscard]] Member* at(const std::string& address);
  [[nodiscard]] bool connected(const Member& replica, const Member& source) const;
  [[nodiscard]] std::vector<const Member*> ackers_of(const Member& source) const;
  /// How many acks its commits wait for.
  [[nodiscard]] int real_count(const Member& source) const;
  [[nodiscard]] engine::Report report_of(const Member& member) const;
  [[nodiscard]] engine::Server server_of(const Member& member) const;
  void note_progress(Member& member) const;
  [[nodiscard]] engine::Identity identity_of(const Member& member) const;
  /// Each member has a node of its own.
  [[nodiscard]] BootId boot_of(const Member& member) const;
  void transact(Member& member, bool binlogged);
  std::string admit(Member& member);

  struct Orders;

  Instant now_{Duration{100000}};
  int next_pod_ = 0;
  int next_uuid_ = 0;
  int initialized_ = 0;
  int wanted_ = 0;
  std::string endpoint_;
  Epoch endpoint_epoch_{0};
  std::set<PodUid> ended_;
  std::map<std::string, engine::Report> departed_;
  std::map<std::string, GtidSet> ever_held_;  ///< By uuid, of volumes that are lost too.
  GtidSet acknowledged_;
  std::vector<std::string> violations_;
};

/// Drives a world as the reconciler does: a record is written and decided upon anew; else all steps are applied.
class Driver {
 public:
  enum class Order : std::uint8_t { kAsPlanned, kReversed };

  explicit Driver(World& world) : world_(world) {}

  Order order = Order::kAsPlanned;
  /// Steps of a decision with a record are carried out after the record, as the header allows.
  bool eager = false;
  /// Called before each record and step with its number; false: the operator crashes here, the rest of the decision is
  /// dropped.
  std::function<bool(int action)> before;
  /// Told all that happens, a line each.
  std::function<void(const std::string& line)> tell;

  /// Until nothing happens any more, for longer than every patience. False if that never comes.
  bool settle();
  [[nodiscard]] const engine::Decision& last() const { return last_; }
  [[nodiscard]] int actions() const { return actions_; }
  [[nodiscard]] std::string state_line() const;

 private:
  bool go(const std::string& line);
  void say(const std::string& line);
  void pass();

  World& world_;
  engine::Decision last_;
  int actions_ = 0;
  std::string told_state_;
  std::set<std::string> said_;  ///< Since the last line that was no refusal.
};

/// Server uuids made short, so that transcripts can be read.
[[nodiscard]] std::string shorten(std::string text);

}  // namespace baton::test
