#pragma once

#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "engine/base/result.h"
#include "operator/base/context.h"
#include "operator/kube/work_queue.h"

namespace baton::kube {

/// What a reconcile says besides having worked: when the key is to be looked at again, whatever happens.
struct Outcome {
  std::optional<Duration> again_after = {};
};

/// How long a worker may take, and when it looks again.
struct WorkerLimits {
  Duration reconcile;  ///< Bounds one reconcile.
  /// When a key is looked at again whose reconcile failed with kTerminal. Whatever changes may change without a word to
  /// us: a right that was missing is given, a quota is raised, a schema is replaced.
  Duration resync;
};

/// Brings the world nearer to what is wanted for a key. Never learns what woke it. A value: done, again after that
/// time. kTerminal: nothing to try until something changes; again after the resync interval, at the latest. Any other
/// error: again, later with each failure in a row.
template <class Key>
using Reconcile = std::function<Result<Outcome>(const Context& context, const Key& key)>;

/// Takes keys and reconciles them until stopped. Errors are logged here, once; the key is the log's field "cluster", as
/// everywhere.
template <class Key>
void run_worker(const std::stop_token& stop, WorkQueue<Key>& queue, const Clock& clock, const Logger& log,
                WorkerLimits limits, const Reconcile<Key>& reconcile) {
  while (auto claim = queue.take(stop)) {
    const Context context{stop, clock.now() + limits.reconcile,
                          log.with({{"cluster", std::format("{}", claim->key())}})};
    const auto outcome = reconcile(context, claim->key());
    if (outcome) {
      claim->succeeded(outcome->again_after);
      continue;
    }
    const auto& error = outcome.error();
    if (error.kind == ErrorKind::kTerminal) {
      context.log.error("reconcile failed, waiting for a change", {{"error", error.what}});
      claim->succeeded(limits.resync);
      continue;
    }
    if (!stop.stop_requested()) {
      context.log.warn("reconcile failed, trying again", {{"kind", name_of(error.kind)}, {"error", error.what}});
    }
    claim->failed();
  }
}

/// Workers of one queue; joined when it goes. Queue and clock must outlive it.
template <class Key>
class Controller {
 public:
  Controller(WorkQueue<Key>& queue, const Clock& clock, Logger log, int workers, WorkerLimits limits,
             Reconcile<Key> reconcile)
      : reconcile_(std::move(reconcile)), log_(std::move(log)) {
    for (int i = 0; i < workers; ++i) {
      threads_.emplace_back([this, &queue, &clock, limits](const std::stop_token& stop) {
        run_worker<Key>(stop, queue, clock, log_, limits, reconcile_);
      });
    }
  }
  /// Asks the workers to stop without waiting for them.
  void request_stop() {
    for (auto& thread : threads_) thread.request_stop();
  }
  ~Controller() { request_stop(); }
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

 private:
  Reconcile<Key> reconcile_;
  Logger log_;
  std::vector<std::jthread> threads_;  // Last.
};

}  // namespace baton::kube
