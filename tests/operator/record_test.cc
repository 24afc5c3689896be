#include "operator/reconcile/record.h"

#include <gtest/gtest.h>

#include "tests/operator/records.h"

namespace baton::reconcile {
namespace {

TEST(RecordTest, EveryRecordSurvivesTheRoundTrip) {
  for (const engine::Recorded& recorded : {engine::Recorded{}, full_record()}) {
    Json status = {{"state", "Healthy"}};
    put_recorded(status, recorded, kShopNames);
    const auto read = recorded_of(Json::parse(status.dump()), kShopNames);
    ASSERT_TRUE(read.has_value()) << read.error().what;
    EXPECT_EQ(*read, recorded);
    // What is no part of who an acker is.
    for (std::size_t i = 0; i < recorded.ackers.size(); ++i)
      EXPECT_EQ(read->ackers.at(i).fsyncs, recorded.ackers.at(i).fsyncs);
    EXPECT_EQ(status["state"], "Healthy");
  }
}

TEST(RecordTest, IsWrittenInTheFormOfTheSchema) {
  Json status;
  put_recorded(status, full_record(), kShopNames);
  EXPECT_EQ(status, Json::parse(R"({
    "bootstrap": {"member": "shop-0", "uuid": "00000000-0000-0000-0000-000000000000"},
    "currentPrimary": {"name": "shop-1", "uuid": "11111111-1111-1111-1111-111111111111"},
    "epoch": 7, "revision": 41, "effectiveAcks": 1, "everReady": true, "mandatoryLog": "acks could time out",
    "watermark": "11111111-1111-1111-1111-111111111111:1-4",
    "floor": "00000000-0000-0000-0000-000000000000:1-9,11111111-1111-1111-1111-111111111111:tag:1-3",
    "ackers": [{"member": "shop-2", "uuid": "22222222-2222-2222-2222-222222222222", "podUid": "p2", "bootId": "b2",
                "fsyncs": true}],
    "epochs": [{"epoch": 6, "uuid": "00000000-0000-0000-0000-000000000000",
                "finalSet": "00000000-0000-0000-0000-000000000000:1-9",
                "givenUp": "00000000-0000-0000-0000-000000000000:10"}],
    "failover": {"id": "shop-7", "evidence": "killed by signal 9", "phase": "Opening",
                 "givenUp": "00000000-0000-0000-0000-000000000000:10",
                 "oldPrimary": {"name": "shop-0", "uuid": "00000000-0000-0000-0000-000000000000"}}})"));
}

TEST(RecordTest, AStatusWithoutARecordIsAnEmptyRecord) {
  EXPECT_EQ(recorded_of(Json(), kShopNames), engine::Recorded{});
  EXPECT_EQ(recorded_of({{"state", "Held"}, {"conditions", Json::array()}}, kShopNames), engine::Recorded{});
}

TEST(RecordTest, EveryMissingOrWrongFieldIsRefused) {
  Json whole;
  put_recorded(whole, full_record(), kShopNames);
  for (const char* field : {"epoch", "revision", "effectiveAcks", "floor", "everReady", "ackers", "epochs"}) {
    Json broken = whole;
    broken.erase(field);
    EXPECT_FALSE(recorded_of(broken, kShopNames).has_value()) << field;
    broken[field] = {{"unexpected", 1}};
    EXPECT_FALSE(recorded_of(broken, kShopNames).has_value()) << field;
  }
  Json stranger = whole;
  stranger["currentPrimary"]["name"] = "other-1";
  EXPECT_FALSE(recorded_of(stranger, kShopNames).has_value());
  Json phase = whole;
  phase["failover"]["phase"] = "Somewhere";
  EXPECT_FALSE(recorded_of(phase, kShopNames).has_value());
}

}  // namespace
}  // namespace baton::reconcile
