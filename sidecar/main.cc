/// baton-sidecar: `run` watches and serves one member; `copy-gate FOLDER` puts baton-gate where mysqld's container
/// finds it.

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "sidecar/local/api_server.h"
#include "sidecar/local/log_keeper.h"
#include "sidecar/local/reporter.h"
#include "sidecar/mysql/mysql_library.h"

namespace baton::sidecar {
namespace {

namespace fs = std::filesystem;

/// How long a state that is known to be the last stays on the streams, so that a reader that is just dialling gets it.
constexpr Duration kLinger = std::chrono::seconds(2);

Result<void> copy_gate(const fs::path& folder) {
  std::error_code error;
  const auto gate = fs::read_symlink("/proc/self/exe", error).parent_path() / "baton-gate";
  const auto temporary = folder / ".baton-gate.new";
  if (!error) fs::create_directories(folder, error);
  if (!error) fs::copy_file(gate, temporary, fs::copy_options::overwrite_existing, error);
  if (!error) fs::permissions(temporary, static_cast<fs::perms>(0755), error);
  if (!error) fs::rename(temporary, folder / "baton-gate", error);
  if (error)
    return fail(ErrorKind::kTerminal, "failed to copy {} to {}: {}", gate.string(), folder.string(), error.message());
  return {};
}

/// mysqld's end and what its logs hold are the last things to tell. Of another pod's mysqld that will not be waited
/// for.
bool all_told(const MemberMachine& machine) {
  if (machine.must_test_lock()) return true;
  const auto& state = machine.state();
  const bool has_logs = state.directory == wire::Directory::kInitialized || state.directory == wire::Directory::kCloned;
  return state.process == wire::Process::kNotRunning && (!has_logs || state.logs_readable || !state.logs_error.empty());
}

Result<void> run(const Config& config, const Logger& log) {
  if (::getpid() == 1) {
    return fail(ErrorKind::kTerminal, "the pod needs shareProcessNamespace: true, else mysqld's end cannot be seen");
  }
  // Blocked in all threads: main alone takes them.
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::sigaddset(&ending, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ending, nullptr);
  const MysqlLibrary library;
  const SystemClock clock;
  TRY(member, Member::start(config, clock, log));
  ServerAdmin admin(library, {.socket = config.mysqld_socket(), .ca = config.secret("ca.crt")});
  Metrics metrics(config.member);
  TRY(logs, LogKeeper::start(*member, library, log));
  Orders orders(*member, admin, *logs, log,
                [&](std::string_view order, std::string_view result) { metrics.count_order(order, result); });
  Reporter reporter(*member, admin, *logs, log);
  TRY(server, ApiServer::start(*member, orders, metrics, *logs, log));
  log.info("sidecar started",
           {{"version", BATON_VERSION}, {"api_port", server->api_port()}, {"log_port", logs->port()}});
  int signal = 0;
  ::sigwait(&ending, &signal);
  log.info("sidecar told to end", {{"signal", signal}});
  member->on_sidecar_terminating();
  while (!member->wait({}, std::chrono::seconds(1), all_told)) member->on_sidecar_terminating();
  server->broadcast();
  member->wait({}, kLinger, [](const MemberMachine&) { return false; });
  server->broadcast();
  log.info("sidecar ended");
  return {};
}

Result<void> command(std::span<const std::string> arguments, const Logger& log) {
  if (arguments.size() == 2 && arguments[0] == "copy-gate") return copy_gate(arguments[1]);
  if (arguments.empty() || arguments[0] != "run") {
    return fail(ErrorKind::kTerminal, "usage: baton-sidecar run [--member NAME …] | copy-gate FOLDER");
  }
  TRY(config, parse_config(arguments.subspan(1)));
  return run(config, log.with({{"member", config.member}}));
}

}  // namespace
}  // namespace baton::sidecar

int main(int argc, char** argv) {
  // One heap per thread would cost more memory than all that this process holds.
  ::mallopt(M_ARENA_MAX, 1);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto log = baton::Logger::to_stdout();
  const auto done = baton::sidecar::command(arguments, log);
  if (!done) log.error("baton-sidecar failed", {{"error", done.error().what}});
  return done ? 0 : 1;
}
