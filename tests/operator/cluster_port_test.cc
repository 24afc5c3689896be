#include "operator/reconcile/cluster_port.h"

#include <gtest/gtest.h>

#include "operator/api/names.h"
#include "operator/reconcile/endpoint.h"
#include "tests/operator/fake_api_server.h"
#include "tests/operator/shop.h"

namespace baton::reconcile {
namespace {

using test::kShop;

const std::string kService = kube::object_path(kube::kServices, {"default", "shop-primary"});
const std::string kPod = kube::object_path(kube::kPods, {"default", "shop-0"});

class ClusterPortTest : public ::testing::Test {
 protected:
  /// Somebody points the Service at a pod.
  void point(const char* pod, int epoch) {
    const Object annotations = {{std::string(api::kEpochAnnotation), std::to_string(epoch)}};
    const Object selector = {{std::string(api::kPodNameLabel), pod}};
    const Object labels = {{std::string(api::kClusterLabel), "shop"}};
    server_.write(kService, {{"metadata", {{"name", "shop-primary"}, {"annotations", annotations}, {"labels", labels}}},
                             {"spec", {{"selector", selector}}}});
  }
  void fill_cache() { cached_ = std::make_shared<const Object>(server_.objects.at(kService)); }
  Result<void> move(const char* pod, int epoch) { return port_.move_endpoint({}, kShop, pod, Epoch(epoch)); }
  Endpoint endpoint() { return endpoint_of(server_.objects.at(kService)); }

  test::FakeApiServer server_;
  kube::KubeClient client_{server_, server_};
  kube::ObjectPtr cached_;
  KubeClusterPort port_{client_, [this](const kube::ObjectKey&) { return cached_; }};
};

TEST_F(ClusterPortTest, AnOlderEpochDoesNotMoveTheEndpoint) {
  point("shop-0", 6);
  const auto refused = [&] {
    const auto moved = move("shop-2", 6);
    return !moved && moved.error().kind == ErrorKind::kConflict && endpoint().pod == "shop-1";
  };
  fill_cache();
  point("shop-1", 7);
  EXPECT_TRUE(refused()) << "the cache is behind";
  fill_cache();
  EXPECT_TRUE(refused());
  cached_ = nullptr;
  EXPECT_TRUE(refused()) << "nothing is cached";
}

TEST_F(ClusterPortTest, TheEndpointMovesOnceAlthoughTheCacheIsBehind) {
  point("shop-0", 6);
  fill_cache();
  server_.write(kService, {{"metadata", {{"labels", {{"somebodys", "label"}}}}}});
  const auto moved = move("shop-1", 7);
  ASSERT_TRUE(moved) << moved.error().what;
  EXPECT_EQ(endpoint().pod, "shop-1");
  EXPECT_EQ(endpoint().epoch, Epoch(7));
  fill_cache();
  server_.asked.clear();
  EXPECT_TRUE(move("shop-1", 7));
  EXPECT_TRUE(server_.asked.empty());
}

TEST_F(ClusterPortTest, AServiceThatIsSomebodyElsesIsNotMoved) {
  server_.write(kService, {{"metadata", {{"name", "shop-primary"}}}, {"spec", {{"selector", {{"app", "theirs"}}}}}});
  const auto refused = move("shop-1", 7);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsafe);
  EXPECT_EQ(server_.objects.at(kService)["spec"]["selector"], (Object{{"app", "theirs"}}));
}

TEST_F(ClusterPortTest, AnnotationAndLabelAreWrittenOnlyToWhatWasLookedAt) {
  const std::string path = kube::object_path(cluster_type(), kShop);
  server_.write(path, {{"metadata", {{"namespace", "default"}, {"name", "shop"}, {"annotations", {{"word", "one"}}}}}});
  const Object looked_at = server_.objects.at(path);
  server_.write(path, {{"metadata", {{"annotations", {{"word", "another"}}}}}});
  EXPECT_EQ(port_.remove_annotation({}, looked_at, "word").error().kind, ErrorKind::kConflict);
  EXPECT_EQ(server_.objects.at(path)["metadata"]["annotations"]["word"], "another");

  server_.write(kPod, {{"metadata", {{"name", "shop-0"}, {"uid", "successor"}}}});
  EXPECT_EQ(port_.label_role({}, kShop, "shop-0", PodUid("predecessor"), "replica").error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(port_.label_role({}, kShop, "shop-0", PodUid("successor"), "replica"));
  EXPECT_EQ(server_.objects.at(kPod)["metadata"]["labels"][std::string(api::kRoleLabel)], "replica");
}

}  // namespace
}  // namespace baton::reconcile
