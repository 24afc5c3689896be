#pragma once

#include <functional>
#include <map>
#include <mutex>

#include "operator/base/log.h"
#include "operator/metrics/metrics.h"
#include "operator/reconcile/timeline.h"
#include "operator/run/executor.h"
#include "operator/sidecars/sidecar_book.h"

namespace baton::reconcile {

/// The time lines of all clusters. Thread-safe.
class Timelines {
 public:
  [[nodiscard]] Timeline of(const ClusterKey& key) const;
  /// As TimelineKeeper's, for one cluster.
  std::vector<std::string> record_written(const ClusterKey& key, const engine::Recorded& before,
                                          const engine::Recorded& after, std::optional<WallTime> detected,
                                          WallTime decided, WallTime written);
  std::vector<std::string> step_succeeded(const ClusterKey& key, const engine::Step& step, WallTime at);
  void forget(const ClusterKey& key);

 private:
  mutable std::mutex mutex_;
  std::map<ClusterKey, TimelineKeeper> keepers_;
};

/// Hears what becomes of steps: what the member said goes into the book before anything is decided again, the time
/// line, events, metrics and the log get to know, and the cluster is looked at.
class Reactor final : public StepObserver {
 public:
  struct Parts {
    SidecarBook& book;
    Timelines& timelines;
    EventPort& events;
    Metrics& metrics;
    const Clock& clock;
    Logger log;
    std::function<void(const ClusterKey&, Duration after)> look_at;
  };
  explicit Reactor(Parts parts) : parts_(std::move(parts)) {}

  void finished(const StepDone& done) override;
  void wake(const ClusterKey& key, Duration after) override { parts_.look_at(key, after); }

 private:
  void log_end(const StepDone& done) const;
  /// Tells the book whether the member took our token; a step at the API server says nothing about that.
  void note_refusal(const StepDone& done);

  Parts parts_;
};

}  // namespace baton::reconcile
