// The scan against a real mysqld: whatever it writes, and however it dies, the scan of its files says what mysqld
// itself finds after its own recovery.

#include <gtest/gtest.h>

#include <random>

#include "sidecar/binlog/event_reader.h"
#include "sidecar/binlog/scan.h"
#include "sidecar/binlog/transaction_tracker.h"
#include "tests/binlog/mysql_load.h"
#include "tests/support/mysqld.h"

namespace baton::binlog {
namespace {

using test::kEveryKind;
using test::Mysqld;
using test::seed_of_run;
using test::Writers;

class BinlogMysql : public testing::Test {
 protected:
  void SetUp() override {
    auto server = Mysqld::create({.arguments = {"--max-allowed-packet=64M", "--max-binlog-size=16M",
                                                "--innodb-redo-log-capacity=256M", "--xa-detach-on-prepare=ON"},
                                  .patience = std::chrono::seconds(120)});
    ASSERT_TRUE(server) << server.error().what;
    server_ = std::move(*server);
    write_every_kind();
  }

  void write_every_kind() {
    auto session = server_->connect();
    ASSERT_TRUE(session) << session.error().what;
    const auto done = session->run(kEveryKind);
    ASSERT_TRUE(done) << done.error().what;
  }

  [[nodiscard]] GtidSet executed() const {
    const auto text = server_->value("SELECT @@GLOBAL.gtid_executed");
    EXPECT_TRUE(text) << text.error().what;
    return GtidSet::parse(text.value_or("")).value_or(GtidSet{});
  }
  [[nodiscard]] Result<BinlogScan> scan() const { return scan_binlogs(server_->binlog_index()); }

  /// The scan succeeds and proves exactly `set`.
  void expect_complete(const GtidSet& set) const {
    const auto found = scan();
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_EQ(found->complete.to_string(), set.to_string()) << found->torn_tail_reason;
    EXPECT_EQ(found->transactions_without_gtid, 0U);
  }

  std::unique_ptr<Mysqld> server_;
};

TEST_F(BinlogMysql, EveryKindOfTransactionIsFound) {
  expect_complete(executed());
  for (const char* algorithm : {"NONE", "CRC32"}) {
    ASSERT_TRUE(server_->query(std::format("SET GLOBAL binlog_checksum={}", algorithm)));
    write_every_kind();
    expect_complete(executed());
  }
  const GtidSet before = executed();
  ASSERT_TRUE(server_->stop());
  expect_complete(before);
  EXPECT_EQ(scan()->torn_tail_reason, "");
}

/// The length that mysqld puts in each GTID event is a second witness of where the transaction ends.
TEST_F(BinlogMysql, TransactionsAreAsLongAsTheirGtidsSay) {
  write_every_kind();
  const auto files = read_index(server_->binlog_index(), server_->data_dir());
  ASSERT_TRUE(files) << files.error().what;
  int transactions = 0;
  for (const auto& path : *files) {
    auto source = FileSource::open(path);
    ASSERT_TRUE(source) << source.error().what;
    EventReader reader(*source, kMagic.size(), source->size().value(), {});
    TransactionTracker tracker;
    GtidEvent gtid;
    std::uint64_t began = 0;
    while (true) {
      const auto next = reader.next();
      ASSERT_TRUE(next) << next.error().what;
      ASSERT_FALSE(std::holds_alternative<Damage>(*next)) << std::get<Damage>(*next).reason;
      if (std::holds_alternative<EndOfLog>(*next)) break;
      const Event& event = std::get<Event>(*next);
      EXPECT_EQ(event.header.log_pos, static_cast<std::uint32_t>(event.end));
      const bool is_query = event.header.type == EventType::kQuery;
      const auto effect = tracker.feed(event.header, is_query ? read_query(event.body)->text : "");
      ASSERT_TRUE(effect) << path << " " << event.offset << ": " << effect.error().what;
      if (*effect == TransactionTracker::Effect::kBegan) {
        const bool tagged = event.header.type == EventType::kGtidTagged;
        gtid = (tagged ? read_gtid_tagged(event.body) : read_gtid(event.body)).value();
        began = event.offset;
      } else if (*effect == TransactionTracker::Effect::kComplete) {
        EXPECT_EQ(gtid.transaction_length, event.end - began) << path << " at offset " << began;
        ++transactions;
      }
    }
  }
  EXPECT_GT(transactions, 60);
}

TEST_F(BinlogMysql, ALivingServerCanBeScanned) {
  Writers writers(*server_);
  GtidSet before = executed();
  for (int round = 1; round <= 20; ++round) {
    const auto found = scan();
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_TRUE(found->complete.contains(before)) << "round " << round;
    before = found->complete;
    writers.wait_for_answers(3 * round);
  }
  server_->kill();
}

TEST_F(BinlogMysql, AKilledServerRecoversWhatTheScanFound) {
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("BATON_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  int answers = 0;
  for (int round = 0; round < 6; ++round) {
    {
      Writers writers(*server_);
      answers = 20 + static_cast<int>(random() % 60);
      writers.wait_for_answers(answers);
      server_->kill();
    }
    const auto dead = scan();
    ASSERT_TRUE(dead) << dead.error().what;
    RecordProperty(std::format("tail_{}", round), dead->torn_tail_reason);
    ASSERT_TRUE(server_->start());
    EXPECT_EQ(dead->complete.to_string(), executed().to_string()) << "round " << round << " " << dead->torn_tail_reason;
    // Recovery cuts the file behind the last complete transaction: exactly where the scan ended.
    EXPECT_EQ(std::filesystem::file_size(server_->data_dir() / dead->last_file), dead->last_end_position);
  }
}

/// Cuts as no kill makes them: at any byte, with and without zeros behind. The engine may know of transactions that the
/// log has lost now; but what mysqld keeps of the log is what the scan counted.
TEST_F(BinlogMysql, ATornFileIsCutWhereTheScanEnded) {
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("BATON_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 6; ++round) {
    write_every_kind();
    server_->kill();
    const auto whole = scan();
    ASSERT_TRUE(whole) << whole.error().what;
    const auto file = server_->data_dir() / whole->last_file;
    const std::uint64_t size = std::filesystem::file_size(file);
    const std::uint64_t cut = size - 1 - random() % (size / 2);
    std::filesystem::resize_file(file, cut);
    const auto torn = scan();
    ASSERT_TRUE(torn) << torn.error().what;
    EXPECT_TRUE(whole->complete.contains(torn->complete));
    ASSERT_TRUE(server_->start()) << server_->error_log_tail();
    EXPECT_EQ(std::filesystem::file_size(file), torn->last_end_position) << torn->torn_tail_reason;
    EXPECT_TRUE(executed().contains(torn->complete));
    const auto after = scan();
    ASSERT_TRUE(after) << after.error().what;
    EXPECT_TRUE(after->complete.contains(torn->complete));
  }
}

}  // namespace
}  // namespace baton::binlog
