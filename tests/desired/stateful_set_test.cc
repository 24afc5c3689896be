#include "operator/desired/stateful_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "operator/desired/volume_claims.h"
#include "tests/desired/fixture.h"

namespace baton::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Json pod_of(const Json& stateful_set) { return stateful_set.at("/spec/template/spec"_json_pointer); }

std::vector<Json> containers_of(const Json& pod) {
  std::vector<Json> containers = pod.at("initContainers").get<std::vector<Json>>();
  containers.insert(containers.end(), pod.at("containers").begin(), pod.at("containers").end());
  return containers;
}

TEST(StatefulSet, NothingRestartsMembersByItself) {
  const Json set = desired::stateful_set(sample(), inputs());
  EXPECT_EQ(set.at("/spec/updateStrategy/type"_json_pointer), "OnDelete");
  EXPECT_EQ(set.at("/spec/podManagementPolicy"_json_pointer), "Parallel");
  const Json mysqld = pod_of(set).at("containers").at(0);
  EXPECT_FALSE(mysqld.contains("livenessProbe")) << "the kubelet must not restart mysqld";
  EXPECT_FALSE(mysqld.contains("lifecycle")) << "the gate's SIGTERM is the only way down";
  EXPECT_EQ(mysqld.at("/readinessProbe/httpGet/path"_json_pointer), "/readyz");
  EXPECT_EQ(pod_of(set).at("terminationGracePeriodSeconds"), 60);
}

TEST(StatefulSet, VolumesAreKept) {
  const Json set = desired::stateful_set(sample(), inputs());
  EXPECT_EQ(set.at("/spec/persistentVolumeClaimRetentionPolicy"_json_pointer),
            (Json{{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}}));
}

TEST(StatefulSet, TemplateDoesNotDependOnTheNumberOfMembers) {
  desired::StatefulSetInputs nine = inputs();
  nine.replicas = 9;
  EXPECT_EQ(desired::stateful_set(sample(), inputs()).at("/spec/template"_json_pointer),
            desired::stateful_set(sample(), nine).at("/spec/template"_json_pointer));
}

TEST(StatefulSet, EveryContainerIsUnprivileged) {
  for (const api::Cluster& cluster : {sample(), full()}) {
    const Json pod = pod_of(desired::stateful_set(cluster, inputs()));
    EXPECT_EQ(pod.at("automountServiceAccountToken"), false);
    EXPECT_EQ(pod.at("/securityContext/runAsUser"_json_pointer), 999);
    EXPECT_EQ(pod.at("/securityContext/fsGroup"_json_pointer), 999);
    EXPECT_EQ(pod.at("/securityContext/runAsNonRoot"_json_pointer), true);
    EXPECT_EQ(pod.at("/securityContext/seccompProfile/type"_json_pointer), "RuntimeDefault");
    EXPECT_EQ(containers_of(pod).size(), 3U);
    for (const Json& container : containers_of(pod)) {
      EXPECT_EQ(container.at("securityContext"), (Json{{"allowPrivilegeEscalation", false},
                                                       {"readOnlyRootFilesystem", true},
                                                       {"capabilities", {{"drop", Json::array({"ALL"})}}}}))
          << container.at("name");
    }
  }
}

TEST(StatefulSet, TheAuthoritysKeyIsNotMounted) {
  const std::string text = desired::stateful_set(full(), inputs()).dump();
  EXPECT_THAT(text, Not(HasSubstr("ca.key")));
  EXPECT_THAT(text, HasSubstr("ca.crt"));
  EXPECT_THAT(text, HasSubstr("probe-8.key")) << "certificates of all possible members are mounted";
}

TEST(StatefulSet, EveryMountHasItsVolume) {
  const Json set = desired::stateful_set(sample(), inputs());
  std::vector<std::string> volumes = {set.at("/spec/volumeClaimTemplates/0/metadata/name"_json_pointer)};
  for (const Json& volume : pod_of(set).at("volumes")) volumes.push_back(volume.at("name"));
  for (const Json& container : containers_of(pod_of(set))) {
    for (const Json& mount : container.at("volumeMounts")) {
      EXPECT_TRUE(std::ranges::contains(volumes, mount.at("name").get<std::string>())) << mount;
    }
  }
}

TEST(StatefulSet, SelectorMatchesThePods) {
  const Json set = desired::stateful_set(full(), inputs());
  const Json labels = set.at("/spec/template/metadata/labels"_json_pointer);
  for (const auto& [key, value] : set.at("/spec/selector/matchLabels"_json_pointer).items()) {
    EXPECT_EQ(labels.value(key, ""), value.get<std::string>()) << key;
  }
  EXPECT_EQ(labels.value("team", ""), "orders");
}

TEST(StatefulSet, MembersPreferDifferentNodesUnlessToldOtherwise) {
  const Json by_default = pod_of(desired::stateful_set(sample(), inputs())).at("affinity");
  EXPECT_EQ(by_default.at("/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm/"
                          "labelSelector/matchLabels"_json_pointer),
            (Json{{"mysql.baton.dev/cluster", "shop"}}));
  EXPECT_EQ(pod_of(desired::stateful_set(full(), inputs())).at("affinity"), full().spec.affinity);
}

TEST(StatefulSet, SpreadConstraintsCountThisClustersMembers) {
  const Json pod = pod_of(desired::stateful_set(full(), inputs()));
  EXPECT_EQ(pod.at("/topologySpreadConstraints/0/labelSelector/matchLabels"_json_pointer),
            (Json{{"mysql.baton.dev/cluster", "probe"}}));
}

TEST(StatefulSet, KeepsTheClaimTemplatesSizeBecauseItCannotBeChanged) {
  desired::StatefulSetInputs existing = inputs();
  existing.claim_size = "5Gi";
  const Json set = desired::stateful_set(sample(), existing);
  EXPECT_EQ(desired::claim_size_of(set), "5Gi");
  EXPECT_EQ(desired::claim_size_of(desired::stateful_set(sample(), inputs())), "10Gi");
  EXPECT_EQ(desired::claim_size_of(Json::object()), std::nullopt);
}

Json claim_of(std::string_view size) { return {{"spec", {{"resources", {{"requests", {{"storage", size}}}}}}}}; }

/// The patch, or null if none is needed.
Json growth(const Json& claim) { return desired::claim_growth(sample(), claim).value_or(Json()); }

TEST(VolumeClaims, GrowAndNeverShrink) {
  EXPECT_EQ(growth(claim_of("9Gi")), claim_of("10Gi"));
  EXPECT_EQ(growth(claim_of("10Gi")), Json());
  EXPECT_EQ(growth(claim_of("10240Mi")), Json());
  EXPECT_EQ(growth(claim_of("11G")), Json());
  EXPECT_EQ(growth(claim_of("10G")), claim_of("10Gi"));
  EXPECT_EQ(growth(Json::object()), Json());
}

TEST(VolumeClaims, ReadQuantities) {
  EXPECT_EQ(desired::parse_quantity("1Ki"), 1024.0L);
  EXPECT_EQ(desired::parse_quantity("1.5k"), 1500.0L);
  EXPECT_EQ(desired::parse_quantity("2e3"), 2000.0L);
  EXPECT_EQ(desired::parse_quantity("2E"), 2e18L);
  EXPECT_NEAR(static_cast<double>(desired::parse_quantity("500m").value()), 0.5, 1e-12);
  for (const char* const wrong : {"", "Gi", "1gi", "1 Gi", "inf", "nan", "1KiB", "--1"}) {
    EXPECT_EQ(desired::parse_quantity(wrong), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace baton::test
