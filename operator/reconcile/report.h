#pragma once

#include <string>
#include <vector>

#include "engine/decide/decide.h"
#include "engine/model/observed.h"
#include "engine/model/recorded.h"
#include "operator/api/mysql_cluster.h"
#include "operator/reconcile/timeline.h"

namespace baton::reconcile {

/// What people are told of a cluster is made of this.
struct Report {
  const api::Cluster& cluster;
  const engine::Recorded& recorded;
  const engine::Decision& decision;
  const engine::ObservedCluster& observed;
  const Timeline& timeline;
  /// What the API server or the resource itself is in the way of: an object that was refused, a record that could not
  /// be written. The first is shown as the reason of Ready.
  const std::vector<engine::Finding>& obstacles;
  std::string now;  ///< RFC 3339.
  bool fresh_sets;  ///< Write GTID sets and watermark anew; else the written ones stay.
};

}  // namespace baton::reconcile
