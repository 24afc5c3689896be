#include "sidecar/binlog/log_index.h"

#include <algorithm>

#include "tests/binlog/log_fixtures.h"
#include "tests/binlog/log_folder.h"
#include "tests/binlog/log_oracle.h"

namespace baton::binlog {
namespace {

using test::kUuid;
using test::LogOracle;
using test::LogWriter;
using test::set_of;

class LogIndexTest : public test::LogFolder {
 protected:
  /// Two binary logs: 1-9 in the closed one, 10-18 in the newest.
  void write_binlogs() {
    write("binlog.000001", older_.bytes());
    write("binlog.000002", newest_.bytes());
    list("binlog.index", {"binlog.000001", "binlog.000002"});
  }
  void write_relay() {
    write("relay.000004", relay_.bytes());
    list("relay.index", {"relay.000004"});
  }
  [[nodiscard]] static std::shared_ptr<const LogSnapshot> read(LogIndex& index, const LogIndex::Step& step = {}) {
    const auto done = index.advance(step);
    EXPECT_TRUE(done) << done.error().what;
    EXPECT_TRUE(done.value_or(true));
    return index.snapshot();
  }

  /// A newest file that is short enough to be damaged everywhere.
  struct Newest {
    std::size_t kind;  ///< In LogSnapshot::logs.
    std::string name;
    LogWriter writer;
  };
  /// One of each kind, listed.
  [[nodiscard]] std::vector<Newest> small_newest() const {
    LogWriter binlog(true);
    binlog.previous_gtids({}).gtid(1).query("DROP TABLE t").end().rows_transaction(2);
    LogWriter relay = LogWriter::relay();
    relay.previous_gtids({}).connection(4).rows_transaction(3).rows_transaction(4);
    write("binlog.000001", binlog.bytes());
    write("relay.000001", relay.bytes());
    list("binlog.index", {"binlog.000001"});
    list("relay.index", {"relay.000001"});
    return {{0, "binlog.000001", binlog}, {1, "relay.000001", relay}};
  }
  [[nodiscard]] static std::string with_flipped_bit(std::string bytes, std::uint64_t at, int bit) {
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
    return bytes;
  }

  LogWriter older_ = [] {
    LogWriter writer = test::every_kind_binlog(false, 1);
    writer.rotate();
    return writer;
  }();
  LogWriter newest_ = test::every_kind_binlog(true, 10);
  LogWriter relay_ = test::every_kind_relay(15);
};

TEST_F(LogIndexTest, KnowsBinlogsAndRelayLogs) {
  write_binlogs();
  write_relay();
  LogIndex index(listings());
  EXPECT_FALSE(index.snapshot()->is_complete);
  const auto snapshot = read(index);
  EXPECT_TRUE(snapshot->is_complete);
  ASSERT_EQ(snapshot->logs.size(), 2U);
  EXPECT_EQ(snapshot->logs[0].files.size(), 2U);
  EXPECT_TRUE(snapshot->logs[0].has_oldest);
  const GtidSet binlogs = LogOracle(older_.bytes()).gtids().united(LogOracle(newest_.bytes()).gtids());
  const GtidSet relay = LogOracle(relay_.bytes()).gtids();
  EXPECT_EQ(snapshot->executed, binlogs);
  EXPECT_EQ(snapshot->received, relay);
  EXPECT_EQ(snapshot->available, binlogs.united(relay));
  EXPECT_TRUE(snapshot->problems.empty());
  // Nothing changed: nothing is read, and the snapshot is the same.
  EXPECT_EQ(read(index), snapshot);
}

TEST_F(LogIndexTest, EveryCutOfTheNewestFileOfADeadServer) {
  write_binlogs();
  write_relay();
  const LogOracle oracle(newest_.bytes());
  const GtidSet before = LogOracle(older_.bytes()).gtids();
  const GtidSet relay = LogOracle(relay_.bytes()).gtids();
  for (std::uint64_t cut = newest_.size();; --cut) {
    std::filesystem::resize_file(folder_ / "binlog.000002", cut);
    LogIndex index(listings());
    const auto snapshot = read(index);
    ASSERT_TRUE(snapshot->problems.empty()) << cut << ": " << snapshot->problems[0].what;
    const GtidSet expected = before.united(oracle.gtids_before(cut));
    ASSERT_EQ(snapshot->executed, expected) << cut;
    ASSERT_EQ(snapshot->available, expected.united(relay)) << cut;
    const auto& file = *snapshot->logs[0].files.back();
    ASSERT_EQ(file.contents.torn_tail_reason.empty(), std::ranges::binary_search(newest_.rests(), cut)) << cut;
    if (cut == 0) break;
  }
}

TEST_F(LogIndexTest, EveryCutOfTheNewestRelayLog) {
  write_binlogs();
  write_relay();
  const LogOracle oracle(relay_.bytes());
  for (std::uint64_t cut = relay_.size();; --cut) {
    std::filesystem::resize_file(folder_ / "relay.000004", cut);
    LogIndex index(listings());
    const auto snapshot = read(index);
    ASSERT_TRUE(snapshot->problems.empty()) << cut << ": " << snapshot->problems[0].what;
    ASSERT_EQ(snapshot->received, oracle.gtids_before(cut)) << cut;
    if (cut == 0) break;
  }
}

TEST_F(LogIndexTest, FollowsALivingServerUpToWhatItPublished) {
  write("binlog.000001", older_.bytes());
  write("binlog.000002", "");
  write("relay.000004", "");
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  list("relay.index", {"relay.000004"});
  LogIndex index(listings());
  const LogOracle binlog(newest_.bytes());
  const LogOracle relay(relay_.bytes());
  const GtidSet before = LogOracle(older_.bytes()).gtids();
  EXPECT_EQ(read(index, {.is_alive = true})->executed, before);
  constexpr std::size_t kPace = 37;
  const std::size_t longest = std::max(newest_.bytes().size(), relay_.bytes().size());
  for (std::size_t size = 0; size < longest + kPace; size += kPace) {
    if (size < newest_.size()) append("binlog.000002", newest_.bytes().substr(size, kPace));
    if (size < relay_.size()) append("relay.000004", relay_.bytes().substr(size, kPace));
    // Published is some transaction's end of before; what is behind lies in the file, but counts for nothing.
    std::uint64_t published = 0;
    for (const std::uint64_t rest : newest_.rests()) published = rest <= size / 2 ? rest : published;
    const auto snapshot = read(index, {.is_alive = true, .published = LogPosition{"binlog.000002", published}});
    ASSERT_EQ(snapshot->executed, before.united(binlog.gtids_before(published))) << size;
    ASSERT_EQ(snapshot->received, relay.gtids_before(size + kPace)) << size;
    ASSERT_TRUE(snapshot->problems.empty()) << snapshot->problems[0].what;
  }
  const GtidSet published = index.snapshot()->executed;
  for (const auto& nothing : {std::optional<LogPosition>{}, std::optional(LogPosition{"binlog.000009", 4})}) {
    EXPECT_EQ(read(index, {.is_alive = true, .published = nothing})->executed, published);
    LogIndex fresh(listings());
    EXPECT_EQ(read(fresh, {.is_alive = true, .published = nothing})->executed, before);
  }
  const auto dead = read(index);
  EXPECT_EQ(dead->executed, before.united(binlog.gtids()));
  EXPECT_EQ(dead->received, relay.gtids());
}

/// What it publishes it has written; what it has executed is synced too.
TEST_F(LogIndexTest, OfALivingServerOnlyWhatItHasExecutedIsTold) {
  LogWriter writer(true);
  writer.previous_gtids({}).rows_transaction(1).rows_transaction(2).rows_transaction(3);
  LogWriter relay = LogWriter::relay();
  relay.previous_gtids({}).connection(4).rows_transaction(3);
  write("binlog.000001", writer.bytes());
  write("relay.000001", relay.bytes());
  list("binlog.index", {"binlog.000001"});
  list("relay.index", {"relay.000001"});
  LogIndex index(listings());
  const auto step = [&](const std::string& executed) {
    return LogIndex::Step{.is_alive = true,
                          .published = LogPosition{"binlog.000001", writer.size()},
                          .executed = std::make_shared<const GtidSet>(set_of(kUuid + executed))};
  };
  const auto first = read(index, step(":1"));
  EXPECT_EQ(first->executed, set_of(kUuid + ":1"));
  EXPECT_EQ(first->available, set_of(kUuid + ":1:3")) << "a relay log has 3";
  EXPECT_EQ(first->unsettled, set_of(kUuid + ":2"));
  LogStream stream(first, set_of(kUuid + ":1-3"));
  const auto got = test::drain(stream);
  EXPECT_FALSE(got.error) << got.error->what;
  const std::uint64_t one = writer.ends()[0].first;
  const std::uint64_t two = writer.ends()[1].first;
  EXPECT_EQ(got.bytes(),
            writer.bytes().substr(writer.head_end(), one - writer.head_end()) + writer.bytes().substr(two));
  EXPECT_EQ(read(index, step(":1")), first) << "the same again is no news";
  EXPECT_EQ(read(index, step(":1-2"))->available, set_of(kUuid + ":1-3"));
  EXPECT_EQ(read(index, {.is_alive = true})->executed, set_of(kUuid + ":1-2")) << "as it was told last";
  const auto dead = read(index);
  EXPECT_EQ(dead->executed, set_of(kUuid + ":1-3")) << "its kernel has all of it";
  EXPECT_TRUE(dead->unsettled.empty());
}

TEST_F(LogIndexTest, RotationAndPurgeAreNoticed) {
  LogWriter first(true);
  first.previous_gtids({}).rows_transaction(1);
  write("binlog.000001", first.bytes());
  list("binlog.index", {"binlog.000001"});
  LogIndex index(listings());
  EXPECT_EQ(read(index, {.is_alive = true, .published = LogPosition{"binlog.000001", first.size()}})->executed,
            set_of(kUuid + ":1"));
  LogWriter closed(false);
  closed.previous_gtids({}).rows_transaction(1).rows_transaction(2).rotate();
  LogWriter second(true);
  second.previous_gtids({{LogWriter::kUuid, "", {{1, 2}}}}).rows_transaction(3);
  write("binlog.000001", closed.bytes());
  write("binlog.000002", second.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  const auto rotated = read(index, {.is_alive = true, .published = LogPosition{"binlog.000002", second.size()}});
  EXPECT_EQ(rotated->available, set_of(kUuid + ":1-3"));
  std::filesystem::remove(folder_ / "binlog.000001");
  list("binlog.index", {"binlog.000002"});
  const auto purged = read(index, {.is_alive = true, .published = LogPosition{"binlog.000002", second.size()}});
  EXPECT_EQ(purged->available, set_of(kUuid + ":3"));
  EXPECT_EQ(purged->executed, set_of(kUuid + ":1-3"));
  EXPECT_EQ(purged->unavailable({}, set_of(kUuid + ":9")), set_of(kUuid + ":1-2:9"));
  EXPECT_TRUE(purged->unavailable(set_of(kUuid + ":1-2"), {}).empty());
}

TEST_F(LogIndexTest, AListedFileThatIsMissingIsAProblemOfThatFile) {
  write_binlogs();
  std::filesystem::remove(folder_ / "binlog.000001");
  LogIndex index(listings());
  const auto snapshot = read(index);
  ASSERT_EQ(snapshot->problems.size(), 1U);
  EXPECT_EQ(snapshot->problems[0].kind, ErrorKind::kCorrupt);
  EXPECT_EQ(snapshot->executed.of_uuid(kUuid), set_of(kUuid + ":1-18:batch:1:10"));
  EXPECT_EQ(test::drain(snapshot, {}).error.value_or(Error{}).kind, ErrorKind::kCorrupt);
  write("binlog.000001", older_.bytes());
  EXPECT_TRUE(read(index)->problems.empty());
}

TEST_F(LogIndexTest, AFileOfTheSameNameIsReadAnew) {
  write_binlogs();
  LogIndex index(listings());
  const auto before = read(index);
  LogWriter reset(true);
  reset.previous_gtids({}).rows_transaction(1);
  std::filesystem::remove(folder_ / "binlog.000001");
  std::filesystem::remove(folder_ / "binlog.000002");
  write("binlog.000001", reset.bytes());
  list("binlog.index", {"binlog.000001"});
  EXPECT_EQ(read(index)->executed, set_of(kUuid + ":1"));
}

TEST_F(LogIndexTest, RecoveryMayCutWhatWasTornAndWriteOn) {
  write_binlogs();
  const std::uint64_t cut = newest_.ends()[3].first + 25;
  std::filesystem::resize_file(folder_ / "binlog.000002", cut);
  LogIndex index(listings());
  const auto torn = read(index);
  EXPECT_NE(torn->logs[0].files.back()->contents.torn_tail_reason, "");
  std::filesystem::resize_file(folder_ / "binlog.000002", newest_.ends()[3].first);
  LogWriter third(true);
  third.previous_gtids({{LogWriter::kUuid, "", {{1, 12}}}}).rows_transaction(100);
  write("binlog.000003", third.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002", "binlog.000003"});
  const auto after = read(index);
  EXPECT_TRUE(after->problems.empty());
  EXPECT_EQ(after->logs[0].files[1]->contents.torn_tail_reason, "");
  EXPECT_EQ(after->available, torn->available.united(set_of(kUuid + ":100")));
}

/// A receiver that starts again may cut off a transaction that it had begun and go on, between two looks.
TEST_F(LogIndexTest, AnOpenTransactionMayBeReplacedByOtherBytes) {
  write_binlogs();
  LogWriter before = LogWriter::relay();
  before.previous_gtids({}).connection(4).rows_transaction(50);
  const std::uint64_t kept = before.size();
  before.gtid(51).query("BEGIN").other(19, 20).other(30, 900).other(30, 77);
  for (std::size_t shift = 0; shift < 60; ++shift) {
    write("relay.000001", before.bytes());
    list("relay.index", {"relay.000001"});
    LogIndex index(listings());
    EXPECT_EQ(read(index, {.is_alive = true})->received, set_of(kUuid + ":50"));
    LogWriter after = LogWriter::relay();
    after.previous_gtids({}).connection(4).rows_transaction(50);
    ASSERT_EQ(after.size(), kept);
    after.connection(4).rows_transaction(51, 500 + shift).rows_transaction(52, 300).rows_transaction(53);
    ASSERT_GT(after.size(), before.size());
    std::filesystem::resize_file(folder_ / "relay.000001", kept);
    append("relay.000001", after.bytes().substr(kept));
    EXPECT_EQ(read(index, {.is_alive = true})->received, set_of(kUuid + ":50-53")) << shift;
  }
}

TEST_F(LogIndexTest, ReadsTheNewestFirstInSmallSteps) {
  write_binlogs();
  write_relay();
  LogIndex index(listings());
  std::vector<GtidSet> seen;
  for (int calls = 0;; ++calls) {
    ASSERT_LT(calls, 1000);
    const auto done = index.advance({.most = 500});
    ASSERT_TRUE(done) << done.error().what;
    const auto snapshot = index.snapshot();
    EXPECT_EQ(snapshot->is_complete, *done);
    if (!snapshot->logs[0].has_oldest) {
      // Of an older file that is read half nothing is told, since a stream could not be whole.
      EXPECT_LE(snapshot->logs[0].files.size(), 1U);
    }
    if (*done) break;
  }
  LogIndex at_once(listings());
  EXPECT_EQ(read(at_once)->available, index.snapshot()->available);
}

TEST_F(LogIndexTest, DamageInOneFileIsAProblemOfThatFile) {
  write_binlogs();
  std::string bytes = older_.bytes();
  const std::uint64_t good = older_.ends()[2].first;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(good) + 9, 2, '\0');
  write("binlog.000001", bytes);
  LogIndex index(listings());
  const auto snapshot = read(index);
  ASSERT_EQ(snapshot->problems.size(), 1U);
  EXPECT_EQ(snapshot->problems[0].kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(snapshot->problems[0].what.starts_with(std::format("binlog.000001 at offset {}: ", good)))
      << snapshot->problems[0].what;
  EXPECT_EQ(snapshot->executed.minus(snapshot->available).of_uuid(kUuid), set_of(kUuid + ":3-9"));
  write("binlog.000002",
        "\xFD"
        "bin, and what nobody can read");
  LogIndex encrypted(listings());
  EXPECT_EQ(read(encrypted)->problems.size(), 2U);
  EXPECT_EQ(read(encrypted)->problems[1].kind, ErrorKind::kUnsafe);
}

/// A closed log is walked by its headers, but what it claims to follow is believed only with its checksum.
TEST_F(LogIndexTest, EveryFlippedBitOfPreviousGtidsIsNoticed) {
  LogWriter closed(false);
  const std::uint64_t begin = closed.size();
  closed.previous_gtids({{LogWriter::kUuid, "", {{1, 9}}}}).rows_transaction(10).rotate();
  LogWriter newest(true);
  newest.previous_gtids({{LogWriter::kUuid, "", {{1, 10}}}}).rows_transaction(11);
  write("binlog.000002", newest.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  for (std::uint64_t at = begin; at < closed.head_end(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      write("binlog.000001", with_flipped_bit(closed.bytes(), at, bit));
      LogIndex index(listings());
      const auto snapshot = read(index);
      ASSERT_EQ(snapshot->problems.size(), 1U) << at << " bit " << bit;
      ASSERT_EQ(snapshot->executed, set_of(kUuid + ":1-11")) << at << " bit " << bit;
    }
  }
}

/// Of a closed log the headers are read, and no rows: 100 GB are indexed in no time. Who wants more asks for it.
TEST_F(LogIndexTest, AFlippedBitInARowOfAClosedFileIsFoundOnlyWhenAllIsVerified) {
  LogWriter closed(false);
  closed.previous_gtids({}).rows_transaction(1).gtid(2).query("BEGIN").other(19, 20);
  const std::uint64_t rows = closed.size();
  closed.other(30, 700).other(16, 8).end().rows_transaction(3).rotate();
  LogWriter newest(true);
  newest.previous_gtids({{LogWriter::kUuid, "", {{1, 3}}}}).rows_transaction(4);
  constexpr std::uint64_t kIntoTheRows = 19 + 300;
  write("binlog.000001", with_flipped_bit(closed.bytes(), rows + kIntoTheRows, 3));
  write("binlog.000002", newest.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  LogIndex by_headers(listings());
  const auto quick = read(by_headers);
  EXPECT_TRUE(quick->problems.empty()) << quick->problems[0].what;
  EXPECT_EQ(quick->available, set_of(kUuid + ":1-4"));
  LogIndex by_checksums(listings());
  const auto thorough = read(by_checksums, {.verify_all = true});
  ASSERT_EQ(thorough->problems.size(), 1U);
  EXPECT_EQ(thorough->problems[0].kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(thorough->problems[0].what.starts_with(std::format("binlog.000001 at offset {}: ", rows)))
      << thorough->problems[0].what;
  EXPECT_EQ(thorough->available, set_of(kUuid + ":1:4"));
  EXPECT_EQ(thorough->executed, set_of(kUuid + ":1-4"));
}

/// Bytes that a crash of the node took are zeros, under lengths that were written.
TEST_F(LogIndexTest, EveryCutOfTheNewestFileOfADeadServerMayBeFilledWithZeros) {
  for (const Newest& newest : small_newest()) {
    for (std::uint64_t cut = 4; cut <= newest.writer.size(); ++cut) {
      const std::string bytes = newest.writer.bytes().substr(0, cut) + std::string(3000, '\0');
      write(newest.name, bytes);
      LogIndex index(listings());
      const auto snapshot = read(index);
      ASSERT_TRUE(snapshot->problems.empty()) << cut << ": " << snapshot->problems[0].what;
      const LogContents& contents = snapshot->logs[newest.kind].files.back()->contents;
      ASSERT_EQ(contents.transactions, LogOracle(bytes).gtids()) << newest.name << " " << cut;
      ASSERT_NE(contents.torn_tail_reason, "") << newest.name << " " << cut;
    }
  }
}

TEST_F(LogIndexTest, AFlippedBitInAnyByteOfTheNewestFileOfADeadServerIsNoticed) {
  for (const Newest& newest : small_newest()) {
    const GtidSet all = LogOracle(newest.writer.bytes()).gtids();
    for (std::uint64_t at = 0; at < newest.writer.size(); ++at) {
      // Another bit in each byte. The only one that no checksum covers, IN_USE, is not among them.
      write(newest.name, with_flipped_bit(newest.writer.bytes(), at, static_cast<int>(at % 8)));
      LogIndex index(listings());
      const auto snapshot = read(index);
      const LogContents& contents = snapshot->logs[newest.kind].files.back()->contents;
      ASSERT_TRUE(!snapshot->problems.empty() || !contents.torn_tail_reason.empty()) << newest.name << " " << at;
      ASSERT_TRUE(all.contains(contents.transactions)) << newest.name << " " << at;
    }
  }
}

/// A loss of power leaves holes in relay logs, which are not synced: in older ones too, and under whole headers.
TEST_F(LogIndexTest, AHoleInAnOlderRelayLogIsNoTransaction) {
  write_binlogs();
  LogWriter older = LogWriter::relay();
  older.previous_gtids({}).connection(4).rows_transaction(50).rows_transaction(51, 400).rows_transaction(52);
  LogWriter newest = LogWriter::relay();
  newest.previous_gtids({{LogWriter::kUuid, "", {{50, 52}}}}).connection(4).rows_transaction(53);
  std::string bytes = older.bytes();
  constexpr std::ptrdiff_t kLastEvent = 31;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(older.ends()[1].first) - kLastEvent - 200, 100, '\0');
  write("relay.000001", bytes);
  write("relay.000002", newest.bytes());
  list("relay.index", {"relay.000001", "relay.000002"});
  for (const bool is_alive : {true, false}) {
    LogIndex index(listings());
    const auto snapshot =
        read(index, {.is_alive = is_alive, .published = LogPosition{"binlog.000002", newest_.size()}});
    ASSERT_EQ(snapshot->problems.size(), 1U);
    EXPECT_TRUE(snapshot->problems[0].what.starts_with("relay.000001 at offset ")) << snapshot->problems[0].what;
    EXPECT_EQ(snapshot->available.intersected(set_of(kUuid + ":50-53")), set_of(kUuid + ":50:53"));
  }
}

/// What a failover waits for when mysqld has died is only what came last.
TEST_F(LogIndexTest, WhatWasVerifiedOfRelayLogsWhileMysqldLivedIsNotReadAgain) {
  write_binlogs();
  LogWriter older = LogWriter::relay();
  older.previous_gtids({}).connection(4);
  for (std::uint64_t number = 50; number < 70; ++number) older.rows_transaction(number, 100'000);
  LogWriter newest = LogWriter::relay();
  newest.previous_gtids({{LogWriter::kUuid, "", {{50, 69}}}}).connection(4);
  for (std::uint64_t number = 70; number < 90; ++number) newest.rows_transaction(number, 100'000);
  write("relay.000001", older.bytes());
  write("relay.000002", newest.bytes());
  list("relay.index", {"relay.000001", "relay.000002"});
  LogIndex index(listings());
  ASSERT_NE(read(index, {.is_alive = true, .published = LogPosition{"binlog.000002", newest_.size()}}), nullptr);
  const auto dead = index.advance({.most = 10'000});
  ASSERT_TRUE(dead) << dead.error().what;
  EXPECT_TRUE(*dead) << "more was read than what is new";
  EXPECT_TRUE(index.snapshot()->available.contains(set_of(kUuid + ":50-89")));
}

TEST_F(LogIndexTest, AFalsePlaceInAnEventIsNoDamageWhereTheChecksumIsRight) {
  LogWriter writer(false);
  writer.previous_gtids({}).rows_transaction(1);
  std::string bytes = writer.bytes();
  // log_pos 0 in the last event, with a right checksum: some servers leave it out.
  const std::size_t event = bytes.size() - 31;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(event) + 13, 4, '\0');
  bytes.replace(bytes.size() - 4, 4, LogWriter::number(LogWriter::crc32(bytes.substr(event, 27)), 4));
  write("binlog.000001", bytes);
  write("binlog.000002", newest_.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  LogIndex index(listings());
  const auto snapshot = read(index);
  EXPECT_TRUE(snapshot->problems.empty()) << snapshot->problems[0].what;
  EXPECT_EQ(snapshot->logs[0].files[0]->contents.transactions, set_of(kUuid + ":1"));
}

TEST_F(LogIndexTest, MissingIndexFiles) {
  LogIndex index(listings());
  EXPECT_EQ(index.advance({}).error().kind, ErrorKind::kNotFound);
  write_binlogs();
  EXPECT_TRUE(read(index)->logs[1].files.empty());
  // mysqld died between removing the index and renaming the new one.
  std::filesystem::rename(folder_ / "binlog.index", folder_ / "binlog.index_crash_safe");
  EXPECT_EQ(read(index)->logs[0].files.size(), 2U);
  write("binlog.index", "./binlog.0000");
  EXPECT_EQ(index.advance({}).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(index.advance({.is_alive = true}).error().kind, ErrorKind::kRetry);
  EXPECT_EQ(index.snapshot()->logs[0].files.size(), 2U) << "what was known is kept";
  EXPECT_FALSE(index.snapshot()->is_complete) << "but not for all that there is";
}

TEST_F(LogIndexTest, AStopIsObeyedAndNothingIsLost) {
  write_binlogs();
  LogIndex index(listings());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(index.advance({.stop = stop.get_token()}).error().kind, ErrorKind::kCancelled);
  EXPECT_FALSE(index.snapshot()->is_complete) << "what is not read may hold anything";
  EXPECT_TRUE(read(index)->is_complete);
}

TEST_F(LogIndexTest, LogsBeyondFourGibibytes) {
  const std::uint64_t length = write_long_log("binlog.000001", 5);
  list("binlog.index", {"binlog.000001"});
  LogIndex index(listings());
  const auto snapshot = read(index);
  EXPECT_TRUE(snapshot->problems.empty()) << snapshot->problems[0].what;
  EXPECT_EQ(snapshot->executed, set_of(kUuid + ":1-3"));
  const auto& contents = snapshot->logs[0].files[0]->contents;
  EXPECT_EQ(contents.end_position, length);
  ASSERT_EQ(contents.segments.size(), 2U);
  const auto got = test::drain(snapshot, set_of(kUuid + ":1:3"));
  ASSERT_FALSE(got.error) << got.error->what;
  ASSERT_EQ(got.stretches.size(), 1U);
  EXPECT_LT(got.bytes().size(), 1000U);
}

}  // namespace
}  // namespace baton::binlog
