#include "operator/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace baton {
namespace {

using engine::ClusterState;
using prometheus::Labels;

constexpr std::array kStates = {ClusterState::kPending,        ClusterState::kBootstrapping,  ClusterState::kHealthy,
                                ClusterState::kDegraded,       ClusterState::kWaitingForAcks, ClusterState::kOpening,
                                ClusterState::kFailingOver,    ClusterState::kFailoverHeld,   ClusterState::kReopening,
                                ClusterState::kPrimaryUnknown, ClusterState::kAmbiguous};

template <std::size_t... I>
std::vector<std::string> step_names(std::index_sequence<I...>) {
  return {std::string(engine::name_of(engine::Step(std::variant_alternative_t<I, engine::Step>{})))...};
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

class Metrics::Families {
 public:
  prometheus::Registry registry;

  prometheus::Family<prometheus::Gauge>& leader = gauge("baton_leader", "1 while this process leads.");
  prometheus::Family<prometheus::Gauge>& failover_ready =
      gauge("baton_cluster_failover_ready", "1 if losing the primary's pod and volume now would lose nothing.");
  prometheus::Family<prometheus::Gauge>& state = gauge("baton_cluster_state", "1 for the state that holds.");
  prometheus::Family<prometheus::Gauge>& heard =
      gauge("baton_cluster_members_heard", "Members heard within the last two seconds.");
  prometheus::Family<prometheus::Gauge>& wanted = gauge("baton_cluster_members_wanted", "Members that should exist.");
  prometheus::Family<prometheus::Gauge>& ackers =
      gauge("baton_cluster_ackers", "Recorded replicas whose acks the primary counts.");
  prometheus::Family<prometheus::Gauge>& ack_count = gauge("baton_cluster_ack_count", "Recorded acks a commit needs.");
  prometheus::Family<prometheus::Gauge>& epoch = gauge("baton_cluster_epoch", "Recorded epoch.");
  prometheus::Family<prometheus::Gauge>& since_heard =
      gauge("baton_member_seconds_since_heard", "Seconds since the member's sidecar was heard.");
  prometheus::Family<prometheus::Counter>& failovers =
      counter("baton_failovers_total", "Failovers whose intent was recorded by this process.");
  prometheus::Family<prometheus::Counter>& steps = counter("baton_steps_total", "Steps carried out, by result.");
  prometheus::Family<prometheus::Histogram>& reconcile = prometheus::BuildHistogram()
                                                             .Name("baton_reconcile_seconds")
                                                             .Help("Time of one look at a cluster.")
                                                             .Register(registry);

 private:
  prometheus::Family<prometheus::Gauge>& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  prometheus::Family<prometheus::Counter>& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
};

/// The series of one cluster; its end removes them.
class Metrics::Series {
 public:
  Series(Families& families, const ClusterKey& key)
      : families_(families),
        labels_{{"namespace", key.space}, {"cluster", key.name}},
        failover_ready(families.failover_ready.Add(labels_)),
        heard(families.heard.Add(labels_)),
        wanted(families.wanted.Add(labels_)),
        ackers(families.ackers.Add(labels_)),
        ack_count(families.ack_count.Add(labels_)),
        epoch(families.epoch.Add(labels_)),
        failovers(families.failovers.Add(labels_)),
        reconcile(families.reconcile.Add(
            labels_, prometheus::Histogram::BucketBoundaries{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5})) {
    for (const ClusterState state : kStates) {
      states_.emplace(state, &families.state.Add(with("state", engine::name_of(state))));
    }
    for (const std::string& step : step_names(std::make_index_sequence<std::variant_size_v<engine::Step>>{})) {
      for (const char* result : {"ok", "failed"}) {
        Labels labels = with("step", step);
        labels.emplace("result", result);
        steps_.emplace(std::pair(step, std::string(result)), &families.steps.Add(labels));
      }
    }
  }
  ~Series() {
    families_.failover_ready.Remove(&failover_ready);
    families_.heard.Remove(&heard);
    families_.wanted.Remove(&wanted);
    families_.ackers.Remove(&ackers);
    families_.ack_count.Remove(&ack_count);
    families_.epoch.Remove(&epoch);
    families_.failovers.Remove(&failovers);
    families_.reconcile.Remove(&reconcile);
    for (const auto& [state, gauge] : states_) families_.state.Remove(gauge);
    for (const auto& [name, counter] : steps_) families_.steps.Remove(counter);
    for (const auto& [pod, gauge] : since_heard_) families_.since_heard.Remove(gauge);
  }
  Series(const Series&) = delete;
  Series& operator=(const Series&) = delete;

  void state(ClusterState holds) {
    for (const auto& [state, gauge] : states_) gauge->Set(state == holds ? 1 : 0);
  }
  void step(const std::string& name, bool ok) {
    if (const auto it = steps_.find({name, ok ? "ok" : "failed"}); it != steps_.end()) it->second->Increment();
  }
  void since_heard(const std::string& pod, double age) {
    auto& gauge = since_heard_[pod];
    if (gauge == nullptr) gauge = &families_.since_heard.Add(with("member", pod));
    gauge->Set(age);
  }

 private:
  [[nodiscard]] Labels with(const std::string& name, std::string_view value) const {
    Labels labels = labels_;
    labels.emplace(name, std::string(value));
    return labels;
  }

  Families& families_;
  Labels labels_;
  std::map<ClusterState, prometheus::Gauge*> states_;
  std::map<std::pair<std::string, std::string>, prometheus::Counter*> steps_;
  std::map<std::string, prometheus::Gauge*> since_heard_;

 public:
  prometheus::Gauge& failover_ready;
  prometheus::Gauge& heard;
  prometheus::Gauge& wanted;
  prometheus::Gauge& ackers;
  prometheus::Gauge& ack_count;
  prometheus::Gauge& epoch;
  prometheus::Counter& failovers;
  prometheus::Histogram& reconcile;
};

Metrics::Metrics(const SidecarBook& book, const Clock& clock)
    : book_(book), clock_(clock), families_(std::make_unique<Families>()) {
  leading(false);
}

Metrics::~Metrics() { clusters_.clear(); }

Metrics::Series& Metrics::series_of(const ClusterKey& key) {
  auto& series = clusters_[key];
  if (series == nullptr) series = std::make_unique<Series>(*families_, key);
  return *series;
}

void Metrics::reconciled(const ClusterKey& key, Duration took) {
  const std::scoped_lock lock(mutex_);
  series_of(key).reconcile.Observe(seconds(took));
}

void Metrics::decided(const ClusterKey& key, const engine::Recorded& recorded, const engine::ObservedCluster& observed,
                      const engine::Decision& decision) {
  const std::scoped_lock lock(mutex_);
  Series& series = series_of(key);
  series.failover_ready.Set(decision.readiness.ready ? 1 : 0);
  series.state(decision.state);
  series.heard.Set(static_cast<double>(std::ranges::count(observed.members, true, &engine::ObservedMember::heard)));
  series.wanted.Set(decision.members_wanted);
  series.ackers.Set(static_cast<double>(recorded.ackers.size()));
  series.ack_count.Set(recorded.ack_count);
  series.epoch.Set(static_cast<double>(recorded.epoch.get()));
}

void Metrics::failover_begun(const ClusterKey& key) {
  const std::scoped_lock lock(mutex_);
  series_of(key).failovers.Increment();
}

void Metrics::step_ended(const StepDone& done) {
  const std::scoped_lock lock(mutex_);
  const auto series = clusters_.find(done.key);
  if (series != clusters_.end()) {
    series->second->step(std::string(engine::name_of(done.step)), done.result.has_value());
  }
}

void Metrics::leading(bool leads) { families_->leader.Add({}).Set(leads ? 1 : 0); }

void Metrics::forget(const ClusterKey& key) {
  const std::scoped_lock lock(mutex_);
  clusters_.erase(key);
}

std::string Metrics::text() {
  const std::scoped_lock lock(mutex_);
  const Instant now = clock_.now();
  for (const auto& [key, series] : clusters_) {
    std::map<std::string, Instant> newest;
    for (const SidecarBook::Entry& entry : book_.entries(key, now)) {
      Instant& heard = newest.try_emplace(entry.pod, entry.heard_at).first->second;
      heard = std::max(heard, entry.heard_at);
    }
    for (const auto& [pod, heard] : newest) series->since_heard(pod, seconds(now - heard));
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families_->registry.Collect());
  return std::move(out).str();
}

}  // namespace baton
