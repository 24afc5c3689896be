#include "operator/run/order_of.h"

#include <gtest/gtest.h>

#include <variant>

namespace baton {
namespace {

const ServerUuid kSource("3e11fa47-71ca-11e1-9e33-c80aa9429562");

Plan plan_of_two() {
  const ClusterKey key{"default", "shop"};
  return {.epoch = Epoch(4),
          .revision = Revision(7),
          .members = {{.at = {key, Ordinal(0), "shop-0", PodUid("p0"), "10.0.0.1"}, .uuid = kSource},
                      {.at = {key, Ordinal(1), "shop-1", PodUid("p1"), "10.0.0.2"}, .uuid = ServerUuid("b")}},
          .database = "app",
          .user = "app",
          .steps = {}};
}

TEST(OrderOf, WhatComesFromLogsComesFromThePortOfLogsAndSendsNoAcks) {
  const auto order = order_of(engine::Fetch{Ordinal(1), Ordinal(0)}, plan_of_two());
  ASSERT_TRUE(order.has_value()) << order.error().what;
  EXPECT_EQ(order->member, "shop-1");
  const auto* follow = std::get_if<wire::Follow>(&order->command);
  ASSERT_NE(follow, nullptr);
  EXPECT_EQ(follow->host, "10.0.0.1");
  EXPECT_EQ(follow->port, wire::kLogPort);
  EXPECT_EQ(follow->source_uuid, kSource.get());
  EXPECT_FALSE(follow->acks);
}

TEST(OrderOf, DurabilityIsRelaxedAndRestoredByTheSameOrder) {
  for (const bool relaxed : {true, false}) {
    const auto order = order_of(engine::SetDurability{Ordinal(1), relaxed}, plan_of_two());
    ASSERT_TRUE(order.has_value()) << order.error().what;
    const auto* durability = std::get_if<wire::SetDurability>(&order->command);
    ASSERT_NE(durability, nullptr);
    EXPECT_EQ(durability->relaxed, relaxed);
  }
}

TEST(OrderOf, AnOfferNamesTheReplicaAndTheSet) {
  const auto set = GtidSet::parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9").value();
  const auto order = order_of(engine::OfferLogs{Ordinal(0), ServerUuid("b"), set}, plan_of_two());
  ASSERT_TRUE(order.has_value()) << order.error().what;
  EXPECT_EQ(order->epoch, 4);
  EXPECT_EQ(order->revision, 7);
  const auto* offer = std::get_if<wire::OfferLogs>(&order->command);
  ASSERT_NE(offer, nullptr);
  EXPECT_EQ(offer->replica, "b");
  EXPECT_EQ(offer->set, set.to_string());
}

}  // namespace
}  // namespace baton
