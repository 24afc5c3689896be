#include "operator/reconcile/observe.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/operator/shop.h"

namespace baton::reconcile {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kShop;
using test::kStart;

class ObserveTest : public ::testing::Test {
 protected:
  ObserveTest() {
    cluster_.name = "shop";
    cluster_.spec.replicas = 1;
  }
  /// A line of shop-0's sidecar in this pod, heard at the start.
  void hear(const char* pod_uid, const char* uuid) {
    wire::MemberState state{.member = "shop-0", .pod_uid = pod_uid, .boot_id = "boot", .sidecar_id = pod_uid};
    state.sequence = 1;
    state.uuid = uuid;
    state.directory = wire::Directory::kCloned;
    ASSERT_TRUE(book_.hear(kShop, std::move(state), kStart));
  }
  void put_pod(const char* uid) {
    const Object pod = {{"metadata", {{"name", "shop-0"}, {"uid", uid}}}, {"status", {{"podIP", "10.0.0.1"}}}};
    pods_ = {std::make_shared<const Object>(pod)};
  }
  [[nodiscard]] engine::ObservedCluster observe_after(Duration time) const {
    const Instant now = kStart + time;
    return observe(cluster_, {.pods = pods_, .entries = book_.entries(kShop, now)}, now);
  }

  api::Cluster cluster_;
  SidecarBook book_;
  std::vector<kube::ObjectPtr> pods_;
};

TEST_F(ObserveTest, AMemberThatIsSilentForTwoSecondsIsNotHeard) {
  put_pod("pod-1");
  hear("pod-1", "uuid-1");
  EXPECT_TRUE(observe_after(seconds(2)).members.at(0).heard);
  const auto later = observe_after(milliseconds(2001)).members.at(0);
  EXPECT_FALSE(later.heard);
  ASSERT_TRUE(later.report) << "what it said last is known all the same";
  EXPECT_EQ(later.report->uuid, ServerUuid("uuid-1"));
}

TEST_F(ObserveTest, AnEarlierPodSpeaksForItsMemberButIsNotHeard) {
  put_pod("pod-2");
  hear("pod-1", "uuid-1");
  const auto before = observe_after(seconds(0)).members.at(0);
  EXPECT_FALSE(before.heard);
  ASSERT_TRUE(before.report);
  EXPECT_EQ(before.report->pod_uid, PodUid("pod-1"));
  hear("pod-2", "uuid-2");
  const auto after = observe_after(seconds(0));
  EXPECT_TRUE(after.members.at(0).heard);
  EXPECT_EQ(after.members.at(0).report->uuid, ServerUuid("uuid-2"));
  ASSERT_EQ(after.departed.size(), 1U) << "what the earlier data proved stays proven";
  EXPECT_EQ(after.departed.at(0).uuid, ServerUuid("uuid-1"));
}

}  // namespace
}  // namespace baton::reconcile
