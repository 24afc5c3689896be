// Each name says the rule: take the rule away, and the test fails.
#include "engine/decide/durability.h"

#include <gtest/gtest.h>

#include "engine/decide/elect.h"
#include "tests/engine/views.h"

namespace baton::test {
namespace {

using engine::log_quorum;
using engine::Revocation;
using engine::stands_for;

engine::LogQuorum quorum(const Sample& sample) { return log_quorum(sample.view(), Revocation::kDone, nullptr); }

TEST(Proof1, NeedsMoreLogsThanAckersLessAckCount) {
  struct Row {
    int ackers;
    int acks;
    int unheard;
    bool proven;
  };
  for (const Row& row : {Row{1, 1, 0, true}, Row{1, 1, 1, false}, Row{2, 1, 0, true}, Row{2, 1, 1, false},
                         Row{2, 2, 1, true}, Row{2, 2, 2, false}, Row{4, 2, 1, true}, Row{4, 2, 2, false},
                         Row{4, 3, 2, true}, Row{4, 4, 3, true}, Row{4, 4, 4, false}}) {
    Sample sample(row.ackers + 1, row.acks);
    for (int i = 1; i <= row.unheard; ++i) sample.at(i).heard = false;
    EXPECT_EQ(quorum(sample).proof_by_quorum, row.proven)
        << row.ackers << " ackers, W " << row.acks << ", unheard " << row.unheard;
  }
}

TEST(Proof1, MeansNothingWhileNoAckIsWaitedFor) {
  Sample sample;
  sample.recorded.ack_count = 0;
  EXPECT_FALSE(quorum(sample).proof_by_quorum);
}

TEST(Proof1, MeansNothingWhenThereAreFewerAckersThanAcks) {
  Sample sample(2, 2);
  EXPECT_FALSE(quorum(sample).proof_by_quorum);
  sample.recorded.ackers.clear();
  EXPECT_FALSE(quorum(sample).proof_by_quorum);
}

TEST(Proof1, TakesTheUnionOfAllLogsThatCount) {
  Sample sample;
  sample.server(1).executed = gtids(0, 8);
  sample.channel(2).retrieved = gtids(0, 12);
  EXPECT_EQ(quorum(sample).logs, gtids(0, 12));
}

TEST(Proof1, MeansNothingOfAPrimaryThatWasShutDown) {
  for (const engine::OpenEnd end : {engine::OpenEnd::kUntold, engine::OpenEnd::kShutDown}) {
    Sample sample;
    sample.at(0).report->open_end = end;
    EXPECT_FALSE(quorum(sample).proof_by_quorum);
    const GtidSet log = gtids(0, 13);
    EXPECT_EQ(log_quorum(sample.view(), Revocation::kDone, &log).logs, log);
  }
}

TEST(Proof1, MeansNothingWhileTheRecordWantsThePrimarysLog) {
  Sample sample;
  sample.recorded.mandatory_log = "acks could time out";
  EXPECT_FALSE(quorum(sample).proof_by_quorum);
}

TEST(Revoked, NeedsAnOrderOfTheRecordedEpoch) {
  Sample sample;
  sample.at(1).report->held_epoch = Epoch{1};
  EXPECT_FALSE(quorum(sample).proof_by_quorum) << "an older order to follow could still be obeyed";
  EXPECT_TRUE(log_quorum(sample.view(), Revocation::kAssumed, nullptr).proof_by_quorum);
}

TEST(Revoked, NeedsTheReceiverToBeStopped) {
  for (const engine::Thread receiver : {engine::Thread::kConnecting, engine::Thread::kRunning}) {
    Sample sample;
    sample.channel(1).receiver = receiver;
    EXPECT_FALSE(quorum(sample).proof_by_quorum);
  }
}

TEST(Revoked, OrTurnedToAnotherMemberThatIsNotTheOldPrimary) {
  Sample sample;
  sample.channel(2).receiver = engine::Thread::kRunning;
  sample.channel(2).source_host = "10.0.0.1";
  EXPECT_TRUE(quorum(sample).proof_by_quorum);
  sample.channel(2).source_host = "10.0.0.0";
  EXPECT_FALSE(quorum(sample).proof_by_quorum);
}

TEST(Counted, OnlyAServerThatAnswers) {
  Sample sample;
  sample.at(1).report->process = engine::Process::kStarting;
  EXPECT_EQ(quorum(sample).missing.size(), 1U);
}

TEST(Counted, NobodyOutsideA) {
  Sample sample(4, 1);
  sample.recorded.ackers = {identity(1), identity(2)};
  sample.at(1).heard = false;
  EXPECT_FALSE(quorum(sample).proof_by_quorum) << "member 3 is heard, but never acknowledged";
}

TEST(StandsFor, NotAnotherDataDirectory) {
  Sample sample;
  std::string why;
  sample.at(1).report->uuid = uuid_of(91);
  EXPECT_FALSE(stands_for(sample.view(), sample.at(1), identity(1), why));
  EXPECT_NE(why.find("another data directory"), std::string::npos);
}

TEST(StandsFor, ANewPodOnlyWhenTheEndOfTheOldOneWasSeen) {
  Sample sample;
  std::string why;
  sample.at(1).report->pod_uid = PodUid("new");
  EXPECT_FALSE(stands_for(sample.view(), sample.at(1), identity(1), why));
  EXPECT_NE(why.find("force-deleted"), std::string::npos);
  sample.observed.ended_pods.insert(identity(1).pod_uid);
  EXPECT_TRUE(stands_for(sample.view(), sample.at(1), identity(1), why));
}

TEST(StandsFor, NotANodeThatWasBootedUnlessAcksWereFsynced) {
  Sample sample;
  std::string why;
  sample.at(1).report->boot_id = BootId("new");
  EXPECT_FALSE(stands_for(sample.view(), sample.at(1), identity(1), why));
  engine::Identity fsyncs = identity(1);
  fsyncs.fsyncs = true;
  EXPECT_TRUE(stands_for(sample.view(), sample.at(1), fsyncs, why));
}

TEST(Proof2, TheDeadLogProvesWhateverTheReplicasSay) {
  Sample sample;
  sample.at(1).heard = sample.at(2).heard = false;
  const GtidSet log = gtids(0, 13);
  const engine::LogQuorum result = log_quorum(sample.view(), Revocation::kDone, &log);
  EXPECT_TRUE(result.proof_by_dead_log);
  EXPECT_EQ(result.logs, log);
}

TEST(Proof2, NeedsAHoldOfTheRecordedEpoch) {
  Sample sample;
  sample.at(2).heard = false;
  sample.at(0).report->dead_log = gtids(0, 10);
  sample.at(0).report->held_epoch = Epoch{1};
  engine::Decision decision = sample.decide();
  EXPECT_NE(step_of<engine::Fence>(decision), nullptr);
  EXPECT_TRUE(decision.ballots.empty()) << "nothing is judged before the fence";
  sample.at(0).report->held_epoch = Epoch{2};
  decision = sample.decide();
  EXPECT_FALSE(decision.ballots.empty());
}

TEST(Proof2, NeedsTheSidecarToBeHeardNow) {
  Sample sample;
  sample.at(2).heard = false;
  sample.at(0).report->dead_log = gtids(0, 10);
  sample.at(0).heard = false;
  EXPECT_EQ(sample.decide().state, engine::ClusterState::kFailoverHeld);
}

TEST(Proof2, WaitsForTheLogThatIsBeingRead) {
  Sample sample;
  sample.at(2).heard = false;
  const engine::Decision decision = sample.decide();
  EXPECT_EQ(decision.state, engine::ClusterState::kFailingOver);
  EXPECT_TRUE(decision.steps.empty());
}

TEST(Judge, TheTargetMustContainTheFloor) {
  Sample sample;
  sample.recorded.floor = gtids(0, 11);
  const engine::Assessment assessment = assess(sample.view(), Revocation::kDone, nullptr);
  EXPECT_EQ(assessment.code, "FloorMissing");
  EXPECT_NE(assessment.sentence.find(":11"), std::string::npos) << assessment.sentence;
}

TEST(Judge, WhatAnEndedPrimaryWroteBeyondItsFinalSetIsErrant) {
  Sample sample;
  sample.recorded.epochs = {{.epoch = Epoch{1}, .uuid = uuid_of(2), .final_set = gtids(2, 4)}};
  sample.recorded.floor = gtids(0, 5).united(gtids(2, 4));
  sample.server(1).executed = gtids(0, 10).united(gtids(2, 4));
  sample.server(2).executed = gtids(0, 10).united(gtids(2, 6));
  const engine::Assessment assessment = assess(sample.view(), Revocation::kDone, nullptr);
  EXPECT_EQ(assessment.target, gtids(0, 10).united(gtids(2, 4)));
  ASSERT_TRUE(assessment.possible());
  EXPECT_EQ(*assessment.winner, Ordinal{1});
}

}  // namespace
}  // namespace baton::test
