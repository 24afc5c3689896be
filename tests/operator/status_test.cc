#include "operator/reconcile/status.h"

#include <gtest/gtest.h>

#include "operator/reconcile/record.h"
#include "tests/operator/records.h"

namespace baton::reconcile {
namespace {

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

TEST_F(ReportTest, WhateverVoidsTheGuaranteeIsSaid) {
  EXPECT_EQ(condition(report({}, "t1"), "GuaranteeVoid")["status"], "False");
  decision_.findings = {{"CatchingUp", Ordinal(2), "shop-2 has 3 transactions to receive"},
                        {"GuaranteeVoid", Ordinal(1), "a replica that is no member is connected to shop-1"}};
  const Json stranger = condition(report({}, "t1"), "GuaranteeVoid");
  EXPECT_EQ(stranger["status"], "True");
  EXPECT_EQ(stranger["message"], "a replica that is no member is connected to shop-1");
  engine::ObservedMember drifted{.ordinal = Ordinal(2), .pod = "shop-2", .heard = true};
  drifted.report.emplace();
  drifted.report->server.emplace();
  drifted.report->server->drift = {"sync_binlog is 0 and must be 1"};
  observed_.members = {drifted};
  const Json settings = condition(report({}, "t1"), "GuaranteeVoid");
  EXPECT_EQ(settings["reason"], "SettingsDrifted");
  EXPECT_EQ(settings["message"], "shop-2: sync_binlog is 0 and must be 1");
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
  put_recorded(status, recorded_, kShopNames);
  const Json after = report(status, "t1");
  EXPECT_EQ(recorded_of(after, kShopNames), recorded_);
  const Json held = put_hold(after, 4, "InvalidSpec", "spec.image is missing", "t2");
  EXPECT_EQ(recorded_of(held, kShopNames), recorded_);
  EXPECT_EQ(condition(held, "Ready")["reason"], "InvalidSpec");
  EXPECT_EQ(condition(held, "FailoverReady")["status"], "True");
}

}  // namespace
}  // namespace baton::reconcile
