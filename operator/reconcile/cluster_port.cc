#include "operator/reconcile/cluster_port.h"

#include <utility>

#include "operator/api/mysql_cluster.h"
#include "operator/api/names.h"
#include "operator/desired/services.h"
#include "operator/reconcile/endpoint.h"
#include "operator/reconcile/ownership.h"

namespace baton::reconcile {

const kube::ResourceType& cluster_type() {
  static const kube::ResourceType kType{std::string(api::kGroup), "v1alpha1", std::string(api::kKind),
                                        std::string(api::kPlural)};
  return kType;
}

KubeClusterPort::KubeClusterPort(kube::KubeClient& client, Lookup services)
    : client_(client), services_(std::move(services)) {}

Result<Object> KubeClusterPort::read(const Context& context, const ClusterKey& key) {
  return client_.get(context, cluster_type(), key);
}

Result<Object> KubeClusterPort::write_status(const Context& context, const Object& cluster) {
  return client_.update_status(context, cluster_type(), cluster);
}

Result<Object> KubeClusterPort::remove_annotation(const Context& context, const Object& cluster,
                                                  std::string_view name) {
  TRY(key, kube::key_of(cluster));
  const Object patch = {{"metadata",
                         {{"resourceVersion", kube::metadata_text(cluster, "resourceVersion")},
                          {"annotations", {{std::string(name), nullptr}}}}}};
  return client_.merge_patch(context, cluster_type(), key, patch);
}

Result<void> KubeClusterPort::move_endpoint(const Context& context, const ClusterKey& key, const std::string& pod,
                                            Epoch epoch) {
  const kube::ObjectKey name{.space = key.space, .name = api::Names(key.name).primary_service()};
  if (const auto cached = services_(name); cached != nullptr) {
    const auto moved = point_at(context, key, *cached, pod, epoch);
    if (moved || moved.error().kind != ErrorKind::kConflict) return moved;
  }
  // The cache was behind, or somebody wrote meanwhile.
  TRY(service, client_.get(context, kube::kServices, name));
  return point_at(context, key, service, pod, epoch);
}

Result<void> KubeClusterPort::point_at(const Context& context, const ClusterKey& key, const Object& service,
                                       const std::string& pod, Epoch epoch) {
  TRY_VOID(check_ours(service, kube::kServices.kind, key.name));
  const Endpoint endpoint = endpoint_of(service);
  if (endpoint.epoch > epoch) {
    return fail(ErrorKind::kConflict, "the endpoint was moved at epoch {}, which is after {}", endpoint.epoch, epoch);
  }
  if (endpoint.pod == pod && endpoint.epoch == epoch) return {};
  api::Cluster cluster;
  cluster.name = key.name;
  cluster.name_space = key.space;
  const auto patch = desired::endpoint_patch(cluster, pod, epoch, kube::metadata_text(service, "resourceVersion"));
  TRY(written, client_.apply(context, kube::kServices, patch, api::kEndpointFieldManager, /*force=*/true));
  static_cast<void>(written);
  return {};
}

Result<void> KubeClusterPort::label_role(const Context& context, const ClusterKey& key, const std::string& pod,
                                         const PodUid& pod_uid, const std::string& role) {
  // metadata.uid in a patch is a precondition: another pod of that name is a conflict.
  const Object value = role.empty() ? Object() : Object(role);
  const Object patch = {{"metadata", {{"uid", pod_uid.get()}, {"labels", {{std::string(api::kRoleLabel), value}}}}}};
  TRY(written, client_.merge_patch(context, kube::kPods, {.space = key.space, .name = pod}, patch));
  static_cast<void>(written);
  return {};
}

}  // namespace baton::reconcile
