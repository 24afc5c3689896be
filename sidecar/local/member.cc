#include "sidecar/local/member.h"

#include <signal.h>
#include <sys/stat.h>

#include <system_error>

#include "sidecar/wire/member_state_fields.h"

namespace baton::sidecar {

namespace fs = std::filesystem;
using wire::Process;

namespace {

constexpr Duration kLockPatience{200};

/// The record on disk, or a first one for a volume that holds nothing.
Result<EpochRecord> load_or_make(const Config& config, const EpochFile& file) {
  auto record = file.load();
  if (record || record.error().kind != ErrorKind::kNotFound) return record;
  std::error_code error;
  const bool is_there = fs::exists(config.data_directory(), error);
  // What cannot be seen may be there.
  if (error) return fail(ErrorKind::kRetry, "look for {}: {}", config.data_directory().string(), error.message());
  if (is_there && !fs::is_empty(config.data_directory(), error)) {
    return fail(ErrorKind::kCorrupt,
                "{} holds data, but there is no {}: mysqld is not started, since it may have been held or fenced. "
                "Restore the file, or rebuild this member on an empty volume",
                config.data_directory().string(), file.path().string());
  }
  TRY(fresh, fresh_record());
  TRY_VOID(file.save(fresh));
  return fresh;
}

std::string boot_id() {
  auto text = read_small_file("/proc/sys/kernel/random/boot_id", 100).value_or("");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<void> make_private_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail(ErrorKind::kTerminal, "failed to make {}: {}", path.string(), error.message());
  if (::chmod(path.c_str(), 0700) != 0)
    return fail(ErrorKind::kTerminal, "failed to close {} to others", path.string());
  return {};
}

Result<wire::Exit> read_exit(const std::string& how, const std::string& number) {
  TRY(value, parse_gate_number(number));
  wire::Exit exit;
  (how == "signal" ? exit.signal : exit.status) = value;
  return exit;
}

}  // namespace

Result<void> ensure_auto_cnf(const fs::path& data_directory, const std::string& uuid) {
  const auto path = data_directory / "auto.cnf";
  const auto text = read_small_file(path, 4096);
  if (!text && text.error().kind != ErrorKind::kNotFound) return std::unexpected(text.error());
  if (!text) return write_durably(path, "[auto]\nserver-uuid=" + uuid + "\n", 0640);
  if (text->contains(uuid)) return {};
  return fail(ErrorKind::kCorrupt,
              "{} does not name this incarnation's server_uuid {}: the data directory is another's", path.string(),
              uuid);
}

Result<std::unique_ptr<Member>> Member::start(const Config& config, const Clock& clock, const Logger& log) {
  TRY_VOID(make_private_folder(config.socket_directory()));
  TRY(sidecar_id, random_uuid());
  auto record = load_or_make(config, EpochFile(config.state_directory()));
  MemberMachine machine(
      {.member = config.member, .pod_uid = config.pod_uid, .boot_id = boot_id(), .sidecar_id = std::move(sidecar_id)},
      std::move(record));
  if (!machine.record()) log.error("mysqld is not started", {{"error", machine.record().error().what}});
  std::unique_ptr<Member> member(new Member(config, clock, log, std::move(machine)));
  TRY(running, find_mysqld(config.data_directory()));
  member->tell([&](MemberMachine& m) { return m.on_process_list(running, clock.now()); });
  member->test_data_lock();
  Member* const self = member.get();
  // The link's first message waits for the lock, and so finds the link in its place.
  const std::scoped_lock lock(member->mutex_);
  TRY(link, GateLink::open(
                config.gate_socket(), [self](const GateMessage& message) { self->on_gate_message(message); }, log));
  member->link_ = std::move(link);
  return member;
}

Member::Member(const Config& config, const Clock& clock, Logger log, MemberMachine machine)
    : config_(config),
      clock_(clock),
      log_(std::move(log)),
      file_(config.state_directory()),
      machine_(std::move(machine)),
      watch_([this](int pid, std::optional<int> signal) {
        tell([&](MemberMachine& m) { return m.on_process_ended(pid, signal, clock_.now()); });
      }) {
  if (machine_.record()) {
    epoch_seen_ = machine_.record()->epoch;
    revision_seen_ = machine_.record()->revision;
  }
  board_.publish(machine_.state(), machine_.answered_at());
  writer_ = std::jthread([this](const std::stop_token& stop) { write_records(stop); });
}

Member::~Member() {
  // Its thread calls back into this object: it ends first, and not under the lock.
  std::unique_ptr<GateLink> link;
  {
    const std::scoped_lock lock(mutex_);
    link = std::move(link_);
  }
}

Result<void> Member::apply(const std::function<Effects(MemberMachine&)>& input) {
  return try_apply([&](MemberMachine& machine) -> Result<Effects> { return input(machine); });
}

Result<void> Member::try_apply(const std::function<Result<Effects>(MemberMachine&)>& input) {
  std::unique_lock lock(mutex_);
  TRY(number, absorb(input));
  return await_save(lock, number);
}

void Member::tell(const std::function<Effects(MemberMachine&)>& input) {
  const std::scoped_lock lock(mutex_);
  static_cast<void>(absorb([&](MemberMachine& machine) -> Result<Effects> { return input(machine); }));
}

/// Hands an input in, under the lock. Gives the number of the saving that it asked for, or 0.
Result<std::uint64_t> Member::absorb(const std::function<Result<Effects>(MemberMachine&)>& input) {
  const auto before = machine_.state();
  TRY(effects, input(machine_));
  // What this says of holds is true before it is on disk: `open` is there (README.md).
  board_.publish(machine_.state(), machine_.answered_at());
  const bool saves = perform(std::move(effects));
  if (saves) ++saves_asked_;
  board_.publish(machine_.state(), machine_.answered_at());
  log_changes(before);
  changed_.notify_all();
  return saves ? saves_asked_ : 0;
}

// ---- the epoch file

Result<void> Member::await_save(std::unique_lock<std::timed_mutex>& lock, std::uint64_t number) {
  if (!changed_.wait_for(lock, kSaveLimit, [&] { return saves_tried_ >= number; })) {
    return fail(ErrorKind::kRetry, "{} is not written after {} ms", file_.path().string(), kSaveLimit.count());
  }
  if (saves_done_ >= number) return {};
  return std::unexpected(*save_failure_);
}

/// The writer's thread. At its end it writes what is left to be written.
void Member::write_records(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return saves_asked_ > saves_tried_; })) write_record(lock);
}

void Member::write_record(std::unique_lock<std::timed_mutex>& lock) {
  const std::uint64_t number = saves_asked_;
  Result<void> saved;
  if (machine_.record() && !machine_.saved()) {
    const EpochRecord record = *machine_.record();
    lock.unlock();
    saved = file_.save(record);
    lock.lock();
    if (saved) {
      epoch_seen_ = record.epoch;
      revision_seen_ = record.revision;
    }
    static_cast<void>(absorb([&](MemberMachine& machine) -> Result<Effects> {
      return machine.on_saved(record, saved ? "" : saved.error().what, clock_.now());
    }));
  }
  saves_tried_ = number;
  if (saved) saves_done_ = number;
  save_failure_ = saved ? std::nullopt : std::optional(saved.error());
  changed_.notify_all();
}

bool Member::wait(const std::stop_token& stop, Duration limit,
                  const std::function<bool(const MemberMachine&)>& condition) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, stop, limit, [&] { return condition(machine_); });
}

void Member::kill_past_lock(const wire::Order& order) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (lock.try_lock_for(kLockPatience)) return;
  const bool ours = order.member == config_.member && order.pod_uid == config_.pod_uid;
  const bool late = std::pair(order.epoch, order.revision) < std::pair(epoch_seen_.load(), revision_seen_.load());
  if (ours && !late) watch_.send_signal(SIGKILL);
}

void Member::on_sidecar_terminating() {
  const auto running = find_mysqld(config_.data_directory());
  tell([&](MemberMachine& machine) {
    machine.on_sidecar_terminating();
    return running ? machine.on_process_list(*running, clock_.now()) : Effects{};
  });
  test_data_lock();
}

void Member::tick() {
  read_record_again();
  test_data_lock();
  tell([&](MemberMachine& machine) { return machine.on_tick(clock_.now()); });
}

/// Not under the lock: a disk that refuses may also hang.
void Member::read_record_again() {
  if (!look([](const MemberMachine& machine) { return machine.must_read_record(); })) return;
  auto record = load_or_make(config_, file_);
  const auto running = find_mysqld(config_.data_directory());
  tell([&](MemberMachine& machine) {
    auto effects = machine.on_record(std::move(record), clock_.now());
    if (machine.record()) {
      epoch_seen_ = machine.record()->epoch;
      revision_seen_ = machine.record()->revision;
    }
    return effects;
  });
  // Only with the record it is known whether the absence of a process is its end.
  if (running) tell([&](MemberMachine& machine) { return machine.on_process_list(*running, clock_.now()); });
}

void Member::test_data_lock() {
  if (!look([](const MemberMachine& machine) { return machine.must_test_lock(); })) return;
  const auto is_locked = is_data_locked(config_.data_directory());
  tell([&](MemberMachine& machine) { return machine.on_data_lock(is_locked, clock_.now()); });
}

void Member::on_gate_message(const GateMessage& message) {
  const std::scoped_lock lock(mutex_);
  const auto result = absorb([&](MemberMachine& machine) { return read_gate_message(message, machine); });
  if (!result) log_.error("failed to act on the gate's word", {{"error", result.error().what}});
}

Result<Effects> Member::read_gate_message(const GateMessage& message, MemberMachine& machine) {
  if (message.empty()) return machine.on_gate_lost();
  const std::string& name = message[0];
  const std::size_t fields = message.size();
  const Instant time = clock_.now();
  if (name == kGateHello && fields == 2 && message[1] == "idle") return machine.on_gate_idle(time);
  if (name == kGateHello && fields == 4 && message[1] == "running") {
    TRY(pid, parse_gate_number(message[2]));
    return machine.on_gate_running(pid, message[3] == "initialize");
  }
  if (name == kGateStarted && fields == 3) {
    TRY(pid, parse_gate_number(message[1]));
    return machine.on_gate_running(pid, message[2] == "initialize");
  }
  if (name == kGateExited && fields == 5) {
    TRY(pid, parse_gate_number(message[1]));
    TRY(exit, read_exit(message[2], message[3]));
    return machine.on_gate_exited(pid, exit, message[4], time);
  }
  if (name == kGateRefused && fields == 2) return machine.on_gate_refused(message[1], time);
  if (name == kGateTerminating) return machine.on_gate_terminating();
  return fail(ErrorKind::kCorrupt, "unknown message '{}' of {} fields from the gate", name, fields);
}

/// Gives whether the record is to be saved.
bool Member::perform(Effects effects) {
  bool saves = false;
  while (!effects.none()) {
    Effects next;
    if (effects.watch) watch_.watch(*effects.watch);
    for (const auto action : effects.gate) next = act(action);
    if (effects.scan_logs && begin_scan_) begin_scan_(machine_.scan());
    scan_wanted_ = scan_wanted_ || (effects.scan_logs && !begin_scan_);
    saves = saves || effects.save;
    effects = std::move(next);
  }
  return saves;
}

Effects Member::act(GateAction action) {
  GateMessage message;
  switch (action) {
    case GateAction::kKill:
      message = {std::string(kGateKill)};
      watch_.send_signal(SIGKILL);
      break;
    case GateAction::kTerminate: message = {std::string(kGateTerminate)}; break;
    case GateAction::kInitialize: message = initialize_arguments(config_); break;
    case GateAction::kStart: message = server_arguments(config_, machine_.record()->server_id); break;
  }
  if (action == GateAction::kStart || action == GateAction::kInitialize) {
    message.insert(message.begin(), std::string(action == GateAction::kStart ? kGateStart : kGateInitialize));
    const auto ready = action == GateAction::kStart ? prepare_start() : Result<void>{};
    if (!ready) return machine_.on_gate_refused(ready.error().what, clock_.now());
  }
  if (link_) link_->send(message);
  return {};
}

Result<void> Member::prepare_start() const {
  return ensure_auto_cnf(config_.data_directory(), machine_.record()->uuid);
}

void Member::on_scan(std::function<void(int scan)> begin_scan) {
  const std::scoped_lock lock(mutex_);
  begin_scan_ = std::move(begin_scan);
  if (begin_scan_ && scan_wanted_) begin_scan_(machine_.scan());
  scan_wanted_ = false;
}

void Member::log_changes(const wire::MemberState& before) const {
  const auto& after = machine_.state();
  const auto text = [](const auto value) {
    for (const auto& entry : enum_names(value)) {
      if (entry.value == value) return std::string(entry.name);
    }
    return std::string();
  };
  if (before.process != after.process) {
    log_.info("mysqld's state changed",
              {{"from", text(before.process)}, {"to", text(after.process)}, {"pid", machine_.pid()}});
  }
  if (before.hold != after.hold)
    log_.warn("the start hold changed", {{"from", text(before.hold)}, {"to", text(after.hold)}});
  if (before.relaxed != after.relaxed) log_.info(after.relaxed ? "durability is relaxed" : "durability is restored");
  if (before.start_error != after.start_error && !after.start_error.empty()) {
    log_.error("mysqld did not start", {{"error", after.start_error}});
  }
  if (before.terminating != after.terminating) log_.info("the pod is being ended");
  if (before.logs_readable != after.logs_readable && after.logs_readable) {
    log_.info("the logs were read to their ends", {{"gtid_set", after.logs_gtid_set}});
  }
  if (before.logs_error != after.logs_error && !after.logs_error.empty()) {
    log_.error("the logs cannot be read", {{"error", after.logs_error}});
  }
}

}  // namespace baton::sidecar
