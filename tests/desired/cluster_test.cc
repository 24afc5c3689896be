#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/mysql_cluster.h"
#include "tests/desired/fixture.h"

namespace baton::test {
namespace {

using ::testing::HasSubstr;

/// The sample with one value replaced.
Json sample_with(const Json::json_pointer& path, const Json& value) {
  Json manifest = as_stored(yaml_documents("crds/samples/cluster.yaml").front());
  manifest[path] = value;
  return manifest;
}

TEST(Cluster, ReadsMetadata) {
  Json manifest = as_stored(yaml_documents("crds/samples/cluster.yaml").front());
  manifest["metadata"]["annotations"] = {{"mysql.baton.dev/pause", "failover"}};
  manifest["metadata"]["deletionTimestamp"] = "2026-11-21T13:22:04Z";
  manifest["status"] = {{"epoch", 4}};
  const api::Cluster cluster = api::parse_cluster(manifest).value();
  EXPECT_EQ(cluster.name, "shop");
  EXPECT_EQ(cluster.name_space, "default");
  EXPECT_EQ(cluster.uid, "11111111-2222-3333-4444-555555555555");
  EXPECT_EQ(cluster.resource_version, "41");
  EXPECT_EQ(cluster.generation, 1);
  EXPECT_TRUE(cluster.deleting);
  EXPECT_EQ(cluster.annotations, (api::StringMap{{"mysql.baton.dev/pause", "failover"}}));
  EXPECT_EQ(cluster.status, (Json{{"epoch", 4}}));
}

TEST(Cluster, ReadsTheSpec) {
  const api::ClusterSpec spec = full().spec;
  EXPECT_EQ(spec.replicas, 5);
  EXPECT_EQ(spec.mysql_config.at("max-connections"), "500");
  EXPECT_EQ(spec.mysql_config.at("sql_mode"), "");
  EXPECT_EQ(spec.bootstrap, (api::Bootstrap{"orders", "orders_rw"}));
  EXPECT_EQ(spec.storage, (api::Storage{"100Gi", "fast"}));
  EXPECT_EQ(spec.acks, 2);
  EXPECT_EQ(spec.relay_log_durability, api::RelayLogDurability::kStrict);
  EXPECT_EQ(spec.crash_grace, Duration(2000));
  EXPECT_TRUE(spec.degrade);
  EXPECT_EQ(spec.salvage_tail, api::SalvageTail::kDiscard);
  EXPECT_EQ(spec.salvage_stall, std::chrono::seconds(30));
  EXPECT_EQ(spec.candidates, (std::vector<api::Candidate>{{"probe-0", 100, false}, {"probe-4", 50, true}}));
}

TEST(Cluster, WritesWhatItReads) {
  for (const api::Cluster& cluster : {sample(), full()}) {
    const Json again = {{"metadata", {{"name", cluster.name}}}, {"spec", api::to_json(cluster.spec)}};
    EXPECT_EQ(api::parse_cluster(again).value().spec, cluster.spec);
  }
}

struct Wrong {
  const char* path;
  Json value;
  const char* sentence;
};

TEST(Cluster, RefusesWithASentenceThatNamesTheField) {
  const std::vector<Wrong> cases = {
      {"/metadata/name", "Shop", "the name 'Shop' must begin with a letter"},
      {"/metadata/name", "shop-", "the name 'shop-' must begin with a letter"},
      {"/metadata/name", std::string(53, 'a'), "has 53 characters, but a cluster's name may have at most 52"},
      {"/spec", 7, "spec must be an object, not number"},
      {"/spec/image", "", "spec.image is missing"},
      {"/spec/replicas", 10, "spec.replicas must be a whole number from 1 to 9, not 10"},
      {"/spec/replicas", "3", "spec.replicas must be a whole number from 1 to 9, not \"3\""},
      {"/spec/mysql/config", Json{{"a", true}}, "spec.mysql.config must be an object of texts and whole numbers"},
      {"/spec/replication/semiSync/acks", 3, "spec.replication.semiSync.acks is 3, but of 3 members only 2"},
      {"/spec/replication/relayLogDurability", "Maybe", "must be Default or Strict, not Maybe"},
      {"/spec/replication/semiSync/belowMinimum", "Never",
       "spec.replication.semiSync.belowMinimum must be Block or Degrade, not Never"},
      {"/spec/failover/enabled", 1, "spec.failover.enabled must be true or false, not 1"},
      {"/spec/failover/salvage/tail", "Keep", "spec.failover.salvage.tail must be Apply or Discard, not Keep"},
      {"/spec/failover/salvage/stallSeconds", 0, "stallSeconds must be a whole number from 1 to 3600, not 0"},
      {"/spec/candidates", Json{{"pod", "shop-0"}}, "spec.candidates must be a list"},
      {"/spec/candidates", Json::array({{{"pod", "shop-9"}}}), "the members of this cluster are shop-0 to shop-8"},
      {"/spec/candidates", Json::array({{{"pod", "shop-0"}, {"priority", -1}}}),
       "spec.candidates[0].priority must be a whole number from 0 to 1000, not -1"},
  };
  for (const Wrong& wrong : cases) {
    const auto cluster = api::parse_cluster(sample_with(Json::json_pointer(wrong.path), wrong.value));
    ASSERT_FALSE(cluster.has_value()) << wrong.path;
    EXPECT_EQ(cluster.error().kind, ErrorKind::kTerminal);
    EXPECT_THAT(cluster.error().what, HasSubstr(wrong.sentence));
  }
  EXPECT_FALSE(api::parse_cluster(Json::array()).has_value());
}

TEST(Names, FollowFromTheClustersName) {
  const api::Names names("shop");
  EXPECT_EQ(names.pod(Ordinal{2}), "shop-2");
  EXPECT_EQ(names.claim(Ordinal{0}), "data-shop-0");
  EXPECT_EQ(names.members_service(), "shop-members");
  EXPECT_EQ(names.ordinal_of("shop-8"), Ordinal{8});
  EXPECT_EQ(names.ordinal_of("shop-9"), std::nullopt);
  EXPECT_EQ(names.ordinal_of("shop-08"), std::nullopt);
  EXPECT_EQ(names.ordinal_of("shopping-0"), std::nullopt);
}

}  // namespace
}  // namespace baton::test
