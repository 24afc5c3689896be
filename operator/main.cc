// The operator's program: reads flags, puts the parts together, works until SIGTERM.

#include <malloc.h>
#include <pthread.h>

#include <csignal>
#include <ctime>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "operator/base/http_cpprest.h"
#include "operator/config/config.h"
#include "operator/operator_process.h"

namespace {

/// cpprestsdk's own pool does only short work: bytes in, bytes out.
constexpr int kHttpThreads = 4;
/// glibc makes eight arenas a core if left alone, each with memory that it does not give back.
constexpr int kMallocArenas = 2;

/// Blocks the signals that end the process, in this thread and all later ones.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

/// Turns a signal into a stop.
void wait_for_signal(const std::stop_token& stop, const sigset_t& signals, std::stop_source& process) {
  constexpr timespec kSlice{.tv_sec = 0, .tv_nsec = 200'000'000};
  while (!stop.stop_requested()) {
    if (sigtimedwait(&signals, nullptr, &kSlice) > 0) process.request_stop();
  }
}

int run(const baton::Config& config, const sigset_t& signals) {
  const baton::SystemClock clock;
  const auto log = baton::Logger::to_stdout(config.log_level);
  auto kube =
      config.kubeconfig.empty() ? baton::kube::in_cluster_config() : baton::kube::kubeconfig_file(config.kubeconfig);
  if (!kube) {
    log.error("the API server cannot be addressed", {{"error", kube.error().what}});
    return EXIT_FAILURE;
  }
  std::stop_source process;
  const std::jthread listener([&](const std::stop_token& stop) { wait_for_signal(stop, signals, process); });
  const auto result = baton::OperatorProcess(config, *kube, clock, log).run(process.get_token());
  if (result) return EXIT_SUCCESS;
  log.error("the operator cannot run", {{"error", result.error().what}});
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  const sigset_t signals = block_signals();  // Before any thread is made.
  mallopt(M_ARENA_MAX, kMallocArenas);
  baton::init_http_threads(kHttpThreads);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments == std::vector<std::string>{"--help"}) {
    std::cerr << baton::config_help();
    return EXIT_SUCCESS;
  }
  const auto config = baton::parse_config(arguments);
  if (!config) {
    std::cerr << "baton-operator: " << config.error().what << "\n";
    return EXIT_FAILURE;
  }
  return run(*config, signals);
}
