// Rules of the plans that keep the record true and let every plan end.
#include <gtest/gtest.h>

#include "tests/engine/views.h"

namespace baton::test {
namespace {

using engine::ClusterState;
using engine::Decision;

/// Applies what a table row does to member i's account on the primary.
void lock_account(Sample& sample, int i) {
  for (auto& account : sample.server(0).replication_accounts) {
    if (account.uuid == uuid_of(i)) account.locked = true;
  }
  std::erase_if(sample.server(0).dump_threads, [&](const engine::DumpThread& d) { return d.uuid == uuid_of(i); });
}

TEST(Acks, ANewAckerIsRecordedBeforeItAcks) {
  Sample sample;
  sample.open();
  sample.recorded.ackers = {identity(1)};
  sample.server(2).semi_sync = {};
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_TRUE(decision.record->next.is_acker(uuid_of(2)));
  EXPECT_EQ(step_of<engine::Follow>(decision), nullptr) << "not before the record";
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

TEST(Acks, OneThatWasExpelledIsLetInOnlyWhenItIsKnownNotToAck) {
  Sample sample;
  sample.open();
  sample.recorded.ackers = {identity(1)};
  lock_account(sample, 2);
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
  decision = sample.decide();
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.ack_count, 2);
  EXPECT_EQ(decision.record->next.floor, gtids(0, 10));
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

TEST(AckCount, LoweredBySomebodyElseIsRecordedFirst) {
  Sample sample(3, 2);
  sample.open();
  sample.server(0).semi_sync.wait_for_count = 1;
  const Decision decision = sample.decide();
  EXPECT_TRUE(finds(decision, "GuaranteeVoid"));
  ASSERT_TRUE(decision.record);
  EXPECT_EQ(decision.record->next.ack_count, 1);
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
  // 3 was told to follow the candidate with acks and is not heard since; 2 is attached.
  Sample sample(4, 2);
  sample.recorded.ackers = {identity(1), identity(2)};
  sample.at(3).heard = false;
  sample.server(1).semi_sync = {.source_enabled = true, .wait_for_count = 1, .clients = 2};
  sample.channel(2).source_host = "10.0.0.1";
  sample.channel(2).receiver = engine::Thread::kRunning;
  sample.server(2).semi_sync.replica_enabled = true;
  const Decision decision = sample.decide();
  ASSERT_TRUE(decision.record) << decision.message;
  EXPECT_EQ(decision.record->next.current_primary->uuid, uuid_of(1));
  EXPECT_TRUE(decision.record->next.is_acker(uuid_of(2)));
  EXPECT_TRUE(decision.record->next.is_acker(uuid_of(3)));
  EXPECT_FALSE(decision.record->next.is_acker(uuid_of(0)));
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

TEST(Start, TheGraceOfACrashEndsWithAFailedStart) {
  Sample sample;
  sample.recorded.failover.reset();
  sample.spec.crash_grace = Duration{5000};
  sample.at(0).down_since = sample.now - Duration{10};
  EXPECT_NE(step_of<engine::Permit>(sample.decide()), nullptr);
  sample.at(0).report->start_error = "a line of its log";
  const Decision decision = sample.decide();
  EXPECT_EQ(step_of<engine::Permit>(decision), nullptr);
  EXPECT_TRUE(decision.record) << "the failover begins";
}

TEST(Start, TheEndOfAPodThatTheKubeletReportedIsProof) {
  Sample sample;
  sample.recorded.failover.reset();
  sample.at(0).heard = false;
  sample.at(0).report->process = engine::Process::kRunning;
  EXPECT_EQ(sample.decide().state, ClusterState::kPrimaryUnknown);
  sample.observed.ended_pods.insert(identity(0).pod_uid);
  EXPECT_TRUE(sample.decide().record);
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
      {engine::AllowClone{Ordinal{1}, true}, "allow clones on shop-1"},
      {engine::AllowClone{Ordinal{1}, false}, "forbid clones on shop-1"},
      {engine::WaitApplied{Ordinal{1}, gtids(0, 3)}, "wait until shop-1 has applied 3 transactions"},
      {engine::WaitAckers{Ordinal{1}, 1}, "wait for 1 ackers of shop-1"},
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
  EXPECT_FALSE(irrevocable(engine::StopReceiver{Ordinal{0}}));
}

}  // namespace
}  // namespace baton::test
