#include "tests/bench/made_logs.h"

#include <stdlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <format>
#include <fstream>
#include <thread>

#include "sidecar/binlog/index_file.h"
#include "tests/bench/values.h"

namespace baton::bench {
namespace {

namespace fs = std::filesystem;
using test::Mysqld;
using test::SqlSession;

/// Says that a server has closed the logs, and how many bytes were asked for.
constexpr std::string_view kMarker = "complete";
constexpr std::size_t kWriters = 2;

std::vector<std::string> arguments_for(const fs::path& folder) {
  return {std::format("--log-bin={}", (folder / "binlog").string()),
          std::format("--log-bin-index={}", (folder / "binlog.index").string()),
          "--sync-binlog=0",
          "--innodb-flush-log-at-trx-commit=0",
          "--max-binlog-size=256M",
          "--binlog-cache-size=128K",
          "--binlog-expire-logs-seconds=0"};
}

Result<std::uint64_t> size_of_logs(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  if (!fs::exists(folder / "binlog.index", error)) return bytes;
  TRY(files, binlog::read_index(folder / "binlog.index", {}));
  for (const fs::path& file : files) bytes += fs::file_size(file, error);
  if (error) return fail(ErrorKind::kRetry, "{}: {}", folder.string(), error.message());
  return bytes;
}

std::uint64_t asked_before(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::ifstream(folder / kMarker) >> bytes;
  return bytes;
}

Result<void> prepare(const Mysqld& server) {
  TRY(session, server.connect());
  // The made logs hold what the tables of this server know nothing of: only rows matter.
  return session.run(
      {"SET sql_log_bin=0", "CREATE USER repl IDENTIFIED WITH caching_sha2_password BY 'secret'",
       "GRANT REPLICATION SLAVE ON *.* TO repl", "CREATE DATABASE shop",
       "CREATE TABLE shop.item (id BIGINT NOT NULL, v VARBINARY(1000) NOT NULL) ENGINE=BLACKHOLE",
       "CREATE TABLE shop.hundred (id BIGINT NOT NULL PRIMARY KEY, v VARBINARY(1000) NOT NULL)",
       "INSERT INTO shop.hundred WITH RECURSIVE n AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM n "
       "WHERE id < 100) SELECT id, REPEAT(CHAR(64 + id USING ascii), 240) FROM n",
       "CREATE PROCEDURE shop.small(IN left_over INT) WHILE left_over > 0 DO INSERT INTO shop.item VALUES "
       "(left_over, REPEAT('x', 58)); SET left_over = left_over - 1; END WHILE",
       "CREATE PROCEDURE shop.large(IN left_over INT) WHILE left_over > 0 DO INSERT INTO shop.item SELECT "
       "id, v FROM shop.hundred; SET left_over = left_over - 1; END WHILE"});
}

Result<void> write_until(const Mysqld& server, const fs::path& folder, Content content, std::uint64_t bytes) {
  const std::uint64_t at_a_time = content == Content::kSmall ? 50'000 : 1'000;
  std::uint64_t written = 0;
  for (std::uint64_t told = 0; written < bytes;) {
    std::array<Result<void>, kWriters> results;
    {
      std::vector<std::jthread> writers;
      for (Result<void>& result : results) {
        writers.emplace_back([&] {
          auto session = server.connect();
          result = session ? write_logs(*session, content, at_a_time) : std::unexpected(session.error());
        });
      }
    }
    for (Result<void>& result : results) TRY_VOID(std::move(result));
    TRY(now, size_of_logs(folder));
    written = now;
    if (written > told + 2'000'000'000) tell("  {} MB", (told = written) / 1'000'000);
  }
  return {};
}

}  // namespace

Result<Content> content_of(std::string_view name) {
  if (name == "small") return Content::kSmall;
  if (name == "large") return Content::kLarge;
  return fail(ErrorKind::kTerminal, "'{}' is not one of: small large", name);
}

Result<void> write_logs(SqlSession& session, Content content, std::uint64_t transactions) {
  return session.run({std::format("CALL shop.{}({})", content == Content::kSmall ? "small" : "large", transactions)});
}

Result<void> make_logs(const fs::path& folder, Content content, std::uint64_t bytes) {
  if (asked_before(folder) >= bytes) return {};
  tell("making {} MB of logs in {}, once (about 10 s a gigabyte)", bytes / 1'000'000, folder.string());
  std::error_code error;
  fs::create_directories(folder, error);
  fs::remove(folder / kMarker, error);
  TRY(server, Mysqld::create({.arguments = arguments_for(folder), .patience = std::chrono::seconds(300)}));
  TRY_VOID(prepare(*server));
  TRY_VOID(write_until(*server, folder, content, bytes));
  TRY_VOID(server->stop());
  std::ofstream(folder / kMarker) << bytes << '\n';
  return {};
}

LinkedLogs::Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

Result<LinkedLogs> LinkedLogs::link(const fs::path& made, std::uint64_t bytes) {
  std::string name = made.string() + "-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return fail(ErrorKind::kRetry, "mkdtemp {}: {}", name, std::strerror(errno));
  LinkedLogs linked;
  linked.folder_ = std::make_unique<Folder>(name);
  TRY(files, binlog::read_index(made / "binlog.index", {}));
  std::ofstream index(linked.index());
  std::error_code error;
  for (const fs::path& file : files) {
    if (linked.bytes_ >= bytes) break;
    linked.files_.push_back(linked.folder_->path / file.filename());
    fs::create_hard_link(file, linked.files_.back(), error);
    if (error) return fail(ErrorKind::kRetry, "link {}: {}", file.string(), error.message());
    linked.bytes_ += fs::file_size(file, error);
    index << linked.files_.back().string() << '\n';
  }
  return linked;
}

Result<std::unique_ptr<Mysqld>> LinkedLogs::start_server() const {
  TRY(server, Mysqld::create({.arguments = arguments_for(folder_->path), .patience = std::chrono::seconds(300)}));
  TRY_VOID(prepare(*server));
  return server;
}

}  // namespace baton::bench
