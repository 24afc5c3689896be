// Every object that a cluster needs, as text to be reviewed. Rewrite: BATON_REWRITE=1 desired_test.
#include <gtest/gtest.h>

#include "operator/desired/config_map.h"
#include "operator/desired/pod_disruption_budget.h"
#include "operator/desired/secrets.h"
#include "operator/desired/services.h"
#include "operator/desired/stateful_set.h"
#include "tests/desired/fixture.h"

namespace baton::test {
namespace {

TEST(Golden, StatefulSet) {
  expect_golden("stateful_set", desired::stateful_set(sample(), inputs()));
  desired::StatefulSetInputs five = inputs();
  five.replicas = 5;
  five.sidecar_pull_policy = "Never";
  expect_golden("stateful_set_full", desired::stateful_set(full(), five));
}

TEST(Golden, Services) {
  expect_golden("members_service", desired::members_service(sample()));
  expect_golden("primary_service", desired::primary_service(sample()));
  expect_golden("replicas_service", desired::replicas_service(sample()));
  expect_golden("endpoint_patch", desired::endpoint_patch(sample(), "shop-1", Epoch{7}, "4711"));
}

TEST(Golden, ConfigMap) {
  expect_golden("config_map", desired::config_map(sample()).value());
  expect_golden("config_map_full", desired::config_map(full()).value());
}

TEST(ConfigMap, RefusesPinnedSettings) {
  api::Cluster cluster = sample();
  cluster.spec.mysql_config["sync_binlog"] = "0";
  const auto object = desired::config_map(cluster);
  ASSERT_FALSE(object.has_value());
  EXPECT_EQ(object.error().kind, ErrorKind::kTerminal);
  EXPECT_TRUE(object.error().what.starts_with("spec.mysql.config: sync_binlog must be 1")) << object.error().what;
}

TEST(Golden, PodDisruptionBudget) { expect_golden("pod_disruption_budget", desired::pod_disruption_budget(sample())); }

TEST(Golden, Secrets) {
  const desired::SecretData data = {{desired::kAppPasswordFile, "correct-horse"}, {desired::kTokenFile, "token"}};
  expect_golden("app_secret", desired::app_secret(sample(), data));
  expect_golden("baton_secret", desired::baton_secret(sample(), data));
}

}  // namespace
}  // namespace baton::test
