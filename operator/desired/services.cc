#include "operator/desired/services.h"

#include <string_view>

#include "operator/desired/metadata.h"

namespace baton::desired {
namespace {

Json port(std::string_view name, int number) {
  return {{"name", name}, {"port", number}, {"targetPort", number}, {"protocol", "TCP"}};
}

Json service(const Cluster& cluster, const std::string& name, const Json& spec) {
  return {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", owned_metadata(cluster, name)}, {"spec", spec}};
}

}  // namespace

Json members_service(const Cluster& cluster) {
  return service(
      cluster, cluster.names().members_service(),
      {{"clusterIP", "None"},
       {"publishNotReadyAddresses", true},
       {"selector", selector_labels(cluster)},
       {"ports", {port("mysql", api::kMysqlPort), port("api", api::kApiPort), port("metrics", api::kMetricsPort)}}});
}

Json primary_service(const Cluster& cluster) {
  return service(cluster, cluster.names().primary_service(),
                 {{"type", "ClusterIP"},
                  {"publishNotReadyAddresses", true},
                  {"ports", Json::array({port("mysql", api::kMysqlPort)})}});
}

Json replicas_service(const Cluster& cluster) {
  StringMap selector = selector_labels(cluster);
  selector.emplace(api::kRoleLabel, api::kReplicaRole);
  return service(
      cluster, cluster.names().replicas_service(),
      {{"type", "ClusterIP"}, {"selector", selector}, {"ports", Json::array({port("mysql", api::kMysqlPort)})}});
}

Json endpoint_patch(const Cluster& cluster, const std::string& pod, Epoch epoch, const std::string& resource_version) {
  return {
      {"apiVersion", "v1"},
      {"kind", "Service"},
      {"metadata",
       {{"name", cluster.names().primary_service()},
        {"namespace", cluster.name_space},
        {"resourceVersion", resource_version},
        {"annotations", {{api::kEpochAnnotation, std::format("{}", epoch)}}}}},
      {"spec", {{"selector", {{api::kPodNameLabel, pod}}}}},
  };
}

}  // namespace baton::desired
