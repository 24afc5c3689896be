#include "sidecar/local/member_machine.h"

#include <algorithm>
#include <format>
#include <utility>

#include "engine/base/ensure.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/local/gate_protocol.h"
#include "sidecar/local/last_words.h"
#include "sidecar/local/state_board.h"

namespace baton::sidecar {

using wire::Directory;
using wire::Hold;
using wire::Process;

namespace {

constexpr Duration kFirstBackoff = std::chrono::seconds(1);
constexpr Duration kLongestBackoff = std::chrono::seconds(30);
/// A server that answered for that long is not in a crash loop.
constexpr Duration kHealthyRun = std::chrono::seconds(30);

/// Never empty: whoever reads it takes an empty one for no failure.
std::string failed_start(const wire::Exit& exit, const std::string& words) {
  if (exit.signal) {
    return std::format("killed by signal {}{}{}", *exit.signal, words.empty() ? "" : "; last in its log: ", words);
  }
  return words.empty() ? std::format("nothing, and exited with status {}", exit.status.value_or(0)) : words;
}

/// With durability relaxed, a crash of the node may leave a binary log that does not fit the tables, which no recovery
/// mends. That there was no crash between two boots, nobody can tell.
Result<EpochRecord> trusted(Result<EpochRecord> record, const std::string& boot_id) {
  if (!record || record->relaxed_on.empty() || record->relaxed_on == boot_id) return record;
  return fail(
      ErrorKind::kCorrupt,
      "the node was booted (from {} to {}) while this member caught up with relaxed durability, so that its "
      "tables may not fit its binary log; mysqld is not started. Others hold everything: rebuild this member on "
      "an empty volume",
      record->relaxed_on, boot_id.empty() ? "unknown" : boot_id);
}

}  // namespace

MemberMachine::MemberMachine(Origin origin, Result<EpochRecord> record)
    : record_(trusted(std::move(record), origin.boot_id)) {
  state_.member = std::move(origin.member);
  state_.pod_uid = std::move(origin.pod_uid);
  state_.boot_id = std::move(origin.boot_id);
  state_.sidecar_id = std::move(origin.sidecar_id);
  if (record_) {
    publish(*record_);
  } else {
    state_.start_error = state_.logs_error = record_.error().what;
  }
}

Effects MemberMachine::on_process_list(std::optional<int> running, Instant now) {
  if (running) {
    if (*running == pid_) return {};
    pid_ = *running;
    begin_start(Process::kStarting);
    return judge_running({.watch = running});
  }
  if (must_test_lock()) return await_lock("that was not looked at yet");
  // Nobody starts mysqld while the record says open, so that its absence is its death. Otherwise a start that an
  // earlier sidecar permitted may be under way: the gate will tell. At the pod's end there is no gate any more.
  const bool proven = (record_ && record_->open) || state_.terminating;
  if (pid_ != 0 || !proven || state_.process == Process::kNotRunning) return {};
  return ended(now);
}

Effects MemberMachine::on_gate_idle(Instant now) {
  gate_ = Gate::kIdle;
  // A mysqld that is still seen belongs to a gate before this one and is about to go: its pidfd will tell.
  if (pid_ != 0) return {};
  // It speaks for this pod alone.
  if (must_test_lock()) return await_lock("that was not looked at yet");
  Effects effects;
  if (state_.process != Process::kNotRunning) effects = ended(now);
  // Only now is the exit that a gate tells when it dials known to be that of the last mysqld, not of one before.
  judge_suspect_end(effects);
  maybe_start(effects, now);
  return effects;
}

bool MemberMachine::is_open_elsewhere() const {
  return record_ && record_->open && record_->opened_by_pod != state_.pod_uid;
}

bool MemberMachine::must_test_lock() const {
  return is_open_elsewhere() && record_->opened_on_boot == state_.boot_id && state_.process == Process::kUnknown &&
         pid_ == 0;
}

Effects MemberMachine::await_lock(std::string_view why) {
  state_.start_error = std::format("the mysqld of pod {}, in which this member was open, may still live: {}",
                                   record_->opened_by_pod, why);
  return {};
}

Effects MemberMachine::on_data_lock(const Result<bool>& is_locked, Instant now) {
  if (!must_test_lock()) return {};
  if (!is_locked) return await_lock(is_locked.error().what);
  if (*is_locked) return await_lock("it has the data directory locked");
  state_.start_error.clear();
  return ended(now);
}

Effects MemberMachine::on_gate_running(int pid, bool initialize) {
  gate_ = Gate::kBusy;
  if (pid == pid_) return {};
  if (pid == last_pid_) return {};  // Its end was seen before the gate's word arrived.
  pid_ = pid;
  const bool expected = state_.process == Process::kStarting || state_.process == Process::kInitializing ||
                        state_.process == Process::kCloning;
  if (!expected) begin_start(initialize ? Process::kInitializing : Process::kStarting);
  return judge_running({.watch = pid});
}

/// A mysqld runs that is new to this sidecar, or whose record is.
Effects MemberMachine::judge_running(Effects effects) {
  keep_suspect_end(effects);
  // An order or SIGTERM may have overtaken the start, or an earlier sidecar's Initialize or CloneFrom was cut short.
  // With a record that cannot be trusted a server that runs is left alone.
  const bool left_over = record_ && !has_value() && task_ == Task::kNone;
  const bool held = record_ && record_->hold != Hold::kNone;
  if (!left_over && !held && !state_.terminating) return effects;
  ending_ordered_ = true;
  effects.gate.push_back(GateAction::kKill);
  return effects;
}

Effects MemberMachine::on_gate_exited(int pid, const wire::Exit& exit, std::string_view tail, Instant now) {
  Effects effects;
  if (pid == pid_) effects = ended(now, exit.signal);
  // A gate tells its last exit again when it dials anew; only the end of what we know makes it idle.
  if (pid == last_pid_) gate_ = Gate::kIdle;
  if (pid == last_pid_ || last_pid_ == 0) tell_exit(exit, tail);
  if (pid == last_pid_) judge_suspect_end(effects);
  if (exit.status == kMysqldRestartExit) next_start_ = now;
  maybe_start(effects, now);
  return effects;
}

Effects MemberMachine::on_gate_refused(std::string sentence, Instant now) {
  state_.start_error = std::move(sentence);
  if (pid_ != 0 || state_.process == Process::kNotRunning) return {};
  next_start_ = now + kFirstBackoff;
  gate_ = Gate::kIdle;
  return ended(now);
}

Effects MemberMachine::on_gate_terminating() {
  state_.terminating = true;
  ending_ordered_ = true;
  // A primary that shuts down in order tells its waiting clients OK for rows that no replica has.
  const bool orderly = record_ && !record_->open && task_ == Task::kNone;
  return {.gate = {orderly ? GateAction::kTerminate : GateAction::kKill}};
}

Effects MemberMachine::on_gate_lost() {
  gate_ = Gate::kUnknown;
  return {};
}

Effects MemberMachine::on_process_ended(int pid, std::optional<int> signal, Instant now) {
  if (pid != pid_) return {};
  return ended(now, signal);
}

bool MemberMachine::is_overtaken(SqlTicket asked) const { return asked.start != starts_ || asked.number <= sql_taken_; }

Effects MemberMachine::on_sql(SqlTicket asked, wire::Sql sql, Instant now) {
  if (is_overtaken(asked) || pid_ == 0) return {};
  sql_taken_ = asked.number;
  if (!answered_) answered_since_ = now;
  answered_ = true;
  answered_at_ = now;
  if (now - answered_since_ >= kHealthyRun) forget_ends();
  if (state_.process != Process::kStarting && state_.process != Process::kRunning) return {};
  state_.process = Process::kRunning;
  // Without a record that sentence is why nothing is started, and stays true.
  if (record_) state_.start_error.clear();
  state_.sql_error.clear();
  const bool changed = has_value() && record_->outside_logs != sql.gtid_purged;
  if (changed) {
    record_->outside_logs = sql.gtid_purged;
    dirty_ = true;
  }
  // Relaxed by nobody's order: a setting like any other.
  if (!relaxed()) sql.drift.append_range(std::exchange(sql.relaxed, {}));
  state_.sql = std::move(sql);
  return {.save = changed};
}

void MemberMachine::on_sql_error(SqlTicket asked, std::string sentence, Instant now) {
  if (is_overtaken(asked) || state_.process != Process::kRunning) return;
  state_.sql_error = std::move(sentence);
  if (now - answered_at_ >= kStaleAnswer) state_.sql.reset();
}

void MemberMachine::forget_sql() {
  state_.sql.reset();
  sql_taken_ = sql_asked_;
}

void MemberMachine::on_logs(int scan, Result<GtidSet> proven) {
  if (scan != scan_ || state_.process != Process::kNotRunning || !record_) return;
  const auto total = proven.and_then([this](const GtidSet& logs) {
    return outside_logs().transform([&](const GtidSet& outside) { return logs.united(outside); });
  });
  state_.logs_readable = total.has_value();
  state_.logs_gtid_set = total ? total->to_string() : "";
  state_.logs_error = total ? "" : total.error().what;
}

void MemberMachine::set_servable(std::string gtid_set) {
  state_.servable = has_value() ? std::move(gtid_set) : std::string();
}

void MemberMachine::set_unreadable_log(std::string sentence) {
  state_.unreadable_log = has_value() ? std::move(sentence) : std::string();
}

Effects MemberMachine::on_tick(Instant now) {
  Effects effects{.save = dirty_};
  maybe_start(effects, now);
  return effects;
}

Effects MemberMachine::on_saved(const EpochRecord& written, std::string error, Instant now) {
  Effects effects;
  if (!error.empty()) {
    state_.start_error = save_error_ = std::move(error);
    return effects;
  }
  if (const auto mended = std::exchange(save_error_, {}); state_.start_error == mended) state_.start_error.clear();
  dirty_ = *record_ != written;
  publish(written);
  maybe_start(effects, now);
  return effects;
}

Effects MemberMachine::on_record(Result<EpochRecord> record, Instant now) {
  if (!must_read_record()) return {};
  record_ = trusted(std::move(record), state_.boot_id);
  state_.start_error = state_.logs_error = record_ ? "" : record_.error().what;
  if (!record_) return {};
  publish(*record_);
  Effects effects;
  if (fence_seen_ >= std::pair(record_->epoch, record_->revision)) {
    std::tie(record_->epoch, record_->revision) = *fence_seen_;
    record_->hold = Hold::kFenced;
    dirty_ = effects.save = true;
  }
  if (pid_ != 0) return judge_running(std::move(effects));
  const bool was_seen = last_pid_ != 0;
  if (state_.process == Process::kNotRunning && is_open_elsewhere() && !was_seen) {
    // The gate's word was taken for more than it is.
    state_.process = Process::kUnknown;
  } else if (state_.process == Process::kNotRunning) {
    // It was seen to end, or found down, while nobody could tell whether it had been open.
    settle_end(effects, state_.last_exit ? state_.last_exit->signal : std::nullopt, was_seen);
  }
  maybe_start(effects, now);
  return effects;
}

Result<void> MemberMachine::check_address(const wire::Order& order) const {
  if (order.member == state_.member && order.pod_uid == state_.pod_uid) return {};
  return fail(ErrorKind::kUnsafe, "the order is for {} ({}); this is {} ({})", order.member, order.pod_uid,
              state_.member, state_.pod_uid);
}

Result<Effects> MemberMachine::admit(const wire::Order& order) {
  TRY_VOID(check_address(order));
  if (!record_) return std::unexpected(record_.error());
  const auto wanted = std::pair(order.epoch, order.revision);
  const auto held = std::pair(record_->epoch, record_->revision);
  if (wanted < held) {
    return fail(ErrorKind::kUnsafe, "the order's epoch {} revision {} is below the highest seen, epoch {} revision {}",
                order.epoch, order.revision, record_->epoch, record_->revision);
  }
  // One whose numbers could not be written down comes again, and is not done before they are either.
  if (wanted == held) return Effects{.save = dirty_};
  std::tie(record_->epoch, record_->revision) = wanted;
  return changed();
}

Effects MemberMachine::fence() {
  ENSURE(record_.has_value());
  ++fences_;
  Effects effects;
  if (record_->hold != Hold::kFenced) {
    record_->hold = Hold::kFenced;
    dirty_ = effects.save = true;
  }
  kill_if_it_runs(effects);
  return effects;
}

Result<Effects> MemberMachine::fence_unrecorded(const wire::Order& order) {
  ENSURE(!record_.has_value());
  TRY_VOID(check_address(order));
  ++fences_;
  fence_seen_ = std::max(fence_seen_, std::optional(std::pair(order.epoch, order.revision)));
  Effects effects;
  kill_if_it_runs(effects);
  return effects;
}

void MemberMachine::kill_if_it_runs(Effects& effects) {
  if (state_.process == Process::kNotRunning) return;
  ending_ordered_ = true;
  effects.gate.push_back(GateAction::kKill);
}

Result<Effects> MemberMachine::permit(int fences_before, Instant now) {
  ENSURE(record_.has_value());
  if (fences_ != fences_before) return fail(ErrorKind::kUnsafe, "a Fence came after this order");
  Effects effects;
  next_start_ = now;
  backoff_ = Duration::zero();
  if (record_->hold != Hold::kNone) {
    record_->hold = Hold::kNone;
    dirty_ = effects.save = true;
  } else {
    maybe_start(effects, now);
  }
  return effects;
}

Result<void> MemberMachine::may_open() const {
  if (!record_) return std::unexpected(record_.error());
  if (record_->hold != Hold::kNone || state_.process != Process::kRunning) {
    return fail(ErrorKind::kUnsafe, "mysqld is held, or has ended");
  }
  if (state_.terminating) return fail(ErrorKind::kUnsafe, "the pod is being ended");
  if (relaxed()) return fail(ErrorKind::kUnsafe, "durability is relaxed here");
  return {};
}

Effects MemberMachine::mark_open(std::int64_t epoch) {
  ENSURE(record_.has_value());
  if (record_->open && record_->opened_epoch == epoch && !is_open_elsewhere()) return {};
  // A list from before would cut off whoever became a member since.
  if (record_->opened_epoch != epoch) record_->replicas.clear();
  record_->ackers_known = record_->ackers_known && record_->opened_epoch == epoch;
  record_->open = true;
  record_->opened_by_pod = state_.pod_uid;
  record_->opened_on_boot = state_.boot_id;
  record_->unseen_pod.clear();
  record_->suspect_end = record_->suspect_stays = false;
  record_->opened_epoch = epoch;
  return changed();
}

Effects MemberMachine::unmark_open(const EpochRecord& before) {
  ENSURE(record_.has_value());
  // It ended meanwhile: the hold stands.
  if (!record_->open) return {};
  record_->opening() = before.opening();
  return changed();
}

Result<Effects> MemberMachine::mark_relaxed() {
  if (!record_) return std::unexpected(record_.error());
  if (record_->open) return fail(ErrorKind::kUnsafe, "this server is open for writes: its commits stay durable");
  if (state_.boot_id.empty()) return fail(ErrorKind::kUnsafe, "the node's boot id is not known");
  if (relaxed()) return Effects{};
  record_->relaxed_on = state_.boot_id;
  return changed();
}

Effects MemberMachine::mark_restored() {
  ENSURE(record_.has_value());
  if (!relaxed()) return {};
  record_->relaxed_on.clear();
  return changed();
}

Effects MemberMachine::remember_ackers(std::vector<std::string> replicas) {
  ENSURE(record_.has_value());
  if (record_->ackers_known && record_->replicas == replicas) return {};
  record_->ackers_known = true;
  record_->replicas = std::move(replicas);
  return changed();
}

Effects MemberMachine::allow_replica(const std::string& uuid) {
  ENSURE(record_.has_value());
  if (!record_->ackers_known || std::ranges::contains(record_->replicas, uuid)) return {};
  record_->replicas.push_back(uuid);
  return changed();
}

Result<Effects> MemberMachine::offer_logs(std::string replica, std::string set) {
  if (!replica.empty() && !has_value()) {
    return fail(ErrorKind::kUnsafe, "the data directory has no value yet: there is nothing to offer");
  }
  state_.offered_to = std::move(replica);
  state_.offered = std::move(set);
  return Effects{};
}

Result<Effects> MemberMachine::begin_task(Task task) {
  if (!record_) return std::unexpected(record_.error());
  if (task_ != Task::kNone) return fail(ErrorKind::kRetry, "the data directory is being made already");
  if (has_value() || record_->opened_epoch != 0) {
    return fail(ErrorKind::kUnsafe, "the data directory is not Empty: it is never overwritten by this order");
  }
  if (record_->hold != Hold::kNone) return fail(ErrorKind::kUnsafe, "the start of mysqld is held");
  if (state_.terminating) return fail(ErrorKind::kRetry, "the pod is being ended");
  if (dirty_) return fail(ErrorKind::kRetry, "the epoch file is not on disk yet");
  if (state_.process != Process::kNotRunning || gate_ != Gate::kIdle) {
    return fail(ErrorKind::kRetry, "the gate has not said yet that no mysqld runs");
  }
  task_ = task;
  state_.start_error.clear();
  return Effects{};
}

Result<Effects> MemberMachine::task_start(GateAction action) {
  ENSURE(task_ != Task::kNone);
  if (record_->hold != Hold::kNone || state_.terminating) {
    return fail(ErrorKind::kCancelled, "mysqld must not be started any more: fenced, or the pod is being ended");
  }
  if (state_.process != Process::kNotRunning || gate_ != Gate::kIdle) {
    return fail(ErrorKind::kRetry, "mysqld is not known to be down");
  }
  const auto process = action == GateAction::kInitialize ? Process::kInitializing : Process::kStarting;
  command_start(task_ == Task::kClone ? Process::kCloning : process);
  return Effects{.gate = {action}};
}

Effects MemberMachine::finish_task(Directory directory, Instant now) {
  task_ = Task::kNone;
  record_->directory = directory;
  dirty_ = true;
  if (state_.process == Process::kCloning) state_.process = Process::kStarting;
  next_start_ = now;
  backoff_ = Duration::zero();
  // How the helpers of the making ended says nothing about this server.
  forget_ends();
  state_.last_exit.reset();
  return {.save = true};
}

Effects MemberMachine::fail_task(std::string sentence) {
  task_ = Task::kNone;
  state_.start_error = std::move(sentence);
  if (state_.process == Process::kNotRunning) return {};
  ending_ordered_ = true;
  return {.gate = {GateAction::kKill}};
}

Effects MemberMachine::ended(Instant now, std::optional<int> signal) {
  const bool lived = answered_ && now - answered_since_ >= kHealthyRun;
  if (lived) backoff_ = Duration::zero();
  if (lived) forget_ends();
  // The first end after an answer is followed by a start at once; a server that never answers has to wait.
  next_start_ = now + (answered_ || pid_ == 0 ? backoff_ : std::max(backoff_, kFirstBackoff));
  if (pid_ != 0) backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kLongestBackoff);
  const bool ordered = ending_ordered_ || state_.terminating;
  if (pid_ != 0 && !ordered && task_ == Task::kNone) {
    ++state_.unordered_ends;
    state_.restart_pause_seconds = std::chrono::duration_cast<std::chrono::seconds>(next_start_ - now).count();
  }
  if (pid_ != 0 || state_.process != Process::kUnknown) {
    state_.last_exit = wire::Exit{.status = {}, .signal = signal, .ordered = ordered};
  }
  answered_last_ = answered_;
  const bool was_seen = pid_ != 0;
  last_pid_ = std::exchange(pid_, 0);
  ending_ordered_ = false;
  answered_ = false;
  state_.process = Process::kNotRunning;
  state_.sql.reset();
  state_.sql_error.clear();
  Effects effects;
  settle_end(effects, signal, was_seen);
  return effects;
}

/// mysqld is down: if it was open it is held from now on, and what its logs hold is wanted.
void MemberMachine::settle_end(Effects& effects, std::optional<int> signal, bool was_seen) {
  if (record_ && record_->open) {
    // On this boot its lock on the data was seen to be gone.
    if (!was_seen && is_open_elsewhere() && record_->opened_on_boot != state_.boot_id) {
      record_->unseen_pod = record_->opened_by_pod;
    }
    record_->open = false;
    // Ordered or not: what orders is a signal, and what SIGTERM of another brings about may come before it.
    record_->suspect_end = !signal;
    record_->suspect_stays = false;
    if (record_->hold == Hold::kNone) record_->hold = Hold::kCrashedPrimary;
    dirty_ = effects.save = true;
    // Told before it is on disk: `open` is, and says the same to the next sidecar.
    state_.hold = record_->hold;
    state_.suspect_end = record_->suspect_end;
    state_.unseen_pod = record_->unseen_pod;
  }
  effects.scan_logs = has_value();
  if (effects.scan_logs) ++scan_;
}

/// The end of the last mysqld is known as far as it ever will be: if a signal brought it, it told clients nothing.
void MemberMachine::judge_suspect_end(Effects& effects) {
  if (!record_ || !record_->suspect_end || record_->suspect_stays) return;
  if (!state_.last_exit || !state_.last_exit->signal) return;
  record_->suspect_end = state_.suspect_end = false;
  dirty_ = effects.save = true;
}

/// Another mysqld is about to run, or does: the end of that one says nothing about the one that was open. Gives whether
/// this is news, to be on disk first.
bool MemberMachine::keep_suspect_end(Effects& effects) {
  if (!record_ || !record_->suspect_end || record_->suspect_stays) return false;
  record_->suspect_stays = dirty_ = effects.save = true;
  return true;
}

void MemberMachine::tell_exit(const wire::Exit& exit, std::string_view tail) {
  const bool ordered = state_.last_exit && state_.last_exit->ordered;
  const bool told_before = state_.last_exit && (state_.last_exit->status || state_.last_exit->signal);
  state_.last_exit = wire::Exit{.status = exit.status, .signal = exit.signal, .ordered = ordered};
  words_ = sidecar::last_words(tail);
  // It asked for a new start itself (RESTART).
  const bool wanted = exit.status == kMysqldRestartExit && !ordered && !told_before;
  if (wanted && state_.unordered_ends > 0) --state_.unordered_ends;
  if (!answered_last_ && !ordered && task_ == Task::kNone && state_.process == Process::kNotRunning) {
    state_.start_error = failed_start(exit, words_);
  }
}

void MemberMachine::forget_ends() {
  state_.unordered_ends = 0;
  state_.restart_pause_seconds = 0;
}

void MemberMachine::maybe_start(Effects& effects, Instant now) {
  const bool wanted = has_value() && task_ == Task::kNone && state_.process == Process::kNotRunning;
  const bool allowed = record_ && record_->hold == Hold::kNone && !record_->open && !dirty_ && !state_.terminating;
  if (!wanted || !allowed || gate_ != Gate::kIdle || now < next_start_) return;
  if (keep_suspect_end(effects)) return;
  command_start(Process::kStarting);
  effects.gate.push_back(GateAction::kStart);
}

/// The gate is idle, and so has nothing more to say of the mysqld before: whoever has its number next is another.
void MemberMachine::command_start(Process process) {
  gate_ = Gate::kBusy;
  last_pid_ = 0;
  begin_start(process);
}

void MemberMachine::begin_start(Process process) {
  state_.process = process;
  answered_ = false;
  ending_ordered_ = false;
  ++starts_;
  ++scan_;
  state_.logs_readable = false;
  state_.logs_gtid_set.clear();
  state_.logs_error.clear();
}

/// Tells what is on disk.
void MemberMachine::publish(const EpochRecord& record) {
  state_.epoch = record.epoch;
  state_.revision = record.revision;
  state_.opened_epoch = record.opened_epoch;
  state_.relaxed = !record.relaxed_on.empty();
  state_.uuid = record.uuid;
  state_.server_id = record.server_id;
  state_.directory = record.directory;
  // An end that came while this was being written has been told, and stays told.
  if (record.hold == record_->hold) state_.hold = record.hold;
  if (record.suspect_end == record_->suspect_end) state_.suspect_end = record.suspect_end;
  if (record.unseen_pod == record_->unseen_pod) state_.unseen_pod = record.unseen_pod;
}

Result<GtidSet> MemberMachine::outside_logs() const {
  if (!record_) return std::unexpected(record_.error());
  auto outside = GtidSet::parse(record_->outside_logs);
  if (!outside) return wrap("outside_logs of the epoch file", std::move(outside).error());
  return outside;
}

bool MemberMachine::has_value() const {
  return record_ && (record_->directory == Directory::kInitialized || record_->directory == Directory::kCloned);
}

}  // namespace baton::sidecar
