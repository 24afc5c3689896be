#include "engine/decide/elect.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/engine/views.h"

namespace baton::test {
namespace {

using engine::Assessment;
using engine::Revocation;

Assessment election(const Sample& sample) { return assess(sample.view(), Revocation::kDone, nullptr); }

std::string sentence_about(const Assessment& assessment, int member) {
  for (const engine::Ballot& ballot : assessment.ballots) {
    if (ballot.member == Ordinal{member}) return ballot.sentence;
  }
  return {};
}

TEST(Elect, TheLowestOrdinalAmongEquals) { EXPECT_EQ(*election(Sample(4)).winner, Ordinal{1}); }

TEST(Elect, TheSmallestBacklogComesBeforeTheOrdinal) {
  Sample sample;
  sample.server(1).executed = gtids(0, 7);
  sample.channel(1).retrieved = gtids(0, 10);
  EXPECT_EQ(*election(sample).winner, Ordinal{2});
}

TEST(Elect, PriorityComesBeforeTheBacklog) {
  Sample sample;
  sample.server(2).executed = gtids(0, 7);
  sample.channel(2).retrieved = gtids(0, 10);
  sample.spec.candidates = {{.member = Ordinal{2}, .priority = 60}};
  EXPECT_EQ(*election(sample).winner, Ordinal{2});
}

TEST(Elect, WhatAnybodyHoldsComesBeforePriorityBecauseItWouldBeErrantAfterwards) {
  Sample sample;
  sample.recorded.ackers = {identity(1)};
  sample.spec.candidates = {{.member = Ordinal{1}, .priority = 60}};
  sample.channel(2).retrieved = gtids(0, 12);
  EXPECT_EQ(*election(sample).winner, Ordinal{2});
}

TEST(Elect, TheTargetGrowsByWhatTheWinnerHolds) {
  Sample sample;
  sample.recorded.ackers = {identity(1)};
  sample.channel(2).retrieved = gtids(0, 12);
  EXPECT_EQ(election(sample).target, gtids(0, 12)) << "or its own history would count as errant later";
}

TEST(Elect, OneThatOthersFollowAlreadyStaysElected) {
  Sample sample(4);
  sample.spec.candidates = {{.member = Ordinal{1}, .priority = 60}};
  sample.channel(3).receiver = engine::Thread::kRunning;
  sample.channel(3).source_host = "10.0.0.2";
  EXPECT_EQ(*election(sample).winner, Ordinal{2});
  sample.channel(3).receiver = engine::Thread::kStopped;
  EXPECT_EQ(*election(sample).winner, Ordinal{1});
  sample.channel(3).receiver_error = "1236: purged";
  EXPECT_EQ(*election(sample).winner, Ordinal{2}) << "it was turned to it, and cannot get what it lacks";
}

/// Both hold 20, and 1, which is preferred and followed by 2, has not applied the last ten.
Sample held_up() {
  Sample sample(4);
  sample.spec.candidates = {{.member = Ordinal{1}, .priority = 60}, {.member = Ordinal{3}, .never_promote = true}};
  sample.channel(1).retrieved = sample.channel(2).retrieved = gtids(0, 20);
  sample.server(2).executed = gtids(0, 20);
  sample.channel(2).source_host = sample.at(1).address;
  sample.channel(2).receiver = engine::Thread::kRunning;
  sample.at(1).unmoved_since = sample.now - Duration{10000};
  sample.at(2).unmoved_since = sample.now - Duration{60000};
  return sample;
}

TEST(Elect, OneThatIsStuckGivesWayToOneThatIsDone) {
  Sample sample = held_up();
  EXPECT_EQ(*election(sample).winner, Ordinal{2});
  sample.at(1).idle_since = sample.now;
  EXPECT_EQ(*election(sample).winner, Ordinal{2}) << "a receiver that was turned is no progress of the applier";
  sample.at(1).unmoved_since = sample.now - Duration{9999};
  EXPECT_EQ(*election(sample).winner, Ordinal{1}) << "it has its time";
}

TEST(Elect, OneThatIsStuckDoesNotGiveWayToOneThatHasMerelyToApply) {
  Sample sample = held_up();
  sample.server(2).executed = gtids(0, 19);
  sample.at(2).unmoved_since = sample.now;
  EXPECT_EQ(*election(sample).winner, Ordinal{1}) << "that one can do it unelected, and 1 may be in a long statement";
  sample.at(2).unmoved_since = sample.now - Duration{10000};
  EXPECT_EQ(*election(sample).winner, Ordinal{1}) << "nor to one that is stuck as well";
}

TEST(Elect, OneThatIsStuckGivesWayToOneThatMustBeElectedToFetch) {
  Sample sample = held_up();
  sample.channel(2).retrieved = sample.server(2).executed = gtids(0, 19);
  sample.at(1).report->servable = gtids(0, 20);
  EXPECT_EQ(*election(sample).winner, Ordinal{2});
  sample.channel(2).from_logs = true;
  sample.at(2).idle_since = sample.now - Duration{10000};
  sample.channel(1).source_host = sample.at(2).address;
  sample.channel(1).receiver = engine::Thread::kRunning;
  EXPECT_EQ(*election(sample).winner, Ordinal{2}) << "and if it gets nothing, it stays: 1 is stuck still";
}

TEST(Elect, OneThatHasYetToFetchIsNotStuckHoweverQuietTheClusterWas) {
  Sample sample;
  sample.spec.candidates = {{.member = Ordinal{1}, .priority = 60}};
  sample.channel(2).retrieved = sample.server(2).executed = gtids(0, 11);
  sample.at(2).report->servable = gtids(0, 11);
  sample.at(1).idle_since = sample.at(1).unmoved_since = sample.now - Duration{3600000};
  EXPECT_EQ(*election(sample).winner, Ordinal{1}) << "its priority counts";
  sample.channel(1).from_logs = true;
  EXPECT_EQ(*election(sample).winner, Ordinal{2}) << "it gets nothing";
}

TEST(Elect, OneThatGetsNothingStaysElectedBeforeOneThatWouldHaveToFetchToo) {
  Sample sample(4);
  sample.spec.candidates = {{.member = Ordinal{1}, .priority = 60}, {.member = Ordinal{3}, .never_promote = true}};
  sample.channel(3).retrieved = sample.server(3).executed = sample.at(3).report->servable = gtids(0, 11);
  sample.at(1).idle_since = sample.now - Duration{60000};
  sample.channel(1).from_logs = true;
  EXPECT_EQ(*election(sample).winner, Ordinal{1});
  sample.spec.candidates = {{.member = Ordinal{1}, .priority = 60}, {.member = Ordinal{2}, .priority = 55}};
  EXPECT_EQ(*election(sample).winner, Ordinal{3}) << "before one that has all, both give way";
}

TEST(Elect, WhatAWinnerHoldsBeyondTheTargetCountsAsToBeApplied) {
  Sample sample;
  sample.recorded.ackers = {identity(2)};
  sample.channel(1).retrieved = gtids(0, 12);
  sample.at(1).unmoved_since = sample.now - Duration{10000};
  EXPECT_EQ(*election(sample).winner, Ordinal{2}) << "1 is stuck with what it would bring";
}

TEST(Elect, WhatThePrimaryWasSeenToHaveExecutedMustBeThere) {
  Sample sample;
  sample.recorded.watermark = gtids(0, 11);
  const Assessment assessment = election(sample);
  EXPECT_FALSE(assessment.possible());
  EXPECT_EQ(assessment.code, "WatermarkMissing");
  EXPECT_NE(assessment.sentence.find(":11"), std::string::npos) << assessment.sentence;
}

TEST(Elect, WhatThePrimaryWasSeenToHaveExecutedIsNotErrantWhateverItsUuid) {
  Sample sample;
  const GtidSet of_a_person = gtids(90, 1);
  sample.recorded.watermark = gtids(0, 10).united(of_a_person);
  for (const int i : {1, 2}) sample.server(i).executed = sample.server(i).executed.united(of_a_person);
  EXPECT_TRUE(election(sample).possible()) << election(sample).sentence;
  sample.recorded.watermark = gtids(0, 10);
  EXPECT_FALSE(election(sample).possible());
}

TEST(Elect, APersonsWordStandsInForWhatNoLogHolds) {
  Sample sample;
  sample.recorded.watermark = gtids(0, 12);
  sample.recorded.ack_count = 0;
  sample.observed.forced = Ordinal{1};
  EXPECT_EQ(election(sample).code, "NoLogQuorum") << "another member than the primary was named";
  sample.observed.forced = Ordinal{0};
  const Assessment assessment = election(sample);
  EXPECT_EQ(*assessment.winner, Ordinal{1});
  EXPECT_EQ(assessment.given_up, gtids(0, 12).minus(gtids(0, 10)));
}

TEST(Elect, NothingIsGivenUpThatALogHolds) {
  Sample sample;
  sample.recorded.watermark = gtids(0, 10);
  sample.observed.forced = Ordinal{0};
  EXPECT_TRUE(election(sample).given_up.empty());
}

TEST(Elect, EveryLoserKeepsItsSentence) {
  struct Row {
    std::string part;
    std::function<void(Sample&)> change;
  };
  const std::vector<Row> rows = {
      {"is not heard",
       [](Sample& s) {
         s.at(1).heard = false;
         s.recorded.ackers = {identity(2)};
       }},
      {"does not answer",
       [](Sample& s) {
         s.at(1).report->server.reset();
         s.recorded.ackers = {identity(2)};
       }},
      {"being deleted", [](Sample& s) { s.at(1).report->terminating = true; }},
      {"neverPromote", [](Sample& s) { s.spec.candidates = {{.member = Ordinal{1}, .never_promote = true}}; }},
      {"not known to be stopped",
       [](Sample& s) {
         s.channel(1).receiver = engine::Thread::kRunning;
         s.recorded.ackers = {identity(2)};
       }},
      {"errant transactions", [](Sample& s) { s.server(1).executed = gtids(0, 10).united(gtids(90, 1)); }},
      {"lacks 2 transactions", [](Sample& s) { s.server(1).executed = gtids(0, 8); }},
      {"applier of shop-1 is broken",
       [](Sample& s) {
         s.server(1).executed = gtids(0, 8);
         s.channel(1).retrieved = gtids(0, 10);
         s.channel(1).applier_error = "duplicate key";
       }},
      {"pinned setting", [](Sample& s) { s.server(1).drift = {"sync_binlog is 0, not 1"}; }},
  };
  for (const Row& row : rows) {
    Sample sample;
    row.change(sample);
    const Assessment assessment = election(sample);
    ASSERT_TRUE(assessment.possible()) << row.part << ": " << assessment.sentence;
    EXPECT_EQ(*assessment.winner, Ordinal{2}) << row.part;
    EXPECT_NE(sentence_about(assessment, 1).find(row.part), std::string::npos) << sentence_about(assessment, 1);
  }
}

TEST(Elect, NobodyWhoIsBeingScaledAway) {
  Sample sample;
  sample.spec.replicas = 2;
  sample.server(1).drift = {"sync_binlog is 0, not 1"};
  EXPECT_EQ(election(sample).code, "NoCandidate");
  EXPECT_NE(sentence_about(election(sample), 2).find("scaled away"), std::string::npos);
}

TEST(SourceOf, OneThatIsConnectedGetsTheTimeThatALongTransactionNeeds) {
  Sample sample;
  const GtidSet log = gtids(0, 12);
  sample.at(0).report->servable = sample.at(2).report->servable = log;
  sample.spec.salvage_stall = Duration{10000};
  engine::Channel& channel = sample.channel(1);
  channel.source_host = sample.at(2).address;
  channel.from_logs = true;
  channel.receiver = engine::Thread::kRunning;
  const auto after = [&](int turned, int idle) {
    sample.at(1).turned_since = sample.now - Duration{turned};
    sample.at(1).idle_since = sample.now - Duration{idle};
    return engine::source_of(sample.view(), sample.at(1), log, &log)->ordinal.get();
  };
  EXPECT_EQ(after(9000, 9000), 2);
  EXPECT_EQ(after(10000, 10000), 0) << "nothing came for stallSeconds";
  EXPECT_EQ(after(9000, 60000), 2) << "what the source before it did not send is not its fault";
  EXPECT_EQ(after(60000, 9000), 2) << "it sent something";
  channel.receiver = engine::Thread::kConnecting;
  EXPECT_EQ(after(2000, 2000), 2);
  EXPECT_EQ(after(3000, 3000), 0) << "nobody is there";
}

TEST(Readiness, SaysWhyNot) {
  Sample sample;
  sample.open();
  EXPECT_TRUE(readiness(sample.view()).ready);
  sample.at(2).heard = false;
  EXPECT_EQ(readiness(sample.view()).reason, "NoLogQuorum");
  sample.at(2).heard = true;
  sample.at(0).refusal = "it answered 401";
  EXPECT_TRUE(readiness(sample.view()).ready) << "its loss is what is judged";
  sample.at(2).refusal = "it answered 401";
  const auto rolling = readiness(sample.view());
  EXPECT_FALSE(rolling.ready);
  EXPECT_EQ(rolling.reason, "SecretsRolling");
  EXPECT_TRUE(rolling.sentence.starts_with("shop-0, shop-2 and the operator do not take")) << rolling.sentence;
  sample.spec.failover_enabled = false;
  EXPECT_EQ(readiness(sample.view()).reason, "FailoverDisabled");
  sample.spec.replicas = 1;
  EXPECT_EQ(readiness(sample.view()).reason, "SingleMember");
}

TEST(ErrantAgainst, AReplicaMayBeAheadOfItsPrimaryUnderAfterSync) {
  Sample sample;
  sample.server(1).executed = gtids(0, 12);
  EXPECT_TRUE(errant_against(sample.server(1), sample.server(2), uuid_of(0)).empty());
  sample.server(1).executed = gtids(0, 10).united(gtids(90, 1));
  EXPECT_EQ(errant_against(sample.server(1), sample.server(2), uuid_of(0)), gtids(90, 1));
}

}  // namespace
}  // namespace baton::test
