// Rules of the plans that keep the record true and let every plan end.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/engine/views.h"

namespace baton::test {
namespace {

using engine::ClusterState;
using engine::Decision;

/// The two halves of an expulsion of member i, on the primary.
void lock_account(Sample& sample, int i) {
  for (auto& account : sample.server(0).replication_accounts) {
    if (account.uuid == uuid_of(i)) account.locked = true;
  }
}
void end_connection(Sample& sample, int i) {
  std::erase_if(sample.server(0).dump_threads, [&](const engine::DumpThread& d) { return d.uuid == uuid_of(i); });
}

/// Member 1 is elected and waits for one ack, and member 2 follows it with acks: nothing is left but the choice.
void converge(Sample& sample) {
  sample.server(1).semi_sync = {.source_enabled = true, .wait_for_count = 1, .clients = 1};
  sample.channel(2).source_host = sample.at(1).address;
  sample.channel(2).receiver = engine::Thread::kRunning;
  sample.server(2).semi_sync.replica_enabled = true;
}

/// Nothing was ever recorded, and all volumes are empty.
Sample nothing_yet() {
  Sample sample;
  sample.recorded = engine::Recorded{};
  for (engine::ObservedMember& member : sample.observed.members) {
    const PodUid pod = member.pod_uid;
    member.report = engine::Report{.uuid = uuid_of(member.ordinal.get()), .pod_uid = pod};
    member.report->directory = engine::Directory::kEmpty;
    member.report->process = engine::Process::kNotRunning;
  }
  return sample;
}

TEST(Acks, ANewAckerIsRecordedBeforeItAcks) {
  for (const bool as_acker : {false, true}) {
    Sample sample;
    sample.open();
    sample.recorded.ackers = {identity(1)};
    sample.server(2).semi_sync.replica_enabled = as_acker;
    const Decision decision = sample.decide();
    ASSERT_TRUE(decision.record);
    EXPECT_TRUE(decision.record->next.is_acker(uuid_of(2)));
    EXPECT_EQ(step_of<engine::Follow>(decision), nullptr) << "not before the record, nor as the old A has it";
  }
}

TEST(Acks, ANewPodOfTheLastAckersDirectorySendsNoneUntilItIsRecorded) {
  Sample sample(2, 1);
  sample.open();
  sample.at(1).pod_uid = sample.at(1).report->pod_uid = PodUid("new");
  sample.server(1).semi_sync = {};
  sample.channel(1).receiver = engine::Thread::kStopped;
  const Decision decision = sample.decide();
  ASSERT_NE(step_of<engine::Follow>(decision), nullptr);
  EXPECT_FALSE(step_of<engine::Follow>(decision)->acks) << "the recorded one is another pod, whose end was not seen";
}

TEST(Acks, AnAckerThatDoesNotAnswerIsCutOffBeforeItLeavesA) {
  Sample sample;
  sample.open();
  sample.at(2).heard = false;
  sample.at(2).not_acking_since = sample.now - Duration{5000};
  Decision decision = sample.decide();
  EXPECT_FALSE(decision.record);
  ASSERT_NE(step_of<engine::ExpelReplica>(decision), nullptr);
  lock_account(sample, 2);
  sample.server(0).executed = gtids(0, 20);
  sample.server(0).owned = gtids(0, 21);
  decision = sample.decide();
  EXPECT_FALSE(decision.record) << "a connection that was made before goes on acknowledging";
  EXPECT_NE(step_of<engine::ExpelReplica>(decision), nullptr);
  end_connection(sample, 2);
  sample.at(0).report->held_revision = Revision{8};
  decision = sample.decide();
  EXPECT_FALSE(decision.record) << "an order on record 9 to let it in may be on its way";
  EXPECT_NE(step_of<engine::ExpelReplica>(decision), nullptr);
  sample.at(0).report->held_revision = Revision{9};
  decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_FALSE(decision.record->next.is_acker(uuid_of(2)));
  EXPECT_EQ(decision.record->next.floor, gtids(0, 21)) << "the floor holds what is on its way, too";
}

TEST(Acks, SilenceIsToleratedForAMoment) {
  Sample sample;
  sample.open();
  sample.at(2).heard = false;
  sample.at(2).not_acking_since = sample.now - Duration{2000};
  EXPECT_EQ(step_of<engine::ExpelReplica>(sample.decide()), nullptr);
}

TEST(Acks, ANewLeaderExpelsNobodyThatItHasNotHeardYet) {
  Sample sample(3, 2);
  sample.open();
  for (const int i : {1, 2}) {
    sample.at(i).heard = false;
    sample.at(i).report.reset();
    sample.at(i).not_acking_since = sample.now - Duration{100};
  }
  const Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::ExpelReplica>(decision), nullptr);
  EXPECT_EQ(step_of<engine::SetAckers>(decision), nullptr) << "they are no strangers either";
  EXPECT_FALSE(decision.record) << decision.record->why;
}

TEST(Acks, AMemberThatJoinedStaysAlthoughItHasNotAckedForLong) {
  Sample sample;
  sample.open();
  sample.server(2).semi_sync = {};
  sample.at(2).not_acking_since = sample.now - Duration{60000};
  const Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::ExpelReplica>(decision), nullptr);
  ASSERT_NE(step_of<engine::Follow>(decision), nullptr);
  EXPECT_TRUE(step_of<engine::Follow>(decision)->acks);
}

TEST(Acks, TheLastAckerIsNeverRemoved) {
  Sample sample(2, 1);
  sample.open();
  sample.at(1).heard = false;
  sample.at(1).not_acking_since = sample.now - Duration{60000};
  const Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::ExpelReplica>(decision), nullptr);
  EXPECT_FALSE(decision.record);
}

TEST(Acks, TheLastOnesThatCommitsWaitForAreNeverRemovedAlthoughErrant) {
  Sample sample(3, 2);
  sample.open();
  sample.server(2).executed = gtids(0, 10).united(gtids(90, 1));
  Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::ExpelReplica>(decision), nullptr);
  EXPECT_FALSE(decision.record);
  sample.channel(2).receiver = engine::Thread::kStopped;
  sample.server(2).semi_sync.replica_active = false;
  sample.recorded.ack_count = sample.server(0).semi_sync.wait_for_count = sample.server(0).semi_sync.clients = 1;
  decision = sample.decide();
  EXPECT_NE(step_of<engine::ExpelReplica>(decision), nullptr) << "commits do without it now";
}

TEST(Acks, AnEarlierPodNeedsNoExpulsionOnceThePrimaryServesTheNewOneAlone) {
  Sample sample;
  sample.open();
  engine::Identity earlier = identity(2);
  earlier.pod_uid = PodUid("earlier");
  sample.recorded.ackers.push_back(earlier);
  Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.ackers, (std::vector{identity(1), identity(2)}));
  sample.server(0).dump_threads.push_back({uuid_of(2), "10.0.0.92"});
  decision = sample.decide();
  EXPECT_FALSE(decision.record);
  EXPECT_NE(step_of<engine::ExpelReplica>(decision), nullptr) << "it still serves that uuid at another address";
}

TEST(Acks, AStrangerIsCutOffFromAnOpenPrimary) {
  Sample sample;
  sample.open();
  EXPECT_EQ(step_of<engine::SetAckers>(sample.decide()), nullptr);
  sample.server(0).dump_threads.push_back({uuid_of(91), "10.0.0.91"});
  const Decision decision = sample.decide();
  EXPECT_TRUE(finds(decision, "GuaranteeVoid"));
  const auto* order = step_of<engine::SetAckers>(decision);
  ASSERT_NE(order, nullptr);
  EXPECT_EQ(std::set(order->replicas.begin(), order->replicas.end()), (std::set{uuid_of(1), uuid_of(2)}));
}

TEST(Acks, OneThatWasExpelledIsLetInOnlyWhenItIsKnownNotToAck) {
  Sample sample;
  sample.open();
  sample.recorded.ackers = {identity(1)};
  lock_account(sample, 2);
  end_connection(sample, 2);
  // Its receiver still dials as an acker.
  sample.channel(2).receiver = engine::Thread::kConnecting;
  Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::EnsureReplicationAccount>(decision), nullptr);
  ASSERT_NE(step_of<engine::Follow>(decision), nullptr);
  EXPECT_FALSE(step_of<engine::Follow>(decision)->acks);
  // It sends none, but an older order to send some may be under way.
  sample.server(2).semi_sync = {};
  sample.at(2).report->held_revision = Revision{8};
  EXPECT_EQ(step_of<engine::EnsureReplicationAccount>(sample.decide()), nullptr);
  sample.at(2).report->held_revision = Revision{9};
  EXPECT_NE(step_of<engine::EnsureReplicationAccount>(sample.decide()), nullptr);
}

TEST(AckCount, IsRecordedBeforeItFalls) {
  Sample sample(3, 2);
  sample.open();
  sample.channel(2).receiver = engine::Thread::kConnecting;
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.ack_count, 1);
  EXPECT_EQ(decision.record->next.floor, sample.recorded.floor) << "what was acked before is still in W members of A";
  EXPECT_EQ(step_of<engine::SetAckCount>(decision), nullptr);
}

TEST(AckCount, RisesBeforeItIsRecordedWithAFloor) {
  Sample sample(3, 1);
  sample.open();
  sample.spec.acks = 2;
  Decision decision = sample.decide();
  EXPECT_FALSE(decision.record);
  ASSERT_NE(step_of<engine::SetAckCount>(decision), nullptr);
  sample.server(0).semi_sync.wait_for_count = 2;
  sample.server(0).owned = gtids(0, 12);
  decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.ack_count, 2);
  EXPECT_EQ(decision.record->next.floor, gtids(0, 12)) << "what is on its way may have got the one ack already";
}

TEST(AckCount, RisesOnlyWhenTheOrderToLowerItCannotLandAnyMore) {
  Sample sample(3, 2);
  sample.open();
  sample.recorded.ack_count = 1;
  sample.at(0).report->held_revision = Revision{8};
  Decision decision = sample.decide();
  EXPECT_FALSE(decision.record)
      << "commits wait for two acks, but an order on record 9 to wait for one may be on its way";
  ASSERT_NE(step_of<engine::SetAckCount>(decision), nullptr);
  EXPECT_EQ(step_of<engine::SetAckCount>(decision)->count, 2);
  sample.at(0).report->held_revision = Revision{9};
  decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.ack_count, 2);
}

TEST(AckCount, CommitsGoOnWithoutAcksAlsoWhereThereIsNoAckerAtAll) {
  Sample sample(2, 1);
  sample.open();
  sample.spec.degrade = true;
  sample.recorded.ackers.clear();
  sample.server(0).semi_sync.clients = 0;
  sample.at(0).not_acking_since = sample.now - Duration{1000};
  sample.at(1) = {.ordinal = Ordinal{1}, .pod = "shop-1"};
  Decision decision = sample.decide();
  EXPECT_FALSE(decision.record);
  EXPECT_TRUE(decision.look_again);
  sample.at(0).not_acking_since = sample.now - Duration{5000};
  decision = sample.decide();
  ASSERT_TRUE(decision.record) << decision.message;
  EXPECT_EQ(decision.record->next.ack_count, 0);
}

TEST(AckCount, NeverFallsBelowOneOnceReady) {
  Sample sample;
  sample.open();
  for (const int i : {1, 2}) sample.channel(i).receiver = engine::Thread::kConnecting;
  sample.server(0).semi_sync.clients = 0;
  const Decision decision = sample.decide();
  EXPECT_FALSE(decision.record);
  EXPECT_EQ(decision.state, ClusterState::kWaitingForAcks);
}

TEST(Guarantee, ALogThatOnlyMysqldCanReadIsToldWhileItLives) {
  Sample sample(3);
  sample.open();
  EXPECT_FALSE(finds(sample.decide(), "GuaranteeVoid"));
  for (const int i : {0, 1}) {
    sample.at(i).report->unreadable_log = "binlog.000007 is encrypted and cannot be read without mysqld";
    const Decision decision = sample.decide();
    ASSERT_TRUE(finds(decision, "GuaranteeVoid"));
    EXPECT_EQ(decision.members[static_cast<std::size_t>(i)].message,
              std::format("shop-{}: binlog.000007 is encrypted and cannot be read without mysqld", i));
    sample.at(i).report->unreadable_log.clear();
  }
}

TEST(AckCount, LoweredBySomebodyElseIsRecordedFirst) {
  Sample sample(3, 2);
  sample.open();
  sample.server(0).semi_sync.wait_for_count = 1;
  const Decision decision = sample.decide();
  EXPECT_TRUE(finds(decision, "GuaranteeVoid"));
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.ack_count, 1);
}

TEST(Acks, ACommitWhoseAckWasLostIsFreedByAHeartbeat) {
  Sample sample;
  sample.open();
  sample.server(0).semi_sync.waiting_sessions = 1;
  sample.at(0).waiting_since = sample.at(0).idle_since = sample.now - Duration{1000};
  Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::WriteHeartbeat>(decision), nullptr) << "its ack may be on its way";
  EXPECT_EQ(decision.look_again, sample.now + Duration{2000});
  sample.at(0).waiting_since = sample.now - Duration{9000};
  EXPECT_EQ(step_of<engine::WriteHeartbeat>(sample.decide()), nullptr) << "others are acknowledged meanwhile";
  sample.at(0).idle_since = sample.now - Duration{4000};
  sample.at(1).idle_since = sample.now - Duration{1000};
  EXPECT_EQ(step_of<engine::WriteHeartbeat>(sample.decide()), nullptr) << "a long transaction is being received";
  sample.at(1).idle_since = sample.now - Duration{4000};
  decision = sample.decide();
  EXPECT_NE(step_of<engine::WriteHeartbeat>(decision), nullptr);
  EXPECT_TRUE(finds(decision, "WaitingForAcks"));
  EXPECT_EQ(decision.state, ClusterState::kWaitingForAcks);
  sample.server(0).semi_sync.clients = 0;
  for (const int i : {1, 2}) sample.channel(i).receiver = engine::Thread::kConnecting;
  EXPECT_EQ(step_of<engine::WriteHeartbeat>(sample.decide()), nullptr) << "nobody is there who could acknowledge it";
}

TEST(MandatoryLog, IsRecordedWhileASettingThatAcksRestOnIsChanged) {
  Sample sample;
  sample.open();
  sample.server(0).ack_drift = "rpl_semi_sync_source_timeout is 1000, not never";
  Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_FALSE(decision.record->next.mandatory_log.empty());
  EXPECT_EQ(decision.record->next.floor, sample.recorded.floor);
  sample.recorded = decision.record->next;
  decision = sample.decide();
  EXPECT_FALSE(decision.record) << decision.record->why;
  EXPECT_FALSE(decision.readiness.ready) << "the loss of the primary with its volume would be held";
  EXPECT_TRUE(decision.readiness.sentence.contains("rpl_semi_sync_source_timeout")) << decision.readiness.sentence;
}

TEST(MandatoryLog, EndsWithAFloorWhenTheSettingIsPutRight) {
  Sample sample;
  sample.open();
  sample.recorded.mandatory_log = "acks could time out";
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_TRUE(decision.record->next.mandatory_log.empty());
  EXPECT_EQ(decision.record->next.floor, gtids(0, 10));
}

TEST(MandatoryLog, IsRecordedFirstWhenThePrimaryWasShutDown) {
  Sample sample;
  sample.recorded.failover.reset();
  sample.at(0).report->open_end = engine::OpenEnd::kShutDown;
  sample.at(0).report->exit = "exited with status 0";
  sample.at(0).report->dead_log = gtids(0, 12);
  sample.at(2).report->servable = sample.at(1).report->servable = gtids(0, 10);
  sample.at(0).report->servable = gtids(0, 12);
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record) << decision.message;
  EXPECT_TRUE(decision.record->next.mandatory_log.contains("exited with status 0"));
  EXPECT_FALSE(decision.record->next.failover) << "before anything else, since only its sidecar knows";
  sample.recorded = decision.record->next;
  EXPECT_TRUE(sample.decide().record->next.failover);
}

TEST(MandatoryLog, IsInTheFloorOnceItsOwnerIsReopened) {
  Sample sample;
  sample.recorded.mandatory_log = "mysqld was shut down";
  sample.at(0) = Sample::member(0);
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_TRUE(decision.record->next.mandatory_log.empty());
  EXPECT_EQ(decision.record->next.floor, gtids(0, 10));
}

TEST(MandatoryLog, OfAnUntoldEndIsWaitedForInsteadOfLettingThePrimaryReturn) {
  Sample sample;
  sample.at(0).report->open_end = engine::OpenEnd::kUntold;
  sample.at(0).report->dead_log_error = "an event is cut short";
  sample.at(0).report->held_epoch = sample.recorded.epoch;
  sample.at(0).down_since = sample.now - Duration{20};
  EXPECT_EQ(step_of<engine::Permit>(sample.decide()), nullptr);
  sample.at(0).down_since = sample.now - Duration{5000};
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record) << "its sidecar and its volume may be lost next, and with them what is known of its end";
  EXPECT_FALSE(decision.record->next.mandatory_log.empty());
  sample.recorded = decision.record->next;
  EXPECT_NE(step_of<engine::Permit>(sample.decide()), nullptr) << "but not for ever";
}

TEST(MandatoryLog, OfAnEndThatOnlyTheKubeletSaw) {
  Sample sample;
  sample.recorded.failover.reset();
  engine::Report& report = *sample.at(0).report;
  report = *Sample::member(0).report;
  report.opened_epoch = Epoch{2};
  sample.at(0).heard = false;
  EXPECT_EQ(sample.decide().state, ClusterState::kPrimaryUnknown);
  sample.observed.ended_pods.insert(identity(0).pod_uid);
  Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_FALSE(decision.record->next.failover) << "a reboot of its node may have shut it down in order";
  EXPECT_FALSE(decision.record->next.mandatory_log.empty());
  sample.recorded = decision.record->next;
  decision = sample.decide();
  EXPECT_FALSE(decision.record);
  EXPECT_EQ(decision.state, ClusterState::kFailoverHeld) << decision.message;
}

TEST(Fsynced, AcksAreForgottenWhenTheSettingIsNotWhatItWas) {
  Sample sample;
  sample.open();
  sample.recorded.ackers.at(0).fsyncs = true;
  sample.server(1).fsyncs_relay_log = true;
  EXPECT_FALSE(sample.decide().record);
  sample.server(1).fsyncs_relay_log = false;
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_FALSE(decision.record->next.ackers.at(0).fsyncs);
}

TEST(Fsynced, AcksOfAnEarlierPodDoNotBecomeSo) {
  Sample sample;
  sample.open();
  sample.recorded.ackers.at(0).pod_uid = PodUid("earlier");
  sample.observed.ended_pods.insert(PodUid("earlier"));
  for (const bool before : {false, true}) {
    sample.recorded.ackers.at(0).fsyncs = before;
    sample.server(1).fsyncs_relay_log = true;
    const Decision decision = sample.decide();
    ASSERT_TRUE(decision.record);
    EXPECT_EQ(decision.record->next.ackers.back().uuid, uuid_of(1));
    EXPECT_EQ(decision.record->next.ackers.back().fsyncs, before);
  }
}

TEST(AckCount, AClusterThatGrowsFromOneBeginsWithoutAcks) {
  Sample sample;
  sample.open();
  sample.spec.replicas = 1;
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.ack_count, 0);
  EXPECT_FALSE(decision.record->next.ever_ready);
}

TEST(Failover, TheRecordNamesAllThatMayHaveBeenToldToAck) {
  // 3 was told to follow the candidate with acks and is not heard since; 2 is attached, and in an earlier pod it was an
  // acker, too; the pod of 4 is away for now.
  Sample sample(4, 3);
  engine::Identity earlier = identity(2);
  earlier.pod_uid = PodUid("earlier");
  sample.recorded.ackers = {identity(1), identity(2), earlier, identity(4)};
  sample.at(3).heard = false;
  converge(sample);
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record) << decision.message;
  EXPECT_EQ(decision.record->next.current_primary->uuid, uuid_of(1));
  EXPECT_TRUE(decision.record->next.is_acker(uuid_of(2)));
  EXPECT_TRUE(decision.record->next.is_acker(uuid_of(3)));
  EXPECT_TRUE(decision.record->next.is_acker(uuid_of(4)));
  EXPECT_FALSE(decision.record->next.is_acker(uuid_of(0)));
  EXPECT_NE(std::ranges::find(decision.record->next.ackers, earlier), decision.record->next.ackers.end());
}

TEST(Failover, TheChoiceIsRecordedWithItsTargetTheEndedEpochAndWhatIsGivenUp) {
  Sample sample;
  const GtidSet of_before = gtids(90, 3);
  const GtidSet target = gtids(0, 10).united(of_before);
  sample.recorded.floor = gtids(0, 5).united(of_before);
  sample.recorded.watermark = gtids(0, 12).united(of_before);
  sample.observed.forced = Ordinal{0};
  for (const int i : {1, 2}) sample.server(i).executed = target;
  converge(sample);
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record) << decision.message;
  const engine::Recorded& next = decision.record->next;
  EXPECT_EQ(next.current_primary, (engine::PrimaryRef{Ordinal{1}, uuid_of(1)}));
  EXPECT_EQ(next.floor, target);
  EXPECT_EQ(next.watermark, target);
  EXPECT_EQ(next.epochs, (std::vector{engine::EndedEpoch{.epoch = Epoch{1},
                                                         .uuid = uuid_of(0),
                                                         .final_set = gtids(0, 10),
                                                         .given_up = gtids(0, 12).minus(gtids(0, 10))}}));
  EXPECT_EQ(next.failover->given_up, gtids(0, 12).minus(gtids(0, 10)));
}

TEST(Failover, AStrangerIsExpelledBeforeTheChoiceIsMade) {
  Sample sample(2, 1);
  sample.server(1).semi_sync = {.source_enabled = true, .wait_for_count = 1, .clients = 1};
  sample.server(1).dump_threads = {{uuid_of(91), "10.0.0.91"}};
  const Decision decision = sample.decide();
  EXPECT_FALSE(decision.record);
  ASSERT_NE(step_of<engine::ExpelReplica>(decision), nullptr);
  EXPECT_EQ(step_of<engine::ExpelReplica>(decision)->replica, uuid_of(91));
}

TEST(Failover, TheChoiceDoesNotWaitForAnAckerThatCannotConnectWithoutAWord) {
  Sample sample;
  converge(sample);
  sample.server(1).semi_sync.clients = 0;
  sample.channel(2).receiver_error = "the source purged what it needs";
  sample.at(2).turned_since = sample.now - Duration{1000};
  Decision decision = sample.decide();
  EXPECT_FALSE(decision.record);
  EXPECT_FALSE(finds(decision, "WaitingForAcks")) << "it may connect yet";
  sample.at(2).turned_since = sample.now - Duration{5000};
  sample.channel(2).source_host = sample.at(0).address;
  sample.channel(2).receiver = engine::Thread::kStopped;
  EXPECT_FALSE(finds(sample.decide(), "WaitingForAcks")) << "it has yet to be told whom to follow";
  sample.at(1).idle_since = sample.now - Duration{60000};
  sample.at(2).not_acking_since = sample.now - Duration{9999};
  EXPECT_FALSE(finds(sample.decide(), "WaitingForAcks"));
  sample.at(2).not_acking_since = sample.now - Duration{10000};
  EXPECT_TRUE(finds(sample.decide(), "WaitingForAcks")) << "it cannot be told";
  sample.spec.degrade = true;
  EXPECT_TRUE(sample.decide().record) << "they may go on without";
  sample.spec.degrade = false;
  converge(sample);
  sample.server(1).semi_sync.clients = 0;
  sample.at(2).turned_since = sample.now - Duration{5000};
  decision = sample.decide();
  EXPECT_FALSE(decision.record) << "commits would wait for ever";
  EXPECT_TRUE(finds(decision, "WaitingForAcks"));
  EXPECT_TRUE(decision.message.contains("the source purged what it needs")) << decision.message;
  sample.spec.degrade = true;
  EXPECT_TRUE(sample.decide().record) << "they may go on without";
}

TEST(Failover, AcksAreSwitchedOnWhenAllIsApplied) {
  Sample sample;
  for (const int i : {1, 2}) {
    sample.server(i).executed = gtids(0, 8);
    sample.channel(i).retrieved = gtids(0, 10);
  }
  const Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::SetAckCount>(decision), nullptr);
  EXPECT_NE(step_of<engine::WaitApplied>(decision), nullptr);
}

TEST(Failover, AProvenQuorumWaitsAMomentForAnAckerThatIsBeingStopped) {
  Sample sample(3, 2);
  sample.channel(2).receiver = engine::Thread::kRunning;
  sample.at(0).down_since = sample.now - Duration{50};
  Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::SetAckCount>(decision), nullptr);
  EXPECT_TRUE(decision.look_again);
  sample.at(0).down_since = sample.now - Duration{5000};
  decision = sample.decide();
  EXPECT_NE(step_of<engine::SetAckCount>(decision), nullptr) << "but not for ever";
}

TEST(Failover, AnAckerThatHangsIsKilledSoThatItsLogsCount) {
  Sample sample;
  sample.channel(2).receiver = engine::Thread::kRunning;
  sample.at(0).down_since = sample.now - Duration{2000};
  EXPECT_EQ(step_of<engine::Fence>(sample.decide()), nullptr);
  sample.at(0).down_since = sample.now - Duration{10000};
  Decision decision = sample.decide();
  ASSERT_NE(step_of<engine::Fence>(decision), nullptr);
  EXPECT_EQ(step_of<engine::Fence>(decision)->on, Ordinal{2});
  sample.at(2).report->server.reset();
  decision = sample.decide();
  ASSERT_NE(step_of<engine::Fence>(decision), nullptr) << "nor one that does not even answer";
  EXPECT_EQ(step_of<engine::Fence>(decision)->on, Ordinal{2});
  sample.at(0).report->dead_log = gtids(0, 10);
  EXPECT_EQ(step_of<engine::Fence>(sample.decide()), nullptr) << "the dead primary's log is enough";
}

TEST(Failover, WhoWasKeptDeadForItsLogsStartsWhenNobodyElseCanTakeOver) {
  Sample sample;
  for (const int i : {1, 2}) {
    sample.at(i).report->process = engine::Process::kNotRunning;
    sample.at(i).report->held = true;
    sample.at(i).report->server.reset();
    sample.at(i).report->dead_log = gtids(0, 10);
  }
  EXPECT_NE(step_of<engine::Permit>(sample.decide()), nullptr);
}

TEST(Failover, ARefusalSaysWhatIsWrongWithTheDeadPrimarysLog) {
  Sample sample;
  sample.at(2).heard = false;
  sample.at(0).report->dead_log_error = "binlog.000003 at offset 4711: an event's checksum is wrong";
  const Decision decision = sample.decide();
  EXPECT_TRUE(decision.message.contains("the log of shop-0 cannot be read to its end: binlog.000003 at offset 4711"))
      << decision.message;
}

TEST(Failover, ANewLeaderHearsTheAckersBeforeItLetsTheOldPrimaryReturn) {
  Sample sample;
  sample.recorded.failover.reset();
  sample.at(0).report->dead_log_error = "an event is cut short";
  for (const int i : {1, 2}) {
    sample.at(i).heard = false;
    sample.at(i).report.reset();
    sample.at(i).not_acking_since = sample.now - Duration{100};
  }
  Decision decision = sample.decide();
  EXPECT_TRUE(decision.steps.empty());
  EXPECT_TRUE(decision.look_again);
  for (const int i : {1, 2}) sample.at(i).not_acking_since = sample.now - Duration{10000};
  decision = sample.decide();
  EXPECT_NE(step_of<engine::Permit>(decision), nullptr);
}

TEST(Start, AFailedStartIsFencedOnlyWhenAnotherCanTakeOver) {
  for (const bool intent : {false, true}) {
    Sample sample;
    if (!intent) sample.recorded.failover.reset();
    sample.at(0).report->held = false;
    sample.at(0).report->start_error = "a line of its log";
    EXPECT_NE(step_of<engine::Fence>(sample.decide()), nullptr);
    sample.at(1).heard = false;
    const Decision decision = sample.decide();
    EXPECT_TRUE(decision.steps.empty()) << "fence and permit would undo each other";
    EXPECT_EQ(decision.state, ClusterState::kFailoverHeld);
    EXPECT_TRUE(finds(decision, "PrimaryStarting"));
  }
}

TEST(Start, TheGraceOfACrashIsForOneThatCanComeBack) {
  const std::vector<std::pair<std::string, std::function<void(engine::Report&)>>> rows = {
      {"its start failed", [](engine::Report& report) { report.start_error = "a line of its log"; }},
      {"its pod is being deleted", [](engine::Report& report) { report.terminating = true; }},
  };
  for (const auto& [why, change] : rows) {
    Sample sample;
    sample.recorded.failover.reset();
    sample.spec.crash_grace = Duration{5000};
    sample.at(0).down_since = sample.now - Duration{10};
    EXPECT_NE(step_of<engine::Permit>(sample.decide()), nullptr);
    change(*sample.at(0).report);
    const Decision decision = sample.decide();
    EXPECT_EQ(step_of<engine::Permit>(decision), nullptr) << why;
    EXPECT_TRUE(decision.record) << why << ": the failover begins";
  }
}

TEST(Start, AnOldLineOfAMemberThatIsNotHeardProvesNothing) {
  Sample sample;
  sample.recorded.failover.reset();
  sample.at(0).heard = false;
  sample.at(0).report->opened_epoch = Epoch{1};
  sample.at(0).report->held_revision = Revision{8};
  const Decision decision = sample.decide();
  EXPECT_FALSE(decision.record);
  EXPECT_EQ(decision.state, ClusterState::kPrimaryUnknown)
      << "it ended in epoch 1, and was opened in 2 by another leader";
  sample.observed.ended_pods.insert(identity(0).pod_uid);
  EXPECT_EQ(sample.decide().state, ClusterState::kPrimaryUnknown) << "nor does the end of that pod";
  sample.at(0).report->opened_epoch = Epoch{2};
  EXPECT_TRUE(sample.decide().record);
  sample.at(0).report->opened_epoch = Epoch{1};
  sample.at(0).report->held_revision = Revision{9};
  EXPECT_TRUE(sample.decide().record) << "it was heard since the last record, and did not open yet";
}

TEST(Start, ANewPodOnAnotherNodeIsNoProofThatTheOldOneEnded) {
  Sample sample;
  sample.recorded.failover.reset();
  sample.at(0).report->unseen_pod = PodUid("earlier");
  Decision decision = sample.decide();
  EXPECT_EQ(decision.state, ClusterState::kPrimaryUnknown);
  EXPECT_TRUE(decision.steps.empty()) << "nor may it start a second time";
  sample.observed.ended_pods.insert(PodUid("earlier"));
  EXPECT_TRUE(sample.decide().record);
  sample.observed.ended_pods.clear();
  sample.observed.forced = Ordinal{0};
  EXPECT_TRUE(sample.decide().record);
}

TEST(Record, OneThatIsOlderThanWhatAMemberObeyedIsNotActedUpon) {
  for (const bool of_epoch : {false, true}) {
    Sample sample;
    sample.open();
    engine::Report& report = *sample.at(1).report;
    report.held_epoch = Epoch{of_epoch ? 3 : 2};
    report.held_revision = Revision{of_epoch ? 1 : 10};
    const Decision decision = sample.decide();
    EXPECT_EQ(decision.state, ClusterState::kAmbiguous);
    EXPECT_TRUE(finds(decision, "RecordIsOlder"));
    EXPECT_TRUE(decision.steps.empty());
  }
}

TEST(Endpoint, UntilItIsMovedTheClusterIsNotHealthy) {
  Sample sample;
  sample.open();
  EXPECT_EQ(sample.decide().state, ClusterState::kHealthy);
  sample.observed.endpoint_pod = "shop-1";
  const Decision decision = sample.decide();
  EXPECT_EQ(decision.state, ClusterState::kOpening);
  EXPECT_NE(step_of<engine::Repoint>(decision), nullptr);
}

TEST(Start, RefusedCredentialsExplainASilenceAndProveNothing) {
  Sample sample;
  sample.recorded.failover.reset();
  sample.at(0).heard = false;
  sample.at(0).report->process = engine::Process::kRunning;
  sample.at(0).refusal = "it answered 401";
  const Decision decision = sample.decide();
  EXPECT_EQ(decision.state, ClusterState::kPrimaryUnknown);
  EXPECT_TRUE(decision.message.contains("(it answered 401)")) << decision.message;
  EXPECT_FALSE(decision.record);
}

TEST(Replicas, AMysqldThatKeepsEndingIsToldWithItsEnd) {
  Sample sample;
  sample.recorded.ackers = {identity(1), identity(2)};
  sample.open();
  engine::Report& report = *sample.at(1).report;
  const engine::Server server = *report.server;
  report.process = engine::Process::kNotRunning;
  report.server.reset();
  report.exit = "killed by signal 6";
  report.unordered_ends = 1;
  EXPECT_EQ(sample.decide().message, "mysqld of shop-1 was killed by signal 6 and is started again");
  report.unordered_ends = 3;
  report.restart_pause = std::chrono::seconds(2);
  EXPECT_EQ(sample.decide().message,
            "mysqld of shop-1 keeps ending: 3 times without half a minute of service in between, and the last time it "
            "was killed by signal 6; it is started again 2 s later");
  EXPECT_TRUE(finds(sample.decide(), "MysqldKeepsEnding"));
  EXPECT_FALSE(finds(sample.decide(), "MemberStarting"));
  report.exit = "killed by signal 9";
  report.process = engine::Process::kRunning;
  report.server = server;
  const std::string message = sample.decide().message;
  EXPECT_TRUE(message.ends_with("signal 9 (most often the container's memory limit); it runs again for now"))
      << message;
  report.unordered_ends = 0;
  EXPECT_FALSE(finds(sample.decide(), "MysqldKeepsEnding"));
  report.server.reset();
  report.process = engine::Process::kNotRunning;
  report.unordered_ends = 3;
  report.start_error = "a line of its log";
  EXPECT_TRUE(finds(sample.decide(), "MysqldDoesNotStart"));
  EXPECT_FALSE(finds(sample.decide(), "MysqldKeepsEnding")) << "that it does not even answer says more";
}

/// Its mysqld would take processors and disk from what clients wait for.
TEST(Replicas, ADeadPrimaryStartsOnceClientsHaveTheNewOneOrAMomentLater) {
  Sample sample;
  sample.open();
  const engine::Report dead = *Sample().at(0).report;
  sample.at(2).report->process = dead.process;
  sample.at(2).report->held = true;
  sample.at(2).report->server.reset();
  sample.at(2).down_since = sample.now - Duration{2999};
  std::erase_if(sample.server(0).dump_threads, [](const engine::DumpThread& d) { return d.uuid == uuid_of(2); });
  sample.server(0).semi_sync.clients = 1;
  EXPECT_NE(step_of<engine::Permit>(sample.decide()), nullptr) << "no failover is going on";

  sample.recorded.failover = engine::FailoverRecord{.id = "shop-2",
                                                    .old_primary = {Ordinal{2}, uuid_of(2)},
                                                    .evidence = "it died",
                                                    .phase = engine::FailoverPhase::kOpening};
  sample.observed.endpoint_pod = "shop-2";
  Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::Permit>(decision), nullptr) << decision.message;
  EXPECT_EQ(decision.look_again, sample.now + Duration{1}) << "a failover that hangs does not keep it dead";
  sample.at(2).down_since = sample.now - Duration{3000};
  EXPECT_NE(step_of<engine::Permit>(sample.decide()), nullptr);
  sample.at(2).down_since = sample.now - Duration{100};
  sample.server(0).semi_sync.clients = 0;
  EXPECT_NE(step_of<engine::Permit>(sample.decide()), nullptr) << "commits may be waiting for it";
}

TEST(Replicas, ADonorIsPermittedToBeClonedFirstAndForbiddenAfterwards) {
  Sample sample(4, 1);
  sample.recorded.ackers = {identity(1), identity(2)};
  sample.open();
  sample.at(3).report->directory = engine::Directory::kEmpty;
  sample.at(3).report->process = engine::Process::kNotRunning;
  sample.at(3).report->server.reset();
  std::erase_if(sample.server(0).dump_threads, [](const engine::DumpThread& d) { return d.uuid == uuid_of(3); });
  Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::CloneFrom>(decision), nullptr);
  ASSERT_NE(step_of<engine::AllowClone>(decision), nullptr);
  EXPECT_EQ(step_of<engine::AllowClone>(decision)->on, Ordinal{1}) << "a replica, to spare the primary";
  sample.server(1).clone_unlocked = true;
  decision = sample.decide();
  ASSERT_NE(step_of<engine::CloneFrom>(decision), nullptr);
  EXPECT_EQ(step_of<engine::CloneFrom>(decision)->donor, Ordinal{1});
  sample.at(3).report->directory = engine::Directory::kCloned;
  decision = sample.decide();
  ASSERT_NE(step_of<engine::AllowClone>(decision), nullptr);
  EXPECT_FALSE(step_of<engine::AllowClone>(decision)->allowed);
}

TEST(Replicas, AreFilledOneAfterAnotherButAllAtOnceBeforeTheFirstOpening) {
  Sample sample(4);
  sample.recorded.ackers = {identity(1)};
  sample.open();
  for (const int i : {2, 3}) {
    sample.at(i).report->directory = engine::Directory::kEmpty;
    sample.at(i).report->process = engine::Process::kNotRunning;
    sample.at(i).report->server.reset();
    end_connection(sample, i);
  }
  sample.server(0).clone_unlocked = sample.server(1).clone_unlocked = true;
  const auto filled = [&] {
    std::vector<Ordinal> members;
    for (const engine::Step& step : sample.decide().steps) {
      if (const auto* clone = std::get_if<engine::CloneFrom>(&step)) members.push_back(clone->on);
    }
    return members;
  };
  EXPECT_EQ(filled(), std::vector{Ordinal{2}});
  sample.at(2).report->busy = "CloneFrom";
  EXPECT_EQ(filled(), std::vector<Ordinal>()) << "one is at it";
  sample.at(2).report->busy.clear();
  sample.server(0).read_only = true;
  sample.at(0).report->opened_epoch = Epoch{0};
  sample.recorded.epoch = Epoch{1};
  for (engine::ObservedMember& member : sample.observed.members) member.report->held_epoch = Epoch{1};
  EXPECT_EQ(filled(), (std::vector{Ordinal{2}, Ordinal{3}}));
  sample.at(2).report->process = engine::Process::kCloning;
  EXPECT_EQ(filled(), std::vector{Ordinal{3}}) << "and each once";
  sample.at(2).report->process = engine::Process::kNotRunning;
  sample.recorded.epoch = Epoch{2};
  EXPECT_EQ(filled(), std::vector{Ordinal{2}}) << "there is something to copy, and clients will come before it is";
}

TEST(Replicas, TheDonorIsTheFirstReplicaThatIsWhole) {
  const std::vector<std::pair<std::string, std::function<void(Sample&, int)>>> rows = {
      {"errant", [](Sample& s, int i) { s.server(i).executed = s.server(0).executed.united(gtids(90, 1)); }},
      {"relaxed", [](Sample& s, int i) { s.at(i).report->relaxed = true; }},
      {"its applier is stopped", [](Sample& s, int i) { s.channel(i).applier = engine::Thread::kStopped; }},
      {"far behind", [](Sample& s, int i) { s.server(i).executed = gtids(0, 10); }},
      {"a replica of another one", [](Sample& s, int i) { s.channel(i).source_host = "10.0.0.91"; }},
  };
  for (const auto& [why, change] : rows) {
    Sample sample(4, 1);
    sample.recorded.ackers = {identity(1), identity(2)};
    sample.open();
    for (const int i : {0, 1, 2}) sample.server(i).executed = gtids(0, 10000);
    sample.at(3).report->directory = engine::Directory::kEmpty;
    sample.at(3).report->process = engine::Process::kNotRunning;
    sample.at(3).report->server.reset();
    end_connection(sample, 3);
    change(sample, 1);
    const Decision decision = sample.decide();
    ASSERT_NE(step_of<engine::AllowClone>(decision), nullptr) << why;
    EXPECT_EQ(step_of<engine::AllowClone>(decision)->on, Ordinal{2}) << why;
  }
}

TEST(Replicas, EachHasTheAccountsOfAllOthersBecauseItMayBeTheNextPrimary) {
  Sample sample;
  sample.open();
  std::erase_if(sample.server(2).replication_accounts, [](const auto& account) { return account.uuid == uuid_of(1); });
  const Decision decision = sample.decide();
  ASSERT_NE(step_of<engine::EnsureReplicationAccount>(decision), nullptr);
  EXPECT_EQ(step_of<engine::EnsureReplicationAccount>(decision)->on, Ordinal{2});
  EXPECT_EQ(step_of<engine::EnsureReplicationAccount>(decision)->replica, uuid_of(1));
}

TEST(Replicas, AcksOfAReplicaItselfAreSwitchedOffBeforeItFollows) {
  Sample sample;
  sample.open();
  sample.server(2).semi_sync.source_enabled = true;
  sample.server(2).semi_sync.wait_for_count = 1;
  const Decision decision = sample.decide();
  ASSERT_NE(step_of<engine::SetAckCount>(decision), nullptr);
  EXPECT_EQ(step_of<engine::SetAckCount>(decision)->on, Ordinal{2});
}

TEST(Replicas, ACloneThatFailsAndAnApplierThatStopsAreToldInTheServersWords) {
  Sample sample;
  sample.open();
  sample.channel(2).applier = engine::Thread::kStopped;
  sample.channel(2).applier_error = "1062: Duplicate entry '7' for key 't.PRIMARY'";
  Decision decision = sample.decide();
  EXPECT_TRUE(finds(decision, "ApplierBroken"));
  EXPECT_EQ(step_of<engine::Follow>(decision), nullptr) << "to start it again changes nothing";
  EXPECT_TRUE(decision.members[2].message.contains("Duplicate entry '7'")) << decision.members[2].message;
  engine::Report& report = *sample.at(2).report;
  report.server.reset();
  report.process = engine::Process::kNotRunning;
  report.directory = engine::Directory::kEmpty;
  report.start_error = "clone from 10.0.0.0:3306: 3862: the disk is full";
  decision = sample.decide();
  EXPECT_TRUE(finds(decision, "CloneFailed"));
  EXPECT_TRUE(decision.members[2].message.contains("the disk is full")) << decision.members[2].message;
}

TEST(Replicas, AMemberThatIsScaledAwayIsNoStranger) {
  Sample sample;
  sample.open();
  sample.spec.replicas = 2;
  const Decision decision = sample.decide();
  EXPECT_FALSE(finds(decision, "GuaranteeVoid"));
  EXPECT_EQ(decision.members_wanted, 3) << "an acker is not scaled away before it left A";
}

TEST(Open, ComesBeforeAnyOtherChangeOfA) {
  Sample sample;
  sample.open();
  sample.recorded.epoch = Epoch{3};
  sample.server(0).read_only = true;
  sample.at(2).heard = false;
  sample.at(2).not_acking_since = sample.now - Duration{60000};
  const Decision decision = sample.decide();
  EXPECT_NE(step_of<engine::Open>(decision), nullptr);
  EXPECT_FALSE(decision.record);
}

TEST(Reopen, OnlyWhenItsLogCoversTheFloorAndAllThatIsHeard) {
  Sample sample;
  sample.at(0) = Sample::member(0);
  EXPECT_TRUE(sample.decide().record) << "it covers all";
  sample.channel(2).retrieved = gtids(0, 11);
  Decision decision = sample.decide();
  EXPECT_FALSE(decision.record) << "a replica holds more";
  EXPECT_TRUE(finds(decision, "FloorMissing"));
  sample.channel(2).retrieved = {};
  sample.recorded.floor = gtids(0, 11);
  decision = sample.decide();
  EXPECT_FALSE(decision.record) << "the floor is missing";
  EXPECT_EQ(decision.state, ClusterState::kFailoverHeld);
  sample.recorded.floor = gtids(0, 5);
  sample.recorded.watermark = gtids(0, 11);
  decision = sample.decide();
  EXPECT_FALSE(decision.record) << "it was seen to have executed more";
  EXPECT_EQ(decision.state, ClusterState::kFailoverHeld);
}

TEST(Reopen, WhatWaitsForAcksThereIsInItsLog) {
  Sample sample;
  sample.at(0) = Sample::member(0);
  sample.server(0).read_only = false;
  sample.server(0).owned = gtids(0, 11).minus(gtids(0, 10));
  sample.channel(2).retrieved = gtids(0, 11);
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record) << decision.message;
  EXPECT_EQ(decision.record->next.epoch, Epoch{3});
}

TEST(Reopen, IsForOneThatRestartedAndNotForOneThatIsBeingOpened) {
  Sample sample;
  sample.open();
  sample.server(0).read_only = true;
  sample.at(0).report->busy = "Open";
  EXPECT_FALSE(sample.decide().record);
  sample.at(0).report->busy.clear();
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.epoch, Epoch{3});
}

TEST(Open, OnlyWhenTheFloorIsApplied) {
  Sample sample(2, 1);
  sample.open();
  sample.recorded.epoch = Epoch{3};
  sample.recorded.floor = gtids(0, 11);
  sample.server(0).read_only = true;
  const Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::Open>(decision), nullptr);
  EXPECT_NE(decision.message.find("1 transactions to apply"), std::string::npos) << decision.message;
}

TEST(Open, WaitsUntilTheAckersHoldAllThatWouldBeRead) {
  Sample sample(2, 1);
  sample.open();
  sample.recorded.epoch = Epoch{3};
  sample.recorded.failover = engine::FailoverRecord{.id = "shop-3",
                                                    .old_primary = {Ordinal{1}, uuid_of(1)},
                                                    .evidence = "it died",
                                                    .phase = engine::FailoverPhase::kOpening};
  sample.server(0).read_only = true;
  sample.server(0).executed = gtids(0, 12);
  Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::Open>(decision), nullptr) << decision.message;
  sample.channel(1).retrieved = gtids(0, 12);
  decision = sample.decide();
  EXPECT_NE(step_of<engine::Open>(decision), nullptr) << decision.message;
  sample.at(1).report->relaxed = true;
  EXPECT_EQ(step_of<engine::Open>(sample.decide()), nullptr) << "a crash of its node may take what it holds";
}

TEST(Bootstrap, TheFirstPrimaryIsRecordedOnceEveryVolumeWasSeenToBeEmpty) {
  const std::vector<std::pair<std::string, std::function<void(Sample&)>>> rows = {
      {"silent", [](Sample& s) { s.at(2).heard = false; }},
      {"has not looked at its volume yet", [](Sample& s) { s.at(2).report->directory = engine::Directory::kUnknown; }},
      {"has no pod yet", [](Sample& s) { s.observed.members.pop_back(); }},
  };
  for (const auto& [why, change] : rows) {
    Sample sample = nothing_yet();
    change(sample);
    const Decision decision = sample.decide();
    EXPECT_FALSE(decision.record) << why;
    EXPECT_EQ(decision.state, ClusterState::kPending) << why;
  }
  const Decision decision = nothing_yet().decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.bootstrap, (engine::PrimaryRef{Ordinal{0}, uuid_of(0)}));
  EXPECT_TRUE(decision.steps.empty()) << "not before the record";
}

TEST(Bootstrap, NoOtherVolumeThanTheRecordedOneBecomesTheFirstPrimary) {
  Sample sample = nothing_yet();
  sample.recorded.epoch = Epoch{1};
  sample.recorded.bootstrap = engine::PrimaryRef{Ordinal{0}, uuid_of(0)};
  ASSERT_NE(step_of<engine::Initialize>(sample.decide()), nullptr);
  for (const bool has_data : {false, true}) {
    if (has_data) sample.at(0) = Sample::member(0);
    sample.at(0).report->uuid = uuid_of(91);
    const Decision decision = sample.decide();
    EXPECT_TRUE(decision.steps.empty());
    EXPECT_FALSE(decision.record);
    EXPECT_EQ(decision.state, ClusterState::kAmbiguous);
    EXPECT_TRUE(finds(decision, "BootstrapAmbiguous"));
  }
}

TEST(Adopt, TakesAnEpochAboveAllOnceAndOrdersOfItRaiseNothing) {
  Sample sample;
  sample.recorded = engine::Recorded{};
  sample.at(0).report->held_epoch = Epoch{7};
  Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.epoch, Epoch{8});
  sample.recorded = decision.record->next;
  for (auto& member : sample.observed.members) {
    member.report->held_epoch = sample.recorded.epoch;
    member.report->held_revision = sample.recorded.revision;
  }
  decision = sample.decide();
  EXPECT_FALSE(decision.record) << decision.record->why;
  EXPECT_NE(step_of<engine::Permit>(decision), nullptr);
}

TEST(Adopt, NamesAMemberWhoseMysqldDoesNotStart) {
  Sample sample;
  sample.recorded = engine::Recorded{};
  sample.recorded.epoch = Epoch{2};
  sample.at(0).report->held = false;
  sample.at(0).report->process = engine::Process::kStarting;
  sample.at(0).report->start_error = "a line of its log";
  const Decision decision = sample.decide();
  EXPECT_TRUE(decision.message.contains("shop-0 is not up yet: a line of its log")) << decision.message;
  EXPECT_TRUE(finds(decision, "MysqldDoesNotStart"));
}

TEST(Adopt, WaitsForWhoeverHasAVolume) {
  Sample sample;
  sample.recorded = engine::Recorded{};
  sample.recorded.epoch = Epoch{2};
  sample.spec.replicas = 1;
  sample.at(0) = Sample::member(0);
  sample.observed.members.resize(1);
  sample.observed.volumes = 3;
  const Decision decision = sample.decide();
  EXPECT_EQ(decision.state, ClusterState::kAmbiguous);
  EXPECT_EQ(decision.members_wanted, 3) << "or they would never be heard";
  EXPECT_FALSE(decision.record);
  EXPECT_TRUE(decision.message.contains("waiting for shop-1, shop-2")) << decision.message;
}

TEST(Adopt, RecordsTheHolderOfEverythingWithAllOfItAsTheFloor) {
  Sample sample;
  sample.recorded = engine::Recorded{};
  sample.recorded.epoch = Epoch{2};
  sample.at(0) = Sample::member(0);
  const GtidSet history = gtids(0, 10).united(gtids(1, 3));
  sample.server(2).executed = history;
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record) << decision.message;
  EXPECT_EQ(decision.record->next.current_primary, (engine::PrimaryRef{Ordinal{2}, uuid_of(2)}));
  EXPECT_EQ(decision.record->next.floor, history) << "without it the part of another's uuid would count as errant";
}

TEST(Step, SaysWhatItDoesInOneSentence) {
  const std::vector<std::pair<engine::Step, std::string>> table = {
      {engine::Initialize{Ordinal{0}, ServerUuid("u")}, "initialize shop-0 with uuid u"},
      {engine::CloneFrom{Ordinal{1}, Ordinal{0}}, "clone shop-1 from shop-0"},
      {engine::Permit{Ordinal{0}}, "permit shop-0 to start"},
      {engine::Fence{Ordinal{0}}, "fence shop-0"},
      {engine::StopReceiver{Ordinal{2}}, "stop the receiver of shop-2"},
      {engine::Follow{Ordinal{2}, Ordinal{1}, true}, "let shop-2 follow shop-1 with acks"},
      {engine::Follow{Ordinal{2}, Ordinal{1}, false}, "let shop-2 follow shop-1 without acks"},
      {engine::SetAckCount{Ordinal{1}, 2}, "let commits of shop-1 wait for 2 acks"},
      {engine::SetAckers{Ordinal{1}, {ServerUuid("u")}}, "tell shop-1 its 1 permitted replicas"},
      {engine::EnsureReplicationAccount{Ordinal{1}, ServerUuid("u")}, "make the replication account of u on shop-1"},
      {engine::ExpelReplica{Ordinal{1}, ServerUuid("u")}, "expel replica u from shop-1"},
      {engine::EnsureApplicationAccount{Ordinal{1}}, "make the application's account on shop-1"},
      {engine::WriteHeartbeat{Ordinal{1}}, "write a heartbeat on shop-1"},
      {engine::AllowClone{Ordinal{1}, true}, "allow clones on shop-1"},
      {engine::AllowClone{Ordinal{1}, false}, "forbid clones on shop-1"},
      {engine::WaitApplied{Ordinal{1}, gtids(0, 3)}, "wait until shop-1 has applied 3 transactions"},
      {engine::WaitAckers{Ordinal{1}, 1}, "wait for 1 ackers of shop-1"},
      {engine::WaitReceived{Ordinal{2}, gtids(0, 3)}, "wait until shop-2 has received 3 transactions"},
      {engine::Open{Ordinal{1}, {}}, "open shop-1 for writes"},
      {engine::Repoint{Ordinal{1}}, "move the endpoint to shop-1"},
      {engine::LabelRole{Ordinal{1}, "replica"}, "label shop-1 as replica"},
      {engine::LabelRole{Ordinal{1}, ""}, "label shop-1 as nothing"},
  };
  for (const auto& [step, sentence] : table) EXPECT_EQ(describe(step, "shop"), sentence);
}

TEST(Step, WhatCannotBeUndoneIsCheckedOnceMore) {
  EXPECT_TRUE(irrevocable(engine::Open{Ordinal{0}, {}}));
  EXPECT_TRUE(irrevocable(engine::Permit{Ordinal{0}}));
  EXPECT_TRUE(irrevocable(engine::Initialize{Ordinal{0}, {}}));
  EXPECT_TRUE(irrevocable(engine::CloneFrom{Ordinal{0}, Ordinal{1}}));
  EXPECT_TRUE(irrevocable(engine::Repoint{Ordinal{0}}));
  EXPECT_TRUE(irrevocable(engine::SetAckCount{Ordinal{0}, 1}));
  EXPECT_TRUE(irrevocable(engine::EnsureReplicationAccount{Ordinal{0}, {}}));
  EXPECT_TRUE(irrevocable(engine::Follow{Ordinal{1}, Ordinal{0}, true}));
  EXPECT_FALSE(irrevocable(engine::StopReceiver{Ordinal{0}}));
}

}  // namespace
}  // namespace baton::test
