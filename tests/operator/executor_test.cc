#include "operator/run/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tests/operator/manual_clock.h"
#include "tests/operator/shop.h"

namespace baton {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kBound;
using test::kShop;

/// Sidecars whose answers wait until the test gives them.
class FakeSidecars final : public SidecarPort {
 public:
  Result<wire::OrderResult> give(const Context&, const SidecarAddress& to, const wire::Order& order) override {
    std::unique_lock lock(mutex_);
    orders_.push_back(to.pod + " " + std::string(wire::name_of(order.command)));
    changed_.notify_all();
    changed_.wait_for(lock, kBound, [&] { return open_; });
    if (refuse_) return fail(ErrorKind::kRetry, "no answer");
    wire::OrderResult result;
    result.state.member = to.pod;
    return result;
  }
  bool wait_for_orders(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kBound, [&] { return orders_.size() >= count; });
  }
  std::vector<std::string> orders() {
    const std::scoped_lock lock(mutex_);
    return orders_;
  }
  void open(bool open) {
    const std::scoped_lock lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void refuse(bool refuse) {
    const std::scoped_lock lock(mutex_);
    refuse_ = refuse;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> orders_;
  bool open_ = false;
  bool refuse_ = false;
};

class FakeCluster final : public ClusterPort {
 public:
  Result<Object> read(const Context&, const ClusterKey&) override { return Object(); }
  Result<Object> write_status(const Context&, const Object& cluster) override { return cluster; }
  Result<Object> remove_annotation(const Context&, const Object& cluster, std::string_view) override { return cluster; }
  Result<void> move_endpoint(const Context&, const ClusterKey&, const std::string& pod, Epoch) override {
    moved_to = pod;
    return {};
  }
  Result<void> label_role(const Context&, const ClusterKey&, const std::string&, const PodUid&,
                          const std::string&) override {
    return {};
  }
  std::string moved_to;
};

class FakeLease final : public LeasePort {
 public:
  [[nodiscard]] bool held() const override { return is_held; }
  [[nodiscard]] std::int64_t term() const override { return 1; }
  std::atomic<bool> is_held = true;
};

class Ears final : public StepObserver {
 public:
  void finished(const StepDone& done) override {
    const std::scoped_lock lock(mutex_);
    done_.push_back(done);
  }
  void wake(const ClusterKey&, Duration after) override {
    const std::scoped_lock lock(mutex_);
    wakes_.push_back(after);
    changed_.notify_all();
  }
  bool wait_for_wakes(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kBound, [&] { return wakes_.size() >= count; });
  }
  std::vector<StepDone> done() {
    const std::scoped_lock lock(mutex_);
    return done_;
  }
  std::vector<Duration> wakes() {
    const std::scoped_lock lock(mutex_);
    return wakes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<StepDone> done_;
  std::vector<Duration> wakes_;
};

class ExecutorTest : public ::testing::Test {
 protected:
  void TearDown() override { sidecars_.open(true); }

  static Plan plan(std::vector<engine::Step> steps, std::int64_t revision = 1) {
    Plan plan{.epoch = Epoch(1), .revision = Revision(revision), .members = {}, .database = "app", .user = "app"};
    for (int i = 0; i < 3; ++i) {
      plan.members.push_back({.at = {.cluster = kShop,
                                     .ordinal = Ordinal(i),
                                     .pod = "shop-" + std::to_string(i),
                                     .pod_uid = PodUid("uid"),
                                     .address = "10.0.0." + std::to_string(i + 1)},
                              .uuid = ServerUuid("uuid")});
    }
    plan.steps = std::move(steps);
    return plan;
  }

  test::ManualClock clock_;
  FakeSidecars sidecars_;
  FakeCluster cluster_;
  FakeLease lease_;
  Ears ears_;
  Executor executor_{{sidecars_, cluster_, lease_, clock_}, ears_, Logger(), 8};
};

TEST_F(ExecutorTest, OneOrderPerMemberIsInFlightAndAFenceOvertakes) {
  executor_.submit(kShop, plan({engine::StopReceiver{Ordinal(1)}, engine::StopReceiver{Ordinal(2)}}));
  ASSERT_TRUE(sidecars_.wait_for_orders(2));
  executor_.submit(kShop,
                   plan({engine::StopReceiver{Ordinal(1)}, engine::Permit{Ordinal(2)}, engine::Fence{Ordinal(1)}}));
  ASSERT_TRUE(sidecars_.wait_for_orders(3));
  EXPECT_EQ(sidecars_.orders().back(), "shop-1 Fence");
  sidecars_.open(true);
  ASSERT_TRUE(ears_.wait_for_wakes(3));
  EXPECT_EQ(ears_.done().size(), 3U);
  EXPECT_EQ(sidecars_.orders().size(), 3U);
  EXPECT_EQ(ears_.done().front().state->member.substr(0, 5), "shop-");
}

TEST_F(ExecutorTest, TheNextPodDoesNotWaitForAnOrderToTheOneBefore) {
  executor_.submit(kShop, plan({engine::StopReceiver{Ordinal(1)}}));
  ASSERT_TRUE(sidecars_.wait_for_orders(1));
  Plan next = plan({engine::StopReceiver{Ordinal(1)}});
  next.members[1].at.pod_uid = PodUid("another");
  executor_.submit(kShop, next);
  ASSERT_TRUE(sidecars_.wait_for_orders(2));
}

TEST_F(ExecutorTest, FailedStepsBackOffFromTheirStart) {
  sidecars_.open(true);
  sidecars_.refuse(true);
  executor_.submit(kShop, plan({engine::Permit{Ordinal(1)}}));
  ASSERT_TRUE(ears_.wait_for_wakes(1));
  EXPECT_EQ(ears_.wakes().front(), Duration::zero());
  executor_.submit(kShop, plan({engine::Permit{Ordinal(1)}}));
  ASSERT_TRUE(ears_.wait_for_wakes(2));
  EXPECT_EQ(ears_.wakes().back(), milliseconds(100));
  EXPECT_EQ(sidecars_.orders().size(), 1U);
  clock_.advance(milliseconds(100));
  executor_.submit(kShop, plan({engine::Permit{Ordinal(1)}}));
  ASSERT_TRUE(ears_.wait_for_wakes(3));
  executor_.submit(kShop, plan({engine::Permit{Ordinal(1)}}));
  ASSERT_TRUE(ears_.wait_for_wakes(4));
  EXPECT_EQ(ears_.wakes().back(), milliseconds(200));
  // Another wish is not put off by it.
  executor_.submit(kShop, plan({engine::StopReceiver{Ordinal(1)}}));
  EXPECT_TRUE(sidecars_.wait_for_orders(3));
}

TEST_F(ExecutorTest, AStepThatSucceededRestsUntilARecordMeansItAnew) {
  sidecars_.open(true);
  executor_.submit(kShop, plan({engine::Open{Ordinal(1), {}}}));
  ASSERT_TRUE(ears_.wait_for_wakes(1));
  executor_.submit(kShop, plan({engine::Open{Ordinal(1), {}}}));
  ASSERT_TRUE(ears_.wait_for_wakes(2));
  EXPECT_EQ(ears_.wakes().back(), milliseconds(100));
  EXPECT_EQ(sidecars_.orders().size(), 1U);
  executor_.submit(kShop, plan({engine::Open{Ordinal(1), {}}}, 2));
  EXPECT_TRUE(sidecars_.wait_for_orders(2));
}

TEST_F(ExecutorTest, NothingIsOrderedWithoutTheLease) {
  sidecars_.open(true);
  lease_.is_held = false;
  executor_.submit(kShop, plan({engine::Fence{Ordinal(0)}}));
  ASSERT_TRUE(ears_.wait_for_wakes(1));
  EXPECT_TRUE(sidecars_.orders().empty());
  EXPECT_EQ(ears_.done().front().result.error().kind, ErrorKind::kCancelled);
}

TEST_F(ExecutorTest, WhatCannotBeUndoneIsRefusedOnceTheRecordHasMovedOn) {
  Executor narrow({sidecars_, cluster_, lease_, clock_}, ears_, Logger(), 1);
  narrow.submit(kShop, plan({engine::StopReceiver{Ordinal(1)}, engine::Permit{Ordinal(2)}}));
  ASSERT_TRUE(sidecars_.wait_for_orders(1));
  // The epoch is the same; the permit waits for the only thread.
  narrow.submit(kShop, plan({}, 2));
  sidecars_.open(true);
  ASSERT_TRUE(ears_.wait_for_wakes(2));
  EXPECT_EQ(sidecars_.orders(), std::vector<std::string>{"shop-1 StopReceiver"});
  EXPECT_TRUE(ears_.done().front().result);
  ASSERT_FALSE(ears_.done().back().result);
  EXPECT_EQ(ears_.done().back().result.error().kind, ErrorKind::kConflict);
}

TEST_F(ExecutorTest, TheEndpointMovesWhileItsMemberIsBusy) {
  executor_.submit(kShop, plan({engine::StopReceiver{Ordinal(1)}, engine::Repoint{Ordinal(1)}}));
  ASSERT_TRUE(ears_.wait_for_wakes(1));
  EXPECT_EQ(cluster_.moved_to, "shop-1");
}

TEST_F(ExecutorTest, AMemberWithoutAnAddressIsNotTried) {
  sidecars_.open(true);
  Plan unaddressed = plan({engine::Permit{Ordinal(1)}, engine::Permit{Ordinal(2)}});
  unaddressed.members[1].at.address.clear();
  executor_.submit(kShop, unaddressed);
  ASSERT_TRUE(ears_.wait_for_wakes(1));
  EXPECT_EQ(sidecars_.orders(), std::vector<std::string>{"shop-2 Permit"});
}

}  // namespace
}  // namespace baton
