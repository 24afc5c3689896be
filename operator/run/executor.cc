#include "operator/run/executor.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace baton {
namespace {

/// The past of a step is forgotten when it was not asked for during that time after it could have been tried again.
constexpr Duration kMemory = std::chrono::minutes(1);

bool waits(const engine::Step& step) {
  return std::holds_alternative<engine::WaitApplied>(step) || std::holds_alternative<engine::WaitAckers>(step) ||
         std::holds_alternative<engine::WaitReceived>(step);
}

/// Orders need to know where to go; until then there is nothing to try.
bool addressed(const engine::Step& step, const Plan& plan) {
  const Lane lane = lane_of(step);
  return (lane != Lane::kOrder && lane != Lane::kFence) || order_of(step, plan).has_value();
}

/// 100 ms for the first time in a row, doubled with each further one.
Duration backoff(int times, Duration longest) {
  return std::min(longest, Executor::kFirstBackoff * (1 << std::min(times - 1, 6)));
}

Result<void> result_of(const wire::OrderResult& answer) {
  if (answer.error_kind.empty() && answer.error.empty()) return {};
  constexpr std::array kKinds = {ErrorKind::kRetry,     ErrorKind::kConflict, ErrorKind::kGone,
                                 ErrorKind::kNotFound,  ErrorKind::kTerminal, ErrorKind::kUnsafe,
                                 ErrorKind::kCancelled, ErrorKind::kCorrupt,  ErrorKind::kDenied};
  const auto* const kind = std::ranges::find(kKinds, answer.error_kind, [](ErrorKind k) { return name_of(k); });
  return fail(kind == kKinds.end() ? ErrorKind::kRetry : *kind, "{}", answer.error);
}

}  // namespace

Executor::Executor(Ports ports, StepObserver& observer, Logger log, std::size_t threads)
    : ports_(ports), observer_(observer), log_(std::move(log)), pool_(threads) {}

void Executor::submit(const ClusterKey& key, const Plan& plan) {
  const auto shared = std::make_shared<const Plan>(plan);
  std::optional<Duration> again;
  {
    const std::scoped_lock lock(mutex_);
    Cluster& cluster = clusters_[key];
    cluster.epoch = plan.epoch;
    cluster.revision = plan.revision;
    const Instant now = ports_.clock.now();
    drop_stale(cluster, now);
    for (const engine::Step& step : shared->steps) {
      const Slot slot = slot_of(step, *shared);
      if (cluster.in_flight.contains(slot) || !addressed(step, *shared)) continue;
      const auto past = cluster.past.find(identity_of(step, *shared));
      if (past != cluster.past.end() && now < past->second.not_before && rests(past->second, plan)) {
        again = std::min(again.value_or(Duration::max()), past->second.not_before - now);
        continue;
      }
      cluster.in_flight.insert(slot);
      pool_.run([this, key, shared, &step](const std::stop_token& stop) { perform(key, *shared, step, stop); });
    }
  }
  if (again) observer_.wake(key, *again);
}

Executor::Slot Executor::slot_of(const engine::Step& step, const Plan& plan) {
  const PlanMember* member = plan.member(engine::member_of(step));
  return {.member = engine::member_of(step),
          .pod = member == nullptr ? PodUid() : member->at.pod_uid,
          .lane = lane_of(step)};
}

void Executor::forget(const ClusterKey& key) {
  const std::scoped_lock lock(mutex_);
  const auto cluster = clusters_.find(key);
  if (cluster == clusters_.end()) return;
  if (cluster->second.in_flight.empty()) {
    clusters_.erase(cluster);
  } else {
    cluster->second.past.clear();
  }
}

void Executor::perform(const ClusterKey& key, const Plan& plan, const engine::Step& step, const std::stop_token& stop) {
  const Instant started = ports_.clock.now();
  const Context context{.stop = stop,
                        .deadline = started + deadline_of(step),
                        .log = log_.with({{"cluster", to_string(key)}, {"step", std::string(engine::name_of(step))}})};
  StepDone done = carry_out(key, plan, step, context);
  done.took = ports_.clock.now() - started;
  observer_.finished(done);
  note(key, plan, done, started);
  observer_.wake(key, Duration::zero());
}

Result<void> Executor::check(const ClusterKey& key, const Plan& plan, const engine::Step& step) {
  if (!ports_.lease.held()) return fail(ErrorKind::kCancelled, "the lease is not held any more");
  if (!engine::irrevocable(step)) return {};
  const std::scoped_lock lock(mutex_);
  const Cluster& cluster = clusters_[key];
  if (cluster.epoch == plan.epoch && cluster.revision == plan.revision) return {};
  return fail(ErrorKind::kConflict, "the record moved on to epoch {}, revision {}", cluster.epoch, cluster.revision);
}

StepDone Executor::carry_out(const ClusterKey& key, const Plan& plan, const engine::Step& step,
                             const Context& context) {
  const PlanMember* member = plan.member(engine::member_of(step));
  const std::string pod = member == nullptr ? "" : member->at.pod;
  StepDone done{.key = key, .step = step, .cluster = key.name, .result = check(key, plan, step), .state = {}};
  if (!done.result) return done;
  if (member == nullptr) {
    done.result = fail(ErrorKind::kTerminal, "there is no member {}", engine::member_of(step));
  } else if (std::holds_alternative<engine::Repoint>(step)) {
    done.result = ports_.cluster.move_endpoint(context, key, pod, plan.epoch);
  } else if (const auto* label = std::get_if<engine::LabelRole>(&step)) {
    done.result = ports_.cluster.label_role(context, key, pod, member->at.pod_uid, label->role);
  } else if (auto order = order_of(step, plan); !order) {
    done.result = std::unexpected(std::move(order).error());
  } else if (auto answer = ports_.sidecars.give(context, member->at, *order); !answer) {
    done.result = std::unexpected(std::move(answer).error());
  } else {
    done.result = result_of(*answer);
    done.state = std::move(answer->state);
  }
  return done;
}

void Executor::note(const ClusterKey& key, const Plan& plan, const StepDone& done, Instant started) {
  const std::scoped_lock lock(mutex_);
  Cluster& cluster = clusters_[key];
  cluster.in_flight.erase(slot_of(done.step, plan));
  Past& past = cluster.past[identity_of(done.step, plan)];
  // An answer of "not yet" to a waiting order is no failure: it may be asked again at once.
  const bool patient = waits(done.step) && done.state.has_value();
  if (done.result) {
    const int successes = past.revision == plan.revision ? past.successes + 1 : 1;
    past = {.failures = 0, .successes = successes, .revision = plan.revision, .not_before = {}};
    past.not_before = started + backoff(past.successes, kLongestPause);
  } else {
    past = {.failures = patient ? 1 : past.failures + 1, .successes = 0, .revision = plan.revision, .not_before = {}};
    past.not_before = started + backoff(past.failures, kLongestBackoff);
  }
}

bool Executor::rests(const Past& past, const Plan& plan) {
  // A step that succeeded may be meant anew by a later record; one that failed has the same reason to fail.
  return past.failures > 0 || past.revision == plan.revision;
}

void Executor::drop_stale(Cluster& cluster, Instant now) {
  std::erase_if(cluster.past, [&](const auto& item) { return item.second.not_before + kMemory < now; });
}

}  // namespace baton
