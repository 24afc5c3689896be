#include "sidecar/local/directory_task.h"

#include <system_error>

#include "sidecar/local/gate_protocol.h"
#include "sidecar/local/secrets.h"

namespace baton::sidecar {

namespace fs = std::filesystem;
using wire::Process;

namespace {

constexpr Duration kInitializeLimit = std::chrono::minutes(3);
constexpr Duration kStartLimit = std::chrono::minutes(3);
/// After CLONE, mysqld moves files and runs recovery over what was copied.
constexpr Duration kCloneStartLimit = std::chrono::hours(1);
constexpr Duration kEndLimit = std::chrono::minutes(1);

/// Removes all that an unfinished attempt left. The caller has made sure that the directory has no value.
Result<void> make_empty(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    fs::remove_all(entry->path(), error);
    if (error) break;
  }
  if (error) return fail(ErrorKind::kRetry, "failed to empty {}: {}", directory.string(), error.message());
  return {};
}

}  // namespace

Result<void> DirectoryTask::initialize(const std::stop_token& stop) {
  auto result = make_scratch(stop)
                    .and_then([&] { return read_passwords(member_.config()); })
                    .and_then([&](const Passwords& passwords) { return admin_.bootstrap_accounts(stop, passwords); });
  return finish(std::move(result), wire::Directory::kInitialized, "failed to initialise the data directory");
}

Result<void> DirectoryTask::clone(const std::stop_token& stop, const wire::CloneFrom& donor) {
  auto result = make_scratch(stop).and_then([&] { return fill_from(stop, donor); });
  return finish(std::move(result), wire::Directory::kCloned,
                std::format("failed to clone from {}:{}", donor.host, donor.port));
}

Result<void> DirectoryTask::make_scratch(const std::stop_token& stop) {
  const auto directory = member_.config().data_directory();
  TRY_VOID(make_empty(directory));
  TRY_VOID(make_empty(member_.config().kept_logs()));
  TRY_VOID(member_.try_apply([](MemberMachine& machine) { return machine.task_start(GateAction::kInitialize); }));
  TRY_VOID(wait_down(stop, kInitializeLimit, 0));
  // --initialize chose a server_uuid of its own.
  std::error_code error;
  fs::remove(directory / "auto.cnf", error);
  return start(stop, kStartLimit);
}

Result<void> DirectoryTask::start(const std::stop_token& stop, Duration limit) {
  TRY_VOID(member_.try_apply([](MemberMachine& machine) { return machine.task_start(GateAction::kStart); }));
  member_.wait(stop, limit, [](const MemberMachine& machine) {
    return machine.answered() || machine.state().process == Process::kNotRunning;
  });
  if (member_.look([](const MemberMachine& machine) { return machine.answered(); })) return {};
  return fail(ErrorKind::kRetry, "mysqld did not answer: {}",
              member_.look([](const MemberMachine& machine) { return machine.last_words(); }));
}

Result<void> DirectoryTask::wait_down(const std::stop_token& stop, Duration limit, int wanted_status) {
  // The gate has told the status once it is idle.
  const bool down = member_.wait(stop, limit, [](const MemberMachine& machine) {
    return machine.state().process == Process::kNotRunning && machine.gate_idle();
  });
  if (!down) return fail(ErrorKind::kRetry, "mysqld did not end in time");
  const auto [exit, words] = member_.look(
      [](const MemberMachine& machine) { return std::pair(machine.state().last_exit, machine.last_words()); });
  if (exit && exit->status == wanted_status) return {};
  return fail(ErrorKind::kRetry, "mysqld ended with {} {}: {}", exit && exit->signal ? "signal" : "status",
              exit ? exit->signal.value_or(exit->status.value_or(-1)) : -1, words);
}

Result<void> DirectoryTask::fill_from(const std::stop_token& stop, const wire::CloneFrom& donor) {
  TRY(passwords, read_passwords(member_.config()));
  TRY_VOID(admin_.clone_from(stop, donor, passwords));
  TRY_VOID(wait_down(stop, kEndLimit, kMysqldRestartExit));
  TRY_VOID(start(stop, kCloneStartLimit));
  TRY(outcome, admin_.clone_outcome(stop));
  if (outcome.state != CloneOutcome::State::kCompleted) {
    return fail(ErrorKind::kRetry, "the clone did not complete: {}", outcome.error);
  }
  return admin_.forget_cloned_channel(stop);
}

Result<void> DirectoryTask::finish(Result<void> result, wire::Directory directory, std::string_view what) {
  if (result) {
    log_.info("the data directory is ready");
    return member_.apply([&](MemberMachine& machine) { return machine.finish_task(directory, member_.now()); });
  }
  auto failure = wrap(what, std::move(result).error());
  log_.error("the data directory stays empty", {{"error", failure.error().what}});
  member_.tell([&](MemberMachine& machine) { return machine.fail_task(failure.error().what); });
  // The next attempt begins with nobody in the directory.
  member_.wait({}, kEndLimit,
               [](const MemberMachine& machine) { return machine.state().process == Process::kNotRunning; });
  return failure;
}

}  // namespace baton::sidecar
