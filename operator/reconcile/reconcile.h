#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/decide/decide.h"
#include "operator/api/mysql_cluster.h"
#include "operator/kube/controller.h"
#include "operator/metrics/metrics.h"
#include "operator/ports/ports.h"
#include "operator/reconcile/apply.h"
#include "operator/reconcile/observe.h"
#include "operator/reconcile/pod_facts.h"
#include "operator/reconcile/reactor.h"
#include "operator/reconcile/record.h"
#include "operator/reconcile/status.h"
#include "operator/run/executor.h"
#include "operator/sidecars/sidecar_links.h"

namespace baton::reconcile {

/// Everything is looked at that often, whatever was or was not heard.
inline constexpr Duration kResync = std::chrono::seconds(10);

/// Brings one cluster nearer to what is wanted: gather, decide, record, act, report. Level-based: it never learns what
/// woke it, and a crash anywhere is taken up by the next look.
///
/// Without the lease it only keeps listening. With it, the first record of a term raises the revision by one, so that
/// orders of an earlier leader are refused. A record is durable before any step of its decision begins. A decision is
/// never made on a resource older than what was last written: the written one stands in until the cache has caught up.
class Reconciler {
 public:
  struct Parts {
    Lookup clusters;
    Lookup pods;
    Lookup services;
    SidecarBook& book;
    EndedPods& ended;
    LinksPort& links;
    StepsPort& steps;
    ClusterPort& cluster;
    ObjectsPort& objects;
    EventPort& events;
    const LeasePort& lease;
    Timelines& timelines;
    Metrics& metrics;
    const Clock& clock;
    std::function<void(const ClusterKey&)> closed;  ///< A cluster is gone; may be empty.
  };
  explicit Reconciler(Parts parts) : parts_(std::move(parts)) {}

  Result<kube::Outcome> reconcile(const Context& context, const ClusterKey& key);

 private:
  /// What outlives one look at a cluster. Used by one worker at a time, since the queue never gives a key out twice.
  struct Memory {
    Object newest;                              ///< The resource as last read or written.
    std::optional<api::ClusterSpec> good_spec;  ///< The last one that could be read.
    std::int64_t term = 0;                      ///< The term for which the revision was raised.
    Instant reported_at;
    Instant sets_at;                       ///< When GTID sets were written.
    Instant api_rest_until;                ///< The API server did not answer: reports wait.
    std::optional<Instant> hurried_since;  ///< Since when a failover has been under way; nothing: none is.
    std::vector<engine::Finding> obstacles;
    std::set<std::string> announced;  ///< Findings that events were made of.
    std::optional<int> volumes;       ///< engine::ObservedCluster::volumes, once it was read.
  };
  struct Pass {
    engine::Recorded recorded;
    engine::ObservedCluster observed;
    engine::Decision decision;
    bool settled = false;  ///< The decision needs no record that is not written.
  };

  void submit(const ClusterKey& key, const api::Cluster& cluster, const Pass& pass);
  void refresh_credentials(const Context& context, const Memory& memory, const api::Cluster& cluster, Duration limit);
  [[nodiscard]] Memory& memory_of(const ClusterKey& key);
  static void take_cached(Memory& memory, const Object& cached);
  [[nodiscard]] static Result<api::Cluster> parse(Memory& memory);
  [[nodiscard]] Gathered gather(const ClusterKey& key, const api::Names& names) const;
  [[nodiscard]] Result<void> count_volumes(const Context& context, Memory& memory, const api::Cluster& cluster,
                                           const engine::Recorded& recorded);
  [[nodiscard]] Result<Pass> settle(const Context& context, const ClusterKey& key, Memory& memory,
                                    const api::Cluster& cluster);
  [[nodiscard]] Result<void> claim_term(const Context& context, const ClusterKey& key, Memory& memory,
                                        const engine::Recorded& recorded);
  [[nodiscard]] Result<void> record(const Context& context, const ClusterKey& key, Memory& memory,
                                    const api::Cluster& cluster, const Pass& pass);
  [[nodiscard]] Result<void> write_record(const Context& context, const ClusterKey& key, Memory& memory, Json status,
                                          const engine::Recorded& recorded);
  [[nodiscard]] Result<void> write(const Context& context, const ClusterKey& key, Memory& memory, Json status);
  [[nodiscard]] Report report_of(const Memory& memory, const api::Cluster& cluster, const Pass& pass,
                                 const Timeline& timeline, bool fresh_sets) const;
  [[nodiscard]] Result<void> report(const Context& context, const ClusterKey& key, Memory& memory,
                                    const api::Cluster& cluster, const Pass& pass);
  void take_back_force(const Context& context, const ClusterKey& key, Memory& memory, const api::Cluster& cluster,
                       const Pass& pass);
  void tend_objects(const Context& context, Memory& memory, const api::Cluster& cluster, const Pass& pass);
  void announce(const ClusterKey& key, Memory& memory, const engine::Decision& decision);
  void announce_record(const ClusterKey& key, const Pass& pass, WallTime decided);
  [[nodiscard]] Result<kube::Outcome> hold(const Context& context, const ClusterKey& key, Memory& memory,
                                           std::string_view reason, const Error& error);
  [[nodiscard]] Result<kube::Outcome> finish(const Context& context, const ClusterKey& key, Memory& memory);
  void stand_by(const ClusterKey& key);
  void forget(const ClusterKey& key);

  Parts parts_;
  std::mutex mutex_;
  std::map<ClusterKey, std::unique_ptr<Memory>> memories_;
};

/// Whether a resourceVersion is not older than another. They are decimal numbers that rise with each write
/// (kubernetes.io/docs/reference/using-api/api-concepts, "Resource version semantics"; comparable since 1.35).
[[nodiscard]] bool not_older(std::string_view version, std::string_view other);

}  // namespace baton::reconcile
