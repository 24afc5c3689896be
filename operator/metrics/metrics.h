#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "engine/decide/decide.h"
#include "operator/base/clock.h"
#include "operator/ports/cluster_key.h"
#include "operator/run/executor.h"
#include "operator/sidecars/sidecar_book.h"

namespace baton {

/// What Prometheus may ask. The series of a cluster are made, with 0, when this process first decides about it as the
/// leader, so that rates begin at the beginning; those of a member when it is first heard after that. They go with the
/// cluster, or with the lease: a standby has nothing to say of clusters. Thread-safe.
class Metrics {
 public:
  /// Book and clock must outlive the metrics.
  Metrics(const SidecarBook& book, const Clock& clock);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void reconciled(const ClusterKey& key, Duration took);
  void decided(const ClusterKey& key, const engine::Recorded& recorded, const engine::ObservedCluster& observed,
               const engine::Decision& decision);
  void failover_begun(const ClusterKey& key);
  void step_ended(const StepDone& done);
  void leading(bool leads);
  void forget(const ClusterKey& key);

  /// All series in Prometheus' text format.
  [[nodiscard]] std::string text();

 private:
  class Families;
  class Series;
  [[nodiscard]] Series& series_of(const ClusterKey& key);

  const SidecarBook& book_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unique_ptr<Families> families_;
  std::map<ClusterKey, std::unique_ptr<Series>> clusters_;  ///< Before families_ goes, these do.
};

}  // namespace baton
