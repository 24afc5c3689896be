#include "sidecar/local/reporter.h"

#include <algorithm>
#include <utility>

#include "sidecar/local/secrets.h"

namespace baton::sidecar {

using wire::Process;

namespace {

constexpr Duration kPeriod{500};
/// Until a started mysqld answers: what counts then is to be heard soon.
constexpr Duration kStartingPeriod{30};
/// How often the mounted Secret is looked at, and what could not be closed.
constexpr Duration kTendingPeriod{5000};

bool may_answer(Process process) {
  return process == Process::kStarting || process == Process::kCloning || process == Process::kRunning;
}

}  // namespace

Result<void> refresh(const std::stop_token& stop, Member& member, ServerAdmin& admin, const LogKeeper& logs) {
  SqlTicket asked;
  member.tell([&](MemberMachine& machine) {
    asked = machine.ask_sql();
    return Effects{};
  });
  auto sql = admin.read_state(stop);
  member.tell([&](MemberMachine& machine) -> Effects {
    // Asked for under the lock: one from before must not replace what the scan of a dead mysqld has told since.
    machine.set_servable(logs.servable());
    machine.set_unreadable_log(logs.unreadable());
    if (sql) return machine.on_sql(asked, *std::move(sql), member.now());
    machine.on_sql_error(asked, sql.error().what, member.now());
    return {};
  });
  if (!sql) return std::unexpected(std::move(sql).error());
  return {};
}

Reporter::Reporter(Member& member, ServerAdmin& admin, LogKeeper& logs, Logger log)
    : member_(member), admin_(admin), logs_(logs), log_(std::move(log)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  tender_ = std::jthread([this](const std::stop_token& stop) { tend(stop); });
}

void Reporter::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    member_.tick();
    const auto [process, starts] =
        member_.look([](const MemberMachine& machine) { return std::pair(machine.state().process, machine.starts()); });
    if (may_answer(process)) static_cast<void>(refresh(stop, member_, admin_, logs_));
    const bool answered = member_.look([](const MemberMachine& machine) { return machine.answered(); });
    // A start or an end cuts the wait short; so does the first answer of nobody else.
    const Duration pause = may_answer(process) && !answered ? kStartingPeriod : kPeriod;
    member_.wait(stop, pause, [&](const MemberMachine& machine) {
      return machine.starts() != starts || (may_answer(process) && !may_answer(machine.state().process));
    });
  }
}

/// Statements that may wait for locks, or for a server that is busy: what it says must not grow old meanwhile.
void Reporter::tend(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const int starts = member_.look([](const MemberMachine& machine) { return machine.starts(); });
    kill_strangers(stop);
    tend_server(stop);
    member_.wait(stop, kPeriod, [&](const MemberMachine& machine) { return machine.starts() != starts; });
  }
}

void Reporter::kill_strangers(const std::stop_token& stop) {
  const auto allowed = member_.look([](const MemberMachine& machine) -> std::optional<std::vector<std::string>> {
    const auto& record = machine.record();
    const auto& sql = machine.state().sql;
    if (!record || !record->open || !record->ackers_known || !sql) return std::nullopt;
    const bool stranger = std::ranges::any_of(
        sql->dump_threads, [&](const auto& thread) { return !std::ranges::contains(record->replicas, thread.uuid); });
    return stranger ? std::optional(record->replicas) : std::nullopt;
  });
  if (!allowed) return;
  const auto killed = admin_.kill_strangers(stop, *allowed);
  if (!killed) return log_.warn("failed to end strangers' dump threads", {{"error", killed.error().what}});
  for (const auto& thread : *killed) {
    log_.warn("a stranger's dump thread was ended", {{"uuid", thread.uuid}, {"host", thread.host}});
  }
}

void Reporter::tend_server(const std::stop_token& stop) {
  const auto starts = member_.look([](const MemberMachine& machine) -> std::optional<int> {
    const bool settled = machine.state().process == Process::kRunning && machine.task() == Task::kNone;
    return settled ? std::optional(machine.starts()) : std::nullopt;
  });
  if (!starts || (*starts == secrets_of_start_ && member_.now() < tending_due_)) return;
  tending_due_ = member_.now() + kTendingPeriod;
  if (std::exchange(secrets_of_start_, *starts) != *starts) {
    passwords_.reset();
    certificate_.reset();
  }
  if (const auto closed = admin_.close_again(stop); !closed) {
    log_.warn("super_read_only could not be set again yet", {{"error", closed.error().what}});
  }
  renew_passwords(stop);
  renew_certificate(stop);
}

void Reporter::renew_passwords(const std::stop_token& stop) {
  auto wanted = read_passwords(member_.config());
  if (!wanted || passwords_ == *wanted) return;
  if (const auto done = admin_.set_passwords(stop, *wanted); !done) {
    return log_.warn("failed to give accounts the Secret's passwords", {{"error", done.error().what}});
  }
  passwords_ = *std::move(wanted);
}

void Reporter::renew_certificate(const std::stop_token& stop) {
  auto wanted = read_server_certificate(member_.config());
  if (!wanted || certificate_ == *wanted) return;
  if (const auto done = admin_.reload_tls(stop); !done) {
    return log_.warn("mysqld keeps its former certificate", {{"error", done.error().what}});
  }
  certificate_ = *std::move(wanted);
}

}  // namespace baton::sidecar
