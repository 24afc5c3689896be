// How fast all transactions of some logs are sent to a client that throws them away: by mysqld's own dump thread, and
// by the binlog server from the same files, one after the other in each run. The files are in the page cache. "per
// core" is per second of processor time that the source's side took; it has the kernel's part of sending over loopback.

#include <unistd.h>

#include <ctime>
#include <fstream>

#include "sidecar/binlog/byte_source.h"
#include "sidecar/binlog/log_index.h"
#include "sidecar/replication/binlog_server.h"
#include "sidecar/replication/indexed_log_source.h"
#include "tests/bench/made_logs.h"
#include "tests/bench/null_client.h"
#include "tests/bench/values.h"
#include "tests/kube/certificates.h"

namespace baton::bench {
namespace {

using Clock = std::chrono::steady_clock;
using replication::BinlogServer;
using test::Mysqld;

struct Pass {
  std::uint64_t bytes = 0;
  double seconds = 0;
  double cpu_seconds = 0;  ///< Of the source.
  [[nodiscard]] double speed() const { return static_cast<double>(bytes) / seconds / 1e6; }
  [[nodiscard]] double speed_of_a_core() const { return static_cast<double>(bytes) / cpu_seconds / 1e6; }
};

double cpu_seconds(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}
/// Of this process without the thread that calls: of the binlog server.
double cpu_of_others() { return cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_seconds(CLOCK_THREAD_CPUTIME_ID); }
double cpu_of(const Mysqld& server) {
  clockid_t clock{};
  return ::clock_getcpuclockid(server.pid(), &clock) == 0 ? cpu_seconds(clock) : 0;
}

template <class Cpu>
Result<Pass> measure_pass(std::uint16_t port, bool with_tls, Cpu&& cpu) {
  TRY(client, NullClient::log_in(port, with_tls));
  const double cpu_before = cpu();
  const auto begin = Clock::now();
  TRY(bytes, client.drain());
  Pass pass{.bytes = bytes, .seconds = seconds_since(begin)};
  pass.cpu_seconds = cpu() - cpu_before;
  return pass;
}

Result<void> read_all(const LinkedLogs& logs) {
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  for (const auto& path : logs.files()) {
    TRY(source, binlog::FileSource::open(path));
    for (std::uint64_t at = 0;;) {
      TRY(count, source.read(at, buffer));
      if (count == 0) break;
      at += count;
    }
  }
  return {};
}

/// A server, and what the sidecar serves of its logs with and without TLS.
struct Sources {
  std::unique_ptr<testing::TemporaryFolder> certificates = std::make_unique<testing::TemporaryFolder>();
  std::unique_ptr<Mysqld> mysqld;
  std::unique_ptr<replication::IndexedLogSource> logs;
  std::unique_ptr<BinlogServer> plain;
  std::unique_ptr<BinlogServer> secure;
};

Result<std::shared_ptr<const binlog::LogSnapshot>> read_index(const Mysqld& server, const LinkedLogs& logs) {
  TRY(status, server.query("SHOW BINARY LOG STATUS"));
  TRY(position, number_of(status.at(0).at(1).value_or("")));
  binlog::LogIndex index({{binlog::LogKind::kBinlog, logs.index(), {}}});
  TRY_VOID(
      index.advance({.is_alive = true, .published = binlog::LogPosition{status.at(0).at(0).value_or(""), position}}));
  return index.snapshot();
}

Result<Sources> start_sources(const LinkedLogs& logs) {
  Sources sources;
  TRY(mysqld, logs.start_server());
  sources.mysqld = std::move(mysqld);
  TRY(snapshot, read_index(*sources.mysqld, logs));
  sources.logs =
      std::make_unique<replication::IndexedLogSource>([snapshot] { return snapshot; }, [] { return GtidSet(); });
  TRY(uuid, sources.mysqld->value("SELECT @@server_uuid"));
  TRY(version, sources.mysqld->value("SELECT @@version"));
  const replication::ServedFacts served = [uuid, version]() -> Result<replication::Served> {
    return replication::Served{.identity = {.server_id = 1, .server_uuid = uuid, .version = version},
                               .accounts = {{"repl", replication::password_digest("secret")}}};
  };
  TRY(plain, BinlogServer::start({.address = "127.0.0.1"}, served, *sources.logs, {}));
  const testing::Authority authority;
  const auto certificate = authority.issue("localhost");
  TRY(secure,
      BinlogServer::start({.address = "127.0.0.1",
                           .certificate_file = sources.certificates->write("server.crt", certificate.certificate),
                           .key_file = sources.certificates->write("server.key", certificate.key)},
                          served, *sources.logs, {}));
  sources.plain = std::move(plain);
  sources.secure = std::move(secure);
  return sources;
}

Result<void> measure(const Sources& sources, std::string_view shape, std::uint64_t least) {
  const auto cpu_of_mysqld = [&] { return cpu_of(*sources.mysqld); };
  TRY(theirs_secure, measure_pass(sources.mysqld->port(), true, cpu_of_mysqld));
  TRY(theirs, measure_pass(sources.mysqld->port(), false, cpu_of_mysqld));
  TRY(ours, measure_pass(sources.plain->port(), false, cpu_of_others));
  TRY(ours_secure, measure_pass(sources.secure->port(), true, cpu_of_others));
  for (const Pass& pass : {theirs_secure, theirs, ours, ours_secure}) {
    if (pass.bytes < least) return fail(ErrorKind::kCorrupt, "{} bytes came, not {}", pass.bytes, least);
  }
  const auto print = [&](std::string_view name, double value, std::string_view unit) {
    print_value(std::format("{}_{}", name, shape), value, unit);
  };
  print("serve_mysqld", theirs.speed(), "MB/s");
  print("serve", ours.speed(), "MB/s");
  print("serve_ratio", ours.speed() / theirs.speed(), "times");
  print("serve_mysqld_core", theirs.speed_of_a_core(), "MB/s per core");
  print("serve_core", ours.speed_of_a_core(), "MB/s per core");
  print("serve_mysqld_tls", theirs_secure.speed(), "MB/s");
  print("serve_tls", ours_secure.speed(), "MB/s");
  return {};
}

Result<void> run(const Words& words) {
  const std::filesystem::path made(words[0]);
  TRY(megabytes, number_of(words[1]));
  TRY(runs, number_of(words[2]));
  for (const auto& [name, shape] : {std::pair("small", "390B"), {"large", "26KB"}}) {
    TRY(content, content_of(name));
    TRY_VOID(make_logs(made / name, content, megabytes * 1'000'000));
    TRY(logs, LinkedLogs::link(made / name, megabytes * 1'000'000));
    TRY(sources, start_sources(logs));
    TRY_VOID(read_all(logs));
    tell("serve: {} MB of transactions of {}", logs.bytes() / 1'000'000, shape);
    for (std::uint64_t run = 0; run < runs; ++run) {
      // Of each file, the head is not sent as it stands.
      TRY_VOID(measure(sources, shape, logs.bytes() / 100 * 99));
    }
  }
  return {};
}

}  // namespace
}  // namespace baton::bench

int main(int argc, char** argv) { return baton::bench::run_bench(argc, argv, 3, "FOLDER MB RUNS", baton::bench::run); }
