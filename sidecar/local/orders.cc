#include "sidecar/local/orders.h"

#include <algorithm>
#include <optional>

#include "engine/gtid/gtid_set.h"
#include "sidecar/local/commit_files.h"
#include "sidecar/local/directory_task.h"
#include "sidecar/local/reporter.h"
#include "sidecar/local/secrets.h"

namespace baton::sidecar {

using wire::Directory;
using wire::Process;

namespace {

/// How long an order waits for the one before it.
constexpr Duration kSlotPatience = std::chrono::seconds(2);
/// SIGKILL takes effect at once unless the process hangs in the kernel.
constexpr Duration kFenceLimit = std::chrono::seconds(5);
/// How long the answer to StopReceiver waits for what was received last to be in `servable`.
constexpr Duration kLookPatience{200};
constexpr std::int64_t kLongestWait = 5000;

Result<GtidSet> parse_target(const std::string& text) {
  auto set = GtidSet::parse(text);
  if (!set) return fail(ErrorKind::kTerminal, "target: {}", set.error().what);
  return set;
}

Duration bounded(std::int64_t milliseconds) {
  return Duration(std::clamp<std::int64_t>(milliseconds, 0, kLongestWait));
}

bool is_open(const MemberMachine& machine) { return machine.record() && machine.record()->open; }

bool is_relaxed(const MemberMachine& machine) { return machine.relaxed(); }

Effects merged(Effects first, Effects second) {
  first.save = first.save || second.save;
  first.scan_logs = first.scan_logs || second.scan_logs;
  first.gate.append_range(second.gate);
  if (second.watch) first.watch = second.watch;
  return first;
}

}  // namespace

Orders::Orders(Member& member, ServerAdmin& admin, LogKeeper& logs, Logger log,
               std::function<void(std::string_view, std::string_view)> on_done)
    : member_(member), admin_(admin), logs_(logs), log_(std::move(log)), on_done_(std::move(on_done)) {}

wire::OrderResult Orders::carry_out(const std::stop_token& stop, const wire::Order& order) {
  const auto name = name_of(order.command);
  const Instant began = member_.now();
  const bool is_fence = std::holds_alternative<wire::Fence>(order.command);
  const auto done = is_fence ? fence(stop, order) : dispatch(stop, order);
  const auto kind = done ? std::string_view("ok") : name_of(done.error().kind);
  on_done_(name, kind);
  log_.info("order", {{"order", name},
                      {"epoch", order.epoch},
                      {"revision", order.revision},
                      {"result", kind},
                      {"error", done ? "" : done.error().what},
                      {"milliseconds", (member_.now() - began).count()}});
  wire::OrderResult result{.error_kind = {}, .error = {}, .state = member_.state()};
  if (!done) {
    result.error_kind = kind;
    result.error = done.error().what;
  }
  return result;
}

Result<void> Orders::admit(const wire::Order& order) {
  return member_.try_apply([&](MemberMachine& machine) { return machine.admit(order); });
}

Result<void> Orders::dispatch(const std::stop_token& stop, const wire::Order& order) {
  const int fences = member_.look([](const MemberMachine& machine) { return machine.fences(); });
  const std::unique_lock slot(slot_, kSlotPatience);
  if (!slot) {
    return fail(ErrorKind::kRetry, "busy with {}",
                member_.look([](const MemberMachine& machine) { return machine.state().busy; }));
  }
  fences_before_ = fences;
  TRY_VOID(admit(order));
  member_.tell([&](MemberMachine& machine) {
    machine.set_busy(name_of(order.command));
    return Effects{};
  });
  auto done = std::visit([&](const auto& command) { return perform(stop, order, command); }, order.command);
  // What is offered is nothing that mysqld would know of, and it may hang.
  if (!std::holds_alternative<wire::OfferLogs>(order.command)) look_again(stop);
  // In one: a clone that ends in between says itself that it has.
  member_.tell([](MemberMachine& machine) {
    machine.set_busy(machine.task() == Task::kClone ? "CloneFrom" : "");
    return Effects{};
  });
  return done;
}

void Orders::look_again(const std::stop_token& stop) {
  const bool running =
      member_.look([](const MemberMachine& machine) { return machine.state().process == Process::kRunning; });
  if (!running || refresh(stop, member_, admin_, logs_)) return;
  // What was seen before the order must not pass for its outcome: a receiver that was stopped then may run now.
  member_.tell([](MemberMachine& machine) {
    machine.forget_sql();
    return Effects{};
  });
}

Result<void> Orders::fence(const std::stop_token& stop, const wire::Order& order) {
  member_.kill_past_lock(order);
  std::optional<Error> unrecorded;
  TRY_VOID(member_.try_apply([&](MemberMachine& machine) -> Result<Effects> {
    if (!machine.record()) {
      unrecorded = machine.record().error();
      return machine.fence_unrecorded(order);
    }
    TRY(admitted, machine.admit(order));
    return merged(std::move(admitted), machine.fence());
  }));
  bool is_held = true;
  const bool ended = member_.wait(stop, kFenceLimit, [&](const MemberMachine& machine) {
    is_held = unrecorded || machine.fenced();
    return !is_held || (machine.state().process == Process::kNotRunning && machine.saved());
  });
  if (unrecorded) {
    return fail(unrecorded->kind == ErrorKind::kRetry ? ErrorKind::kRetry : ErrorKind::kUnsafe,
                "mysqld {}, but that its start is held cannot be written down: {}", ended ? "is down" : "got SIGKILL",
                unrecorded->what);
  }
  if (!is_held) return fail(ErrorKind::kRetry, "mysqld got SIGKILL, but a Permit that came later lifted the hold");
  if (ended) return {};
  return fail(ErrorKind::kRetry, "mysqld got SIGKILL, but its end was not seen yet");
}

Result<void> Orders::need_server() const {
  const auto [task, process] =
      member_.look([](const MemberMachine& machine) { return std::pair(machine.task(), machine.state().process); });
  if (task != Task::kNone) return fail(ErrorKind::kRetry, "the data directory is being made");
  if (process != Process::kRunning) return fail(ErrorKind::kRetry, "mysqld does not answer: it is not running yet");
  return {};
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::Initialize& command) {
  const auto [directory, uuid] = member_.look(
      [](const MemberMachine& machine) { return std::pair(machine.state().directory, machine.state().uuid); });
  if (uuid != command.uuid) {
    return fail(ErrorKind::kUnsafe, "the order names server_uuid {}, this directory has {}", command.uuid, uuid);
  }
  if (directory == Directory::kInitialized) return {};
  TRY_VOID(member_.try_apply([](MemberMachine& machine) { return machine.begin_task(Task::kInitialize); }));
  return DirectoryTask(member_, admin_, log_).initialize(stop);
}

Result<void> Orders::perform(const std::stop_token&, const wire::Order&, const wire::CloneFrom& command) {
  const auto [directory, task] =
      member_.look([](const MemberMachine& machine) { return std::pair(machine.state().directory, machine.task()); });
  if (directory == Directory::kCloned || task == Task::kClone) return {};
  TRY_VOID(member_.try_apply([](MemberMachine& machine) { return machine.begin_task(Task::kClone); }));
  task_ = std::jthread([this, command](const std::stop_token& stop) {
    static_cast<void>(DirectoryTask(member_, admin_, log_).clone(stop, command));
    member_.tell([](MemberMachine& machine) {
      machine.set_busy("");
      return Effects{};
    });
  });
  return {};
}

Result<void> Orders::perform(const std::stop_token&, const wire::Order& order, const wire::Permit&) {
  return member_.try_apply([&](MemberMachine& machine) -> Result<Effects> {
    TRY(admitted, machine.admit(order));
    TRY(permitted, machine.permit(fences_before_, member_.now()));
    return merged(std::move(admitted), std::move(permitted));
  });
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order& order, const wire::Fence&) {
  return fence(stop, order);
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::StopReceiver&) {
  TRY_VOID(need_server());
  TRY_VOID(admin_.stop_receiver(stop));
  logs_.look_now(stop, kLookPatience);
  return {};
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::Follow& command) {
  TRY_VOID(need_server());
  if (member_.look(is_open)) return fail(ErrorKind::kUnsafe, "this server is open for writes: it follows nobody");
  if (command.acks && member_.look(is_relaxed)) {
    return fail(ErrorKind::kUnsafe, "durability is relaxed here: acks would promise what the disk does not hold");
  }
  TRY(passwords, read_passwords(member_.config()));
  TRY_VOID(mend_channel(stop));
  return admin_.follow(stop, command, passwords);
}

Result<void> Orders::mend_channel(const std::stop_token& stop) {
  TRY(overrun, admin_.overrun_relay_logs(stop));
  if (overrun.empty()) return {};
  // First, since the reset would take what comes in after the keeping, when that has no second name.
  TRY_VOID(admin_.stop_receiver(stop));
  TRY_VOID(logs_.secure_relay_logs());
  TRY_VOID(admin_.reset_channel(stop));
  log_.warn("the replication channel begins anew; its relay logs are kept", {{"why", overrun}});
  return {};
}

Result<void> Orders::perform(const std::stop_token&, const wire::Order&, const wire::OfferLogs& command) {
  return logs_.offer(command);
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order& order,
                             const wire::SetDurability& command) {
  TRY_VOID(need_server());
  if (command.relaxed) return relax(stop, order);
  TRY_VOID(admin_.restore_durability(stop));
  TRY_VOID(sync_commit_files(member_.config().data_directory()));
  TRY_VOID(admin_.verify_durability(stop));
  // What was read before must not pass for a setting that somebody changed.
  TRY_VOID(refresh(stop, member_, admin_, logs_));
  return member_.apply([](MemberMachine& machine) { return machine.mark_restored(); });
}

Result<void> Orders::relax(const std::stop_token& stop, const wire::Order& order) {
  TRY(sql, admin_.read_state(stop));
  if (!sql.read_only) return fail(ErrorKind::kUnsafe, "this server takes writes: its commits stay durable");
  const bool may_ack = sql.semi_sync.replica_enabled && sql.channel.receiver != wire::Thread::kStopped;
  if (may_ack || sql.semi_sync.replica_active) {
    return fail(ErrorKind::kUnsafe, "this server may send acks: its commits stay durable");
  }
  // The mark is on disk before the first commit that may be lost.
  TRY_VOID(member_.try_apply([&](MemberMachine& machine) -> Result<Effects> {
    TRY(admitted, machine.admit(order));  // A Fence may have come since.
    TRY(marked, machine.mark_relaxed());
    return merged(std::move(admitted), std::move(marked));
  }));
  return admin_.relax_durability(stop);
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::SetAckCount& command) {
  TRY_VOID(need_server());
  return admin_.set_ack_count(stop, command.wait_for_count);
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::SetAckers& command) {
  TRY_VOID(member_.apply([&](MemberMachine& machine) { return machine.remember_ackers(command.replicas); }));
  TRY_VOID(need_server());
  TRY_VOID(admin_.kill_strangers(stop, command.replicas));
  return {};
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&,
                             const wire::EnsureReplicationAccount& command) {
  TRY_VOID(need_server());
  TRY(passwords, read_passwords(member_.config()));
  TRY_VOID(member_.apply([&](MemberMachine& machine) { return machine.allow_replica(command.uuid); }));
  return admin_.ensure_replication_account(stop, command.uuid, passwords);
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::ExpelReplica& command) {
  TRY_VOID(need_server());
  return admin_.expel_replica(stop, command.uuid);
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&,
                             const wire::EnsureApplicationAccount& command) {
  TRY_VOID(need_server());
  TRY(passwords, read_passwords(member_.config()));
  return admin_.ensure_application_account(stop, command.database, command.user, passwords);
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::WriteHeartbeat&) {
  TRY_VOID(need_server());
  if (!member_.look(is_open)) return fail(ErrorKind::kUnsafe, "this server is not open for writes");
  return admin_.write_heartbeat(stop);
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::AllowClone& command) {
  TRY_VOID(need_server());
  return admin_.allow_clone(stop, command.allowed);
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::WaitApplied& command) {
  TRY_VOID(need_server());
  TRY(target, parse_target(command.target));
  return admin_.wait_applied(stop, target, bounded(command.milliseconds));
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::WaitAckers& command) {
  TRY_VOID(need_server());
  return admin_.wait_ackers(stop, command.count, bounded(command.milliseconds));
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order&, const wire::WaitReceived& command) {
  TRY_VOID(need_server());
  TRY(target, parse_target(command.target));
  return admin_.wait_received(stop, target, bounded(command.milliseconds));
}

Result<void> Orders::perform(const std::stop_token& stop, const wire::Order& order, const wire::Open& command) {
  TRY_VOID(need_server());
  TRY(target, parse_target(command.target));
  // Before anything is written down: a refusal for this reason leaves no trace.
  TRY(sql, admin_.read_state(stop));
  TRY(executed, GtidSet::parse(sql.gtid_executed));
  if (!executed.contains(target)) {
    return fail(ErrorKind::kUnsafe, "gtid_executed lacks {} of the target", target.minus(executed).to_string());
  }
  EpochRecord before;
  // `open` is on disk before the server is open: whoever finds no mysqld later knows that a primary died.
  TRY_VOID(member_.try_apply([&](MemberMachine& machine) -> Result<Effects> {
    TRY(admitted, machine.admit(order));  // A Fence may have come since.
    if (auto may = machine.may_open(); !may) return std::unexpected(std::move(may).error());
    before = *machine.record();
    return merged(std::move(admitted), machine.mark_open(order.epoch));
  }));
  auto opened = admin_.open(stop, target);
  if (opened) return opened;
  const auto after = admin_.read_state(stop);
  if (after && after->super_read_only && !before.open) {
    static_cast<void>(member_.apply([&](MemberMachine& machine) { return machine.unmark_open(before); }));
  }
  return opened;
}

}  // namespace baton::sidecar
