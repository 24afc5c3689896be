// The scan against a real mysqld: whatever it writes, and however it dies, the scan of its files says what mysqld
// itself finds after its own recovery.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "sidecar/binlog/event_reader.h"
#include "sidecar/binlog/scan.h"
#include "sidecar/binlog/transaction_tracker.h"
#include "tests/support/mysqld.h"

namespace baton::binlog {
namespace {

using test::Mysqld;
using test::SqlSession;

/// One of each kind of transaction, in every form that mysqld writes it.
const std::vector<std::string> kEveryKind{
    "CREATE DATABASE IF NOT EXISTS shop",
    "CREATE TABLE IF NOT EXISTS shop.item (id INT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)",
    "INSERT INTO shop.item (v) VALUES ('plain')",
    "SET SESSION binlog_rows_query_log_events=ON",
    "INSERT INTO shop.item (v) VALUES ('with its text')",
    "SET SESSION binlog_rows_query_log_events=OFF",
    "BEGIN",
    "INSERT INTO shop.item (v) VALUES ('a')",
    "SAVEPOINT one",
    "INSERT INTO shop.item (v) VALUES ('b')",
    "ROLLBACK TO one",
    "UPDATE shop.item SET v='c' LIMIT 3",
    "COMMIT",
    "BEGIN",
    "INSERT INTO shop.item (v) VALUES ('never')",
    "ROLLBACK",
    "SET gtid_next='AUTOMATIC:batch'",
    "INSERT INTO shop.item (v) VALUES ('tagged')",
    "CREATE TABLE shop.tagged (id INT)",
    "DROP TABLE shop.tagged",
    "SET gtid_next='AUTOMATIC:_a_tag_that_is_as_long_as_it_can'",
    "INSERT INTO shop.item (v) VALUES ('tagged')",
    "SET gtid_next='aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:9223372036854775000'",
    "BEGIN",
    "COMMIT",
    "SET gtid_next='AUTOMATIC'",
    "SET SESSION binlog_transaction_compression=ON",
    "INSERT INTO shop.item (v) VALUES (REPEAT('compressed', 10000))",
    "CREATE TABLE shop.copy AS SELECT * FROM shop.item",
    "DROP TABLE shop.copy",
    "XA START 'squeezed'",
    "INSERT INTO shop.item (v) VALUES (REPEAT('compressed', 10000))",
    "XA END 'squeezed'",
    "XA PREPARE 'squeezed'",
    "XA COMMIT 'squeezed'",
    "SET SESSION binlog_transaction_compression=OFF",
    "CREATE TABLE shop.copy AS SELECT * FROM shop.item",
    "DROP TABLE shop.copy",
    "XA START 'one'",
    "INSERT INTO shop.item (v) VALUES ('xa')",
    "XA END 'one'",
    "XA PREPARE 'one'",
    "INSERT INTO shop.item (v) VALUES ('between')",
    "XA COMMIT 'one'",
    "XA START 'two'",
    "INSERT INTO shop.item (v) VALUES ('xa')",
    "XA END 'two'",
    "XA PREPARE 'two'",
    "XA ROLLBACK 'two'",
    "XA START 'three'",
    "INSERT INTO shop.item (v) VALUES ('xa')",
    "XA END 'three'",
    "XA COMMIT 'three' ONE PHASE",
    "CREATE TABLE shop.log (id INT) ENGINE=MyISAM",
    "INSERT INTO shop.log VALUES (1), (2)",
    "DROP TABLE shop.log",
    "CREATE USER IF NOT EXISTS visitor@localhost",
    "SET SESSION binlog_format=STATEMENT",
    "SET @seven=7",
    "INSERT INTO shop.item (v) VALUES (CONCAT('statement', @seven, RAND()))",
    "CREATE TEMPORARY TABLE shop.scratch (id INT)",
    "DROP TEMPORARY TABLE shop.scratch",
    "SET SESSION binlog_format=ROW",
    "INSERT INTO shop.item (v) VALUES (REPEAT('x', 20 * 1024 * 1024))",
    "DELETE FROM shop.item WHERE LENGTH(v) > 1000000",
    "ANALYZE TABLE shop.item",
    "FLUSH TABLES",
};

std::uint64_t seed_of_run() {
  const char* given = std::getenv("BATON_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20'260'101;
}

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
  [[nodiscard]] Result<BinlogScan> all() const { return scan_binlogs(server_->binlog_index()); }
  [[nodiscard]] Result<BinlogScan> newest() const { return scan_newest(server_->binlog_index()); }

  /// Both scans succeed and prove exactly `set`.
  void expect_both(const GtidSet& set) const {
    for (const auto& scan : {all(), newest()}) {
      ASSERT_TRUE(scan) << scan.error().what;
      EXPECT_EQ(scan->complete.to_string(), set.to_string()) << scan->torn_tail_reason;
      EXPECT_EQ(scan->transactions_without_gtid, 0U);
    }
  }

  std::unique_ptr<Mysqld> server_;
};

/// Clients that write until they lose their connection.
class Writers {
 public:
  explicit Writers(const Mysqld& server) {
    for (int i = 0; i < 4; ++i) {
      auto session = server.connect();
      EXPECT_TRUE(session) << session.error().what;
      if (session) threads_.emplace_back([i, mine = std::move(*session), this]() mutable { write(i, mine); });
    }
  }
  /// Waits until the clients have had `count` answers since the beginning.
  void wait_for_answers(int count) const {
    for (int seen = answers_; seen < count && running_ > 0; seen = answers_) answers_.wait(seen);
  }

 private:
  void write(int number, SqlSession& session) {
    const std::vector<std::string> statements{
        "INSERT INTO shop.item (v) VALUES ('small')",
        std::format("SET gtid_next='AUTOMATIC:w{}'", number),
        "INSERT INTO shop.item (v) VALUES (REPEAT('y', 3000000))",
        "SET gtid_next='AUTOMATIC'",
        "SET SESSION binlog_transaction_compression=ON",
        "INSERT INTO shop.item (v) VALUES (REPEAT(UUID(), 30000))",
        "SET SESSION binlog_transaction_compression=OFF",
        std::format("CREATE TABLE IF NOT EXISTS shop.t{} (id INT)", number),
        std::format("DROP TABLE shop.t{}", number),
    };
    for (std::size_t i = 0; session.query(statements[i % statements.size()]); ++i) {
      ++answers_;
      answers_.notify_all();
    }
    --running_;
    ++answers_;
    answers_.notify_all();
  }

  std::atomic<int> answers_ = 0;
  std::atomic<int> running_ = 4;
  std::vector<std::jthread> threads_;
};

TEST_F(BinlogMysql, EveryKindOfTransactionIsFound) {
  expect_both(executed());
  for (const char* algorithm : {"NONE", "CRC32"}) {
    ASSERT_TRUE(server_->query(std::format("SET GLOBAL binlog_checksum={}", algorithm)));
    write_every_kind();
    expect_both(executed());
  }
  const GtidSet before = executed();
  ASSERT_TRUE(server_->stop());
  expect_both(before);
  EXPECT_EQ(newest()->torn_tail_reason, "");
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
  for (int round = 1; round <= 60; ++round) {
    const auto scan = newest();
    ASSERT_TRUE(scan) << scan.error().what;
    EXPECT_TRUE(scan->complete.contains(before)) << "round " << round;
    before = scan->complete;
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
    const auto dead = newest();
    const auto dead_all = all();
    ASSERT_TRUE(dead && dead_all) << (dead ? dead_all.error() : dead.error()).what;
    EXPECT_EQ(dead->complete, dead_all->complete);
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
    const auto whole = newest();
    ASSERT_TRUE(whole) << whole.error().what;
    const auto file = server_->data_dir() / whole->last_file;
    const std::uint64_t size = std::filesystem::file_size(file);
    const std::uint64_t cut = size - 1 - random() % (size / 2);
    std::filesystem::resize_file(file, cut);
    const auto torn = newest();
    ASSERT_TRUE(torn) << torn.error().what;
    EXPECT_TRUE(whole->complete.contains(torn->complete));
    ASSERT_TRUE(server_->start()) << server_->error_log_tail();
    EXPECT_EQ(std::filesystem::file_size(file), torn->last_end_position) << torn->torn_tail_reason;
    EXPECT_TRUE(executed().contains(torn->complete));
    const auto after = all();
    ASSERT_TRUE(after) << after.error().what;
    EXPECT_TRUE(after->complete.contains(torn->complete));
  }
}

}  // namespace
}  // namespace baton::binlog
