#include "sidecar/replication/indexed_log_source.h"

#include <gtest/gtest.h>

namespace baton::replication {
namespace {

GtidSet set_of(std::string_view numbers) {
  return GtidSet::parse(std::format("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:{}", numbers)).value();
}

class IndexedLogSourceTest : public testing::Test {
 protected:
  [[nodiscard]] Result<LogSource::Opened> open(GtidSet have) {
    return logs_.open({.user = "r", .uuid = {}, .have = std::move(have)});
  }

  binlog::LogSnapshot snapshot_{.is_complete = true, .executed = set_of("1-9"), .available = set_of("5-9")};
  GtidSet outside_;
  IndexedLogSource logs_{[this] { return std::make_shared<const binlog::LogSnapshot>(snapshot_); },
                         [this] { return outside_; }};
};

TEST_F(IndexedLogSourceTest, WhoLacksWhatWasPurgedIsRefused) {
  const auto refused = open(set_of("1-2"));
  ASSERT_TRUE(refused && std::holds_alternative<Refusal>(*refused));
  EXPECT_EQ(std::get<Refusal>(*refused).reason, Refusal::Reason::kPurged);
  EXPECT_EQ(std::get<Refusal>(*refused).transactions, set_of("3-4"));
  const auto served = open(set_of("1-4"));
  ASSERT_TRUE(served && !std::holds_alternative<Refusal>(*served));
}

TEST_F(IndexedLogSourceTest, WhatIsInNoLogCountsAsMissing) {
  outside_ = set_of("10");
  const auto refused = open(set_of("1-4"));
  ASSERT_TRUE(refused && std::holds_alternative<Refusal>(*refused));
  EXPECT_EQ(std::get<Refusal>(*refused).transactions, set_of("10"));
  EXPECT_EQ(logs_.sets().executed, set_of("1-10"));
  EXPECT_EQ(logs_.sets().purged, set_of("1-4:10"));
}

TEST_F(IndexedLogSourceTest, NothingIsCalledPurgedBeforeAllIsRead) {
  snapshot_.is_complete = false;
  const auto later = open({});
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().kind, ErrorKind::kRetry);
  EXPECT_TRUE(open(set_of("1-4"))) << "what it lacks is known already";
}

TEST_F(IndexedLogSourceTest, WhatADamagedLogMayHideIsNotCalledPurged) {
  snapshot_.problems = {{ErrorKind::kCorrupt, "binlog.000003: damaged"}};
  const auto damaged = open({});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().what, "binlog.000003: damaged");
  EXPECT_TRUE(open(set_of("1-4")));
}

TEST_F(IndexedLogSourceTest, AReceiverThatIsAheadIsServed) { EXPECT_TRUE(open(set_of("1-100"))); }

TEST_F(IndexedLogSourceTest, SubscribersAreWokenUntilTheyGo) {
  int woken = 0;
  auto first = logs_.subscribe([&] { ++woken; });
  auto second = logs_.subscribe([&] { woken += 10; });
  logs_.notify();
  EXPECT_EQ(woken, 11);
  first.reset();
  logs_.notify();
  EXPECT_EQ(woken, 21);
}

}  // namespace
}  // namespace baton::replication
