#include "sidecar/binlog/log_walk.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/binlog/log_fixtures.h"
#include "tests/binlog/log_folder.h"
#include "tests/binlog/log_oracle.h"
#include "tests/binlog/memory_source.h"

namespace baton::binlog {
namespace {

using test::LogOracle;
using test::LogWriter;
using test::MemorySource;
using test::set_of;

Result<LogContents> walk(std::string_view bytes, LogKind kind, LogWalk::Step step) {
  MemorySource source(bytes);
  LogWalk walk(source, "log.000001", kind);
  step.end = bytes.size();
  TRY_VOID(walk.read_on(step));
  return walk.contents();
}

/// Segments lie in order, in the file, and hold what the oracle says.
void expect_agrees(const LogContents& contents, const LogOracle& oracle, std::uint64_t size) {
  EXPECT_EQ(contents.transactions, oracle.gtids_before(size)) << size;
  GtidSet all;
  std::uint64_t behind = 0;
  std::uint64_t count = 0;
  for (const Segment& segment : contents.segments) {
    EXPECT_GE(segment.begin, behind);
    EXPECT_LT(segment.begin, segment.end);
    behind = segment.end;
    GtidSet expected;
    for (const auto& found : oracle.transactions()) {
      if (found.begin >= segment.begin && found.end <= segment.end) expected = expected.united(found.set);
    }
    EXPECT_EQ(segment.transactions, expected);
    all = all.united(segment.transactions);
    count += segment.count;
  }
  EXPECT_EQ(all, contents.transactions);
  EXPECT_LE(behind, size);
  EXPECT_GE(count, contents.transactions.size());
}

TEST(LogWalk, TheFixturesHoldWhatTheirWriterSays) {
  for (const LogWriter& writer : {test::every_kind_binlog(true, 1), test::every_kind_relay(1)}) {
    const LogOracle oracle(writer.bytes());
    ASSERT_EQ(oracle.transactions().size(), writer.ends().size());
    for (std::size_t i = 0; i < writer.ends().size(); ++i) {
      EXPECT_EQ(oracle.transactions()[i].end, writer.ends()[i].first);
      EXPECT_EQ(oracle.transactions()[i].set, set_of(writer.ends()[i].second));
    }
  }
}

TEST(LogWalk, EveryCutOfABinlogAgreesWithTheOracle) {
  for (const bool checksum : {true, false}) {
    const LogWriter writer = test::every_kind_binlog(true, 1, checksum);
    const LogOracle oracle(writer.bytes());
    for (std::size_t cut = 0; cut <= writer.size(); ++cut) {
      const std::string_view bytes = std::string_view(writer.bytes()).substr(0, cut);
      for (const Tail tail : {Tail::kNewest, Tail::kGrowing}) {
        for (const Verify verify : {Verify::kChecksums, Verify::kHeaders}) {
          const auto contents = walk(bytes, LogKind::kBinlog, {.verify = verify, .tail = tail});
          ASSERT_TRUE(contents) << cut << ": " << contents.error().what;
          expect_agrees(*contents, oracle, cut);
        }
      }
    }
  }
}

TEST(LogWalk, EveryCutOfARelayLogAgreesWithTheOracle) {
  const LogWriter writer = test::every_kind_relay(1);
  const LogOracle oracle(writer.bytes());
  for (std::size_t cut = 0; cut <= writer.size(); ++cut) {
    const std::string_view bytes = std::string_view(writer.bytes()).substr(0, cut);
    for (const Tail tail : {Tail::kNewest, Tail::kGrowing, Tail::kOlder}) {
      const auto contents = walk(bytes, LogKind::kRelay, {.tail = tail});
      ASSERT_TRUE(contents) << cut << ": " << contents.error().what;
      expect_agrees(*contents, oracle, cut);
    }
    const auto by_headers = walk(bytes, LogKind::kRelay, {.verify = Verify::kHeaders, .tail = Tail::kOlder});
    ASSERT_TRUE(by_headers) << cut << ": " << by_headers.error().what;
    expect_agrees(*by_headers, oracle, cut);
  }
}

/// Where the source used checksums. Without them, zeros in place of an event's end cannot be told from the event.
TEST(LogWalk, EveryCutOfARelayLogMayBeFilledWithZeros) {
  LogWriter writer = LogWriter::relay();
  writer.previous_gtids({}).connection(4);
  test::write_every_kind(writer, 1).gtid(9).query("BEGIN");
  writer.connection(987'654'321).rows_transaction(9, 700);
  for (std::size_t cut = 4; cut <= writer.size(); ++cut) {
    const std::string bytes = writer.bytes().substr(0, cut) + std::string(3000, '\0');
    const auto contents = walk(bytes, LogKind::kRelay, {.tail = Tail::kNewest});
    ASSERT_TRUE(contents) << cut << ": " << contents.error().what;
    expect_agrees(*contents, LogOracle(bytes), bytes.size());
    EXPECT_NE(contents->torn_tail_reason, "") << cut;
  }
}

/// A walk that gets its bytes piece by piece knows at each moment what one that begins anew would know.
TEST(LogWalk, GrowingByAnyStepsIsTheSameAsReadingAtOnce) {
  for (const LogKind kind : {LogKind::kBinlog, LogKind::kRelay}) {
    const LogWriter writer = kind == LogKind::kBinlog ? test::every_kind_binlog(true, 1) : test::every_kind_relay(1);
    const LogOracle oracle(writer.bytes());
    for (const std::size_t pace : {1U, 7U, 61U, 300U, 1000U}) {
      MemorySource source(writer.bytes());
      LogWalk growing(source, "log.000001", kind);
      for (std::size_t end = 0; end < writer.size() + pace; end += pace) {
        const std::size_t size = std::min<std::size_t>(end, writer.size());
        const auto done = growing.read_on({.verify = Verify::kHeaders, .tail = Tail::kGrowing, .end = size});
        ASSERT_TRUE(done) << size << ": " << done.error().what;
        ASSERT_EQ(growing.contents().transactions, oracle.gtids_before(size)) << size;
      }
      ASSERT_TRUE(growing.read_on({.tail = Tail::kNewest, .end = writer.size()}));
      expect_agrees(growing.contents(), oracle, writer.size());
      EXPECT_EQ(growing.contents().torn_tail_reason, "");
    }
  }
}

TEST(LogWalk, ABudgetOnlySlowsItDown) {
  const LogWriter writer = test::every_kind_relay(1);
  const LogOracle oracle(writer.bytes());
  for (const std::uint64_t most : {1U, 50U, 500U, 100'000U}) {
    MemorySource source(writer.bytes());
    LogWalk walk(source, "log.000001", LogKind::kRelay);
    int calls = 0;
    while (true) {
      const auto done = walk.read_on({.tail = Tail::kOlder, .end = writer.size(), .most = most});
      ASSERT_TRUE(done) << done.error().what;
      ASSERT_LT(++calls, 1000);
      if (*done) break;
    }
    expect_agrees(walk.contents(), oracle, writer.size());
  }
}

TEST(LogWalk, PartsOfTransactionsAreDroppedAndCounted) {
  const auto contents = walk(test::every_kind_relay(1).bytes(), LogKind::kRelay, {.tail = Tail::kOlder});
  ASSERT_TRUE(contents) << contents.error().what;
  EXPECT_EQ(contents->parts, 3U);
  EXPECT_EQ(contents->descriptions.size(), 5U);
  EXPECT_EQ(contents->descriptions[3].checksum, ChecksumAlgorithm::kNone);
}

TEST(LogWalk, WhatHasNoBeginningInARelayLogIsPassedOver) {
  LogWriter writer = LogWriter::relay();
  writer.previous_gtids({}).connection(4000);
  writer.other(30, 40).other(16, 8).rows_transaction(7);
  const auto contents = walk(writer.bytes(), LogKind::kRelay, {});
  ASSERT_TRUE(contents) << contents.error().what;
  EXPECT_EQ(contents->transactions, set_of(std::string(LogWriter::kUuid) + ":7"));
}

TEST(LogWalk, DamageInTheMiddleOfARelayLogIsNoTornTail) {
  const LogWriter writer = test::every_kind_relay(1);
  const auto& ends = writer.ends();
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    for (const std::size_t length : {1U, 30U}) {
      std::string bytes = writer.bytes();
      const auto at = static_cast<std::ptrdiff_t>(ends[i].first) + 9;  // The length of the next event.
      std::fill_n(bytes.begin() + at, length, '\x5B');
      const auto contents = walk(bytes, LogKind::kRelay, {.tail = Tail::kOlder});
      // Without checksums a wrong byte in a body is not seen; in a length it is.
      ASSERT_FALSE(contents) << i << " " << contents->torn_tail_reason;
      EXPECT_EQ(contents.error().kind, ErrorKind::kCorrupt);
      EXPECT_TRUE(contents.error().what.starts_with("log.000001 at offset ")) << contents.error().what;
    }
  }
}

TEST(LogWalk, NoFlippedBitOfARelayLogAddsATransactionOrHidesOneSilently) {
  LogWriter writer = LogWriter::relay();
  writer.previous_gtids({}).connection(4).rows_transaction(1).rows_transaction(2).gtid(3).query("BEGIN");
  writer.connection(500).rows_transaction(3).rows_transaction(4);
  const GtidSet all = LogOracle(writer.bytes()).gtids();
  const std::size_t last_event = writer.size() - 40;
  for (std::size_t at = 0; at < writer.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = writer.bytes();
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      const auto contents = walk(bytes, LogKind::kRelay, {.tail = Tail::kOlder});
      if (!contents) continue;
      EXPECT_TRUE(all.contains(contents->transactions)) << at;
      if (contents->transactions == all) continue;
      EXPECT_NE(contents->torn_tail_reason, "") << at;
      EXPECT_GE(at, last_event) << "damage with events behind it was taken for a torn tail";
    }
  }
}

TEST(LogWalk, SegmentsEndAtTheirLengthAndAtNoise) {
  LogWriter writer(true, false);
  writer.previous_gtids({});
  for (std::uint64_t number = 1; number <= 30; ++number) writer.rows_transaction(number, 1'000'000);
  writer.other(77, 6, 0x80).rest().rows_transaction(31).other(77, 6, 0x80).rest().rows_transaction(32);
  const auto contents = walk(writer.bytes(), LogKind::kBinlog, {.verify = Verify::kHeaders});
  ASSERT_TRUE(contents) << contents.error().what;
  ASSERT_EQ(contents->segments.size(), 5U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_GE(contents->segments[i].end - contents->segments[i].begin, Segment::kLength);
    EXPECT_TRUE(contents->segments[i].is_plain);
  }
  EXPECT_TRUE(contents->segments[3].is_plain);
  EXPECT_FALSE(contents->segments[4].is_plain);
  EXPECT_EQ(contents->segments[4].transactions, set_of(std::string(LogWriter::kUuid) + ":31-32"));
}

TEST(LogWalk, TransactionsOfAnyNumberOfSourcesAreKnown) {
  LogWriter writer;
  writer.previous_gtids({});
  for (std::uint64_t number = 1; number <= 3; ++number) {
    for (int source = 10; source < 50; ++source) {
      writer.gtid(number, std::format("00000000-0000-0000-0000-0000000000{}", source)).query("DROP TABLE t").end();
    }
  }
  const auto contents = walk(writer.bytes(), LogKind::kBinlog, {});
  ASSERT_TRUE(contents) << contents.error().what;
  EXPECT_EQ(contents->transactions.size(), 120U);
  expect_agrees(*contents, LogOracle(writer.bytes()), writer.size());
}

TEST(LogWalk, ASegmentWithATransactionTwiceIsNotPlain) {
  LogWriter writer = LogWriter::relay();
  writer.previous_gtids({}).connection(4).rows_transaction(1).rows_transaction(2).rows_transaction(1);
  const auto contents = walk(writer.bytes(), LogKind::kRelay, {});
  ASSERT_TRUE(contents) << contents.error().what;
  ASSERT_EQ(contents->segments.size(), 1U);
  EXPECT_FALSE(contents->segments[0].is_plain);
  EXPECT_EQ(contents->segments[0].count, 3U);
}

TEST(LogWalk, EncryptedRelayLogsAreRefusedWithAdvice) {
  const auto contents = walk(
      "\xFD"
      "bin and more",
      LogKind::kRelay, {});
  ASSERT_FALSE(contents);
  EXPECT_EQ(contents.error().kind, ErrorKind::kUnsafe);
  EXPECT_NE(contents.error().what.find("FLUSH RELAY LOGS"), std::string::npos);
}

TEST(LogWalk, LargeEventsWithinAndBeyondTheBuffers) {
  for (const std::size_t length : {127'000U, 131'072U, 262'100U, 262'144U, 262'200U, 700'000U}) {
    LogWriter writer;
    writer.previous_gtids({}).rows_transaction(1, length).rows_transaction(2, length).rows_transaction(3);
    const LogOracle oracle(writer.bytes());
    for (const Verify verify : {Verify::kChecksums, Verify::kHeaders}) {
      for (const std::size_t end : oracle.event_ends()) {
        for (const std::size_t cut : {end - 1, end, std::min(end + 1, writer.bytes().size())}) {
          const auto contents =
              walk(std::string_view(writer.bytes()).substr(0, cut), LogKind::kBinlog, {.verify = verify});
          ASSERT_TRUE(contents) << contents.error().what;
          expect_agrees(*contents, oracle, cut);
        }
      }
    }
  }
}

TEST(ServedDescription, ClearsWhatIsOfThisFileAlone) {
  const LogWriter writer = LogWriter::relay();
  const auto raw = std::as_bytes(std::span(writer.bytes())).subspan(4);
  Description description{4, {raw.begin(), raw.end()}, ChecksumAlgorithm::kCrc32};
  for (const bool forget : {false, true}) {
    const auto served = served_description(description, forget);
    const std::string text(reinterpret_cast<const char*>(served.data()), served.size());
    EXPECT_EQ(text.substr(17, 2), std::string(2, '\0'));
    EXPECT_EQ(text.substr(71, 4) == std::string(4, '\0'), forget);
    EXPECT_EQ(text.substr(text.size() - 4), LogWriter::number(LogWriter::crc32(text.substr(0, text.size() - 4)), 4));
  }
}

}  // namespace
}  // namespace baton::binlog
