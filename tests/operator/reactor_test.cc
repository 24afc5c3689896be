#include "operator/reconcile/reactor.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/operator/manual_clock.h"
#include "tests/operator/told_events.h"

namespace baton::reconcile {
namespace {

class ReactorTest : public ::testing::Test {
 protected:
  void finish(engine::Step step, Result<void> result) {
    reactor_.finished({.key = {"default", "shop"},
                       .step = std::move(step),
                       .cluster = "shop",
                       .result = std::move(result),
                       .state = std::nullopt});
  }

  test::ManualClock clock_;
  SidecarBook book_;
  Timelines timelines_;
  test::ToldEvents events_;
  Metrics metrics_{book_, clock_};
  Reactor reactor_{{.book = book_,
                    .timelines = timelines_,
                    .events = events_,
                    .metrics = metrics_,
                    .clock = clock_,
                    .log = Logger(),
                    .look_at = [](const ClusterKey&, Duration) {}}};
};

TEST_F(ReactorTest, WhatASafetyRuleRefusedIsToldAndWhatMerelyFailedIsNot) {
  finish(engine::StopReceiver{Ordinal(1)}, fail(ErrorKind::kRetry, "no answer"));
  EXPECT_TRUE(events_.told.empty());
  finish(engine::StopReceiver{Ordinal(1)}, fail(ErrorKind::kUnsafe, "this is the last copy"));
  EXPECT_EQ(events_.told, std::vector<std::string>{"StepRefused: stop the receiver of shop-1: this is the last copy"});
}

/// What the API server denies says nothing about the member's token.
TEST_F(ReactorTest, OnlyADeniedOrderTellsOfTheToken) {
  const ClusterKey shop{"default", "shop"};
  book_.expect(shop, "shop-1", clock_.now());
  finish(engine::LabelRole{Ordinal(1), "replica"}, fail(ErrorKind::kDenied, "forbidden"));
  EXPECT_EQ(book_.refusal(shop, "shop-1", clock_.now()), "");
  finish(engine::StopReceiver{Ordinal(1)}, fail(ErrorKind::kDenied, "wrong token"));
  EXPECT_EQ(book_.refusal(shop, "shop-1", clock_.now()), "wrong token");
}

}  // namespace
}  // namespace baton::reconcile
