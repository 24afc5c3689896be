#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/local/epoch_file.h"
#include "sidecar/wire/order.h"

namespace baton::sidecar {

/// What the gate is told to do.
enum class GateAction : std::uint8_t { kStart, kInitialize, kKill, kTerminate };

/// What an input asks of the outside, to be done in this order: watch, gate, scan, and save last, since disks may hang.
struct Effects {
  bool save = false;  ///< The record changed: fsync it, and say so with on_saved. What follows does not wait for it.
  std::vector<GateAction> gate;
  std::optional<int> watch;  ///< Watch this process for its end.
  bool scan_logs = false;    ///< mysqld is down: read its logs to their ends; answer with on_logs.

  [[nodiscard]] bool none() const { return !save && gate.empty() && !watch && !scan_logs; }
};

/// An order of several steps that drives mysqld itself; no start happens by itself meanwhile.
enum class Task : std::uint8_t { kNone, kInitialize, kClone };

/// Which mysqld is asked how it is, and how many were asked before: whoever asks takes one first, since he may be
/// overtaken.
struct SqlTicket {
  int start = 0;
  std::uint64_t number = 0;
};

/// What is known of the local mysqld and when it may run: states and rules, without I/O, clock or threads.
///
/// A few rules keep a data directory safe, whatever the order of inputs:
///  - nothing is started while `hold` is set, while the record says open, or while the record is not on disk;
///  - when mysqld ends while the record says open, `open` turns into the hold CrashedPrimary; since `open` was on disk
///    before the server was opened, that also holds for a sidecar that starts later and finds no mysqld;
///  - nothing is started, and no log proves anything, once the node was booted while durability was relaxed;
///  - a member is NotRunning only with proof: the gate said so, or its process was seen to end. Of a mysqld that was
///  open in
///    another pod neither this pod's gate nor its process list knows: on this boot of the node its lock on the data
///    tells (must_test_lock); elsewhere nothing does, and that is told (wire::MemberState::unseen_pod).
class MemberMachine {
 public:
  /// For a sidecar that just started. `record` is what lies on disk, or why it cannot be trusted: then nothing is ever
  /// started, unless the reason passes (must_read_record). It cannot be trusted either if it was relaxed on another
  /// boot of the node than origin.boot_id.
  struct Origin {
    std::string member;
    std::string pod_uid;
    std::string boot_id;
    std::string sidecar_id;
  };
  MemberMachine(Origin origin, Result<EpochRecord> record);

  // ---- inputs. Each returns what is to be done.

  /// First input of all: the mysqld of this data directory found in the process list, if any.
  [[nodiscard]] Effects on_process_list(std::optional<int> running, Instant now);
  [[nodiscard]] Effects on_gate_idle(Instant now);
  [[nodiscard]] Effects on_gate_running(int pid, bool initialize);
  [[nodiscard]] Effects on_gate_exited(int pid, const wire::Exit& exit, std::string_view tail, Instant now);
  [[nodiscard]] Effects on_gate_refused(std::string sentence, Instant now);
  [[nodiscard]] Effects on_gate_terminating();
  [[nodiscard]] Effects on_gate_lost();
  /// Its end was seen, with the signal that brought it if that is known already. The gate tells the status later.
  [[nodiscard]] Effects on_process_ended(int pid, std::optional<int> signal, Instant now);
  /// To be taken before mysqld is asked.
  [[nodiscard]] SqlTicket ask_sql() { return {.start = starts_, .number = ++sql_asked_}; }
  /// What mysqld answered. Two are dropped: the answer of the mysqld before this one, which says nothing about this
  /// one; and one that was asked for before the last that was taken, or before forget_sql, since it may be from before
  /// an order whose outcome is told by now.
  [[nodiscard]] Effects on_sql(SqlTicket asked, wire::Sql sql, Instant now);
  /// It could not be asked. That is not death, but after two seconds what it said last is not told any more: a server
  /// that hangs must not look like one that acknowledges.
  void on_sql_error(SqlTicket asked, std::string sentence, Instant now);
  /// What mysqld said last is out of date, as is all that it was asked for before now, and it does not answer.
  void forget_sql();
  /// What the logs of a mysqld that is down prove, or why they do not. `scan` numbers the scan that was asked for; an
  /// answer to an older one is dropped. A later answer to the same one replaces the earlier.
  void on_logs(int scan, Result<GtidSet> proven);
  /// What the binlog server can send now. Nothing while the directory has no value.
  void set_servable(std::string gtid_set);
  /// Nothing while the directory has no value.
  void set_unreadable_log(std::string sentence);
  [[nodiscard]] Effects on_tick(Instant now);
  /// The record as it was (it may have changed since) could not be written (sentence) or is written (empty).
  [[nodiscard]] Effects on_saved(const EpochRecord& written, std::string error, Instant now);
  /// Whether somebody holds the lock on the data directory, asked for because of must_test_lock.
  [[nodiscard]] Effects on_data_lock(const Result<bool>& is_locked, Instant now);
  /// The record, read once more because of must_read_record.
  [[nodiscard]] Effects on_record(Result<EpochRecord> record, Instant now);
  /// The sidecar itself is told to end.
  void on_sidecar_terminating() { state_.terminating = true; }

  // ---- orders

  /// Refuses another pod's order and one below the highest (epoch, revision) seen; else takes the numbers up.
  [[nodiscard]] Result<Effects> admit(const wire::Order& order);
  [[nodiscard]] Effects fence();
  /// The same while no record can be trusted, so that neither can the order's age be judged nor the hold be written
  /// down: mysqld is killed all the same, because a primary that lives must be stoppable. Is taken up with the record,
  /// once that can be read, unless it turns out to be late. kUnsafe: the order is for another pod.
  [[nodiscard]] Result<Effects> fence_unrecorded(const wire::Order& order);
  /// Fences so far. Who gives a Permit takes the number when that arrives.
  [[nodiscard]] int fences() const { return fences_; }
  /// To be asked in the same input as admit. kUnsafe: a Fence came since there were so many. It stands, although the
  /// Permit, which waited meanwhile, may have the higher numbers.
  [[nodiscard]] Result<Effects> permit(int fences_before, Instant now);
  /// Whether the server may be opened at all, to be asked in the same input as mark_open. kUnsafe: it is held, has
  /// ended, is relaxed, or its pod is being ended: then it may have been told to end in order, and would tell clients
  /// OK for rows that no replica has. (When the pod's end comes after the mark, it is killed.)
  [[nodiscard]] Result<void> may_open() const;
  /// To be on disk before the server is opened. With a new epoch the ackers are not known any more.
  [[nodiscard]] Effects mark_open(std::int64_t epoch);
  /// Takes mark_open back after the server refused and stayed read-only: what the record said of openings before.
  [[nodiscard]] Effects unmark_open(const EpochRecord& before);
  /// To be on disk before any setting is relaxed. kUnsafe: the server is open, or it cannot be told on which boot of
  /// the node this is.
  [[nodiscard]] Result<Effects> mark_relaxed();
  /// After all that was committed is on disk again.
  [[nodiscard]] Effects mark_restored();
  [[nodiscard]] Effects remember_ackers(std::vector<std::string> replicas);
  /// Adds one to the ackers, if these are known. To be on disk before it can log in.
  [[nodiscard]] Effects allow_replica(const std::string& uuid);
  /// Whose receiver may fetch what from here; an empty `replica`: nobody's. kUnsafe: the directory has no value.
  [[nodiscard]] Result<Effects> offer_logs(std::string replica, std::string set);
  void set_busy(std::string_view order) { state_.busy = order; }

  /// Begins Initialize or CloneFrom. kUnsafe: the directory has a value; kRetry: mysqld is not known to be down.
  [[nodiscard]] Result<Effects> begin_task(Task task);
  /// A start within a task.
  [[nodiscard]] Result<Effects> task_start(GateAction action);
  /// The directory has its value from now on. mysqld goes on running.
  [[nodiscard]] Effects finish_task(wire::Directory directory, Instant now);
  /// The directory stays Empty; mysqld is killed if it runs.
  [[nodiscard]] Effects fail_task(std::string sentence);

  // ---- what is known

  [[nodiscard]] const wire::MemberState& state() const { return state_; }
  [[nodiscard]] const Result<EpochRecord>& record() const { return record_; }
  /// Whether the directory was opened in another pod on this boot of the node, whose mysqld may live on unseen: to be
  /// found out by is_data_locked, now and with each tick. Until then the process is Unknown.
  [[nodiscard]] bool must_test_lock() const;
  /// Whether the record could not be read for a reason that may pass, as a disk that refuses: to be read again.
  [[nodiscard]] bool must_read_record() const { return !record_ && record_.error().kind == ErrorKind::kRetry; }
  /// What was executed but lies in no log. Errors: kCorrupt; that of the record.
  [[nodiscard]] Result<GtidSet> outside_logs() const;
  [[nodiscard]] int pid() const { return pid_; }
  [[nodiscard]] bool gate_idle() const { return gate_ == Gate::kIdle; }
  /// mysqld has answered SQL since its start (also within a task).
  [[nodiscard]] bool answered() const { return answered_; }
  /// When it did so last.
  [[nodiscard]] Instant answered_at() const { return answered_at_; }
  /// Starts so far: changes when a new mysqld runs.
  [[nodiscard]] int starts() const { return starts_; }
  [[nodiscard]] int scan() const { return scan_; }
  [[nodiscard]] Task task() const { return task_; }
  /// Of the mysqld that ended last.
  [[nodiscard]] const std::string& last_words() const { return words_; }
  /// Whether durability was relaxed by an order, and is not restored yet.
  [[nodiscard]] bool relaxed() const { return record_ && !record_->relaxed_on.empty(); }
  /// Whether the record is on disk as it is here.
  [[nodiscard]] bool saved() const { return !dirty_; }
  /// Whether a Fence holds the start.
  [[nodiscard]] bool fenced() const { return record_ && record_->hold == wire::Hold::kFenced; }

 private:
  enum class Gate : std::uint8_t { kUnknown, kIdle, kBusy };

  /// Of whoever has changed the record.
  [[nodiscard]] Effects changed() {
    dirty_ = true;
    return {.save = true};
  }
  [[nodiscard]] Result<void> check_address(const wire::Order& order) const;
  Effects ended(Instant now, std::optional<int> signal = {});
  void settle_end(Effects& effects, std::optional<int> signal, bool was_seen);
  [[nodiscard]] bool is_open_elsewhere() const;
  Effects await_lock(std::string_view why);
  void kill_if_it_runs(Effects& effects);
  Effects judge_running(Effects effects);
  void judge_suspect_end(Effects& effects);
  bool keep_suspect_end(Effects& effects);
  void tell_exit(const wire::Exit& exit, std::string_view tail);
  void maybe_start(Effects& effects, Instant now);
  void command_start(wire::Process process);
  void begin_start(wire::Process process);
  void publish(const EpochRecord& record);
  void forget_ends();
  [[nodiscard]] bool has_value() const;
  [[nodiscard]] bool is_overtaken(SqlTicket asked) const;

  Result<EpochRecord> record_;
  wire::MemberState state_;
  Gate gate_ = Gate::kUnknown;
  Task task_ = Task::kNone;
  int pid_ = 0;
  int last_pid_ = 0;  ///< Of the mysqld that ended last, until another is started; 0: not known.
  bool ending_ordered_ = false;
  bool answered_ = false;
  bool answered_last_ = false;
  bool dirty_ = false;
  std::string save_error_;  ///< Of the last saving; it may be the start_error.
  int fences_ = 0;
  /// Epoch and revision of the highest Fence that no record could take up.
  std::optional<std::pair<std::int64_t, std::int64_t>> fence_seen_;
  std::string words_;
  int starts_ = 0;
  int scan_ = 0;
  std::uint64_t sql_asked_ = 0;
  std::uint64_t sql_taken_ = 0;  ///< Answers to this ticket and earlier ones come too late.
  Instant answered_since_{};
  Instant answered_at_{};
  Instant next_start_{};
  Duration backoff_{};
};

}  // namespace baton::sidecar
