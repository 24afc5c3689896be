#include "operator/desired/metadata.h"

#include "operator/api/names.h"

namespace baton::desired {

StringMap common_labels(const Cluster& cluster) {
  return {
      {"app.kubernetes.io/name", "mysql"},
      {"app.kubernetes.io/instance", cluster.name},
      {"app.kubernetes.io/component", "database"},
      {"app.kubernetes.io/managed-by", "baton"},
      {std::string(api::kClusterLabel), cluster.name},
  };
}

StringMap selector_labels(const Cluster& cluster) { return {{std::string(api::kClusterLabel), cluster.name}}; }

Json owned_metadata(const Cluster& cluster, const std::string& name) {
  return {
      {"name", name},
      {"namespace", cluster.name_space},
      {"labels", common_labels(cluster)},
      {"ownerReferences", Json::array({{{"apiVersion", api::kApiVersion},
                                        {"kind", api::kKind},
                                        {"name", cluster.name},
                                        {"uid", cluster.uid},
                                        {"controller", true},
                                        {"blockOwnerDeletion", true}}})},
  };
}

}  // namespace baton::desired
