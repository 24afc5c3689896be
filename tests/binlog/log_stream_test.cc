#include "sidecar/binlog/log_stream.h"

#include <algorithm>
#include <cstdlib>
#include <random>

#include "tests/binlog/log_fixtures.h"
#include "tests/binlog/log_folder.h"
#include "tests/binlog/log_oracle.h"

namespace baton::binlog {
namespace {

using test::drain;
using test::kUuid;
using test::LogOracle;
using test::LogWriter;
using test::set_of;
using test::Streamed;

class LogStreamTest : public test::LogFolder {
 protected:
  [[nodiscard]] std::shared_ptr<const LogSnapshot> snapshot() const {
    LogIndex index(listings());
    const auto done = index.advance({});
    EXPECT_TRUE(done) << done.error().what;
    return index.snapshot();
  }

  /// The bytes that a reader is to get: each wanted transaction once, in the order of the files.
  static std::string expected(const std::vector<std::string>& files, GtidSet reader) {
    std::string all;
    for (const std::string& bytes : files) {
      for (const auto& found : LogOracle(bytes).transactions()) {
        const GtidSet& one = found.set;
        if (reader.contains(one)) continue;
        reader = reader.united(one);
        all += bytes.substr(found.begin, found.end - found.begin);
      }
    }
    return all;
  }
};

TEST_F(LogStreamTest, AnyReaderGetsExactlyWhatItLacks) {
  LogWriter older = test::every_kind_binlog(false, 1);
  older.rotate();
  const LogWriter newest = test::every_kind_binlog(true, 10);
  const LogWriter relay = test::every_kind_relay(5);
  const LogWriter last_relay = [] {
    LogWriter writer = LogWriter::relay();
    writer.previous_gtids({}).connection(4).rows_transaction(3).rows_transaction(40).rows_transaction(41);
    return writer;
  }();
  write("binlog.000001", older.bytes());
  write("binlog.000002", newest.bytes());
  write("relay.000001", relay.bytes());
  write("relay.000002", last_relay.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  list("relay.index", {"relay.000001", "relay.000002"});
  const auto logs = snapshot();
  const std::vector<std::string> files{older.bytes(), newest.bytes(), relay.bytes(), last_relay.bytes()};
  std::vector<GtidSet> single;
  for (const std::string& bytes : files) {
    for (const auto& found : LogOracle(bytes).transactions()) single.push_back(found.set);
  }
  const char* given = std::getenv("BATON_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20'260'101;
  SCOPED_TRACE("BATON_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    GtidSet reader;
    const std::uint64_t share = random() % 9;
    for (const GtidSet& one : single) {
      if (random() % 8 < share) reader = reader.united(one);
    }
    const Streamed got = drain(logs, reader);
    ASSERT_FALSE(got.error) << got.error->what;
    ASSERT_EQ(got.bytes(), expected(files, reader)) << "round " << round << " " << reader.to_string();
  }
  EXPECT_EQ(drain(logs, logs->available).begins.size(), 0U);
}

TEST_F(LogStreamTest, EachDescriptionIsToldBeforeItsBytes) {
  const LogWriter relay = test::every_kind_relay(1);
  LogWriter binlog(true);
  binlog.previous_gtids({});
  write("binlog.000001", binlog.bytes());
  write("relay.000009", relay.bytes());
  list("binlog.index", {"binlog.000001"});
  list("relay.index", {"relay.000009"});
  const Streamed got = drain(snapshot(), {});
  ASSERT_FALSE(got.error) << got.error->what;
  ASSERT_EQ(got.begins.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(got.begins[i].name, "relay.000009");
    EXPECT_EQ(got.begins[i].checksum, i == 2 ? ChecksumAlgorithm::kNone : ChecksumAlgorithm::kCrc32);
    // Bytes behind it can be read by what it says.
    const auto& description = got.begins[i].format_description;
    const std::string log = std::string(4, ' ') +
                            std::string(reinterpret_cast<const char*>(description.data()), description.size()) +
                            got.stretches[i];
    const LogOracle oracle(log);
    ASSERT_FALSE(oracle.transactions().empty()) << i;
    EXPECT_EQ(oracle.transactions().back().end, log.size()) << i;
  }
}

TEST_F(LogStreamTest, CreatedStaysOnlyWhereTheReaderSeesTheBeginning) {
  LogWriter binlog(true);
  binlog.previous_gtids({}).rows_transaction(1).rows_transaction(2);
  write("binlog.000001", binlog.bytes());
  list("binlog.index", {"binlog.000001"});
  const auto created = [&](const GtidSet& reader) {
    const auto description = drain(snapshot(), reader).begins.at(0).format_description;
    return std::string(reinterpret_cast<const char*>(description.data()) + 71, 4);
  };
  EXPECT_EQ(created({}), LogWriter::number(1'700'000'000, 4));
  EXPECT_EQ(created(set_of(kUuid + ":1")), std::string(4, '\0'));
}

TEST_F(LogStreamTest, GoesOnAfterItCaughtUp) {
  LogWriter writer(true);
  writer.previous_gtids({}).rows_transaction(1);
  write("binlog.000001", writer.bytes());
  list("binlog.index", {"binlog.000001"});
  LogIndex index(listings());
  LogStream stream([&] { return index.snapshot(); }, {});
  const auto advance = [&](const std::string& file, std::uint64_t position) {
    ASSERT_TRUE(index.advance({.is_alive = true, .published = LogPosition{file, position}}));
  };
  advance("binlog.000001", writer.head_end());
  EXPECT_EQ(drain(stream).begins.size(), 0U);
  advance("binlog.000001", writer.size());
  std::string all = drain(stream).bytes();
  EXPECT_EQ(drain(stream).bytes(), "");
  const std::uint64_t before = writer.size();
  writer.rows_transaction(2).rows_transaction(3);
  append("binlog.000001", writer.bytes().substr(before));
  advance("binlog.000001", writer.ends()[1].first);
  const Streamed second = [&] {
    Streamed got;
    got.stretches.emplace_back();
    while (true) {
      auto item = stream.next();
      EXPECT_TRUE(item);
      if (!item || !std::holds_alternative<Chunk>(*item)) break;  // No LogBegin: it is the same log.
      const auto bytes = std::get<Chunk>(*item).bytes;
      got.stretches.back().append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    return got;
  }();
  all += second.bytes();
  EXPECT_EQ(all, writer.bytes().substr(writer.head_end(), writer.ends()[1].first - writer.head_end()));
  LogWriter closed(false);
  closed.previous_gtids({}).rows_transaction(1).rows_transaction(2).rows_transaction(3).rotate();
  LogWriter next(true);
  next.previous_gtids({{LogWriter::kUuid, "", {{1, 3}}}}).rows_transaction(4);
  write("binlog.000001", closed.bytes());
  write("binlog.000002", next.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  advance("binlog.000002", next.size());
  EXPECT_EQ(stream.next().value().index(), 1U) << "the rest of the same log";
  const Streamed rest = drain(stream);
  ASSERT_EQ(rest.begins.size(), 1U);
  EXPECT_EQ(rest.begins[0].name, "binlog.000002");
  EXPECT_EQ(rest.bytes(), next.bytes().substr(next.head_end()));
}

TEST_F(LogStreamTest, LargeStretchesGoOutInLargeChunks) {
  LogWriter writer(true, false);
  writer.previous_gtids({});
  for (std::uint64_t number = 1; number <= 40; ++number)
    writer.rows_transaction(number, number % 3 == 0 ? 900'000 : 300);
  write("binlog.000001", writer.bytes());
  list("binlog.index", {"binlog.000001"});
  const Streamed got = drain(snapshot(), {});
  EXPECT_EQ(got.bytes(), writer.bytes().substr(writer.head_end()));
  EXPECT_LE(got.chunks, got.bytes().size() / LogStream::kChunkLength + 3);
  const GtidSet odd = set_of(kUuid + ":1:3:5:7:9:11:13:15:17:19:21:23:25:27:29:31:33:35:37:39");
  EXPECT_EQ(drain(snapshot(), odd).bytes(), expected({writer.bytes()}, odd));
}

TEST_F(LogStreamTest, ADamagedFileEndsTheStreamUnlessTheReaderHasWhatItHides) {
  LogWriter older = test::every_kind_binlog(false, 1);
  older.rotate();
  LogWriter newest(true);
  newest.previous_gtids({{LogWriter::kUuid, "", {{1, 9}}}, {LogWriter::kOtherUuid, "", {{1, 1}}}});
  newest.rows_transaction(10);
  const std::uint64_t good = older.ends()[2].first;
  std::string bytes = older.bytes();
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(good) + 9, 2, '\0');
  write("binlog.000001", bytes);
  write("binlog.000002", newest.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  const Streamed lacking = drain(snapshot(), {});
  ASSERT_TRUE(lacking.error);
  EXPECT_EQ(lacking.error->kind, ErrorKind::kCorrupt);
  EXPECT_EQ(lacking.bytes(), older.bytes().substr(older.head_end(), good - older.head_end()));
  const Streamed having = drain(snapshot(), set_of(kUuid + ":3-9," + std::string(LogWriter::kOtherUuid) + ":1"));
  ASSERT_FALSE(having.error) << having.error->what;
  EXPECT_EQ(having.begins.size(), 2U);
  const Streamed all_but_last =
      drain(snapshot(), set_of(kUuid + ":1-9:batch:1," + std::string(LogWriter::kOtherUuid) + ":1"));
  EXPECT_FALSE(all_but_last.error);
  EXPECT_EQ(all_but_last.begins.size(), 1U);
}

TEST_F(LogStreamTest, AnonymousTransactionsAreRefusedWhereTheReaderReadsOn) {
  LogWriter older(false);
  older.previous_gtids({}).anonymous_gtid().query("BEGIN").other(30, 5).other(16, 8).end().rows_transaction(1).rotate();
  LogWriter newest(true);
  newest.previous_gtids({{LogWriter::kUuid, "", {{1, 1}}}}).rows_transaction(2);
  write("binlog.000001", older.bytes());
  write("binlog.000002", newest.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  const Streamed refused = drain(snapshot(), {});
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->kind, ErrorKind::kUnsafe);
  const Streamed behind = drain(snapshot(), set_of(kUuid + ":1"));
  EXPECT_FALSE(behind.error);
  EXPECT_EQ(behind.bytes(), newest.bytes().substr(newest.head_end()));
}

TEST_F(LogStreamTest, APurgedFileIsToldAndAnOpenOneIsServedToItsEnd) {
  LogWriter writer(true);
  writer.previous_gtids({});
  for (std::uint64_t number = 1; number <= 5; ++number) writer.rows_transaction(number, 700'000);
  write("binlog.000001", writer.bytes());
  list("binlog.index", {"binlog.000001"});
  auto logs = snapshot();
  LogStream stream([&] { return logs; }, {});
  ASSERT_TRUE(stream.next());
  std::filesystem::remove(folder_ / "binlog.000001");
  std::size_t bytes = 0;
  while (true) {
    const auto item = stream.next();
    ASSERT_TRUE(item) << item.error().what;
    if (!std::holds_alternative<Chunk>(*item)) break;
    bytes += std::get<Chunk>(*item).bytes.size();
  }
  EXPECT_EQ(bytes, writer.size() - writer.head_end());
  const Streamed late = drain(logs, {});
  ASSERT_TRUE(late.error);
  EXPECT_EQ(late.error->kind, ErrorKind::kRetry);
}

TEST_F(LogStreamTest, NothingIsSkippedWhileOlderFilesAreNotIndexed) {
  LogWriter older = test::every_kind_binlog(false, 1);
  older.rotate();
  LogWriter newest(true);
  newest.previous_gtids({{LogWriter::kUuid, "", {{1, 9}}}}).rows_transaction(10);
  write("binlog.000001", older.bytes());
  write("binlog.000002", newest.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  LogIndex index(listings());
  ASSERT_FALSE(index.advance({.most = newest.size() - 4}).value());
  const Streamed early = drain(index.snapshot(), {});
  ASSERT_TRUE(early.error);
  EXPECT_EQ(early.error->kind, ErrorKind::kRetry);
  EXPECT_FALSE(drain(index.snapshot(), set_of(kUuid + ":1-9")).error);
  ASSERT_TRUE(index.advance({}).value());
  EXPECT_FALSE(drain(index.snapshot(), {}).error);
}

}  // namespace
}  // namespace baton::binlog
