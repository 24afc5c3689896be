#include "sidecar/local/log_offer.h"

#include <future>

#include "sidecar/mysql/server_admin.h"
#include "tests/binlog/held_look.h"
#include "tests/binlog/log_folder.h"

namespace baton::sidecar {
namespace {

using binlog::CaughtUp;
using replication::LogSource;
using test::LogWriter;
using test::set_of;

const std::string kUuid(LogWriter::kUuid);
const std::string kReplica = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const std::string kOther = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

/// A dead server with the transactions 1-4.
class LogOfferTest : public test::LogFolder {
 protected:
  void SetUp() override {
    LogFolder::SetUp();
    LogWriter writer(true);
    writer.previous_gtids({});
    for (std::uint64_t number = 1; number <= 4; ++number) writer.rows_transaction(number);
    write("binlog.000001", writer.bytes());
    list("binlog.index", {"binlog.000001"});
    tail_.emplace(listings(), [] { return binlog::LogIndex::Step{}; }, std::chrono::milliseconds(5));
    logs_.emplace(*tail_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    ASSERT_TRUE(tail_->wait_complete(tail_->poke(), {}, deadline));
  }
  void TearDown() override {
    logs_.reset();
    tail_.reset();
    LogFolder::TearDown();
  }

  static GtidSet set(const std::string& numbers) { return set_of(kUuid + ":" + numbers); }
  void offer(const std::string& replica, const std::string& numbers) {
    logs_->set_offer(Offer{.replica = replica, .set = set(numbers)});
  }
  Result<LogSource::Opened> open(const std::string& replica, const GtidSet& have = {}) {
    return logs_->open({.user = replication_account(replica), .uuid = replica, .have = have});
  }
  std::unique_ptr<binlog::TransactionStream> stream(const std::string& replica, const GtidSet& have = {}) {
    auto opened = open(replica, have);
    EXPECT_TRUE(opened) << opened.error().what;
    return std::get<std::unique_ptr<binlog::TransactionStream>>(*std::move(opened));
  }

  std::optional<binlog::LogTail> tail_;
  std::optional<OfferedLogs> logs_;
};

TEST_F(LogOfferTest, WhoIsNotMeantGetsNothing) {
  EXPECT_EQ(open(kReplica).error().kind, ErrorKind::kRetry) << "it may be offered yet";
  offer(kOther, "1-4");
  EXPECT_EQ(open(kReplica).error().kind, ErrorKind::kRetry);
  EXPECT_EQ(logs_->sets().executed, set("1-4"));
  logs_->set_offer(std::nullopt);
  EXPECT_FALSE(open(kOther));
  EXPECT_TRUE(logs_->sets().executed.empty());
}

TEST_F(LogOfferTest, WhatIsOfferedAndHereAndLackingIsSent) {
  offer(kReplica, "2-3:77");
  EXPECT_EQ(logs_->sets().executed, set("2-3"));
  const auto all = stream(kReplica);
  EXPECT_FALSE(test::drain(*all).error) << "another member may have the rest";
  EXPECT_EQ(logs_->transactions_sent(), 2U);
  EXPECT_TRUE(std::holds_alternative<CaughtUp>(*all->next())) << "it stays open";
  EXPECT_EQ(logs_->transactions_sent(), 2U);
  const auto rest = stream(kReplica, set("1-2"));
  EXPECT_EQ(test::drain(*rest).stretches.size(), 1U);
  EXPECT_EQ(logs_->transactions_sent(), 3U);
  const auto nothing = stream(kReplica, set("1-3"));
  EXPECT_EQ(test::drain(*nothing).chunks, 0U);
}

TEST_F(LogOfferTest, StreamsEndWithTheirOffer) {
  int woken = 0;
  const auto subscription = logs_->subscribe([&] { ++woken; });
  offer(kReplica, "1-2");
  EXPECT_EQ(woken, 1);
  const auto first = stream(kReplica);
  EXPECT_FALSE(test::drain(*first).error);
  offer(kReplica, "1-2");
  EXPECT_EQ(woken, 1) << "the same offer is no news";
  offer(kReplica, "1");
  EXPECT_TRUE(first->next()) << "nothing more for it";
  offer(kReplica, "1-4");
  EXPECT_EQ(first->next().error().kind, ErrorKind::kRetry) << "there is more: it asks again";
  const auto second = stream(kReplica, set("1-2"));
  ASSERT_TRUE(second->next());
  offer(kOther, "1-4");
  EXPECT_EQ(second->next().error().kind, ErrorKind::kRetry);
  logs_->set_offer(std::nullopt);
  EXPECT_FALSE(second->next());
  EXPECT_EQ(woken, 5);
}

TEST_F(LogOfferTest, NothingIsSentOutOfLogsThatAreStillBeingRead) {
  logs_.reset();
  write_long_log("binlog.000001", 1);
  const test::HeldLook held;
  tail_.emplace(listings(), held.facts(), std::chrono::milliseconds(5));
  logs_.emplace(*tail_);
  ASSERT_TRUE(held.wait());
  offer(kReplica, "1-3");
  logs_->stop_waiting();  // As if its patience were over.
  const auto opened = open(kReplica);
  ASSERT_FALSE(opened) << "its receiver would take what is known by now for all that is here";
  EXPECT_EQ(opened.error().kind, ErrorKind::kRetry);
  held.go_on();
  ASSERT_TRUE(tail_->wait_complete(1, {}, std::chrono::steady_clock::now() + std::chrono::seconds(20)));
  EXPECT_TRUE(open(kReplica));
}

TEST_F(LogOfferTest, AnOfferIsAwaited) {
  auto waiting = std::async(std::launch::async, [this] { return logs_->await_offer(); });
  offer(kReplica, "1");
  ASSERT_NE(waiting.get(), nullptr);
  logs_->set_offer(std::nullopt);
  auto stopped = std::async(std::launch::async, [this] { return logs_->await_offer(); });
  logs_->stop_waiting();
  EXPECT_EQ(stopped.get(), nullptr);
}

}  // namespace
}  // namespace baton::sidecar
