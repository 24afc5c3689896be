#pragma once

#include <functional>

#include "operator/kube/kube_client.h"
#include "operator/kube/object_store.h"
#include "operator/ports/ports.h"

namespace baton::reconcile {

/// MySQLReplicationCluster as the API server addresses it.
[[nodiscard]] const kube::ResourceType& cluster_type();

/// Reads a cache: null if it has no such object. Thread-safe.
using Lookup = std::function<kube::ObjectPtr(const kube::ObjectKey&)>;

/// ClusterPort over the API server. Client must outlive it.
class KubeClusterPort final : public ClusterPort {
 public:
  /// `services`: a cache, from which the first try at moving an endpoint takes the Service's version.
  KubeClusterPort(kube::KubeClient& client, Lookup services);

  Result<Object> read(const Context& context, const ClusterKey& key) override;
  Result<Object> write_status(const Context& context, const Object& cluster) override;
  Result<Object> remove_annotation(const Context& context, const Object& cluster, std::string_view name) override;
  Result<void> move_endpoint(const Context& context, const ClusterKey& key, const std::string& pod,
                             Epoch epoch) override;
  Result<void> label_role(const Context& context, const ClusterKey& key, const std::string& pod, const PodUid& pod_uid,
                          const std::string& role) override;

 private:
  Result<void> point_at(const Context& context, const ClusterKey& key, const Object& service, const std::string& pod,
                        Epoch epoch);

  kube::KubeClient& client_;
  Lookup services_;
};

}  // namespace baton::reconcile
