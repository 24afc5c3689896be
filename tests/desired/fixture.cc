#include "tests/desired/fixture.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace baton::test {
namespace {

std::string path_in_repository(std::string_view path) {
  return std::string(BATON_SOURCE_DIR) + "/" + std::string(path);
}

Json scalar_json(const YAML::Node& node) {
  // yaml-cpp tags quoted scalars with "!", plain ones with "?".
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;
  if (text == "true" || text == "false") return text == "true";
  if (text == "null" || text == "~" || text.empty()) return nullptr;
  if (text.find_first_not_of("0123456789-") == std::string::npos && text != "-") return std::stoll(text);
  return text;
}

Json to_json(const YAML::Node& node) {
  if (node.IsSequence()) {
    Json array = Json::array();
    for (const YAML::Node& entry : node) array.push_back(to_json(entry));
    return array;
  }
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& entry : node) object[entry.first.Scalar()] = to_json(entry.second);
    return object;
  }
  return node.IsScalar() ? scalar_json(node) : Json();
}

api::Cluster cluster_of(std::string_view path) {
  auto cluster = api::parse_cluster(as_stored(yaml_documents(path).front()));
  if (!cluster) throw std::runtime_error(cluster.error().what);
  return *std::move(cluster);
}

}  // namespace

std::string file_text(std::string_view path) {
  std::ifstream file(path_in_repository(path));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<Json> yaml_documents(std::string_view path) {
  std::vector<Json> documents;
  for (const YAML::Node& node : YAML::LoadAll(file_text(path))) documents.push_back(to_json(node));
  return documents;
}

Json as_stored(Json manifest) {
  manifest["metadata"]["namespace"] = "default";
  manifest["metadata"]["uid"] = "11111111-2222-3333-4444-555555555555";
  manifest["metadata"]["resourceVersion"] = "41";
  manifest["metadata"]["generation"] = 1;
  return manifest;
}

api::Cluster sample() { return cluster_of("crds/samples/cluster.yaml"); }

api::Cluster full() { return cluster_of("tests/golden/manifests/good/full.yaml"); }

desired::StatefulSetInputs inputs() {
  return {.sidecar_image = "registry.example.com/baton-sidecar:0.1.0", .claim_size = {}};
}

void expect_golden(const std::string& name, const Json& object) {
  const std::string path = "tests/golden/desired/" + name + ".json";
  const std::string text = object.dump(2) + "\n";
  if (std::getenv("BATON_REWRITE") != nullptr) {
    std::ofstream(path_in_repository(path)) << text;
    return;
  }
  EXPECT_EQ(text, file_text(path)) << path << " differs; if that is wanted, run the test with BATON_REWRITE=1";
}

}  // namespace baton::test
