// How fast a replica gets what it misses out of the binary logs of a primary that is dead: through the binlog server,
// as the product does it, and by `mysqlbinlog | mysql`, as MHA does it. Both begin with an empty server that has the
// product's settings, and end when it has executed all that the logs hold. Ours is measured a second time with relaxed
// durability, as while other members hold every byte; its end is then that all is on disk. MB are those of the logs.

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <ranges>

#include "sidecar/binlog/index_file.h"
#include "sidecar/local/commit_files.h"
#include "sidecar/local/log_offer.h"
#include "sidecar/mysql/pinned.h"
#include "sidecar/mysql/server_admin.h"
#include "sidecar/replication/binlog_server.h"
#include "tests/bench/values.h"
#include "tests/kube/certificates.h"
#include "tests/support/mysqld.h"

namespace baton::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using test::Mysqld;
using test::SqlSession;

constexpr std::string_view kSums = "SELECT CONCAT(COUNT(*), ' ', SUM(CRC32(v))) FROM shop.item";
/// The longest that one recovery may take.
constexpr std::chrono::minutes kPatience{20};

struct Shape {
  std::string_view name;
  std::uint64_t rows;       ///< Of a transaction.
  std::uint64_t row_bytes;  ///< Of a row's value: 390 bytes a transaction of one row, 26 KB one of a hundred.
  std::uint64_t megabytes;
};

/// What all servers are started with: the product's settings, its certificates, and (the test fixture is smaller) its
/// buffer pool.
class Settings {
 public:
  /// `options`: more of mysqld's, with spaces between them.
  [[nodiscard]] static Result<Settings> make(std::string_view options) {
    Settings settings;
    for (const auto& part : std::views::split(options, ' ')) {
      if (!part.empty()) settings.options_.emplace_back(std::string_view(part));
    }
    const auto certificate = settings.authority_->issue("member");
    settings.ca_ = settings.folder_->write("ca.crt", settings.authority_->pem());
    settings.certificate_ = settings.folder_->write("server.crt", certificate.certificate);
    settings.key_ = settings.folder_->write("server.key", certificate.key);
    TRY(text,
        mysql::render_my_cnf({}, {.ca = settings.ca_, .certificate = settings.certificate_, .key = settings.key_}));
    settings.my_cnf_ = settings.folder_->write("my.cnf", text);
    return settings;
  }

  [[nodiscard]] Result<std::unique_ptr<Mysqld>> start(std::uint32_t server_id) const {
    std::vector<std::string> arguments{std::format("--server-id={}", server_id), "--innodb-buffer-pool-size=256M"};
    arguments.insert(arguments.end(), options_.begin(), options_.end());
    return Mysqld::create({.arguments = std::move(arguments), .defaults_file = my_cnf_, .patience = 180s});
  }
  [[nodiscard]] const std::string& ca() const { return ca_; }
  [[nodiscard]] const std::string& certificate() const { return certificate_; }
  [[nodiscard]] const std::string& key() const { return key_; }

 private:
  Settings() = default;

  std::unique_ptr<testing::Authority> authority_ = std::make_unique<testing::Authority>();
  std::unique_ptr<testing::TemporaryFolder> folder_ = std::make_unique<testing::TemporaryFolder>();
  std::string ca_;
  std::string certificate_;
  std::string key_;
  std::string my_cnf_;
  std::vector<std::string> options_;
};

const std::vector<std::string> kOpen{"SET GLOBAL super_read_only=OFF", "SET GLOBAL read_only=OFF"};
const std::vector<std::string> kRelax{"SET GLOBAL sync_binlog=0", "SET GLOBAL innodb_flush_log_at_trx_commit=2"};

/// A primary that is dead, and what is known of it.
struct DeadPrimary {
  std::unique_ptr<Mysqld> server;
  std::string uuid;
  std::string version;
  std::string sums;
  GtidSet executed;
  std::vector<std::filesystem::path> logs;
  std::uint64_t bytes = 0;
};

Result<std::uint64_t> bytes_of_logs(SqlSession& session) {
  TRY(rows, session.query("SHOW BINARY LOGS"));
  std::uint64_t bytes = 0;
  for (const auto& row : rows) {
    TRY(size, number_of(row.at(1).value_or("")));
    bytes += size;
  }
  return bytes;
}

Result<void> fill(SqlSession& session, const Shape& shape) {
  TRY_VOID(session.run(kOpen));
  TRY_VOID(session.run(kRelax));  // Nobody measures how it was written.
  TRY_VOID(session.run(
      {"SET sql_log_bin=0", "CREATE DATABASE shop",
       "CREATE TABLE shop.several (id INT NOT NULL PRIMARY KEY, v VARBINARY(1000) NOT NULL)",
       std::format(
           "INSERT INTO shop.several WITH RECURSIVE n AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM n WHERE id "
           "< {}) SELECT id, REPEAT(CHAR(64 + id USING ascii), {}) FROM n",
           shape.rows, shape.row_bytes),
       "CREATE PROCEDURE shop.fill(IN left_over INT) WHILE left_over > 0 DO INSERT INTO shop.item (v) SELECT v FROM "
       "shop.several; SET left_over = left_over - 1; END WHILE",
       "SET sql_log_bin=1", "CREATE DATABASE IF NOT EXISTS shop",
       "CREATE TABLE shop.item (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARBINARY(1000) NOT NULL)"}));
  for (std::uint64_t bytes = 0; bytes < shape.megabytes * 1'000'000;) {
    TRY_VOID(session.run({std::format("CALL shop.fill({})", std::max<std::uint64_t>(1000 / shape.rows, 1))}));
    TRY(now, bytes_of_logs(session));
    bytes = now;
  }
  return {};
}

Result<DeadPrimary> make_primary(const Settings& settings, const Shape& shape) {
  DeadPrimary made;
  TRY(server, settings.start(100));
  TRY(session, server->connect());
  TRY_VOID(fill(session, shape));
  TRY(executed, session.value("SELECT @@GLOBAL.gtid_executed"));
  TRY(set, GtidSet::parse(executed));
  TRY(uuid, session.value("SELECT @@server_uuid"));
  TRY(version, session.value("SELECT @@version"));
  TRY(sums, session.value(std::string(kSums)));
  TRY(bytes, bytes_of_logs(session));
  server->kill();
  TRY(logs, binlog::read_index(server->binlog_index(), server->data_dir()));
  made.server = std::move(server);
  made.uuid = uuid;
  made.version = version;
  made.sums = sums;
  made.executed = set;
  made.logs = logs;
  made.bytes = bytes;
  return made;
}

/// One way to recover.
struct Recovery {
  double seconds = 0;
  double cpu_seconds = 0;  ///< Of the recovered server.
};

double cpu_of(const Mysqld& server) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(server.pid(), &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

Result<void> check(const Mysqld& server, const DeadPrimary& primary) {
  TRY(sums, server.value(std::string(kSums)));
  if (sums != primary.sums) return fail(ErrorKind::kCorrupt, "rows and their sum are {}, not {}", sums, primary.sums);
  TRY(text, server.value("SELECT @@GLOBAL.gtid_executed"));
  TRY(executed, GtidSet::parse(text));
  if (executed.contains(primary.executed)) return {};
  return fail(ErrorKind::kCorrupt, "executed is {}, not {}", text, primary.executed.to_string());
}

Result<void> wait_applied(sidecar::ServerAdmin& admin, const GtidSet& set) {
  const auto begin = Clock::now();
  auto done = admin.wait_applied({}, set, 5000ms);
  while (!done && done.error().kind == ErrorKind::kRetry && Clock::now() - begin < kPatience) {
    done = admin.wait_applied({}, set, 5000ms);
  }
  return done;
}

/// As the order SetDurability does it.
Result<void> restore(sidecar::ServerAdmin& admin, const Mysqld& replica) {
  TRY_VOID(admin.restore_durability({}));
  TRY_VOID(sidecar::sync_commit_files(replica.data_dir()));
  return admin.verify_durability({});
}

/// As the orders OfferLogs, SetDurability, Follow and WaitApplied do it.
Result<Recovery> fetch(const sidecar::MysqlLibrary& library, const Settings& settings, const DeadPrimary& primary,
                       bool relaxed) {
  const sidecar::Passwords passwords{.replication = "replication", .clone = "", .application = ""};
  TRY(replica, settings.start(200));
  TRY(uuid, replica->value("SELECT @@server_uuid"));
  binlog::LogTail tail(
      {{binlog::LogKind::kBinlog, primary.server->binlog_index(), primary.server->data_dir()}},
      [] { return binlog::LogIndex::Step{}; }, 50ms);
  if (!tail.wait_complete(tail.poke(), {}, Clock::now() + kPatience)) return fail(ErrorKind::kRetry, "no index");
  sidecar::OfferedLogs offered(tail);
  offered.set_offer(sidecar::Offer{.replica = uuid, .set = primary.executed});
  TRY(server, replication::BinlogServer::start(
                  {.address = "127.0.0.1", .certificate_file = settings.certificate(), .key_file = settings.key()},
                  [&]() -> Result<replication::Served> {
                    return replication::Served{
                        .identity = {.server_id = 100, .server_uuid = primary.uuid, .version = primary.version},
                        .accounts = {
                            {sidecar::replication_account(uuid), replication::password_digest(passwords.replication)}}};
                  },
                  offered, {}));
  sidecar::ServerAdmin admin(library, {.socket = replica->socket(), .ca = settings.ca()});
  const double cpu = cpu_of(*replica);
  const auto begin = Clock::now();
  if (relaxed) TRY_VOID(admin.relax_durability({}));
  TRY_VOID(admin.follow({}, {.host = "127.0.0.1", .port = server->port(), .source_uuid = primary.uuid}, passwords));
  TRY_VOID(wait_applied(admin, primary.executed));
  if (relaxed) TRY_VOID(restore(admin, *replica));
  const Recovery recovery{.seconds = seconds_since(begin), .cpu_seconds = cpu_of(*replica) - cpu};
  TRY_VOID(check(*replica, primary));
  offered.stop_waiting();
  return recovery;
}

Result<Recovery> pipe_in(const Settings& settings, const DeadPrimary& primary) {
  TRY(server, settings.start(300));
  TRY(session, server->connect());
  TRY_VOID(session.run(kOpen));
  std::string files;
  for (const auto& path : primary.logs) files += " " + path.string();
  const std::string command =
      std::format("bash -c 'set -o pipefail; mysqlbinlog{} | mysql --no-defaults --user=root --socket={}'", files,
                  server->socket().string());
  const double cpu = cpu_of(*server);
  const auto begin = Clock::now();
  if (std::system(command.c_str()) != 0) return fail(ErrorKind::kRetry, "mysqlbinlog | mysql failed");
  const Recovery recovery{.seconds = seconds_since(begin), .cpu_seconds = cpu_of(*server) - cpu};
  TRY_VOID(check(*server, primary));
  return recovery;
}

/// MB/s of one way, and how often the other takes as long.
void print_recovery(std::string_view way, const Shape& shape, double megabytes, const Recovery& ours,
                    const Recovery& theirs) {
  print_value(std::format("{}_{}", way, shape.name), megabytes / ours.seconds, "MB/s");
  print_value(std::format("{}_ratio_{}", way, shape.name), theirs.seconds / ours.seconds, "times");
  tell("recover: {} {:.0f} MB: {:.2f} s, of its server's processor time {:.2f} s", way, megabytes, ours.seconds,
       ours.cpu_seconds);
}

Result<void> measure(const sidecar::MysqlLibrary& library, const Settings& settings, const Shape& shape,
                     std::uint64_t runs) {
  tell("recover: making {} MB of transactions of {}", shape.megabytes, shape.name);
  TRY(primary, make_primary(settings, shape));
  const double megabytes = static_cast<double>(primary.bytes) / 1e6;
  for (std::uint64_t run = 0; run < runs; ++run) {
    TRY(durable, fetch(library, settings, primary, false));
    TRY(relaxed, fetch(library, settings, primary, true));
    TRY(theirs, pipe_in(settings, primary));
    print_recovery("recover", shape, megabytes, durable, theirs);
    print_recovery("recover_relaxed", shape, megabytes, relaxed, theirs);
    print_value(std::format("mysqlbinlog_{}", shape.name), megabytes / theirs.seconds, "MB/s");
    tell("recover: mysqlbinlog | mysql: {:.2f} s, of its server {:.2f} s", theirs.seconds, theirs.cpu_seconds);
  }
  return {};
}

Result<void> run(const Words& words) {
  TRY(megabytes_small, number_of(words[0]));
  TRY(megabytes_large, number_of(words[1]));
  TRY(runs, number_of(words[2]));
  const sidecar::MysqlLibrary library;
  TRY(settings, Settings::make(words[3]));
  for (const Shape& shape : {Shape{"1row", 1, 100, megabytes_small}, Shape{"100rows", 100, 245, megabytes_large}}) {
    if (shape.megabytes > 0) TRY_VOID(measure(library, settings, shape, runs));
  }
  return {};
}

}  // namespace
}  // namespace baton::bench

int main(int argc, char** argv) {
  return baton::bench::run_bench(argc, argv, 4, "MB_OF_1_ROW MB_OF_100_ROWS RUNS OPTIONS", baton::bench::run);
}
