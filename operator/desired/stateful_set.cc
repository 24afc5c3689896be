#include "operator/desired/stateful_set.h"

#include <format>
#include <string_view>

#include "operator/desired/metadata.h"
#include "operator/desired/paths.h"
#include "operator/desired/secrets.h"
#include "sidecar/wire/order.h"

namespace baton::desired {
namespace {

constexpr std::string_view kDataVolume = "data";
constexpr int kTerminationGraceSeconds = 60;
constexpr int kPreferenceWeight = 100;
/// Files of Secret and ConfigMap: readable by root and the pod's group.
constexpr int kSecretMode = 0440;

Json mount(std::string_view volume, std::string_view path, bool read_only = false) {
  Json mount = {{"name", volume}, {"mountPath", path}};
  if (read_only) mount["readOnly"] = true;
  return mount;
}

Json container_security() {
  return {
      {"allowPrivilegeEscalation", false},
      {"readOnlyRootFilesystem", true},
      {"capabilities", {{"drop", Json::array({"ALL"})}}},
  };
}

Json http_probe(std::string_view path) { return {{"httpGet", {{"path", path}, {"port", api::kMetricsPort}}}}; }

/// Puts the gate where mysqld's container finds it, so that any image with mysqld works.
Json gate_container(const StatefulSetInputs& inputs) {
  return {
      {"name", "gate"},
      {"image", inputs.sidecar_image},
      {"imagePullPolicy", inputs.sidecar_pull_policy},
      {"args", {"copy-gate", kGatePath}},
      {"resources", {{"requests", {{"cpu", "10m"}, {"memory", "16Mi"}}}, {"limits", {{"memory", "64Mi"}}}}},
      {"securityContext", container_security()},
      {"volumeMounts", Json::array({mount("bin", kGatePath)})},
  };
}

Json environment_from_pod(std::string_view name, std::string_view field) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", field}}}}}};
}

/// The native sidecar: started before mysqld's container and ended after it. Its liveness probe asks only whether it
/// answers at all, and patiently, for a restart of it costs the operator its view of the member. No CPU limit:
/// throttling would delay what it has to see at once.
Json sidecar_container(const StatefulSetInputs& inputs) {
  Json liveness = http_probe("/healthz");
  liveness.update(
      {{"initialDelaySeconds", 30}, {"periodSeconds", 10}, {"timeoutSeconds", 10}, {"failureThreshold", 12}});
  return {
      {"name", "sidecar"},
      {"image", inputs.sidecar_image},
      {"imagePullPolicy", inputs.sidecar_pull_policy},
      {"restartPolicy", "Always"},
      {"args",
       {"run", "--member", "$(POD_NAME)", "--pod-uid", "$(POD_UID)", "--data", kDataPath, "--run", kRunPath, "--config",
        kConfigPath, "--secrets", kSecretsPath, "--api-port", std::to_string(api::kApiPort), "--metrics-port",
        std::to_string(api::kMetricsPort), "--log-port", std::to_string(wire::kLogPort)}},
      {"env", {environment_from_pod("POD_NAME", "metadata.name"), environment_from_pod("POD_UID", "metadata.uid")}},
      {"ports",
       {{{"name", "api"}, {"containerPort", api::kApiPort}, {"protocol", "TCP"}},
        {{"name", "metrics"}, {"containerPort", api::kMetricsPort}, {"protocol", "TCP"}},
        {{"name", "logs"}, {"containerPort", wire::kLogPort}, {"protocol", "TCP"}}}},
      {"livenessProbe", liveness},
      {"resources", {{"requests", {{"cpu", "50m"}, {"memory", "64Mi"}}}, {"limits", {{"memory", "512Mi"}}}}},
      {"securityContext", container_security()},
      {"volumeMounts",
       {mount(kDataVolume, kDataPath), mount("run", kRunPath), mount("config", kConfigPath, true),
        mount("secrets", kSecretsPath, true), mount("tmp", "/tmp")}},
  };
}

/// mysqld behind the gate. No liveness probe: a slow or crashed mysqld is the sidecar's and the operator's to judge,
/// and a restart by the kubelet would only get in their way. Readiness is for endpoints and for the disruption budget,
/// and is lost after four to six seconds: kube-proxy takes in changes once a second, so that a dead primary's, if it
/// came while another is promoted, would delay the move of the endpoint. A dead replica's endpoint goes with its label,
/// at once, while an operator leads and a primary is open.
Json mysqld_container(const Cluster& cluster) {
  Json readiness = http_probe("/readyz");
  readiness.update({{"periodSeconds", 2}, {"timeoutSeconds", 2}, {"failureThreshold", 3}});
  return {
      {"name", "mysqld"},
      {"image", cluster.spec.image},
      {"imagePullPolicy", cluster.spec.image_pull_policy},
      {"command", {std::format("{}/baton-gate", kGatePath), std::format("{}/gate.sock", kRunPath)}},
      {"ports", Json::array({{{"name", "mysql"}, {"containerPort", api::kMysqlPort}, {"protocol", "TCP"}}})},
      {"readinessProbe", readiness},
      {"resources", cluster.spec.resources},
      {"securityContext", container_security()},
      {"volumeMounts",
       {mount(kDataVolume, kDataPath), mount("run", kRunPath), mount("bin", kGatePath, true),
        mount("config", kConfigPath, true), mount("secrets", kSecretsPath, true), mount("tmp", "/tmp")}},
  };
}

Json volumes(const Cluster& cluster) {
  Json files = Json::array();
  for (const std::string& file : mounted_files(cluster.names())) files.push_back({{"key", file}, {"path", file}});
  const Json secret = {{"secret", {{"name", cluster.names().baton_secret()}, {"items", files}}}};
  return {
      {{"name", "run"}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", "16Mi"}}}},
      {{"name", "bin"}, {"emptyDir", {{"sizeLimit", "64Mi"}}}},
      {{"name", "tmp"}, {"emptyDir", Json::object()}},
      {{"name", "config"}, {"configMap", {{"name", cluster.names().config_map()}, {"defaultMode", kSecretMode}}}},
      {{"name", "secrets"}, {"projected", {{"defaultMode", kSecretMode}, {"sources", Json::array({secret})}}}},
  };
}

Json pod_security(const api::PodSecurity& security) {
  Json context = {
      {"runAsUser", kUserId},
      {"runAsGroup", kUserId},
      {"runAsNonRoot", true},
      {"fsGroup", kUserId},
      {"fsGroupChangePolicy", security.fs_group_change_policy},
      {"seccompProfile", {{"type", "RuntimeDefault"}}},
  };
  if (!security.supplemental_groups.is_null()) context["supplementalGroups"] = security.supplemental_groups;
  if (!security.se_linux_options.is_null()) context["seLinuxOptions"] = security.se_linux_options;
  return context;
}

/// Members on different nodes where possible: required would leave members pending on small Kubernetes clusters.
Json default_affinity(const Cluster& cluster) {
  const Json term = {{"topologyKey", "kubernetes.io/hostname"},
                     {"labelSelector", {{"matchLabels", selector_labels(cluster)}}}};
  const Json preference = {{"weight", kPreferenceWeight}, {"podAffinityTerm", term}};
  return {{"podAntiAffinity", {{"preferredDuringSchedulingIgnoredDuringExecution", Json::array({preference})}}}};
}

Json topology_spread(const Cluster& cluster) {
  Json constraints = cluster.spec.topology_spread_constraints;
  for (Json& constraint : constraints) {
    if (!constraint.contains("labelSelector"))
      constraint["labelSelector"] = {{"matchLabels", selector_labels(cluster)}};
  }
  return constraints;
}

void put_scheduling(const Cluster& cluster, Json& pod) {
  const api::ClusterSpec& spec = cluster.spec;
  pod["affinity"] = spec.affinity.is_null() ? default_affinity(cluster) : spec.affinity;
  if (!spec.tolerations.is_null()) pod["tolerations"] = spec.tolerations;
  if (!spec.node_selector.empty()) pod["nodeSelector"] = spec.node_selector;
  if (!spec.priority_class_name.empty()) pod["priorityClassName"] = spec.priority_class_name;
  if (spec.topology_spread_constraints.is_array()) pod["topologySpreadConstraints"] = topology_spread(cluster);
}

Json pod_template(const Cluster& cluster, const StatefulSetInputs& inputs) {
  StringMap labels = cluster.spec.labels;
  for (const auto& [key, value] : common_labels(cluster)) labels[key] = value;
  StringMap annotations = cluster.spec.annotations;
  annotations.emplace("kubectl.kubernetes.io/default-container", "mysqld");
  Json pod = {
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"shareProcessNamespace", true},
      {"terminationGracePeriodSeconds", kTerminationGraceSeconds},
      {"securityContext", pod_security(cluster.spec.security_context)},
      {"initContainers", Json::array({gate_container(inputs), sidecar_container(inputs)})},
      {"containers", Json::array({mysqld_container(cluster)})},
      {"volumes", volumes(cluster)},
  };
  put_scheduling(cluster, pod);
  return {{"metadata", {{"labels", labels}, {"annotations", annotations}}}, {"spec", pod}};
}

Json claim_template(const Cluster& cluster, const StatefulSetInputs& inputs) {
  Json claim = {
      {"apiVersion", "v1"},
      {"kind", "PersistentVolumeClaim"},
      {"metadata", {{"name", kDataVolume}, {"labels", common_labels(cluster)}}},
      {"spec",
       {{"accessModes", {"ReadWriteOnce"}},
        {"resources", {{"requests", {{"storage", inputs.claim_size.value_or(cluster.spec.storage.size)}}}}}}},
  };
  if (cluster.spec.storage.storage_class_name) {
    claim["spec"]["storageClassName"] = *cluster.spec.storage.storage_class_name;
  }
  return claim;
}

}  // namespace

Json stateful_set(const Cluster& cluster, const StatefulSetInputs& inputs) {
  const api::Names names = cluster.names();
  return {
      {"apiVersion", "apps/v1"},
      {"kind", "StatefulSet"},
      {"metadata", owned_metadata(cluster, names.stateful_set())},
      {"spec",
       {
           {"replicas", inputs.replicas},
           {"serviceName", names.members_service()},
           {"podManagementPolicy", "Parallel"},
           {"updateStrategy", {{"type", "OnDelete"}}},
           {"persistentVolumeClaimRetentionPolicy", {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}}},
           {"selector", {{"matchLabels", selector_labels(cluster)}}},
           {"template", pod_template(cluster, inputs)},
           {"volumeClaimTemplates", Json::array({claim_template(cluster, inputs)})},
       }},
  };
}

std::optional<std::string> claim_size_of(const Json& stateful_set) {
  const Json::json_pointer path("/spec/volumeClaimTemplates/0/spec/resources/requests/storage");
  if (!stateful_set.contains(path) || !stateful_set.at(path).is_string()) return std::nullopt;
  return stateful_set.at(path).get<std::string>();
}

}  // namespace baton::desired
