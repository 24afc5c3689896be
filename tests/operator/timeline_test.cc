#include "operator/reconcile/timeline.h"

#include <gtest/gtest.h>

#include "tests/operator/records.h"

namespace baton::reconcile {
namespace {

TEST(TimelineTest, KeepsThePhasesOfAFailover) {
  TimelineKeeper keeper;
  const WallTime t0{std::chrono::seconds(1'700'000'000)};
  const auto after = [&](int ms) { return t0 + std::chrono::milliseconds(ms); };
  engine::Recorded before = full_record();
  before.failover.reset();
  before.current_primary = engine::PrimaryRef{Ordinal(0), ServerUuid(kUuid0)};
  engine::Recorded begun = full_record();
  begun.current_primary = before.current_primary;
  begun.failover->phase = engine::FailoverPhase::kRevoking;
  keeper.record_written(before, begun, kShopNames, after(0), after(5), after(12));
  keeper.step_succeeded(engine::StopReceiver{Ordinal(1)}, after(20));
  keeper.step_succeeded(engine::StopReceiver{Ordinal(2)}, after(25));
  keeper.record_written(begun, full_record(), kShopNames, std::nullopt, after(30), after(38));
  keeper.step_succeeded(engine::Open{Ordinal(1), {}}, after(66));
  keeper.step_succeeded(engine::Repoint{Ordinal(1)}, after(80));
  engine::Recorded over = full_record();
  over.failover.reset();
  keeper.record_written(full_record(), over, kShopNames, std::nullopt, after(90), after(99));

  const Timeline& timeline = keeper.timeline();
  std::vector<std::string> names;
  for (const auto& phase : timeline.phases) names.push_back(phase.name + phase.at.substr(19));
  EXPECT_EQ(names, (std::vector<std::string>{"detected.000Z", "decided.005Z", "recorded.012Z", "revoked.025Z",
                                             "chosen.038Z", "opened.066Z", "repointed.080Z"}));
  EXPECT_EQ(timeline.from, "shop-0");
  EXPECT_EQ(timeline.to, "shop-1");
  EXPECT_EQ(timeline.finished_at.substr(19), ".090Z");
  EXPECT_EQ(ended(timeline, full_record(), kShopNames, "", after(90)), timeline)
      << "the write that ends it says the same";
}

TEST(TimelineTest, AFailoverThatAnotherProcessBeganIsToldFromTheRecord) {
  engine::Recorded after = full_record();
  after.failover.reset();
  EXPECT_TRUE(ends_failover(full_record(), after));
  EXPECT_FALSE(ends_failover(after, full_record()));
  EXPECT_FALSE(ends_failover(full_record(), full_record()));
  after.failover = engine::FailoverRecord{.id = "shop-8"};
  EXPECT_TRUE(ends_failover(full_record(), after)) << "another one took its place";

  const Timeline told =
      ended(Timeline{.id = "shop-6"}, full_record(), kShopNames, "t1", WallTime{std::chrono::seconds(0)});
  EXPECT_EQ(told.id, "shop-7");
  EXPECT_EQ(told.from, "shop-0");
  EXPECT_EQ(told.to, "shop-1");
  EXPECT_EQ(told.reason, "killed by signal 9");
  EXPECT_EQ(told.started_at, "t1");
  EXPECT_EQ(told.finished_at, "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(told.target, full_record().floor.to_string());
  EXPECT_EQ(told.given_up, "00000000-0000-0000-0000-000000000000:10");
}

}  // namespace
}  // namespace baton::reconcile
