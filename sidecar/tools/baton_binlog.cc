// baton-binlog: what the sidecar sees in binary logs and relay logs, for people and tests.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <print>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/binlog/index_file.h"
#include "sidecar/binlog/log_index.h"
#include "sidecar/binlog/log_stream.h"
#include "sidecar/binlog/log_walk.h"
#include "sidecar/tools/serve.h"

namespace baton::binlog {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUsage =
    R"(Reads binary logs and relay logs of MySQL the way Baton's sidecar does. Changes nothing; mysqld may live.

  baton-binlog list FILE…       every complete transaction: offset, bytes, kind, GTID
  baton-binlog verify PATH…     PATH: a log file, or a folder with index files. Reads every byte, compares every
                                checksum, prints what the logs hold. A torn tail of the newest file (a server died) is
                                told, but is no fault.
  baton-binlog bench PATH…      A file: MB/s by headers, with checksums, as a stream. A folder with index files: how
                                long the index takes, how long a look at it when nothing changed, and how soon after
                                mysqld's end the first bytes go out to one who lacks the newest file
  baton-binlog serve FOLDER [--address 127.0.0.1] [--port 3307] [--user baton] --password-file FILE
                            [--certificate FILE --key FILE] [--server-id 4294967295]
                                Sends the logs of a server that is dead to MySQL replicas, until it gets SIGINT or
                                SIGTERM. Without a certificate only where replicas use SOURCE_SSL=0.

With a folder, what a sidecar keeps of its logs beside it (../baton/kept) counts as well.
Whether a file is a relay log is seen in its first event. Exit code: 0 well, 1 corrupt or not readable, 2 wrong usage.
)";

std::string_view kind_of(const Transaction& transaction) {
  switch (transaction.last) {
    case EventType::kTransactionPayload: return "compressed";
    case EventType::kXaPrepare: return "xa-prepare";
    case EventType::kIncident: return "incident";
    default: return transaction.is_statement ? "statement" : "transaction";
  }
}

std::string gtid_text(const Transaction& transaction) {
  if (!transaction.has_gtid) return "ANONYMOUS";
  const GtidSource source = transaction.gtid.source();
  return std::format("{}{}{}:{}", source.uuid, source.tag.empty() ? "" : ":", source.tag, transaction.gtid.number);
}

std::unexpected<Error> in_file(const fs::path& path, std::uint64_t offset, const Error& error) {
  return fail(error.kind, "{} at offset {}: {}", path.string(), offset, error.what);
}

Result<void> list_file(const fs::path& path) {
  TRY(source, FileSource::open(path));
  TRY(size, source.size());
  TRY(kind, guess_kind(source, path.filename().string()));
  TransactionReader reader(EventReader(source, kMagic.size(), size, {}, {.kind = kind}), kind);
  while (true) {
    const auto item = reader.next(std::numeric_limits<std::uint64_t>::max());
    if (!item) return in_file(path, reader.error_offset(), item.error());
    switch (**item) {
      case TransactionReader::Item::kTransaction: {
        const Transaction& found = reader.transaction();
        std::println("{:>12} {:>10} {:<11} {}", found.begin, found.end - found.begin, kind_of(found), gtid_text(found));
        break;
      }
      case TransactionReader::Item::kPart:
        std::println("{:>12} {:>10} {:<11} {}", reader.open_since(), reader.event().offset - reader.open_since(),
                     "(dropped)", gtid_text(reader.transaction()));
        break;
      case TransactionReader::Item::kDamage:
        std::println("{:>12} the rest is not readable: {}", reader.damage().offset, reader.damage().reason);
        return {};
      case TransactionReader::Item::kEnd:
        if (reader.is_open()) std::println("{:>12} a transaction is not complete", reader.open_since());
        return {};
      default: break;
    }
  }
}

void print_contents(std::string_view name, LogKind kind, const LogContents& contents) {
  std::println("{}: {} log, {} transactions ({} without GTID, {} dropped parts), complete up to {}", name,
               kind == LogKind::kRelay ? "relay" : "binary", contents.transactions.size(),
               contents.transactions_without_gtid, contents.parts, contents.end_position);
  if (!contents.transactions.empty()) std::println("  transactions {}", contents.transactions.to_string());
  if (!contents.previous.empty()) std::println("  before it    {}", contents.previous.to_string());
  if (!contents.torn_tail_reason.empty()) std::println("  torn tail    {}", contents.torn_tail_reason);
}

Result<void> verify_file(const fs::path& path) {
  TRY(source, FileSource::open(path));
  TRY(kind, guess_kind(source, path.string()));
  TRY(in_use, read_in_use(source));
  TRY(size, source.size());
  LogWalk walk(source, path.string(), kind);
  TRY_VOID(walk.read_on({.in_use = in_use, .end = size}));
  print_contents(path.string(), kind, walk.contents());
  return {};
}

/// The index files in a folder, and what they list.
Result<std::vector<LogListing>> listings_in(const fs::path& folder) {
  std::vector<LogListing> listings;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".index") continue;
    TRY(files, read_index(entry.path(), {}));
    auto newest = FileSource::open(files.back());
    if (!newest) return std::unexpected(newest.error());
    TRY(kind, guess_kind(*newest, files.back().string()));
    // Where a sidecar keeps second names of this volume's logs.
    const fs::path kept = folder / ".." / "baton" / "kept" / entry.path().stem();
    listings.push_back({kind, entry.path(), {}, fs::is_directory(kept) ? kept : fs::path()});
  }
  if (error) return fail(ErrorKind::kRetry, "{}: {}", folder.string(), error.message());
  if (listings.empty()) return fail(ErrorKind::kNotFound, "{}: no index file", folder.string());
  std::ranges::sort(listings, {}, &LogListing::index_file);
  return listings;
}

Result<void> verify_folder(const fs::path& folder) {
  TRY(listings, listings_in(folder));
  LogIndex index(std::move(listings));
  TRY_VOID(index.advance({.verify_all = true}));
  const auto snapshot = index.snapshot();
  for (const IndexedLogs& logs : snapshot->logs) {
    for (const auto& file : logs.files) print_contents(file->path.string(), file->kind, file->contents);
  }
  std::println("executed  {}", snapshot->executed.to_string());
  std::println("received  {}", snapshot->received.to_string());
  std::println("available {}", snapshot->available.to_string());
  if (snapshot->problems.empty()) return {};
  std::string all;
  for (const Error& problem : snapshot->problems) all += (all.empty() ? "" : "; ") + problem.what;
  return fail(ErrorKind::kCorrupt, "{}", all);
}

Result<void> verify(const fs::path& path) { return fs::is_directory(path) ? verify_folder(path) : verify_file(path); }

/// Repeats a pass over `bytes` bytes for a second, at least thrice, and prints the median, and what it would have been
/// had nobody else used the processor.
Result<void> measure(std::string_view name, std::uint64_t bytes, const std::function<Result<void>()>& pass) {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kPassesLeast = 3;
  std::vector<double> speeds;
  const auto begin = Clock::now();
  const std::clock_t begin_cpu = std::clock();
  while (speeds.size() < kPassesLeast || Clock::now() - begin < std::chrono::seconds(1)) {
    const auto start = Clock::now();
    TRY_VOID(pass());
    const std::chrono::duration<double> took = Clock::now() - start;
    speeds.push_back(static_cast<double>(bytes) / took.count() / 1e6);
  }
  const double cpu_seconds = static_cast<double>(std::clock() - begin_cpu) / CLOCKS_PER_SEC;
  const double by_cpu = static_cast<double>(bytes * speeds.size()) / cpu_seconds / 1e6;
  std::ranges::sort(speeds);
  std::println("{} {:.0f} MB/s (n={}, min {:.0f}, max {:.0f}, per processor second {:.0f})", name,
               speeds[speeds.size() / 2], speeds.size(), speeds.front(), speeds.back(), by_cpu);
  return {};
}

Result<LogContents> walk_once(FileSource& source, const fs::path& path, LogKind kind, std::uint64_t size,
                              Verify verify) {
  LogWalk walk(source, path.string(), kind);
  TRY_VOID(walk.read_on({.verify = verify, .tail = Tail::kNewest, .end = size}));
  return walk.contents();
}

Result<void> stream_once(const std::shared_ptr<const LogSnapshot>& snapshot, const GtidSet& reader) {
  LogStream stream([&] { return snapshot; }, reader);
  while (true) {
    TRY(item, stream.next());
    if (std::holds_alternative<CaughtUp>(item)) return {};
  }
}

/// Every second transaction of a set.
GtidSet half_of(const GtidSet& set) {
  constexpr std::int64_t kNumbersMost = 10'000'000;
  GtidSet half;
  for (const auto& [source, intervals] : set.sources()) {
    for (const auto& [first, last] : intervals) {
      for (std::int64_t number = first; number <= std::min(last, first + kNumbersMost); number += 2) {
        half.add(source, number);
      }
    }
  }
  return half;
}

Result<void> bench(const fs::path& path) {
  TRY(source, FileSource::open(path));
  TRY(kind, guess_kind(source, path.string()));
  TRY(size, source.size());
  TRY(contents, walk_once(source, path, kind, size, Verify::kHeaders));
  TRY(identity, source.identity());
  std::println("{}: {} bytes, {} transactions, {} segments", path.string(), size, contents.transactions.size(),
               contents.segments.size());
  for (const auto& [name, verify] :
       {std::pair("header_walk", Verify::kHeaders), {"checksum_walk", Verify::kChecksums}}) {
    const auto pass = [&]() -> Result<void> {
      TRY_VOID(walk_once(source, path, kind, size, verify));
      return {};
    };
    TRY_VOID(measure(name, size, pass));
  }
  auto file =
      std::make_shared<const LogFile>(LogFile{kind, path, {}, path.filename().string(), identity, contents, {}});
  auto snapshot = std::make_shared<const LogSnapshot>(LogSnapshot{.logs = {{.kind = kind, .files = {file}}}});
  TRY_VOID(measure("stream_all", size, [&] { return stream_once(snapshot, {}); }));
  const GtidSet half = half_of(contents.transactions);
  TRY_VOID(measure("stream_every_second", size, [&] { return stream_once(snapshot, half); }));
  return {};
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// The place behind everything that the binary logs of a folder hold: as if mysqld had published it all.
Result<std::optional<LogPosition>> end_of_binlogs(const std::vector<LogListing>& listings) {
  for (const LogListing& listing : listings) {
    if (listing.kind != LogKind::kBinlog) continue;
    TRY(files, read_index(listing.index_file, {}));
    TRY(newest, FileSource::open(files.back()));
    TRY(size, newest.size());
    return LogPosition{files.back().filename().string(), size};
  }
  return std::nullopt;
}

Result<void> bench_folder(const fs::path& folder) {
  using Clock = std::chrono::steady_clock;
  constexpr int kLooks = 200;
  TRY(listings, listings_in(folder));
  TRY(published, end_of_binlogs(listings));
  LogIndex index(std::move(listings));
  const LogIndex::Step alive{.is_alive = true, .published = published};
  const auto begin = Clock::now();
  TRY_VOID(index.advance(alive));
  const double indexed = milliseconds_since(begin);
  std::uint64_t bytes = 0;
  std::size_t segments = 0;
  GtidSet reader;  // Has all but what the newest file holds.
  for (const IndexedLogs& logs : index.snapshot()->logs) {
    for (const auto& file : logs.files) {
      bytes += file->contents.end_position;
      segments += file->contents.segments.size();
      if (file != logs.files.back()) reader = reader.united(file->contents.transactions);
    }
  }
  std::println("index {:.1f} ms ({} bytes of logs, {} segments, {:.0f} MB/s)", indexed, bytes, segments,
               static_cast<double>(bytes) / indexed / 1e3);
  const auto looks = Clock::now();
  for (int look = 0; look < kLooks; ++look) TRY_VOID(index.advance(alive));
  std::println("look {:.3f} ms", milliseconds_since(looks) / kLooks);
  const auto crash = Clock::now();
  TRY_VOID(index.advance({}));
  const double known = milliseconds_since(crash);
  LogStream stream([&] { return index.snapshot(); }, reader);
  TRY_VOID(stream.next());
  TRY_VOID(stream.next());
  std::println("salvage_ready {:.2f} ms (known after {:.2f} ms)", milliseconds_since(crash), known);
  return {};
}

int serve_folder(const std::vector<std::string_view>& words) {
  const auto options = tools::parse_serve(std::span(words).subspan(1));
  if (!options) {
    std::print(stderr, "baton-binlog: {}\n\n{}", options.error().what, kUsage);
    return 2;
  }
  const auto served =
      listings_in(options->folder).and_then([&](auto listings) { return tools::serve(*options, std::move(listings)); });
  if (served) return 0;
  std::println(stderr, "baton-binlog: {}", served.error().what);
  return 1;
}

Result<void> bench_path(const fs::path& path) { return fs::is_directory(path) ? bench_folder(path) : bench(path); }

int run(const std::vector<std::string_view>& words) {
  if (!words.empty() && (words[0] == "--help" || words[0] == "-h" || words[0] == "help")) {
    std::print("{}", kUsage);
    return 0;
  }
  const auto command = words.empty() ? std::string_view() : words[0];
  if (command == "serve") return serve_folder(words);
  const auto work = command == "list"     ? list_file
                    : command == "verify" ? verify
                    : command == "bench"  ? bench_path
                                          : nullptr;
  if (work == nullptr || words.size() < 2) {
    std::print(stderr, "{}", kUsage);
    return 2;
  }
  int status = 0;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (auto done = work(fs::path(words[i])); !done) {
      std::println(stderr, "baton-binlog: {}", done.error().what);
      status = 1;
    }
  }
  return status;
}

}  // namespace
}  // namespace baton::binlog

int main(int argc, char** argv) { return baton::binlog::run({argv + 1, argv + argc}); }
