#pragma once

#include <compare>
#include <format>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace baton::kube {

using Json = nlohmann::json;

/// A kind of object as the API server addresses it.
struct ResourceType {
  std::string group;  ///< Empty for the core group.
  std::string version;
  std::string kind;
  std::string plural;
  bool namespaced = true;

  /// "v1", "apps/v1".
  [[nodiscard]] std::string api_version() const { return group.empty() ? version : group + "/" + version; }
};

inline const ResourceType kPods{"", "v1", "Pod", "pods"};
inline const ResourceType kServices{"", "v1", "Service", "services"};
inline const ResourceType kSecrets{"", "v1", "Secret", "secrets"};
inline const ResourceType kConfigMaps{"", "v1", "ConfigMap", "configmaps"};
inline const ResourceType kEvents{"", "v1", "Event", "events"};
inline const ResourceType kNodes{"", "v1", "Node", "nodes", false};
inline const ResourceType kVolumeClaims{"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"};
inline const ResourceType kStatefulSets{"apps", "v1", "StatefulSet", "statefulsets"};
inline const ResourceType kDisruptionBudgets{"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"};
inline const ResourceType kLeases{"coordination.k8s.io", "v1", "Lease", "leases"};

/// Where an object lives. space is its namespace, empty for cluster-wide objects.
struct ObjectKey {
  std::string space;
  std::string name;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

/// Key of an object from the API server; kCorrupt when it has no name.
[[nodiscard]] Result<ObjectKey> key_of(const Json& object);
/// What lies under these names, one within the other; JSON null when it is not there. Lives as long as the object.
[[nodiscard]] const Json& value_at(const Json& object, std::initializer_list<std::string_view> names);
/// The string that lies there; empty when there is none.
[[nodiscard]] std::string text_at(const Json& object, std::initializer_list<std::string_view> names);
/// metadata.NAME when it is a string, else empty.
[[nodiscard]] std::string metadata_text(const Json& object, std::string_view name);

/// /api/v1/namespaces/SPACE/pods; without the namespace part when space is empty (all namespaces).
[[nodiscard]] std::string collection_path(const ResourceType& type, const std::string& space);
/// /api/v1/namespaces/SPACE/pods/NAME, or with /SUBRESOURCE after it.
[[nodiscard]] std::string object_path(const ResourceType& type, const ObjectKey& key,
                                      std::string_view subresource = {});
/// RFC 3986 percent encoding of all but unreserved characters.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace baton::kube

template <>
struct std::formatter<baton::kube::ObjectKey> : std::formatter<std::string> {
  auto format(const baton::kube::ObjectKey& key, std::format_context& context) const {
    return std::formatter<std::string>::format(key.space.empty() ? key.name : key.space + "/" + key.name, context);
  }
};
