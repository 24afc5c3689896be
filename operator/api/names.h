#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/ids.h"
#include "engine/base/result.h"

/// Names, labels, annotations and ports that operator, sidecars, chart and people share.
namespace baton::api {

inline constexpr std::string_view kGroup = "mysql.baton.dev";
inline constexpr std::string_view kApiVersion = "mysql.baton.dev/v1alpha1";
inline constexpr std::string_view kKind = "MySQLReplicationCluster";
inline constexpr std::string_view kPlural = "mysqlreplicationclusters";

/// Field managers of server-side apply. The primary Service's selector has one of its own, so that applying the
/// Service never moves the endpoint.
inline constexpr std::string_view kFieldManager = "baton-operator";
inline constexpr std::string_view kEndpointFieldManager = "baton-endpoint";

/// On every object of a cluster and on its pods: the cluster's name.
inline constexpr std::string_view kClusterLabel = "mysql.baton.dev/cluster";
/// On pods, set by the operator: "primary" or kReplicaRole. The replicas Service selects by it.
inline constexpr std::string_view kRoleLabel = "mysql.baton.dev/role";
inline constexpr std::string_view kReplicaRole = "replica";
/// On pods, set by the StatefulSet controller: the pod's name. The primary Service selects by it.
inline constexpr std::string_view kPodNameLabel = "statefulset.kubernetes.io/pod-name";

/// On the cluster, by a person: the pod of a primary that is lost, and given up with all that only its log holds. Taken
/// back by the operator once it has served, or serves nothing.
inline constexpr std::string_view kForceFailoverAnnotation = "mysql.baton.dev/force-failover";

/// On the primary Service: the epoch whose primary it selects, so that a late writer can be told from the present one.
inline constexpr std::string_view kEpochAnnotation = "mysql.baton.dev/epoch";

inline constexpr int kMysqlPort = 3306;    ///< mysqld.
inline constexpr int kApiPort = 8443;      ///< The sidecar's API, HTTPS.
inline constexpr int kMetricsPort = 9104;  ///< The sidecar's /metrics, /healthz and /readyz, plain HTTP.

inline constexpr int kMaxMembers = 9;
/// A StatefulSet puts "<name>-" and ten characters into the label controller-revision-hash of its pods, and a label's
/// value has at most 63 characters (k8s.io/kubernetes/pkg/controller/history, ControllerRevisionName).
inline constexpr std::size_t kMaxNameLength = 52;

/// The names of what belongs to the cluster `name`. Unique within its namespace as long as the cluster's is.
class Names {
 public:
  explicit Names(std::string cluster) : cluster_(std::move(cluster)) {}

  [[nodiscard]] const std::string& cluster() const { return cluster_; }
  [[nodiscard]] const std::string& stateful_set() const { return cluster_; }
  [[nodiscard]] const std::string& pod_disruption_budget() const { return cluster_; }
  /// Headless: gives the members their DNS names.
  [[nodiscard]] std::string members_service() const { return cluster_ + "-members"; }
  [[nodiscard]] std::string primary_service() const { return cluster_ + "-primary"; }
  [[nodiscard]] std::string replicas_service() const { return cluster_ + "-replicas"; }
  [[nodiscard]] std::string config_map() const { return cluster_ + "-mysql"; }
  /// For the application: host, port, database, user, password.
  [[nodiscard]] std::string app_secret() const { return cluster_ + "-app"; }
  /// Baton's own: CA, certificates, token, passwords of its accounts.
  [[nodiscard]] std::string baton_secret() const { return cluster_ + "-baton"; }
  /// shop-0: the pod, and the name in the member's certificate.
  [[nodiscard]] std::string pod(Ordinal ordinal) const;
  /// data-shop-0: the member's volume claim.
  [[nodiscard]] std::string claim(Ordinal ordinal) const;
  /// The member that a pod's name means; nothing if it cannot be a member of this cluster.
  [[nodiscard]] std::optional<Ordinal> ordinal_of(std::string_view pod) const;

  friend bool operator==(const Names&, const Names&) = default;

 private:
  std::string cluster_;
};

/// Whether everything named after `cluster` gets a valid name: DNS label rules of Services, and the length limit of pod
/// labels. The API server refuses such names by the CRD's rules already; this holds where the CRD is older or was
/// weakened. Errors: kTerminal, with a sentence.
[[nodiscard]] Result<void> check_name(std::string_view cluster);

}  // namespace baton::api
