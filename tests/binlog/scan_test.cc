#include "sidecar/binlog/scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/binlog/log_writer.h"
#include "tests/binlog/memory_source.h"

namespace baton::binlog {
namespace {

using test::kUuid;
using test::LogWriter;
using test::MemorySource;
using test::set_of;

Result<FileScan> scan_bytes(std::string_view bytes, bool is_newest = true) {
  MemorySource source(bytes);
  return scan_log(source, "binlog.000001", is_newest);
}

/// The transactions that end at or before an offset, as the writer wrote them.
GtidSet expected_at(const LogWriter& writer, std::uint64_t offset) {
  GtidSet set;
  for (const auto& [end, gtid] : writer.ends()) {
    if (end <= offset) set = set.united(set_of(gtid));
  }
  return set;
}

std::uint64_t expected_end(const LogWriter& writer, std::uint64_t offset) {
  const auto behind = std::ranges::upper_bound(writer.rests(), offset);
  return behind == writer.rests().begin() ? 0 : *std::prev(behind);
}

LogWriter every_kind(bool in_use, bool checksum = true) {
  LogWriter writer(in_use, checksum);
  writer.previous_gtids({{LogWriter::kOtherUuid, "", {{1, 9}}}});
  writer.rows_transaction(1);
  writer.gtid(2).query("CREATE TABLE t (a INT)").end();
  writer.tagged_gtid(5, "batch").query("BEGIN").other(31, 40).other(16, 8).end();
  writer.gtid(3).other(40, 64).end();
  writer.other(77, 6, 0x80).rest();
  writer.gtid(4).query("XA START x").other(30, 12).query("XA END x").other(38, 20).end();
  writer.gtid(5).query("XA COMMIT x").end();
  writer.gtid(6).query("BEGIN").query("SAVEPOINT `a`").other(32, 9).query("ROLLBACK TO `a`").query("COMMIT").end();
  return writer;
}

TEST(BinlogScan, AWholeFile) {
  for (const bool checksum : {true, false}) {
    LogWriter writer = every_kind(true, checksum);
    const auto scan = scan_bytes(writer.bytes());
    ASSERT_TRUE(scan) << scan.error().what;
    EXPECT_EQ(scan->previous, set_of("00000000-0000-0000-0000-000000000001:1-9"));
    EXPECT_EQ(scan->transactions, set_of(kUuid + ":1-6:batch:5"));
    EXPECT_EQ(scan->end_position, writer.size());
    EXPECT_EQ(scan->torn_tail_reason, "");
    EXPECT_EQ(scan->transactions_without_gtid, 0U);
    writer.rotate();
    EXPECT_EQ(scan_bytes(writer.bytes())->transactions, scan->transactions);
  }
}

TEST(BinlogScan, EveryCutOfTheNewestFileCountsToTheLastCompleteTransaction) {
  for (const bool checksum : {true, false}) {
    const LogWriter writer = every_kind(true, checksum);
    for (std::uint64_t cut = 0; cut <= writer.size(); ++cut) {
      const auto scan = scan_bytes(std::string_view(writer.bytes()).substr(0, cut));
      ASSERT_TRUE(scan) << cut << ": " << scan.error().what;
      EXPECT_EQ(scan->has_previous, cut >= writer.head_end()) << cut;
      EXPECT_EQ(scan->transactions, expected_at(writer, cut)) << cut;
      if (cut >= writer.head_end()) {
        EXPECT_EQ(scan->end_position, expected_end(writer, cut)) << cut;
      }
      EXPECT_EQ(scan->torn_tail_reason.empty(), std::ranges::binary_search(writer.rests(), cut)) << cut;
    }
  }
}

TEST(BinlogScan, EveryCutMayBeFilledWithZeros) {
  const LogWriter writer = every_kind(true);
  for (std::uint64_t cut = 4; cut < writer.size(); ++cut) {
    const std::string bytes = writer.bytes().substr(0, cut) + std::string(5000, '\0');
    const auto scan = scan_bytes(bytes);
    ASSERT_TRUE(scan) << cut << ": " << scan.error().what;
    EXPECT_EQ(scan->transactions, expected_at(writer, cut)) << cut;
    EXPECT_NE(scan->torn_tail_reason, "") << cut;
  }
}

TEST(BinlogScan, ATornClosedOrOlderFileIsCorrupt) {
  const LogWriter closed = every_kind(false);
  const LogWriter in_use = every_kind(true);
  const std::uint64_t description_end = LogWriter(false).size();
  for (std::uint64_t cut = 0; cut < closed.size(); ++cut) {
    if (std::ranges::binary_search(closed.rests(), cut)) continue;
    const auto older = scan_bytes(std::string_view(in_use.bytes()).substr(0, cut), false);
    ASSERT_FALSE(older) << cut;
    EXPECT_EQ(older.error().kind, ErrorKind::kCorrupt) << cut;
    // Where FORMAT_DESCRIPTION is torn, nobody can have closed the file; just behind it, recovery may have.
    if (cut <= description_end) continue;
    const auto newest = scan_bytes(std::string_view(closed.bytes()).substr(0, cut), true);
    ASSERT_FALSE(newest) << cut;
    EXPECT_EQ(newest.error().kind, ErrorKind::kCorrupt) << cut;
  }
}

TEST(BinlogScan, NoFlippedBitAddsATransactionOrHidesOneSilently) {
  const LogWriter writer = every_kind(true);
  const GtidSet all = expected_at(writer, writer.size());
  const std::uint64_t last_event = writer.size() - 60;  // The last event, COMMIT, begins behind this offset.
  for (std::size_t at = 0; at < writer.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = writer.bytes();
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      const auto scan = scan_bytes(bytes);
      if (!scan) continue;
      EXPECT_TRUE(all.contains(scan->transactions)) << at;
      if (scan->transactions == all) continue;
      EXPECT_NE(scan->torn_tail_reason, "") << at;
      EXPECT_GE(at, last_event) << "damage with events behind it was taken for a torn tail";
    }
  }
}

TEST(BinlogScan, DamageWithEventsBehindItIsNoTornTail) {
  const LogWriter writer = every_kind(true);
  std::string bytes = writer.bytes();
  const auto hole = static_cast<std::size_t>(writer.ends()[0].first) + 10;
  std::ranges::fill(bytes.begin() + static_cast<std::ptrdiff_t>(hole),
                    bytes.begin() + static_cast<std::ptrdiff_t>(hole) + 50, '\0');
  const auto scan = scan_bytes(bytes);
  ASSERT_FALSE(scan);
  EXPECT_EQ(scan.error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(scan.error().what.starts_with(std::format("binlog.000001 at offset {}: ", writer.ends()[0].first)))
      << scan.error().what;
  EXPECT_NE(scan.error().what.find("there is an event again"), std::string::npos) << scan.error().what;
}

TEST(BinlogScan, EncryptedFilesAreRefusedWithAdvice) {
  const auto scan = scan_bytes(
      "\xFD"
      "bin and 508 bytes more");
  ASSERT_FALSE(scan);
  EXPECT_EQ(scan.error().kind, ErrorKind::kUnsafe);
  EXPECT_NE(scan.error().what.find("binlog_encryption=OFF"), std::string::npos);
  EXPECT_EQ(scan_bytes("#!/bin/sh, not a log at all").error().what, "binlog.000001 at offset 0: this is no binary log");
}

TEST(BinlogScan, HeadsOutOfOrderAreCorrupt) {
  LogWriter without_previous;
  without_previous.rows_transaction(1);
  EXPECT_TRUE(scan_bytes(without_previous.bytes()).error().what.ends_with("PREVIOUS_GTIDS is missing"));
  LogWriter twice;
  twice.previous_gtids({}).previous_gtids({});
  EXPECT_TRUE(scan_bytes(twice.bytes()).error().what.ends_with("PREVIOUS_GTIDS comes again"));
  const std::string no_description = std::string(
                                         "\xFE"
                                         "bin") +
                                     twice.bytes().substr(twice.bytes().size() - 31);
  EXPECT_TRUE(scan_bytes(no_description).error().what.ends_with("FORMAT_DESCRIPTION is missing"))
      << scan_bytes(no_description).error().what;
}

TEST(BinlogScan, CountsTransactionsWithoutGtid) {
  LogWriter writer;
  writer.previous_gtids({}).anonymous_gtid().query("BEGIN").other(30, 5).other(16, 8);
  const auto scan = scan_bytes(writer.bytes());
  ASSERT_TRUE(scan) << scan.error().what;
  EXPECT_EQ(scan->transactions_without_gtid, 1U);
  EXPECT_TRUE(scan->transactions.empty());
}

TEST(BinlogScan, EventsLargerThanAnyBuffer) {
  LogWriter writer;
  writer.previous_gtids({}).rows_transaction(1, 3'000'000).rows_transaction(2);
  const auto scan = scan_bytes(writer.bytes());
  ASSERT_TRUE(scan) << scan.error().what;
  EXPECT_EQ(scan->transactions, set_of(kUuid + ":1-2"));
  std::string damaged = writer.bytes();
  damaged[2'000'000] = '\0';
  EXPECT_EQ(scan_bytes(damaged).error().kind, ErrorKind::kCorrupt);
}

/// A folder with logs and an index, removed at the end.
class BinlogFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "baton-binlog-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, std::string_view bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  [[nodiscard]] std::filesystem::path index() const { return folder_ / "binlog.index"; }

  /// Two files: transactions 1-3 in the closed one, 4-5 in the newest.
  void write_two() {
    older_.previous_gtids({}).rows_transaction(1).rows_transaction(2).rows_transaction(3).rotate();
    newest_.previous_gtids({{LogWriter::kUuid, "", {{1, 3}}}}).rows_transaction(4).rows_transaction(5);
    write("binlog.000007", older_.bytes());
    write("binlog.000008", newest_.bytes());
    write("binlog.index", "./binlog.000007\n./binlog.000008\n");
  }

  std::filesystem::path folder_;
  LogWriter older_{false};
  LogWriter newest_{true};
};

TEST_F(BinlogFolder, AllFilesTogetherProveWhatWasExecuted) {
  write_two();
  const auto scan = scan_binlogs(index());
  ASSERT_TRUE(scan) << scan.error().what;
  EXPECT_EQ(scan->complete, set_of(kUuid + ":1-5"));
  EXPECT_TRUE(scan->previous.empty());
  EXPECT_EQ(scan->last_file, "binlog.000008");
  EXPECT_EQ(scan->last_end_position, newest_.size());
  EXPECT_EQ(scan->torn_tail_reason, "");
}

TEST_F(BinlogFolder, EveryCutOfTheNewestFileKeepsWhatTheOlderProves) {
  write_two();
  for (std::uint64_t cut = 0; cut <= newest_.size(); ++cut) {
    write("binlog.000008", std::string_view(newest_.bytes()).substr(0, cut));
    const GtidSet expected = set_of(kUuid + ":1-3").united(expected_at(newest_, cut));
    const auto scan = scan_binlogs(index());
    ASSERT_TRUE(scan) << cut << ": " << scan.error().what;
    EXPECT_EQ(scan->complete, expected) << cut;
    EXPECT_EQ(scan->last_file, "binlog.000008");
  }
}

TEST_F(BinlogFolder, TheHeadOfTheOnlyFileMustBeWhole) {
  write_two();
  write("binlog.index", "./binlog.000008\n");
  write("binlog.000008", std::string_view(newest_.bytes()).substr(0, newest_.head_end() - 1));
  const auto scan = scan_binlogs(index());
  ASSERT_FALSE(scan);
  EXPECT_EQ(scan.error().kind, ErrorKind::kCorrupt);
}

TEST_F(BinlogFolder, AFileThatRecoveryCutToItsFirstEventHoldsNothing) {
  write_two();
  write("binlog.000008", LogWriter(false).bytes());
  const auto scan = scan_binlogs(index());
  ASSERT_TRUE(scan) << scan.error().what;
  EXPECT_EQ(scan->complete, set_of(kUuid + ":1-3"));
  EXPECT_EQ(scan->previous, GtidSet{});
  write("binlog.000009", newest_.bytes());
  write("binlog.index", "./binlog.000007\n./binlog.000008\n./binlog.000009\n");
  EXPECT_EQ(scan_binlogs(index()).value().complete, set_of(kUuid + ":1-5"));
}

TEST_F(BinlogFolder, IndexNamesAreRelativeToTheDataDirectoryOrAbsolute) {
  write_two();
  std::filesystem::create_directory(folder_ / "elsewhere");
  const auto index = folder_ / "elsewhere" / "log.index";
  std::ofstream(index) << "./binlog.000007\n" << (folder_ / "binlog.000008").string() << "\n";
  const auto files = read_index(index, folder_);
  ASSERT_TRUE(files) << files.error().what;
  EXPECT_EQ(*files, (std::vector{folder_ / "binlog.000007", folder_ / "binlog.000008"}));
  const auto scan = scan_binlogs(index, {.data_directory = folder_, .stop = {}});
  ASSERT_TRUE(scan) << scan.error().what;
  EXPECT_EQ(scan->complete, set_of(kUuid + ":1-5"));
}

TEST_F(BinlogFolder, MissingThingsAreTold) {
  EXPECT_EQ(scan_binlogs(index()).error().kind, ErrorKind::kNotFound);
  write_two();
  std::filesystem::remove(folder_ / "binlog.000007");
  const auto scan = scan_binlogs(index());
  ASSERT_FALSE(scan);
  EXPECT_EQ(scan.error().kind, ErrorKind::kCorrupt);
  for (const char* text : {"", "./binlog.000008", "./binlog.000008\n\n"}) {
    write("binlog.index", text);
    EXPECT_EQ(scan_binlogs(index()).error().kind, ErrorKind::kCorrupt) << text;
  }
}

TEST_F(BinlogFolder, AStoppedScanIsCancelled) {
  write_two();
  std::stop_source stop;
  stop.request_stop();
  const auto scan = scan_binlogs(index(), {.data_directory = {}, .stop = stop.get_token()});
  ASSERT_FALSE(scan);
  EXPECT_EQ(scan.error().kind, ErrorKind::kCancelled);
}

TEST_F(BinlogFolder, LogsBeyondFourGibibytes) {
  // Without checksums bodies need not be read, and a hole in the file stands for five events of 1 GiB.
  LogWriter head(true, false);
  head.previous_gtids({}).gtid(1).query("BEGIN");
  LogWriter tail(true, false);
  const std::size_t tail_start = tail.bytes().size();
  tail.other(16, 8).rows_transaction(2);
  const std::uint64_t length = 1'000'000'000;
  std::ofstream file(folder_ / "binlog.000001", std::ios::binary);
  file << head.bytes();
  std::uint64_t at = head.size();
  for (int i = 0; i < 5; ++i, at += length) {
    file.seekp(static_cast<std::streamoff>(at));
    file << LogWriter::number(1, 4) + LogWriter::number(30, 1) + LogWriter::number(7, 4) +
                LogWriter::number(length, 4) + LogWriter::number((at + length) & 0xFFFF'FFFF, 4) +
                LogWriter::number(0, 2);
  }
  file.seekp(static_cast<std::streamoff>(at));
  file << tail.bytes().substr(tail_start);
  file.close();
  write("binlog.index", "binlog.000001\n");
  const auto scan = scan_binlogs(index());
  ASSERT_TRUE(scan) << scan.error().what;
  EXPECT_EQ(scan->complete, set_of(kUuid + ":1-2"));
  EXPECT_EQ(scan->last_end_position, at + tail.bytes().size() - tail_start);
}

}  // namespace
}  // namespace baton::binlog
