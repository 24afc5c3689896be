#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "operator/base/clock.h"
#include "operator/ports/ports.h"
#include "operator/run/order_of.h"
#include "operator/run/thread_pool.h"

namespace baton {

/// What became of one step.
struct StepDone {
  ClusterKey key;
  engine::Step step;
  std::string cluster;  ///< Name of the resource, for sentences.
  Result<void> result;
  std::optional<wire::MemberState> state;  ///< The member's state after an order that was answered.
  Duration took{0};
};

/// Hears what becomes of steps. Called on the executor's threads; must be thread-safe and quick.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  /// The step ended. Its member takes no other step before this returns, so that nothing is decided without it.
  virtual void finished(const StepDone& done) = 0;
  /// The cluster is to be looked at after this time: at once when a member has become free, later when a step that
  /// was asked for may be tried again.
  virtual void wake(const ClusterKey& key, Duration after) = 0;
};

/// Takes plans.
class StepsPort {
 public:
  virtual ~StepsPort() = default;
  /// Starts what may start of a plan and returns at once.
  virtual void submit(const ClusterKey& key, const Plan& plan) = 0;
  /// Drops what is remembered of a cluster; what is in flight ends by itself.
  virtual void forget(const ClusterKey& key) = 0;
};

/// Carries out steps; never decides. One step is in flight per member and lane (a fence has its own); a step that is
/// asked for while another of its lane is in flight is dropped, because a new decision follows each completion. Failed
/// steps wait from 100 ms to 5 s, counted from their start, before they are tried again; so do, up to 1 s, steps that
/// succeed and are asked for again by decisions on the same record. Thread-safe.
class Executor final : public StepsPort {
 public:
  static constexpr Duration kFirstBackoff = std::chrono::milliseconds(100);
  static constexpr Duration kLongestBackoff = std::chrono::seconds(5);
  static constexpr Duration kLongestPause = std::chrono::seconds(1);

  struct Ports {
    SidecarPort& sidecars;
    ClusterPort& cluster;
    const LeasePort& lease;
    const Clock& clock;
  };

  /// Ports and observer must outlive the executor.
  Executor(Ports ports, StepObserver& observer, Logger log, std::size_t threads);

  void submit(const ClusterKey& key, const Plan& plan) override;
  void forget(const ClusterKey& key) override;

 private:
  /// An order to a pod that went away meanwhile may hang until its deadline; the next pod does not wait for it.
  struct Slot {
    Ordinal member;
    PodUid pod;
    Lane lane;
    friend auto operator<=>(const Slot&, const Slot&) = default;
  };
  /// What became of a step when it was carried out last.
  struct Past {
    int failures = 0;   ///< In a row.
    int successes = 0;  ///< In a row, with the same record.
    Revision revision;  ///< Of the record that it was carried out for.
    Instant not_before;
  };
  struct Cluster {
    Epoch epoch;  ///< Of the newest plan.
    Revision revision;
    std::set<Slot> in_flight;
    std::map<std::string, Past> past;  ///< By identity of the step.
  };

  [[nodiscard]] static Slot slot_of(const engine::Step& step, const Plan& plan);
  void perform(const ClusterKey& key, const Plan& plan, const engine::Step& step, const std::stop_token& stop);
  [[nodiscard]] Result<void> check(const ClusterKey& key, const Plan& plan, const engine::Step& step);
  [[nodiscard]] StepDone carry_out(const ClusterKey& key, const Plan& plan, const engine::Step& step,
                                   const Context& context);
  void note(const ClusterKey& key, const Plan& plan, const StepDone& done, Instant started);
  [[nodiscard]] static bool rests(const Past& past, const Plan& plan);
  static void drop_stale(Cluster& cluster, Instant now);

  Ports ports_;
  StepObserver& observer_;
  Logger log_;
  std::mutex mutex_;
  std::map<ClusterKey, Cluster> clusters_;
  ThreadPool pool_;  ///< Last: its threads end before what they use.
};

}  // namespace baton
