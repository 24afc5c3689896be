#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "operator/kube/informer.h"
#include "operator/reconcile/cluster_port.h"
#include "operator/reconcile/pod_facts.h"

namespace baton::reconcile {

/// The informers: clusters, and the pods, Services and StatefulSets that bear a cluster's label, in all namespaces or
/// in the named ones. Each change leads to the key of the cluster that it belongs to, and to nothing else.
class Watches {
 public:
  using Changed = std::function<void(const ClusterKey&)>;

  /// Begins at once. Client, clock and `ended` must outlive the watches.
  Watches(kube::KubeClient& client, const Clock& clock, const Logger& log, std::vector<std::string> namespaces,
          EndedPods& ended, const Changed& changed);

  /// Caches; valid as long as the watches.
  [[nodiscard]] Lookup clusters() const { return lookup_in(clusters_); }
  [[nodiscard]] Lookup pods() const { return lookup_in(pods_); }
  [[nodiscard]] Lookup services() const { return lookup_in(services_); }
  [[nodiscard]] Lookup stateful_sets() const { return lookup_in(stateful_sets_); }

  /// Every cluster that is cached.
  [[nodiscard]] std::vector<ClusterKey> all() const;
  [[nodiscard]] bool synced() const;
  /// Waits until all has been listed once; false at stop or deadline.
  [[nodiscard]] bool wait_synced(const Context& context) const;

 private:
  /// By namespace; "" is for all.
  using Informers = std::map<std::string, std::unique_ptr<kube::Informer>>;

  [[nodiscard]] static Lookup lookup_in(const Informers& informers);
  [[nodiscard]] std::vector<const kube::Informer*> informers() const;

  Informers clusters_;
  Informers pods_;
  Informers services_;
  Informers stateful_sets_;
};

}  // namespace baton::reconcile
