// The index and the stream against real mysqlds: relay logs of a real replica, however it or its source died, and
// binary logs cut anywhere against what mysqld itself keeps of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "sidecar/binlog/index_file.h"
#include "sidecar/binlog/log_index.h"
#include "tests/binlog/log_folder.h"
#include "tests/binlog/log_oracle.h"
#include "tests/binlog/mysql_load.h"

namespace baton::binlog {
namespace {

using test::drain;
using test::kEveryKind;
using test::LogOracle;
using test::Mysqld;
using test::seed_of_run;
using test::Streamed;
using test::Writers;

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

GtidSet executed_of(const Mysqld& server) {
  const auto text = server.value("SELECT @@GLOBAL.gtid_executed");
  EXPECT_TRUE(text) << text.error().what;
  return GtidSet::parse(text.value_or("")).value_or(GtidSet{});
}

class LogIndexMysql : public testing::Test {
 protected:
  void SetUp() override {
    source_ = start({"--max-allowed-packet=64M", "--max-binlog-size=16M", "--xa-detach-on-prepare=ON"});
    ASSERT_NE(source_, nullptr);
    ASSERT_TRUE(source_->query("CREATE USER repl IDENTIFIED BY 'repl'"));
    ASSERT_TRUE(source_->query("GRANT REPLICATION SLAVE ON *.* TO repl"));
  }

  static std::unique_ptr<Mysqld> start(std::vector<std::string> arguments) {
    auto server = Mysqld::create({.arguments = std::move(arguments), .patience = std::chrono::seconds(300)});
    EXPECT_TRUE(server) << server.error().what;
    return server ? std::move(*server) : nullptr;
  }

  void start_replica(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"--server-id=2",
                                       "--max-allowed-packet=64M",
                                       "--replica-max-allowed-packet=64M",
                                       "--max-relay-log-size=8M",
                                       "--relay-log-recovery=OFF",
                                       "--relay-log-purge=OFF",
                                       "--xa-detach-on-prepare=ON"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    replica_ = start(arguments);
    ASSERT_NE(replica_, nullptr);
    const auto done = replica_->query(
        std::format("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={}, SOURCE_USER='repl', "
                    "SOURCE_PASSWORD='repl', SOURCE_AUTO_POSITION=1, SOURCE_SSL=0, GET_SOURCE_PUBLIC_KEY=1, "
                    "SOURCE_CONNECT_RETRY=1, SOURCE_HEARTBEAT_PERIOD=1",
                    source_->port()));
    ASSERT_TRUE(done) << done.error().what;
  }

  void write_every_kind() const {
    auto session = source_->connect();
    ASSERT_TRUE(session) << session.error().what;
    const auto done = session->run(kEveryKind);
    ASSERT_TRUE(done) << done.error().what;
  }

  [[nodiscard]] std::uint64_t relay_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& path : read_index(replica_->data_dir() / "relay.index", {}).value_or({})) {
      std::error_code gone;
      const auto size = std::filesystem::file_size(path, gone);
      bytes += gone ? 0 : size;
    }
    return bytes;
  }

  /// Waits until the receiver has stored all that the source has executed.
  void wait_received() const {
    const std::string wanted = executed_of(*source_).to_string();
    const auto done = replica_->wait_for(std::format("SELECT GTID_SUBSET('{}', received_transaction_set) FROM "
                                                     "performance_schema.replication_connection_status",
                                                     wanted),
                                         "1");
    ASSERT_TRUE(done) << done.error().what << replica_->error_log_tail();
  }

  static LogPosition published_by(const Mysqld& server) {
    const auto status = server.query("SHOW BINARY LOG STATUS");
    EXPECT_TRUE(status) << status.error().what;
    return status ? LogPosition{*status->at(0)[0], std::stoull(*status->at(0)[1])} : LogPosition{};
  }
  static std::vector<LogListing> listings_of(const Mysqld& server) {
    return {{LogKind::kBinlog, server.binlog_index(), {}}, {LogKind::kRelay, server.data_dir() / "relay.index", {}}};
  }
  static std::shared_ptr<const LogSnapshot> index_of(const Mysqld& server, const LogIndex::Step& step = {}) {
    LogIndex index(listings_of(server));
    const auto done = index.advance(step);
    EXPECT_TRUE(done) << done.error().what;
    for (const Error& problem : index.snapshot()->problems) ADD_FAILURE() << problem.what;
    return index.snapshot();
  }

  std::unique_ptr<Mysqld> source_;
  std::unique_ptr<Mysqld> replica_;
};

/// The relay logs of a replica that applies nothing give the same bytes as the source's binary logs.
TEST_F(LogIndexMysql, RelayLogsGiveTheSourcesBytes) {
  start_replica();
  for (const char* algorithm : {"CRC32", "NONE", "CRC32"}) {
    ASSERT_TRUE(source_->query(std::format("SET GLOBAL binlog_checksum={}", algorithm)));
    ASSERT_TRUE(replica_->query("START REPLICA IO_THREAD"));
    write_every_kind();
    wait_received();
    ASSERT_TRUE(replica_->query("STOP REPLICA IO_THREAD"));
  }
  const auto source = index_of(*source_, {.is_alive = true, .published = published_by(*source_)});
  const auto replica = index_of(*replica_, {.is_alive = true});
  EXPECT_EQ(source->executed, executed_of(*source_));
  EXPECT_EQ(replica->received, source->executed);
  const GtidSet known = executed_of(*replica_);
  EXPECT_TRUE(known.intersected(source->executed).empty());
  const Streamed binlogs = drain(source, {});
  const Streamed relays = drain(replica, replica->executed);
  ASSERT_FALSE(binlogs.error) << binlogs.error->what;
  ASSERT_FALSE(relays.error) << relays.error->what;
  EXPECT_TRUE(binlogs.bytes() == relays.bytes());
  EXPECT_GT(binlogs.bytes().size(), 60U * 1024 * 1024);
  for (const auto& file : replica->logs[1].files) {
    const std::string bytes = bytes_of(file->path);
    EXPECT_EQ(file->contents.transactions, LogOracle(bytes).gtids()) << file->path;
    auto opened = FileSource::open(file->path);
    EXPECT_EQ(guess_kind(*opened, file->name).value(), LogKind::kRelay);
  }
}

/// A receiver that is stopped within transactions, again and again, leaves parts; each transaction is served once.
TEST_F(LogIndexMysql, PartsOfTransactionsInRealRelayLogs) {
  start_replica();
  ASSERT_TRUE(source_->query("CREATE DATABASE shop"));
  ASSERT_TRUE(source_->query("CREATE TABLE shop.item (id INT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)"));
  auto session = source_->connect();
  for (int transaction = 0; transaction < 4; ++transaction) {
    ASSERT_TRUE(session->query("BEGIN"));
    for (int row = 0; row < 60; ++row) {
      ASSERT_TRUE(session->query("INSERT INTO shop.item (v) VALUES (REPEAT(UUID(), 10000))"));
    }
    ASSERT_TRUE(session->query("COMMIT"));
  }
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("BATON_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 8; ++round) {
    ASSERT_TRUE(replica_->query("START REPLICA IO_THREAD"));
    const std::uint64_t enough = relay_bytes() + random() % 20'000'000;
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (relay_bytes() < enough && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    ASSERT_TRUE(replica_->query("STOP REPLICA IO_THREAD"));
  }
  ASSERT_TRUE(replica_->query("START REPLICA IO_THREAD"));
  wait_received();
  replica_->kill();
  const auto source = index_of(*source_, {.is_alive = true, .published = published_by(*source_)});
  const auto replica = index_of(*replica_);
  std::uint64_t parts = 0;
  for (const auto& file : replica->logs[1].files) parts += file->contents.parts;
  EXPECT_GT(parts, 0U);
  EXPECT_EQ(replica->received, source->executed);
  EXPECT_TRUE(drain(source, {}).bytes() == drain(replica, replica->executed).bytes());
}

/// What a killed replica's relay logs are said to hold is what its own applier finds in them.
TEST_F(LogIndexMysql, AKilledReplicaAppliesWhatTheIndexFound) {
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("BATON_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  write_every_kind();
  start_replica();
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(replica_->query("START REPLICA"));
    Writers writers(*source_);
    writers.wait_for_answers(40 + static_cast<int>(random() % 60));
    replica_->kill();
    const auto dead = index_of(*replica_);
    const Streamed all = drain(dead, {});
    ASSERT_FALSE(all.error) << all.error->what;
    const GtidSet promised = dead->executed.united(dead->received);
    ASSERT_TRUE(replica_->start()) << replica_->error_log_tail();
    ASSERT_TRUE(replica_->query("START REPLICA SQL_THREAD"));
    const auto done =
        replica_->wait_for(std::format("SELECT GTID_SUBSET('{}', @@GLOBAL.gtid_executed)", promised.to_string()), "1");
    ASSERT_TRUE(done) << done.error().what << replica_->error_log_tail();
    EXPECT_EQ(executed_of(*replica_).to_string(), promised.to_string()) << "round " << round;
    source_->kill();
    ASSERT_TRUE(source_->start());
  }
}

/// The index of a living server has all that it had executed when asked, and never more than is in its log.
TEST_F(LogIndexMysql, ALivingServerIsFollowed) {
  write_every_kind();
  Writers writers(*source_);
  LogIndex index(listings_of(*source_));
  for (int round = 1; round <= 60; ++round) {
    const auto status = source_->query("SHOW BINARY LOG STATUS");
    ASSERT_TRUE(status) << status.error().what;
    const LogPosition published{*status->at(0)[0], std::stoull(*status->at(0)[1])};
    const auto done = index.advance({.is_alive = true, .published = published});
    if (!done && done.error().kind == ErrorKind::kRetry) continue;
    ASSERT_TRUE(done) << done.error().what;
    EXPECT_TRUE(index.snapshot()->executed.contains(GtidSet::parse(*status->at(0)[4]).value())) << "round " << round;
    EXPECT_TRUE(index.snapshot()->problems.empty()) << index.snapshot()->problems[0].what;
    writers.wait_for_answers(3 * round);
  }
  source_->kill();
  ASSERT_TRUE(index.advance({}));
  EXPECT_EQ(index.snapshot()->executed, index_of(*source_)->executed);
  ASSERT_TRUE(source_->start());
  EXPECT_EQ(index.snapshot()->executed, executed_of(*source_));
}

/// The newest file, cut at and beside each event of a small tail and at random: what mysqld's recovery keeps of it is
/// what the index counts. BATON_CUTS: how many random ones (20).
TEST_F(LogIndexMysql, WhatRecoveryKeepsOfAnyCutIsWhatTheIndexCounts) {
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("BATON_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  ASSERT_TRUE(source_->query("CREATE DATABASE shop"));
  ASSERT_TRUE(source_->query("CREATE TABLE shop.item (id INT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)"));
  ASSERT_TRUE(source_->query("FLUSH BINARY LOGS"));
  const std::vector<std::string> load{
      "INSERT INTO shop.item (v) VALUES ('one')",
      "SET gtid_next='AUTOMATIC:batch'",
      "CREATE TABLE shop.other (id INT)",
      "SET gtid_next='AUTOMATIC'",
      "BEGIN",
      "INSERT INTO shop.item (v) VALUES ('a')",
      "SAVEPOINT one",
      "INSERT INTO shop.item (v) VALUES ('b')",
      "ROLLBACK TO one",
      "COMMIT",
      // Stays prepared: with its XA_PREPARE_LOG_EVENT the group is whole for recovery, which decides nothing about the
      // transaction; InnoDB keeps it prepared, whether the event was cut off or not, and no later start minds.
      "XA START 'left'",
      "INSERT INTO shop.item (v) VALUES ('xa')",
      "XA END 'left'",
      "XA PREPARE 'left'",
      "SET SESSION binlog_transaction_compression=ON",
      "INSERT INTO shop.item (v) VALUES (REPEAT('compressed', 1000))",
  };
  auto session = source_->connect();
  const auto loaded = session->run(load);
  ASSERT_TRUE(loaded) << loaded.error().what;
  source_->kill();
  const std::string index_text = bytes_of(source_->binlog_index());
  const auto file = index_of(*source_)->logs[0].files.back()->path;
  const std::string whole = bytes_of(file);
  ASSERT_TRUE(whole.contains("SAVEPOINT `one`") && whole.contains("XA END"));
  std::vector<std::size_t> cuts;
  const LogOracle oracle(whole);
  for (const std::size_t end : oracle.event_ends()) {
    if (end <= oracle.transactions().front().begin) continue;
    for (const std::size_t cut : {end - 1, end, end + 1}) cuts.push_back(std::min(cut, whole.size()));
  }
  const char* given = std::getenv("BATON_CUTS");
  const std::size_t first = oracle.transactions().front().begin;
  for (int left = given != nullptr ? std::atoi(given) : 20; left > 0; --left) {
    cuts.push_back(first + random() % (whole.size() - first));
  }
  for (const std::size_t cut : cuts) {
    put_bytes(file, std::string_view(whole).substr(0, cut));
    put_bytes(source_->binlog_index(), index_text);
    const auto counted = index_of(*source_)->logs[0].files.back();
    EXPECT_EQ(counted->contents.transactions, oracle.gtids_before(cut)) << cut;
    ASSERT_TRUE(source_->start({"--performance-schema=OFF"})) << cut << ": " << source_->error_log_tail();
    EXPECT_EQ(std::filesystem::file_size(file), counted->contents.end_position) << cut;
    source_->kill();
    // The file that the server began is taken away again.
    for (const auto& entry : std::filesystem::directory_iterator(source_->data_dir())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("binlog.0") && entry.path() > file) std::filesystem::remove(entry.path());
    }
  }
}

}  // namespace
}  // namespace baton::binlog
