#include "operator/reconcile/status.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace baton::reconcile {
namespace {

using engine::FailoverPhase;

const api::Names kShop{"shop"};
constexpr const char* kUuid0 = "00000000-0000-0000-0000-000000000000";
constexpr const char* kUuid1 = "11111111-1111-1111-1111-111111111111";

GtidSet gtids(const char* text) { return GtidSet::parse(text).value(); }

engine::Recorded full_record() {
  engine::Recorded recorded{.bootstrap = engine::PrimaryRef{Ordinal(0), ServerUuid(kUuid0)},
                            .current_primary = engine::PrimaryRef{Ordinal(1), ServerUuid(kUuid1)},
                            .epoch = Epoch(7),
                            .revision = Revision(41)};
  recorded.ackers = {{Ordinal(2), ServerUuid("22222222-2222-2222-2222-222222222222"), PodUid("p2"), BootId("b2")}};
  recorded.ack_count = 1;
  recorded.floor = gtids("00000000-0000-0000-0000-000000000000:1-9,11111111-1111-1111-1111-111111111111:tag:1-3");
  recorded.watermark = gtids("11111111-1111-1111-1111-111111111111:1-4");
  recorded.ever_ready = true;
  recorded.epochs = {{Epoch(6), ServerUuid(kUuid0), gtids("00000000-0000-0000-0000-000000000000:1-9")}};
  recorded.failover = engine::FailoverRecord{.id = "shop-7",
                                             .old_primary = {Ordinal(0), ServerUuid(kUuid0)},
                                             .evidence = "killed by signal 9",
                                             .phase = FailoverPhase::kOpening,
                                             .given_up = gtids("00000000-0000-0000-0000-000000000000:10")};
  return recorded;
}

TEST(RecordedStatus, EveryRecordSurvivesTheRoundTrip) {
  for (const engine::Recorded& recorded : {engine::Recorded{}, full_record()}) {
    Json status = {{"state", "Healthy"}};
    put_recorded(status, recorded, kShop);
    const auto read = recorded_of(Json::parse(status.dump()), kShop);
    ASSERT_TRUE(read.has_value()) << read.error().what;
    EXPECT_EQ(*read, recorded);
    EXPECT_EQ(status["state"], "Healthy");
  }
}

TEST(RecordedStatus, IsWrittenInTheFormOfTheSchema) {
  Json status;
  put_recorded(status, full_record(), kShop);
  EXPECT_EQ(status, Json::parse(R"({
    "bootstrap": {"member": "shop-0", "uuid": "00000000-0000-0000-0000-000000000000"},
    "currentPrimary": {"name": "shop-1", "uuid": "11111111-1111-1111-1111-111111111111"},
    "epoch": 7, "revision": 41, "effectiveAcks": 1, "everReady": true,
    "watermark": "11111111-1111-1111-1111-111111111111:1-4",
    "floor": "00000000-0000-0000-0000-000000000000:1-9,11111111-1111-1111-1111-111111111111:tag:1-3",
    "ackers": [{"member": "shop-2", "uuid": "22222222-2222-2222-2222-222222222222", "podUid": "p2", "bootId": "b2"}],
    "epochs": [{"epoch": 6, "uuid": "00000000-0000-0000-0000-000000000000",
                "finalSet": "00000000-0000-0000-0000-000000000000:1-9"}],
    "failover": {"id": "shop-7", "evidence": "killed by signal 9", "phase": "Opening",
                 "givenUp": "00000000-0000-0000-0000-000000000000:10",
                 "oldPrimary": {"name": "shop-0", "uuid": "00000000-0000-0000-0000-000000000000"}}})"));
}

TEST(RecordedStatus, AStatusWithoutARecordIsAnEmptyRecord) {
  EXPECT_EQ(recorded_of(Json(), kShop), engine::Recorded{});
  EXPECT_EQ(recorded_of({{"state", "Held"}, {"conditions", Json::array()}}, kShop), engine::Recorded{});
}

TEST(RecordedStatus, EveryMissingOrWrongFieldIsRefused) {
  Json whole;
  put_recorded(whole, full_record(), kShop);
  for (const char* field : {"epoch", "revision", "effectiveAcks", "floor", "everReady", "ackers", "epochs"}) {
    Json broken = whole;
    broken.erase(field);
    EXPECT_FALSE(recorded_of(broken, kShop).has_value()) << field;
    broken[field] = {{"unexpected", 1}};
    EXPECT_FALSE(recorded_of(broken, kShop).has_value()) << field;
  }
  Json stranger = whole;
  stranger["currentPrimary"]["name"] = "other-1";
  EXPECT_FALSE(recorded_of(stranger, kShop).has_value());
  Json phase = whole;
  phase["failover"]["phase"] = "Somewhere";
  EXPECT_FALSE(recorded_of(phase, kShop).has_value());
}

class ReportTest : public ::testing::Test {
 protected:
  ReportTest() {
    cluster_.name = "shop";
    cluster_.generation = 3;
    decision_.state = engine::ClusterState::kHealthy;
    decision_.message = "shop-1 is open and all members replicate";
    decision_.readiness = {true, "", "shop-2 would take over"};
    recorded_ = full_record();
    recorded_.failover.reset();
  }
  Json report(const Json& before, const std::string& now) {
    return put_report(before, {cluster_, recorded_, decision_, observed_, timeline_, obstacles_, now, true});
  }
  static Json condition(const Json& status, const std::string& type) {
    for (const Json& entry : status["conditions"]) {
      if (entry["type"] == type) return entry;
    }
    return {};
  }

  api::Cluster cluster_;
  engine::Recorded recorded_;
  engine::Decision decision_;
  engine::ObservedCluster observed_;
  Timeline timeline_;
  std::vector<engine::Finding> obstacles_;
};

TEST_F(ReportTest, TransitionTimesMoveOnlyWithTheStatus) {
  const Json first = report({}, "t1");
  EXPECT_EQ(condition(first, "Ready")["status"], "True");
  EXPECT_EQ(condition(first, "FailoverReady")["status"], "True");
  EXPECT_EQ(report(first, "t2"), first);
  decision_.state = engine::ClusterState::kDegraded;
  decision_.message = "shop-2 is not heard";
  const Json second = report(first, "t3");
  EXPECT_EQ(condition(second, "Ready")["lastTransitionTime"], "t3");
  EXPECT_EQ(condition(second, "Ready")["reason"], "Degraded");
  EXPECT_EQ(condition(second, "PrimaryAvailable")["lastTransitionTime"], "t1");
}

TEST_F(ReportTest, WhatTheApiServerRefusedIsTheReasonOfReady) {
  obstacles_ = {{"ObjectRefused", std::nullopt, "StatefulSet shop: spec.affinity is wrong"}};
  const Json status = report({}, "t1");
  EXPECT_EQ(condition(status, "Ready")["status"], "False");
  EXPECT_EQ(condition(status, "Ready")["message"], "StatefulSet shop: spec.affinity is wrong");
}

TEST_F(ReportTest, MembersThatRefuseTheTokenAreNamed) {
  EXPECT_EQ(condition(report({}, "t1"), "SecretsRolling")["status"], "False");
  observed_.members.push_back({.ordinal = Ordinal(0), .pod = "shop-0"});
  observed_.members.push_back({.ordinal = Ordinal(2), .pod = "shop-2", .refusal = "it answered 401"});
  const Json rolling = condition(report({}, "t1"), "SecretsRolling");
  EXPECT_EQ(rolling["status"], "True");
  EXPECT_EQ(rolling["reason"], "MountsBehind");
  EXPECT_TRUE(rolling["message"].get<std::string>().starts_with("shop-2 and the operator do not take each other's"));
}

TEST_F(ReportTest, OnlyAnOpenPrimaryMovesTheWatermark) {
  // One that has restarted holds what nobody acknowledged, and what a new primary cannot be asked to hold.
  recorded_.current_primary = engine::PrimaryRef{Ordinal(0), ServerUuid(kUuid0)};
  engine::ObservedMember member{.ordinal = Ordinal(0), .pod = "shop-0"};
  member.report.emplace();
  member.report->uuid = ServerUuid(kUuid0);
  member.report->server.emplace();
  member.report->server->executed = gtids("00000000-0000-0000-0000-000000000000:1-5");
  observed_.members.push_back(member);
  decision_.state = engine::ClusterState::kReopening;
  EXPECT_FALSE(report({}, "t1").contains("watermark"));
  decision_.state = engine::ClusterState::kDegraded;
  EXPECT_EQ(report({}, "t1")["watermark"], "00000000-0000-0000-0000-000000000000:1-5");
}

TEST_F(ReportTest, TheRecordIsNotTouched) {
  Json status;
  put_recorded(status, recorded_, kShop);
  const Json after = report(status, "t1");
  EXPECT_EQ(recorded_of(after, kShop), recorded_);
  const Json held = put_hold(after, 4, "InvalidSpec", "spec.image is missing", "t2");
  EXPECT_EQ(recorded_of(held, kShop), recorded_);
  EXPECT_EQ(condition(held, "Ready")["reason"], "InvalidSpec");
  EXPECT_EQ(condition(held, "FailoverReady")["status"], "True");
}

TEST(TimelineTest, KeepsThePhasesOfAFailover) {
  TimelineKeeper keeper;
  const WallTime t0{std::chrono::seconds(1'700'000'000)};
  const auto after = [&](int ms) { return t0 + std::chrono::milliseconds(ms); };
  engine::Recorded before = full_record();
  before.failover.reset();
  before.current_primary = engine::PrimaryRef{Ordinal(0), ServerUuid(kUuid0)};
  engine::Recorded begun = full_record();
  begun.current_primary = before.current_primary;
  begun.failover->phase = FailoverPhase::kRevoking;
  keeper.record_written(before, begun, kShop, after(0), after(5), after(12));
  keeper.step_succeeded(engine::StopReceiver{Ordinal(1)}, after(20));
  keeper.step_succeeded(engine::StopReceiver{Ordinal(2)}, after(25));
  keeper.record_written(begun, full_record(), kShop, std::nullopt, after(30), after(38));
  keeper.step_succeeded(engine::Open{Ordinal(1), {}}, after(66));
  keeper.step_succeeded(engine::Repoint{Ordinal(1)}, after(80));
  engine::Recorded over = full_record();
  over.failover.reset();
  keeper.record_written(full_record(), over, kShop, std::nullopt, after(90), after(99));

  const Timeline& timeline = keeper.timeline();
  std::vector<std::string> names;
  for (const auto& phase : timeline.phases) names.push_back(phase.name + phase.at.substr(19));
  EXPECT_EQ(names, (std::vector<std::string>{"detected.000Z", "decided.005Z", "recorded.012Z", "revoked.025Z",
                                             "chosen.038Z", "opened.066Z", "repointed.080Z"}));
  EXPECT_EQ(timeline.from, "shop-0");
  EXPECT_EQ(timeline.to, "shop-1");
  EXPECT_EQ(timeline.finished_at.substr(19), ".090Z");
  EXPECT_EQ(ended(timeline, full_record(), kShop, "", after(90)), timeline) << "the write that ends it says the same";
}

TEST(TimelineTest, AFailoverThatAnotherProcessBeganIsToldFromTheRecord) {
  engine::Recorded after = full_record();
  after.failover.reset();
  EXPECT_TRUE(ends_failover(full_record(), after));
  EXPECT_FALSE(ends_failover(after, full_record()));
  EXPECT_FALSE(ends_failover(full_record(), full_record()));
  after.failover = engine::FailoverRecord{.id = "shop-8"};
  EXPECT_TRUE(ends_failover(full_record(), after)) << "another one took its place";

  const Timeline told = ended(Timeline{.id = "shop-6"}, full_record(), kShop, "t1", WallTime{std::chrono::seconds(0)});
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
