// How long after a mysqld's death its logs can be served: all indexed, what they prove known, the first bytes read.
//
// Logs of a real mysqld, as many as asked for, and an index of them that LogTail keeps warm, as in the sidecar. The
// server commits a few hundred kilobytes that the index knows nothing of, because it has not published them yet, and
// gets SIGKILL. The time begins when it is proven dead (waitpid), and ends with the first bytes of a stream to one who
// lacks what was not published.

#include <atomic>
#include <mutex>

#include "sidecar/binlog/log_stream.h"
#include "sidecar/binlog/log_tail.h"
#include "sidecar/binlog/proof.h"
#include "tests/bench/made_logs.h"
#include "tests/bench/values.h"

namespace baton::bench {
namespace {

using Clock = std::chrono::steady_clock;
using binlog::LogIndex;
using binlog::LogTail;
using test::Mysqld;

/// Transactions of 26 KB that are not published when the server dies.
constexpr std::uint64_t kTail = 12;
/// As the sidecar looks (LogKeeper::kLookInterval).
constexpr std::chrono::milliseconds kLookInterval{200};
constexpr std::chrono::minutes kPatience{10};

/// What the tail is told of mysqld. Thread-safe.
class Facts {
 public:
  void set(LogIndex::Step step) {
    const std::scoped_lock lock(mutex_);
    step_ = std::move(step);
  }
  [[nodiscard]] LogIndex::Step get() const {
    const std::scoped_lock lock(mutex_);
    return step_;
  }

 private:
  mutable std::mutex mutex_;
  LogIndex::Step step_;
};

Result<LogIndex::Step> published_by(test::SqlSession& session) {
  TRY(status, session.query("SHOW BINARY LOG STATUS"));
  TRY(position, number_of(status.at(0).at(1).value_or("")));
  return LogIndex::Step{.is_alive = true, .published = binlog::LogPosition{status.at(0).at(0).value_or(""), position}};
}

Result<GtidSet> executed_by(test::SqlSession& session) {
  TRY(text, session.value("SELECT @@GLOBAL.gtid_executed"));
  return GtidSet::parse(text);
}

Result<void> wait_complete(LogTail& tail) {
  const std::uint64_t look = tail.poke();
  if (tail.wait_complete(look, {}, Clock::now() + kPatience)) return {};
  auto failure = tail.failure();
  return failure ? std::unexpected(*std::move(failure)) : fail(ErrorKind::kRetry, "the logs are not read in time");
}

/// Seconds from the death of the server to the first bytes that can be sent.
Result<double> measure_salvage(Mysqld& server, LogTail& tail, Facts& facts) {
  TRY(session, server.connect());
  TRY(published, published_by(session));
  facts.set(published);
  TRY_VOID(wait_complete(tail));
  TRY(before, executed_by(session));
  TRY_VOID(write_logs(session, Content::kLarge, kTail));
  TRY(executed, executed_by(session));
  server.kill();

  const auto dead = Clock::now();
  facts.set({.is_alive = false});
  TRY_VOID(wait_complete(tail));
  const auto snapshot = tail.latest();
  TRY(proven, binlog::prove(*snapshot, {}));
  const GtidSet wanted = proven.minus(before);
  binlog::LogStream stream(snapshot, wanted);
  TRY(begin, stream.next());
  TRY(first, stream.next());
  const double took = seconds_since(dead);

  if (proven != executed) {
    return fail(ErrorKind::kCorrupt, "the logs prove {}, not {}", proven.to_string(), executed.to_string());
  }
  const auto* chunk = std::get_if<binlog::Chunk>(&first);
  if (wanted.size() != kTail || chunk == nullptr || chunk->bytes.empty()) {
    return fail(ErrorKind::kCorrupt, "{} transactions are to be sent, and nothing came", wanted.size());
  }
  return took;
}

Result<void> run(const Words& words) {
  const std::filesystem::path made(words[0]);
  TRY(megabytes, number_of(words[1]));
  TRY(runs, number_of(words[2]));
  TRY_VOID(make_logs(made, Content::kLarge, megabytes * 1'000'000));
  TRY(logs, LinkedLogs::link(made, megabytes * 1'000'000));
  TRY(server, logs.start_server());
  Facts facts;
  TRY(session, server->connect());
  TRY(published, published_by(session));
  facts.set(published);
  const auto cold = Clock::now();
  LogTail tail({{binlog::LogKind::kBinlog, logs.index(), {}}}, [&] { return facts.get(); }, kLookInterval);
  TRY_VOID(wait_complete(tail));
  tell("salvage_ready: {:.1f} GB of logs in {} files, the index is warm after {:.1f} s",
       static_cast<double>(logs.bytes()) / 1e9, logs.files().size(), seconds_since(cold));
  for (std::uint64_t run = 0; run < runs; ++run) {
    TRY(took, measure_salvage(*server, tail, facts));
    print_value("salvage_ready", took * 1e3, "ms");
    TRY_VOID(server->start());
  }
  return {};
}

}  // namespace
}  // namespace baton::bench

int main(int argc, char** argv) { return baton::bench::run_bench(argc, argv, 3, "FOLDER MB RUNS", baton::bench::run); }
