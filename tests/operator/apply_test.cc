#include "operator/reconcile/apply.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "operator/reconcile/pod_facts.h"
#include "tests/operator/fake_api_server.h"
#include "tests/operator/manual_clock.h"
#include "tests/operator/told_events.h"

namespace baton::reconcile {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kClaims = "/api/v1/namespaces/default/persistentvolumeclaims/";
const std::string kSecrets = "/api/v1/namespaces/default/secrets";
const std::string kPrimaryService = "/api/v1/namespaces/default/services/shop-primary";
const std::string kReplicasService = "/api/v1/namespaces/default/services/shop-replicas";
const std::string kStatefulSet = "/apis/apps/v1/namespaces/default/statefulsets/shop";
const std::string kConfigMap = "/api/v1/namespaces/default/configmaps/shop-mysql";
const std::string kDisruptionBudget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/shop";

class ApplyTest : public ::testing::Test {
 protected:
  ApplyTest() {
    cluster_.name = "shop";
    cluster_.name_space = "default";
    cluster_.uid = "uid";
    cluster_.generation = 1;
    cluster_.spec.image = "mysql:8.4";
    cluster_.spec.replicas = 1;
  }
  std::vector<engine::Finding> bring(bool services_too = true) {
    return applier_.bring(Context{.deadline = clock_.now() + seconds(5)}, cluster_, 1, services_too);
  }
  void schedule_pod(const char* status) {
    const Object condition = {{"type", "PodScheduled"}, {"status", status}};
    pod_ = std::make_shared<const Object>(Object{{"status", {{"conditions", {condition}}}}});
  }
  void put_claim(const char* phase) {
    server_.objects[kClaims + "data-shop-0"] = {{"metadata", {{"name", "data-shop-0"}, {"uid", "claim-uid"}}},
                                                {"status", {{"phase", phase}}}};
  }
  static Object event(const char* name, const char* at, const char* message) {
    return {{"metadata", {{"name", name}, {"namespace", "default"}}}, {"lastTimestamp", at}, {"message", message}};
  }
  void put_events(const Object& items) {
    server_.objects["/api/v1/namespaces/default/events"] = {{"metadata", {{"resourceVersion", "1"}}}, {"items", items}};
  }
  /// A cache that is never behind. It holds what bears some cluster's label.
  Lookup cache_of(const kube::ResourceType& type) {
    return [this, &type](const kube::ObjectKey& key) -> kube::ObjectPtr {
      const auto found = server_.objects.find(kube::object_path(type, key));
      if (found == server_.objects.end() || owner_of(found->second).name.empty()) return nullptr;
      return std::make_shared<const Object>(found->second);
    };
  }
  /// How often a write to this path was tried.
  [[nodiscard]] std::ptrdiff_t writes_to(const std::string& path) const {
    return std::ranges::count_if(server_.asked, [&](const std::string& call) {
      return !call.starts_with("GET ") && (call + "?").contains(" " + path + "?");
    });
  }
  [[nodiscard]] bool asked_for_events() const {
    return std::ranges::any_of(server_.asked, [](const std::string& call) { return call.contains("/events?"); });
  }

  test::ManualClock clock_;
  test::FakeApiServer server_;
  kube::KubeClient client_{server_, server_};
  test::ToldEvents events_;
  api::Cluster cluster_;
  kube::ObjectPtr pod_;
  Applier applier_{client_,
                   clock_,
                   events_,
                   {.sidecar_image = "sidecar", .sidecar_pull_policy = "Never"},
                   {.pods = [this](const kube::ObjectKey&) { return pod_; },
                    .services = cache_of(kube::kServices),
                    .stateful_sets = cache_of(kube::kStatefulSets)}};
};

TEST_F(ApplyTest, AClaimThatIsOnItsWayIsNoObstacle) {
  schedule_pod("False");
  put_claim("Pending");
  put_events(Object::array());
  EXPECT_TRUE(bring().empty());
  EXPECT_TRUE(asked_for_events());
}

TEST_F(ApplyTest, AClaimWithAWarningIsAnObstacleUntilItsPodIsScheduled) {
  schedule_pod("False");
  put_claim("Pending");
  put_events({event("a", "2026-01-01T00:00:00Z", "older"),
              event("b", "2026-01-01T00:00:09Z", "storageclass \"no\" not found")});
  const auto obstacles = bring();
  ASSERT_EQ(obstacles.size(), 1U);
  EXPECT_EQ(obstacles[0].code, "VolumeNotBound");
  EXPECT_EQ(obstacles[0].sentence,
            "PersistentVolumeClaim data-shop-0 is not bound, and shop-0 waits for it: storageclass \"no\" not found");
  // It is remembered, and not asked for with each look.
  server_.asked.clear();
  EXPECT_EQ(bring().size(), 1U);
  EXPECT_FALSE(asked_for_events());
  clock_.advance(Applier::kClaimPeriod);
  EXPECT_EQ(bring().size(), 1U);
  EXPECT_TRUE(asked_for_events());
  schedule_pod("True");
  EXPECT_TRUE(bring().empty());
}

TEST_F(ApplyTest, AScheduledPodsClaimIsNotLookedAt) {
  schedule_pod("True");
  EXPECT_TRUE(bring().empty());
  EXPECT_FALSE(asked_for_events());
}

TEST_F(ApplyTest, WhatSomebodyChangedIsPutBackAtOnce) {
  EXPECT_TRUE(bring().empty());
  server_.write(kStatefulSet, {{"spec", {{"replicas", 9}}}});
  server_.write(kPrimaryService, {{"spec", {{"publishNotReadyAddresses", false}}}});
  EXPECT_TRUE(bring().empty());
  EXPECT_EQ(server_.objects.at(kStatefulSet)["spec"]["replicas"], 1);
  EXPECT_EQ(server_.objects.at(kPrimaryService)["spec"]["publishNotReadyAddresses"], true);
  server_.asked.clear();
  server_.write(kStatefulSet, {{"status", {{"readyReplicas", 1}}}});
  EXPECT_TRUE(bring().empty());
  EXPECT_TRUE(server_.asked.empty()) << "nothing changed but a status: " << server_.asked.front();
}

TEST_F(ApplyTest, WhileAnEndpointIsToMoveAMissingServiceIsMadeAndTheOthersAreLeftAlone) {
  EXPECT_TRUE(bring().empty());
  server_.objects.erase(kPrimaryService);
  server_.write(kReplicasService, {{"spec", {{"type", "LoadBalancer"}}}});
  EXPECT_TRUE(bring(false).empty());
  EXPECT_TRUE(server_.objects.contains(kPrimaryService)) << "nothing could be pointed at the new primary";
  EXPECT_EQ(server_.objects.at(kReplicasService)["spec"]["type"], "LoadBalancer");
  EXPECT_TRUE(bring().empty());
  EXPECT_EQ(server_.objects.at(kReplicasService)["spec"]["type"], "ClusterIP");
}

TEST_F(ApplyTest, AServerThatFailsIsToldOfAndAskedAgain) {
  server_.refuses = true;
  const auto obstacles = bring();
  ASSERT_EQ(obstacles.size(), 1U);
  EXPECT_EQ(obstacles[0].code, "ObjectNotApplied");
  EXPECT_NE(obstacles[0].sentence.find("503"), std::string::npos) << obstacles[0].sentence;
  clock_.advance(seconds(1));
  EXPECT_TRUE(bring().empty());
}

TEST_F(ApplyTest, ARefusedObjectIsTriedLaterAndLaterAndAtOnceWhenItIsAnother) {
  server_.refused_path = kStatefulSet;
  // A cluster that takes writes is looked at five times a second.
  for (int look = 0; look < 300; ++look) {
    const auto obstacles = bring();
    ASSERT_EQ(obstacles.size(), 1U) << "it is told all the time";
    ASSERT_EQ(obstacles[0].code, "ObjectRefused");
    clock_.advance(milliseconds(200));
  }
  EXPECT_EQ(writes_to(kStatefulSet), 6) << "after 1, 3, 7, 15 and 31 seconds";
  cluster_.spec.image = "mysql:9.7";
  server_.refused_path.clear();
  EXPECT_TRUE(bring().empty());
}

TEST_F(ApplyTest, ARefusedSecretIsNotMadeAnewWithEachLook) {
  server_.refused_path = kSecrets + "/shop-baton";
  for (int look = 0; look < 4; ++look) {
    EXPECT_EQ(bring().size(), 1U);
    clock_.advance(milliseconds(200));
  }
  EXPECT_EQ(writes_to(kSecrets), 1);
}

TEST_F(ApplyTest, AClaimThatMayNotGrowKeepsNoOtherSmall) {
  EXPECT_TRUE(bring().empty());
  const auto size = Object::json_pointer("/spec/resources/requests/storage");
  for (const char* name : {"data-shop-0", "data-shop-1"}) server_.objects[kClaims + name][size] = "10Gi";
  cluster_.spec.storage.size = "20Gi";
  server_.refused_path = kClaims + "data-shop-0";
  for (int look = 0; look < 4; ++look) {
    const auto obstacles = bring();
    ASSERT_EQ(obstacles.size(), 1U);
    EXPECT_TRUE(obstacles[0].sentence.starts_with("volume claim data-shop-0: ")) << obstacles[0].sentence;
    clock_.advance(milliseconds(200));
  }
  EXPECT_EQ(server_.objects.at(kClaims + "data-shop-1").at(size), "20Gi");
  EXPECT_EQ(writes_to(kClaims + "data-shop-0"), 1);
}

TEST_F(ApplyTest, WhatIsSomebodyElsesIsLeftAloneAndToldOf) {
  const std::string space = "/api/v1/namespaces/default/";
  for (const std::string& path :
       {kSecrets + "/shop-app", kPrimaryService, kStatefulSet, space + "configmaps/shop-mysql",
        std::string("/apis/policy/v1/namespaces/default/poddisruptionbudgets/shop")}) {
    server_ = {};
    applier_.forget({"default", "shop"});
    const std::string name = path.substr(path.rfind('/') + 1);
    server_.write(path,
                  {{"metadata", {{"name", name}, {"labels", {{"app", "theirs"}}}}}, {"data", {{"password", ""}}}});
    const Object theirs = server_.objects.at(path);
    const auto obstacles = bring();
    ASSERT_EQ(obstacles.size(), 1U) << path;
    EXPECT_EQ(obstacles[0].code, "ObjectNotOurs");
    EXPECT_TRUE(obstacles[0].sentence.contains(" " + name + " is there already")) << obstacles[0].sentence;
    EXPECT_EQ(server_.objects.at(path), theirs);
    EXPECT_TRUE(server_.objects.contains(kSecrets + "/shop-baton")) << "the rest is made";
    server_.objects.erase(path);
    clock_.advance(Applier::kFirstRetry);
    EXPECT_TRUE(bring().empty());
    EXPECT_TRUE(server_.objects.contains(path));
  }
}

TEST_F(ApplyTest, SecretsOfSomebodyElseAreNeitherTakenNorWritten) {
  const std::string path = kSecrets + "/shop-baton";
  server_.write(path, {{"metadata", {{"name", "shop-baton"}}}, {"data", {{"token", "bmV3"}, {"ca.crt", "bmV3"}}}});
  const Object theirs = server_.objects.at(path);
  applier_.refresh_credentials({.deadline = clock_.now() + seconds(60)}, cluster_);
  EXPECT_FALSE(applier_.credentials({"default", "shop"}));
  EXPECT_EQ(bring().at(0).code, "ObjectNotOurs");
  EXPECT_EQ(server_.objects.at(path), theirs);
}

TEST_F(ApplyTest, WhatADeletedClusterLeftBehindIsTakenUp) {
  EXPECT_TRUE(bring().empty());
  const Object token = server_.objects.at(kSecrets + "/shop-baton")["data"]["token"];
  for (auto& [path, object] : server_.objects) object["metadata"].erase("ownerReferences");
  // Owned, and without the label, as an object that somebody else's tool writes anew.
  server_.objects.at(kStatefulSet)["metadata"] = {
      {"name", "shop"},
      {"namespace", "default"},
      {"ownerReferences",
       {{{"apiVersion", "mysql.baton.dev/v1alpha1"}, {"kind", "MySQLReplicationCluster"}, {"name", "shop"}}}}};
  applier_.forget({"default", "shop"});
  cluster_.uid = "another";
  EXPECT_TRUE(bring().empty());
  EXPECT_EQ(server_.objects.at(kSecrets + "/shop-baton")["data"]["token"], token);
  EXPECT_EQ(server_.objects.at(kStatefulSet)["metadata"]["ownerReferences"][0]["uid"], "another");
}

TEST_F(ApplyTest, WhatIsNotWatchedIsPutBackInTime) {
  EXPECT_TRUE(bring().empty());
  const Object config = server_.objects.at(kConfigMap)["data"];
  const Object budget = server_.objects.at(kDisruptionBudget)["spec"];
  ASSERT_FALSE(config.empty());
  ASSERT_EQ(budget["maxUnavailable"], 1);
  const auto put_back_in_time = [&] {
    server_.asked.clear();
    clock_.advance(Applier::kRepeat - seconds(1));
    EXPECT_TRUE(bring().empty());
    EXPECT_TRUE(server_.asked.empty()) << "not with each look: " << server_.asked.front();
    clock_.advance(seconds(1));
    EXPECT_TRUE(bring().empty());
    ASSERT_TRUE(server_.objects.contains(kConfigMap) && server_.objects.contains(kDisruptionBudget));
    EXPECT_EQ(server_.objects.at(kConfigMap)["data"], config);
    EXPECT_EQ(server_.objects.at(kDisruptionBudget)["spec"], budget);
  };
  server_.write(kConfigMap, {{"data", {{"my.cnf", "[mysqld]\nskip_log_bin"}}}});
  server_.write(kDisruptionBudget, {{"spec", {{"maxUnavailable", 3}}}});
  put_back_in_time();
  server_.objects.erase(kConfigMap);
  server_.objects.erase(kDisruptionBudget);
  put_back_in_time();
}

TEST_F(ApplyTest, TheFinalizersOfOthersAreKept) {
  const std::string path = kube::object_path(cluster_type(), {"default", "shop"});
  server_.write(path, {{"metadata", {{"namespace", "default"}, {"name", "shop"}}}});
  const Object stale = server_.objects.at(path);
  server_.write(path, {{"metadata", {{"finalizers", {"theirs"}}}}});
  const Context context{.deadline = clock_.now() + seconds(5)};
  const auto refused = applier_.set_finalizer(context, stale, true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kConflict);
  const auto added = applier_.set_finalizer(context, server_.objects.at(path), true);
  ASSERT_TRUE(added) << added.error().what;
  EXPECT_EQ((*added)["metadata"]["finalizers"], Object::array({"theirs", kFinalizer}));
  const auto removed = applier_.set_finalizer(context, *added, false);
  ASSERT_TRUE(removed) << removed.error().what;
  EXPECT_EQ((*removed)["metadata"]["finalizers"], Object::array({"theirs"}));
}

TEST_F(ApplyTest, ADeletedSecretIsWrittenAgainAndAnEventSaysSo) {
  EXPECT_TRUE(bring().empty());
  EXPECT_TRUE(events_.told.empty()) << "a new Secret is not a restored one";
  const Object before = server_.objects.at(kSecrets + "/shop-baton").at("data");
  server_.objects.erase(kSecrets + "/shop-baton");
  server_.objects.erase(kSecrets + "/shop-app");
  const Context context{.deadline = clock_.now() + seconds(60)};
  clock_.advance(Applier::kSecretPeriod);
  applier_.refresh_credentials(context, cluster_);
  // An attempt that fails forgets nothing.
  server_.refuses = true;
  EXPECT_EQ(bring().size(), 1U);
  clock_.advance(Applier::kFirstRetry);
  EXPECT_TRUE(bring().empty());
  EXPECT_EQ(server_.objects.at(kSecrets + "/shop-baton").at("data"), before);
  EXPECT_EQ(events_.told, (std::vector<std::string>{
                              "SecretRestored: Secret shop-baton was gone and is written again with what it held",
                              "SecretRestored: Secret shop-app was gone and is written again with what it held"}));
}

TEST_F(ApplyTest, TheTokenBeforeAChangeIsKept) {
  EXPECT_TRUE(bring().empty());
  const auto first = applier_.credentials({"default", "shop"});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->earlier_token, "");
  server_.objects.at(kSecrets + "/shop-baton").at("data")["token"] = "bmV3";
  clock_.advance(Applier::kSecretPeriod);
  applier_.refresh_credentials({.deadline = clock_.now() + seconds(60)}, cluster_);
  EXPECT_TRUE(bring().empty());
  const auto second = applier_.credentials({"default", "shop"});
  EXPECT_EQ(second->token, "new");
  EXPECT_EQ(second->earlier_token, first->token);
}

}  // namespace
}  // namespace baton::reconcile
