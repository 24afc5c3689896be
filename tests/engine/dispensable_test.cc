// When a candidate may catch up with relaxed durability. Each name says the rule.
#include "engine/decide/dispensable.h"

#include <gtest/gtest.h>

#include <functional>

#include "engine/decide/elect.h"
#include "tests/engine/views.h"

namespace baton::test {
namespace {

using engine::Revocation;
using engine::SetDurability;

constexpr std::int64_t kMuch = 5000;

/// Member 1 wins and has 4990 transactions to apply; the dead primary's log, read to the end, and member 2 hold all.
struct Lag : Sample {
  explicit Lag(int members = 3, int acks = 1) : Sample(members, acks) {
    for (int i = 1; i < members; ++i) {
      channel(i).retrieved = gtids(0, kMuch);
      at(i).report->servable = gtids(0, kMuch);
    }
    at(0).report->dead_log = at(0).report->servable = gtids(0, kMuch);
    at(0).down_since = now - Duration{5000};
  }

  /// As the sidecar does it.
  void relax(int i) { at(i).report->relaxed = server(i).relaxed = true; }
  void apply(int i) { server(i).executed = gtids(0, kMuch); }
  void lose_primary() {
    at(0).heard = false;
    at(0).report->dead_log.reset();
    observed.ended_pods.insert(at(0).pod_uid);
  }
  [[nodiscard]] bool dispensable(int i) {
    const GtidSet* log = at(0).report->dead_log ? &*at(0).report->dead_log : nullptr;
    return engine::dispensable(view(), at(i), gtids(0, kMuch), log);
  }
};

/// What a decision says about the durability of member i: nothing, relax (true), restore (false).
std::optional<bool> durability_of(const engine::Decision& decision, int i) {
  for (const engine::Step& step : decision.steps) {
    const auto* order = std::get_if<SetDurability>(&step);
    if (order != nullptr && order->on == Ordinal{i}) return order->relaxed;
  }
  return std::nullopt;
}

TEST(Dispensable, WhoeverOthersCanReplaceInEveryRespect) {
  Lag lag;
  EXPECT_TRUE(lag.dispensable(1));
  lag.spec.candidates = {{.member = Ordinal{2}, .never_promote = true}};
  EXPECT_TRUE(lag.dispensable(1)) << "a person can take neverPromote back";
}

TEST(Dispensable, NobodyWhoIsNeededForSomething) {
  struct Row {
    std::string what;
    std::function<void(Lag&)> change;
  };
  const std::vector<Row> rows = {
      {"for the proof", [](Lag& s) { s.lose_primary(); }},
      {"as the only data directory", [](Lag& s) { s.at(2).report->server.reset(); }},
      {"as the only data directory that is not errant",
       [](Lag& s) { s.server(2).executed = s.server(2).executed.united(gtids(90, 1)); }},
      {"as the only one that is strict", [](Lag& s) { s.relax(2); }},
      {"for a part of the target",
       [](Lag& s) {
         s.at(0).report->dead_log = s.at(0).report->servable = gtids(0, kMuch - 1);
         s.channel(2).retrieved = s.at(2).report->servable = gtids(0, kMuch - 1);
       }},
      {"since nobody else can send",
       [](Lag& s) {
         s.channel(2).retrieved = GtidSet{};
         s.at(0).report->servable = s.at(2).report->servable = GtidSet{};
       }},
      {"where a person's word stands in for the proof",
       [](Lag& s) {
         s.lose_primary();
         s.observed.forced = Ordinal{0};
       }},
  };
  for (const Row& row : rows) {
    Lag lag;
    row.change(lag);
    EXPECT_FALSE(lag.dispensable(1)) << row.what;
  }
}

TEST(Dispensable, ByTheLogsOfTheOthersIfThereAreEnough) {
  Lag lag(5, 2);
  lag.lose_primary();
  EXPECT_TRUE(lag.dispensable(1)) << "three of four logs are enough for two acks";
  lag.at(2).heard = false;
  EXPECT_FALSE(lag.dispensable(1));
}

TEST(Dispensable, WhatLiesInTheMemoryOfTheSameNodeDoesNotCount) {
  Lag lag(5, 2);
  lag.lose_primary();
  lag.at(2).report->boot_id = lag.recorded.ackers.at(1).boot_id = identity(1).boot_id;
  EXPECT_FALSE(lag.dispensable(1)) << "one crash takes the relay logs of both";
  lag.recorded.ackers.at(1).fsyncs = true;
  EXPECT_TRUE(lag.dispensable(1));
}

TEST(Dispensable, ADeadPrimarysBinlogIsOnDiskWhateverItsNode) {
  Lag lag;
  for (const int i : {0, 2}) lag.at(i).report->boot_id = identity(1).boot_id;
  lag.recorded.ackers.at(1).boot_id = identity(1).boot_id;
  EXPECT_TRUE(lag.dispensable(1));
}

TEST(Relaxed, ACandidateThatHasFarToGo) {
  Lag lag;
  EXPECT_EQ(durability_of(lag.decide(), 1), true);
  lag.server(1).executed = gtids(0, kMuch - 999);
  EXPECT_EQ(durability_of(lag.decide(), 1), std::nullopt) << "for so little it is not worth it";
  lag.relax(1);
  EXPECT_EQ(durability_of(lag.decide(), 1), std::nullopt) << "but worth to stay so";
  EXPECT_NE(step_of<engine::WaitApplied>(lag.decide()), nullptr);
  lag.server(1).relaxed = false;
  EXPECT_EQ(durability_of(lag.decide(), 1), true) << "its mysqld was started anew";
}

TEST(Relaxed, NobodyWhoMaySendAcks) {
  Lag lag;
  lag.channel(1).source_host = lag.at(2).address;
  lag.channel(1).receiver = engine::Thread::kRunning;
  lag.server(1).semi_sync.replica_enabled = true;
  ASSERT_TRUE(lag.dispensable(1));
  EXPECT_EQ(durability_of(lag.decide(), 1), std::nullopt);
}

TEST(Relaxed, LeavesRUntilItIsRestored) {
  Lag lag;
  lag.relax(1);
  EXPECT_EQ(log_quorum(lag.view(), Revocation::kDone, nullptr).counted.size(), 1U);
  EXPECT_EQ(log_quorum(lag.view(), Revocation::kAssumed, nullptr).counted.size(), 2U) << "it can be restored";
  lag.at(1).report->server.reset();
  EXPECT_EQ(log_quorum(lag.view(), Revocation::kAssumed, nullptr).counted.size(), 1U) << "only while mysqld runs";
}

TEST(Relaxed, IsRestoredBeforeTheChoiceIsRecorded) {
  Lag lag;
  lag.relax(1);
  lag.apply(1);
  lag.server(1).semi_sync = {.source_enabled = true, .wait_for_count = 1, .clients = 1};
  engine::Decision decision = lag.decide();
  EXPECT_EQ(durability_of(decision, 1), false);
  EXPECT_FALSE(decision.record);
  lag.at(1).report->relaxed = false;
  decision = lag.decide();
  EXPECT_FALSE(decision.record) << "the settings were not seen to be strict yet";
  lag.server(1).relaxed = false;
  decision = lag.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.current_primary->ordinal, Ordinal{1});
}

TEST(Relaxed, IsRestoredWhenItBecomesIndispensable) {
  Lag lag;
  lag.relax(1);
  lag.at(2).report->server.reset();
  EXPECT_EQ(durability_of(lag.decide(), 1), false) << "the only data directory";
  Lag other;
  other.relax(1);
  other.lose_primary();
  const engine::Decision decision = other.decide();
  EXPECT_EQ(durability_of(decision, 1), false) << "its log is needed for the proof";
  EXPECT_EQ(decision.state, engine::ClusterState::kFailingOver)
      << "nothing is given up before that: " << decision.message;
}

TEST(Relaxed, IsRestoredBeforeItFollowsAnotherCandidateWithAcks) {
  Lag lag;
  lag.spec.candidates = {{.member = Ordinal{2}, .priority = 90}};
  lag.relax(1);
  const engine::Decision decision = lag.decide();
  EXPECT_EQ(durability_of(decision, 1), false);
  EXPECT_EQ(durability_of(decision, 2), std::nullopt) << "the only one that is strict";
}

TEST(Relaxed, IsRestoredWhateverBecameOfTheFailover) {
  Sample sample;
  sample.open();
  sample.at(1).report->relaxed = true;
  engine::Decision decision = sample.decide();
  EXPECT_EQ(durability_of(decision, 1), false);
  EXPECT_TRUE(finds(decision, "Rejoining"));
  sample.at(0).heard = false;
  decision = sample.decide();
  EXPECT_EQ(decision.state, engine::ClusterState::kPrimaryUnknown);
  EXPECT_EQ(durability_of(decision, 1), false);
}

TEST(Relaxed, NeverBecomesAnAckerOrOpens) {
  Sample sample;
  sample.open();
  sample.recorded.ackers = {identity(2)};
  sample.at(1).report->relaxed = true;
  EXPECT_FALSE(sample.decide().record);
  Sample primary;
  primary.open();
  primary.server(0).read_only = true;
  primary.at(0).report->opened_epoch = Epoch{1};
  EXPECT_NE(step_of<engine::Open>(primary.decide()), nullptr);
  primary.at(0).report->relaxed = true;
  EXPECT_EQ(step_of<engine::Open>(primary.decide()), nullptr);
  EXPECT_EQ(durability_of(primary.decide(), 0), false);
}

}  // namespace
}  // namespace baton::test
