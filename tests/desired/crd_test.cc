// The schema and the code must say the same: nothing in the schema may be ignored, no default may differ.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <format>

#include "sidecar/mysql/pinned.h"
#include "tests/desired/fixture.h"

namespace baton::test {
namespace {

constexpr const char* kCrd = "crds/mysqlreplicationclusters.mysql.baton.dev.yaml";

Json schema() { return yaml_documents(kCrd).front().at("/spec/versions/0/schema/openAPIV3Schema"_json_pointer); }

Json spec_schema() { return schema().at("/properties/spec"_json_pointer); }

/// What the API server puts in for absent fields (defaults of nested fields apply inside a default object).
Json defaulted(const Json& schema, Json value) {
  if (!schema.contains("properties") || !value.is_object()) return value;
  for (const auto& [name, property] : schema.at("properties").items()) {
    if (!value.contains(name) && property.contains("default")) value[name] = property.at("default");
    if (value.contains(name)) value[name] = defaulted(property, value.at(name));
  }
  return value;
}

/// Calls visit(path, schema) for each property below.
template <class Visit>
void each_property(const Json& schema, const std::string& path, Visit visit) {
  if (schema.contains("items")) each_property(schema.at("items"), path + "[]", visit);
  if (!schema.contains("properties")) return;
  for (const auto& [name, property] : schema.at("properties").items()) {
    const std::string below = path.empty() ? name : path + "." + name;
    visit(below, property);
    each_property(property, below, visit);
  }
}

/// The values that a path with [] names.
bool present(const Json& value, std::string_view path) {
  if (path.empty()) return true;
  if (path.starts_with("[]")) {
    path.remove_prefix(2);
    if (path.starts_with('.')) path.remove_prefix(1);
    return std::ranges::any_of(value, [&](const Json& entry) { return present(entry, path); });
  }
  const std::size_t end = path.find_first_of(".[");
  const std::string name(path.substr(0, end));
  if (!value.contains(name)) return false;
  if (end == std::string_view::npos) return true;
  path.remove_prefix(path[end] == '.' ? end + 1 : end);
  return present(value.at(name), path);
}

TEST(Crd, DefaultsAreTheCodes) {
  const Json given = {{"image", "mysql:8.4"}};
  api::ClusterSpec spec;
  spec.image = "mysql:8.4";
  EXPECT_EQ(defaulted(spec_schema(), given), api::to_json(spec));
  EXPECT_EQ(spec_schema().at("/properties/candidates/items/properties/priority/default"_json_pointer),
            api::Candidate{}.priority);
}

TEST(Crd, EveryFieldIsReadAndKept) {
  const Json manifest = yaml_documents("tests/golden/manifests/good/full.yaml").front();
  const Json kept = api::to_json(full().spec);
  each_property(spec_schema(), "", [&](const std::string& path, const Json&) {
    // One toleration cannot have every field.
    if (path == "tolerations[].tolerationSeconds") return;
    if (path.starts_with("securityContext.seLinuxOptions.")) return;
    EXPECT_TRUE(present(manifest.at("spec"), path)) << "full.yaml does not set " << path;
    EXPECT_TRUE(present(kept, path)) << "the code ignores " << path;
  });
}

/// Where the status that the code writes has what `kubectl get mrc` shows, tests/operator/status_test.cc shows.
TEST(Crd, KubectlGetShowsWhatMatters) {
  std::string columns;
  for (const Json& column : yaml_documents(kCrd).front().at("/spec/versions/0/additionalPrinterColumns"_json_pointer)) {
    columns += column.at("name").get<std::string>() + (column.value("priority", 0) > 0 ? "(wide) " : " ");
  }
  EXPECT_EQ(columns, "Primary State Ready Failover-Ready Epoch(wide) Message(wide) Age ");
}

TEST(Crd, EveryFieldIsExplained) {
  each_property(spec_schema(), "spec", [](const std::string& path, const Json& property) {
    EXPECT_TRUE(property.contains("description")) << path;
  });
  each_property(
      schema().at("/properties/status"_json_pointer), "status",
      [](const std::string& path, const Json& property) { EXPECT_TRUE(property.contains("description")) << path; });
}

TEST(Crd, EveryRuleHasASentence) {
  const auto check = [](const std::string& path, const Json& property) {
    if (!property.contains("x-kubernetes-validations")) return;
    for (const Json& rule : property.at("x-kubernetes-validations")) {
      EXPECT_TRUE(rule.contains("message") || rule.contains("messageExpression")) << path << ": " << rule;
    }
  };
  check("", schema());
  each_property(schema(), "", check);
}

/// The names in the list of the rule that refuses settings: what stands between quotes after " in [".
std::vector<std::string> refused_names(std::string_view text) {
  std::vector<std::string> names;
  text.remove_prefix(text.find(" in ["));
  text = text.substr(0, text.find(']'));
  for (std::size_t begin = text.find('\''); begin != std::string_view::npos; begin = text.find('\'')) {
    text.remove_prefix(begin + 1);
    const std::size_t end = text.find('\'');
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return names;
}

TEST(Crd, RefusesThePinnedSettings) {
  const Json rule =
      spec_schema().at("/properties/mysql/properties/config/x-kubernetes-validations"_json_pointer).back();
  const std::vector<std::string> names = refused_names(rule.at("rule").get<std::string>());
  EXPECT_GT(names.size(), 50U);
  EXPECT_EQ(refused_names(rule.at("messageExpression").get<std::string>()), names);
  for (const mysql::PinnedSetting& setting : mysql::pinned_settings()) {
    if (setting.name.starts_with("rpl_semi_sync_")) continue;  // Refused as a whole.
    EXPECT_TRUE(std::ranges::contains(names, setting.name)) << "the schema takes " << setting.name;
  }
  for (const std::string& name : names) {
    EXPECT_TRUE(mysql::why_refused(name, "2").has_value()) << "the schema refuses " << name << ", the code does not";
  }
}

TEST(Crd, WhatADataDirectoryWasMadeWithCannotBeChanged) {
  const Json rules = spec_schema().at("/properties/mysql/properties/config/x-kubernetes-validations"_json_pointer);
  const auto rule = std::ranges::find_if(
      rules, [](const Json& entry) { return entry.at("rule").get<std::string>().contains("oldSelf"); });
  ASSERT_NE(rule, rules.end());
  const std::string text = rule->at("rule").get<std::string>();
  for (const char* name : {"lower_case_table_names", "innodb_page_size", "innodb_data_file_path"}) {
    EXPECT_TRUE(text.contains(std::format("'{}'", name))) << name;
    EXPECT_TRUE(rule->at("message").get<std::string>().contains(name)) << name;
    EXPECT_FALSE(mysql::why_refused(name, "1").has_value()) << name << " cannot be chosen at all";
  }
}

TEST(Crd, ChartCarriesTheSameDocument) {
  EXPECT_EQ(file_text(kCrd), file_text("helm/baton/files/mysqlreplicationclusters.mysql.baton.dev.yaml"))
      << "copy the first over the second";
  EXPECT_EQ(file_text("crds/samples/cluster.yaml"), file_text("helm/baton/samples/cluster.yaml"));
}

}  // namespace
}  // namespace baton::test
