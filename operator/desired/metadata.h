#pragma once

#include <string>

#include "operator/api/mysql_cluster.h"

namespace baton::desired {

using api::Cluster;
using api::Json;
using api::StringMap;

/// The labels of every object of the cluster.
[[nodiscard]] StringMap common_labels(const Cluster& cluster);

/// The labels that select the cluster's pods. Part of the StatefulSet's immutable selector: never to be changed.
[[nodiscard]] StringMap selector_labels(const Cluster& cluster);

/// Name, namespace, labels, and the owner reference by which the object goes when the cluster is deleted.
[[nodiscard]] Json owned_metadata(const Cluster& cluster, const std::string& name);

}  // namespace baton::desired
