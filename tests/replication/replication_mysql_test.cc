// The contract between a source and real receivers. Each case runs against mysqld's own dump thread and against our
// server, which serves the same mysqld's files: read in the plainest way, and by the index.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <format>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sidecar/binlog/log_index.h"
#include "sidecar/replication/binlog_server.h"
#include "sidecar/replication/indexed_log_source.h"
#include "tests/kube/certificates.h"
#include "tests/replication/file_logs.h"
#include "tests/support/mysqld.h"

namespace baton::replication {
namespace {

using test::FileLogs;
using test::Mysqld;

enum class Kind : std::uint8_t { kMysqld, kPlain, kIndexed };

constexpr std::string_view kPassword = "se'cret";

#define ASSERT_DONE(expression)                                         \
  do {                                                                  \
    const auto& assert_done_result = (expression);                      \
    ASSERT_TRUE(assert_done_result) << assert_done_result.error().what; \
  } while (false)

/// Statements of every kind that a log can hold.
const std::vector<std::string> kEveryKind{
    "CREATE DATABASE IF NOT EXISTS shop",
    "CREATE TABLE IF NOT EXISTS shop.item (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT)",
    "INSERT INTO shop.item (v) VALUES ('one'), ('two')",
    "SET gtid_next='AUTOMATIC:tagged'",
    "INSERT INTO shop.item (v) VALUES ('tagged')",
    "SET gtid_next='AUTOMATIC'",
    "BEGIN",
    "INSERT INTO shop.item (v) VALUES ('kept')",
    "SAVEPOINT s",
    "INSERT INTO shop.item (v) VALUES ('gone')",
    "ROLLBACK TO s",
    "COMMIT",
    "XA START 'x'",
    "INSERT INTO shop.item (v) VALUES ('in xa')",
    "XA END 'x'",
    "XA PREPARE 'x'",
    "XA COMMIT 'x'",
    "SET SESSION binlog_transaction_compression=ON",
    "INSERT INTO shop.item (v) VALUES (REPEAT('c', 100000))",
    "SET SESSION binlog_transaction_compression=OFF",
    "FLUSH BINARY LOGS",
    "INSERT INTO shop.item (v) VALUES (REPEAT('x', 20000000))",
    "UPDATE shop.item SET v = CONCAT(v, '!') WHERE id < 4",
};

std::string name_of_kind(const ::testing::TestParamInfo<Kind>& kind) {
  switch (kind.param) {
    case Kind::kMysqld: return "Mysqld";
    case Kind::kPlain: return "Plain";
    case Kind::kIndexed: return "Indexed";
  }
  return "";
}

/// What the server logged.
class Lines {
 public:
  void add(std::string_view line) {
    const std::scoped_lock lock(mutex_);
    lines_.emplace_back(line);
  }
  [[nodiscard]] std::vector<std::string> all() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  [[nodiscard]] std::ptrdiff_t count(std::string_view text) const {
    return std::ranges::count_if(all(), [&](const std::string& line) { return line.contains(text); });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

class Replication : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    auto source = Mysqld::create({.arguments = {"--server-id=1", "--max-allowed-packet=128M", "--max-binlog-size=64M",
                                                "--innodb-redo-log-capacity=256M"}});
    ASSERT_DONE(source);
    source_ = std::move(*source);
    // Not binlogged: what a receiver may lack is the rows of the test alone.
    auto session = source_->connect();
    ASSERT_DONE(session);
    ASSERT_DONE(session->run(
        {"SET sql_log_bin=0",
         std::format("CREATE USER repl IDENTIFIED WITH caching_sha2_password BY \"{}\" REQUIRE SSL", kPassword),
         "GRANT REPLICATION SLAVE ON *.* TO repl"}));
    identity_.server_id = 1;
    identity_.server_uuid = source_->value("SELECT @@server_uuid").value();
    identity_.version = source_->value("SELECT @@version").value();
    logs_ = std::make_unique<FileLogs>(source_->binlog_index());
    const auto certificate = authority_.issue("member");
    certificate_file_ = folder_.write("server.crt", certificate.certificate);
    key_file_ = folder_.write("server.key", certificate.key);
    if (GetParam() == Kind::kIndexed) follow_logs();
    if (GetParam() != Kind::kMysqld) start_server();
  }

  void TearDown() override {
    server_.reset();
    follower_ = {};
    if (!HasFailure()) return;
    for (const auto& line : log_->all()) GTEST_LOG_(INFO) << line;
    for (const auto& replica : replicas_) GTEST_LOG_(INFO) << replica->error_log_tail();
  }

  /// Keeps an index of the source's logs warm, as far as the source says that they are synced.
  void follow_logs() {
    auto indexed = std::make_unique<IndexedLogSource>([this] { return snapshot_.load(); }, [] { return GtidSet(); });
    follower_ = std::jthread([this, logs = indexed.get()](const std::stop_token& stop) {
      binlog::LogIndex index({{.index_file = source_->binlog_index(), .data_directory = source_->data_dir()}});
      auto session = source_->connect();
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any tick;
      while (!tick.wait_for(lock, stop, std::chrono::milliseconds(10), [&] { return stop.stop_requested(); })) {
        const auto status = session->query("SHOW BINARY LOG STATUS");
        if (!status) continue;
        const auto advanced = index.advance(
            {.is_alive = true, .published = {{*(*status)[0][0], std::stoull(*(*status)[0][1])}}, .stop = stop});
        if (!advanced) log_->add("index: " + advanced.error().what);
        snapshot_ = index.snapshot();
        logs->notify();
      }
    });
    logs_ = std::move(indexed);
  }

  void start_server() { start_server(*logs_); }
  void start_server(LogSource& logs) {
    auto started = BinlogServer::start(
        {.address = "127.0.0.1", .port = port_, .certificate_file = certificate_file_, .key_file = key_file_},
        [this] { return Served{.identity = identity_, .accounts = {{"repl", password_digest(kPassword)}}}; }, logs,
        Logger::to_function([log = log_](std::string_view line) { log->add(line); }));
    ASSERT_DONE(started);
    server_ = std::move(*started);
    port_ = server_->port();
  }

  Mysqld& make_replica(std::vector<std::string> arguments = {}) {
    std::vector<std::string> all{std::format("--server-id={}", 2 + replicas_.size()), "--max-allowed-packet=128M",
                                 "--replica-net-timeout=4", "--relay-log-recovery=ON",
                                 "--innodb-redo-log-capacity=256M"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    auto replica = Mysqld::create({.arguments = std::move(all)});
    EXPECT_TRUE(replica) << replica.error().what;
    if (!replica) std::abort();
    return *replicas_.emplace_back(std::move(*replica));
  }

  [[nodiscard]] std::uint16_t port() const { return server_ ? server_->port() : source_->port(); }

  /// Points a replica at the source and starts it.
  void follow(const Mysqld& replica, std::string_view more = "", std::string_view password = kPassword) {
    auto session = replica.connect();
    ASSERT_DONE(session);
    ASSERT_DONE(session->run({std::format("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={}, "
                                          "SOURCE_USER='repl', SOURCE_PASSWORD=\"{}\", SOURCE_SSL=1, "
                                          "SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1{}",
                                          port(), password, more),
                              "START REPLICA"}));
  }

  void write(const std::vector<std::string>& statements) {
    auto session = source_->connect();
    ASSERT_DONE(session);
    ASSERT_DONE(session->run(statements));
  }

  [[nodiscard]] std::string executed(const Mysqld& server) const {
    return server.value("SELECT @@global.gtid_executed").value_or("?");
  }
  void expect_caught_up(const Mysqld& replica) {
    const auto done = replica.wait_for("SELECT @@global.gtid_executed", executed(*source_));
    ASSERT_TRUE(done) << done.error().what << "\n" << status(replica, "LAST_ERROR_MESSAGE");
    EXPECT_EQ(checksum(replica), checksum(*source_));
  }
  [[nodiscard]] std::string checksum(const Mysqld& server) const {
    const auto rows = server.query("CHECKSUM TABLE shop.item");
    return rows ? (*rows)[0][1].value_or("NULL") : rows.error().what;
  }
  /// A column of the receiver's status.
  [[nodiscard]] std::string status(const Mysqld& replica, std::string_view column) const {
    return replica.value(std::format("SELECT {} FROM performance_schema.replication_connection_status", column))
        .value_or("?");
  }
  void wait_for_receiver_error(const Mysqld& replica, std::string_view number) {
    ASSERT_DONE(replica.wait_for("SELECT LAST_ERROR_NUMBER FROM performance_schema.replication_connection_status",
                                 std::string(number)));
  }

  test::Mysqld& source() { return *source_; }

  baton::testing::Authority authority_;
  baton::testing::TemporaryFolder folder_;
  std::string certificate_file_;
  std::string key_file_;
  std::shared_ptr<Lines> log_ = std::make_shared<Lines>();
  std::unique_ptr<Mysqld> source_;
  Identity identity_;
  std::atomic<std::shared_ptr<const binlog::LogSnapshot>> snapshot_ = std::make_shared<const binlog::LogSnapshot>();
  std::unique_ptr<LogSource> logs_;
  std::jthread follower_;
  std::unique_ptr<BinlogServer> server_;
  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<Mysqld>> replicas_;
};

INSTANTIATE_TEST_SUITE_P(Source, Replication, ::testing::Values(Kind::kMysqld, Kind::kPlain, Kind::kIndexed),
                         name_of_kind);

TEST_P(Replication, EveryKindOfTransactionArrives) {
  write(kEveryKind);
  write({"SET GLOBAL binlog_checksum=NONE"});
  write(kEveryKind);
  write({"SET GLOBAL binlog_checksum=CRC32"});
  write(kEveryKind);
  // One, a few, and more than there are independent transactions.
  for (const int workers : {1, 4, 16}) {
    SCOPED_TRACE(std::format("{} workers", workers));
    Mysqld& replica = make_replica({std::format("--replica-parallel-workers={}", workers)});
    ASSERT_EQ(replica.value("SELECT @@replica_parallel_workers").value_or("?"), std::to_string(workers));
    follow(replica);
    expect_caught_up(replica);
    // And what is written from now on, into this file and the next.
    write({"INSERT INTO shop.item (v) VALUES ('live')"});
    expect_caught_up(replica);
    write({"FLUSH BINARY LOGS", "INSERT INTO shop.item (v) VALUES ('live too')"});
    expect_caught_up(replica);
    EXPECT_EQ(status(replica, "SERVICE_STATE"), "ON");
    EXPECT_EQ(status(replica, "LAST_ERROR_NUMBER"), "0");
    replica.kill();
  }
}

TEST_P(Replication, LogsWithoutChecksumsAreServed) {
  write({"SET GLOBAL binlog_checksum=NONE"});
  identity_.checksum = binlog::ChecksumAlgorithm::kNone;
  write({"PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 SECOND"});
  write(kEveryKind);
  const Mysqld& replica = make_replica();
  follow(replica);
  expect_caught_up(replica);
}

TEST_P(Replication, HeartbeatsKeepASilentReceiver) {
  write(kEveryKind);
  const Mysqld& replica = make_replica();
  follow(replica, ", SOURCE_HEARTBEAT_PERIOD=0.5");
  expect_caught_up(replica);
  // Six seconds of silence are more than replica_net_timeout.
  ASSERT_DONE(replica.wait_for(
      "SELECT COUNT_RECEIVED_HEARTBEATS >= 12 FROM performance_schema.replication_connection_status", "1"));
  EXPECT_EQ(status(replica, "SERVICE_STATE"), "ON");
  EXPECT_EQ(status(replica, "LAST_ERROR_NUMBER"), "0");
  if (server_) {
    EXPECT_EQ(log_->count("asks for"), 1);
  }
  // A receiver to whom there is nothing to say but that.
  ASSERT_DONE(replica.query("STOP REPLICA"));
  ASSERT_DONE(replica.query("START REPLICA"));
  ASSERT_DONE(replica.wait_for(
      "SELECT COUNT_RECEIVED_HEARTBEATS >= 16 FROM performance_schema.replication_connection_status", "1"));
  EXPECT_EQ(status(replica, "SERVICE_STATE"), "ON");
  EXPECT_EQ(status(replica, "LAST_ERROR_NUMBER"), "0");
  write({"INSERT INTO shop.item (v) VALUES ('after the silence')"});
  expect_caught_up(replica);
}

TEST_P(Replication, PurgedTransactionsAreNamed) {
  write(kEveryKind);
  const std::string purged = executed(source());
  write({"FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 SECOND", "CREATE DATABASE later"});
  const Mysqld& replica = make_replica();
  follow(replica);
  wait_for_receiver_error(replica, "13114");
  const std::string message = status(replica, "LAST_ERROR_MESSAGE");
  EXPECT_NE(message.find("1236"), std::string::npos) << message;
  EXPECT_NE(message.find("purged"), std::string::npos) << message;
  if (server_) {
    EXPECT_NE(message.find(purged), std::string::npos) << message << "\nlacks " << purged;
  }
  // The thread tells its error a moment before it is gone.
  ASSERT_DONE(replica.wait_for("SELECT SERVICE_STATE FROM performance_schema.replication_connection_status", "OFF"));
}

TEST_P(Replication, AWrongPasswordIsRefused) {
  const Mysqld& replica = make_replica();
  follow(replica, "", "wrong");
  wait_for_receiver_error(replica, "1045");
  EXPECT_NE(status(replica, "LAST_ERROR_MESSAGE").find("Access denied for user 'repl'"), std::string::npos);
}

TEST_P(Replication, WhoHasHalfGetsTheRest) {
  write(kEveryKind);
  const Mysqld& replica = make_replica();
  follow(replica);
  expect_caught_up(replica);
  ASSERT_DONE(replica.query("STOP REPLICA"));
  ASSERT_DONE(replica.query("RESET REPLICA ALL"));
  const auto before = GtidSet::parse(executed(source())).value();
  write(kEveryKind);
  const auto rest = GtidSet::parse(executed(source())).value().minus(before);
  follow(replica);
  expect_caught_up(replica);
  EXPECT_EQ(GtidSet::parse(status(replica, "RECEIVED_TRANSACTION_SET")).value().to_string(), rest.to_string());
}

TEST_P(Replication, ASemiSyncReplicaGetsAPlainStream) {
  write(kEveryKind);
  const Mysqld& replica = make_replica();
  ASSERT_DONE(replica.query("INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'"));
  ASSERT_DONE(replica.query("SET GLOBAL rpl_semi_sync_replica_enabled=1"));
  follow(replica);
  expect_caught_up(replica);
  write({"INSERT INTO shop.item (v) VALUES ('live')"});
  expect_caught_up(replica);
  const auto rows = replica.query("SHOW STATUS LIKE 'Rpl_semi_sync_replica_status'");
  ASSERT_DONE(rows);
  EXPECT_EQ((*rows)[0][1], "OFF");
}

TEST_P(Replication, ASecondDumpOfOneReceiverEndsTheFirst) {
  write({"CREATE DATABASE shop", "CREATE TABLE shop.item (id INT PRIMARY KEY)"});
  const Mysqld& first = make_replica();
  Mysqld& second = make_replica();
  ASSERT_DONE(second.stop());
  std::filesystem::copy_file(first.data_dir() / "auto.cnf", second.data_dir() / "auto.cnf",
                             std::filesystem::copy_options::overwrite_existing);
  ASSERT_DONE(second.start());
  follow(first);
  expect_caught_up(first);
  follow(second);
  wait_for_receiver_error(first, "13114");
  EXPECT_NE(status(first, "LAST_ERROR_MESSAGE").find("same server_uuid"), std::string::npos);
  expect_caught_up(second);
}

TEST_P(Replication, AReceiverGoesOnAfterKills) {
  write({"CREATE DATABASE shop", "CREATE TABLE shop.item (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT)",
         "SET GLOBAL max_binlog_size=8388608"});
  Mysqld& replica = make_replica();
  follow(replica);
  for (int round = 1; round <= 6; ++round) {
    std::vector<std::string> more(8, "INSERT INTO shop.item (v) VALUES (REPEAT('m', 1500000))");
    more.resize(50, "INSERT INTO shop.item (v) VALUES ('small')");
    write(more);
    // While the receiver is somewhere in this.
    if (round % 3 == 0) {
      replica.kill();
      ASSERT_DONE(replica.start());
      ASSERT_DONE(replica.query("START REPLICA"));
    } else if (server_) {
      server_.reset();
      start_server();
    } else {
      const auto id = source().value("SELECT id FROM performance_schema.processlist WHERE command LIKE 'Binlog Dump%'");
      if (id) static_cast<void>(source().query("KILL " + *id));
    }
  }
  expect_caught_up(replica);
}

/// Ends each stream after so many bytes: within events, between them, within a log's announcement.
class CutLogs final : public LogSource {
 public:
  CutLogs(LogSource& whole, std::vector<std::size_t> cuts) : whole_(whole), cuts_(std::move(cuts)) {}

  Result<Opened> open(const Receiver& receiver) override {
    auto opened = whole_.open(receiver);
    if (!opened || !std::holds_alternative<Stream>(*opened) || next_ == cuts_.size()) return opened;
    return Opened(std::make_unique<CutStream>(std::get<Stream>(*std::move(opened)), cuts_[next_++]));
  }
  Sets sets() override { return {}; }
  [[nodiscard]] std::size_t cuts_done() const { return next_; }

 private:
  using Stream = std::unique_ptr<binlog::TransactionStream>;
  class CutStream final : public binlog::TransactionStream {
   public:
    CutStream(Stream whole, std::size_t left) : whole_(std::move(whole)), left_(left) {}
    Result<Item> next() override {
      if (left_ == 0) return fail(ErrorKind::kRetry, "the disk refuses");
      auto item = whole_->next();
      auto* chunk = item ? std::get_if<binlog::Chunk>(&*item) : nullptr;
      if (chunk == nullptr) return item;
      // Not within a header: that would break the stream's contract.
      const std::size_t count = std::min(chunk->bytes.size(), left_);
      left_ -= count;
      if (count < chunk->bytes.size() && count < binlog::EventHeader::kLength) return Item(binlog::Chunk{});
      if (count == chunk->bytes.size()) return item;
      return Item(binlog::Chunk{chunk->bytes.first(whole_headers(chunk->bytes, count))});
    }

   private:
    /// The largest length up to `count` that cuts no header of a chunk that begins with an event or is a part of one.
    static std::size_t whole_headers(std::span<const std::byte> bytes, std::size_t count) {
      std::size_t at = 0;
      while (at < count) {
        if (count - at < binlog::EventHeader::kLength) return at;
        const std::size_t length = binlog::read_header(bytes.subspan(at, binlog::EventHeader::kLength)).length;
        if (length < binlog::EventHeader::kLength || length > count - at) return count;
        at += length;
      }
      return count;
    }
    Stream whole_;
    std::size_t left_;
  };

  LogSource& whole_;
  std::vector<std::size_t> cuts_;
  std::size_t next_ = 0;
};

class OurReplication : public Replication {};
INSTANTIATE_TEST_SUITE_P(Source, OurReplication, ::testing::Values(Kind::kPlain, Kind::kIndexed), name_of_kind);

TEST_P(OurReplication, AReceiverGoesOnWhereverTheStreamIsCut) {
  write(kEveryKind);
  std::vector<std::size_t> cuts{0,      1,       30,      79,        400,       1200,      5000,
                                30'000, 100'700, 101'500, 1'000'000, 7'000'000, 20'000'000};
  CutLogs cut(*logs_, cuts);
  server_.reset();
  start_server(cut);
  const Mysqld& replica = make_replica();
  follow(replica);
  expect_caught_up(replica);
  EXPECT_GT(cut.cuts_done(), 8U);
  server_.reset();
}

TEST_P(OurReplication, WithoutTlsAReceiverIsToldWhatIsMissing) {
  const Mysqld& replica = make_replica();
  auto session = replica.connect();
  ASSERT_DONE(session);
  ASSERT_DONE(session->run({std::format("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={}, "
                                        "SOURCE_USER='repl', SOURCE_PASSWORD=\"{}\", SOURCE_SSL=0, "
                                        "SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1",
                                        port(), kPassword),
                            "START REPLICA"}));
  wait_for_receiver_error(replica, "3159");
  EXPECT_NE(status(replica, "LAST_ERROR_MESSAGE").find("SOURCE_SSL=1"), std::string::npos);
}

TEST_P(OurReplication, PeopleCanAskWithMysql) {
  const auto out = folder_.write("out", "");
  const auto command = std::format(
      "MYSQL_PWD=\"{}\" mysql --no-defaults --host=127.0.0.1 --port={} --user=repl --ssl-mode=REQUIRED -BN "
      "--execute='SELECT @@server_uuid; SHOW VARIABLES LIKE \"server_id\"; SELECT @@global.gtid_executed' >{} 2>&1",
      kPassword, port(), out);
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream file(out);
  std::string line;
  EXPECT_TRUE(std::getline(file, line) && line == identity_.server_uuid) << line;
  EXPECT_TRUE(std::getline(file, line) && line == "server_id\t1") << line;
}

/// mysqlbinlog asks without waiting for more, and with other statements.
TEST_P(OurReplication, MysqlbinlogReadsTheSame) {
  write(kEveryKind);
  const auto read = [&](std::uint16_t from) {
    const auto out = folder_.write(std::format("out{}", from), "");
    const auto command = std::format(
        "MYSQL_PWD=\"{}\" mysqlbinlog --no-defaults --read-from-remote-source=BINLOG-DUMP-GTIDS --to-last-log "
        "--host=127.0.0.1 --port={} --user=repl --ssl-mode=REQUIRED --verify-binlog-checksum binlog.000001 >{} 2>&1",
        kPassword, from, out);
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::ifstream file(out);
    std::string text;
    // What is written, without comments, which tell positions.
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with('#') && !line.contains("SESSION.GTID_NEXT= 'AUTOMATIC'")) text += line + "\n";
    }
    return text;
  };
  const std::string ours = read(port());
  const std::string theirs = read(source().port());
  EXPECT_TRUE(ours == theirs) << ours.size() << " and " << theirs.size() << " bytes; " << ours.substr(0, 2000);
  EXPECT_NE(ours.find("BINLOG '"), std::string::npos);
}

}  // namespace
}  // namespace baton::replication
