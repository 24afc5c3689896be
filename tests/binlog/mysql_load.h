#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <format>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/mysqld.h"

namespace baton::test {

/// One of each kind of transaction, in every form that mysqld writes it.
inline const std::vector<std::string> kEveryKind{
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

/// What random choices of this run begin with; BATON_SEED repeats another run's.
inline std::uint64_t seed_of_run() {
  const char* given = std::getenv("BATON_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20'260'101;
}

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

}  // namespace baton::test
