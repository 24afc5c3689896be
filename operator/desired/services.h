#pragma once

#include <string>

#include "engine/base/ids.h"
#include "operator/api/mysql_cluster.h"

namespace baton::desired {

/// Headless: DNS names of the members, also of those that are not ready.
[[nodiscard]] api::Json members_service(const api::Cluster& cluster);

/// Where clients write. Without a selector: that is endpoint_patch's alone, by a field manager of its own, so that
/// applying this object never moves the endpoint. Not-ready pods are published, so that a crash of the primary changes
/// no endpoint before the repoint does.
[[nodiscard]] api::Json primary_service(const api::Cluster& cluster);

/// Where clients may read: the pods that carry the replica's role label and are ready.
[[nodiscard]] api::Json replicas_service(const api::Cluster& cluster);

/// The one write that moves the endpoint: selects `pod` and notes the epoch, if the Service is still at
/// `resource_version`. To be applied by api::kEndpointFieldManager.
[[nodiscard]] api::Json endpoint_patch(const api::Cluster& cluster, const std::string& pod, Epoch epoch,
                                       const std::string& resource_version);

}  // namespace baton::desired
