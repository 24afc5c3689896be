#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/mysql_cluster.h"
#include "operator/desired/stateful_set.h"

namespace baton::test {

using api::Json;

/// The text of a file of the repository.
[[nodiscard]] std::string file_text(std::string_view path);
/// The documents of a YAML file of the repository, as an API server would get them.
[[nodiscard]] std::vector<Json> yaml_documents(std::string_view path);

/// A manifest as it comes back from the API server: with namespace, uid and generation.
[[nodiscard]] Json as_stored(Json manifest);
/// The sample cluster, crds/samples/cluster.yaml.
[[nodiscard]] api::Cluster sample();
/// The good manifest that sets every field there is.
[[nodiscard]] api::Cluster full();
[[nodiscard]] desired::StatefulSetInputs inputs();

/// Compares with tests/golden/desired/<name>.json, or writes that file if BATON_REWRITE is set in the environment.
void expect_golden(const std::string& name, const Json& object);

}  // namespace baton::test
