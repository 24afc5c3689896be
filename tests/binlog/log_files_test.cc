// The files beside the logs: indexes, and logs that are kept.

#include <algorithm>
#include <atomic>
#include <thread>

#include "sidecar/binlog/index_file.h"
#include "sidecar/binlog/kept_logs.h"
#include "tests/binlog/log_fixtures.h"
#include "tests/binlog/log_folder.h"

namespace baton::binlog {
namespace {

using test::LogWriter;
using test::set_of;

using std::string_view_literals::operator""sv;

TEST(IndexFile, NamesByLine) {
  EXPECT_EQ(parse_index("./a.000001\n/b/c d.2\n").value(), (std::vector<std::string>{"./a.000001", "/b/c d.2"}));
  for (const auto text : {""sv, "a"sv, "a\nb"sv, "\n"sv, "a\n\n"sv, "a\0b\n"sv}) {
    EXPECT_EQ(parse_index(text).error().kind, ErrorKind::kCorrupt) << text;
  }
}

using IndexFileOnDisk = test::LogFolder;

TEST_F(IndexFileOnDisk, OfMoreThan16MebibytesIsNone) {
  std::string name(16 * 1024 * 1024 - 1, 'a');
  write("binlog.index", name + "\n");
  EXPECT_TRUE(read_index(folder_ / "binlog.index", {}));
  write("binlog.index", name + "a\n");
  const auto files = read_index(folder_ / "binlog.index", {});
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().kind, ErrorKind::kCorrupt);
}

/// mysqld writes the spare, removes the index, and renames the spare: one of them is there at any time.
TEST_F(IndexFileOnDisk, IsNeverMissingWhileItIsReplaced) {
  const auto spare = folder_ / "relay.index_crash_safe";
  list("relay.index", {"relay.000001"});
  std::atomic<int> reads = 0;
  std::jthread mysqld([&](const std::stop_token& stop) {
    int seen = 0;
    while (!stop.stop_requested()) {
      if (reads == seen) {  // One replacement for each reading.
        std::this_thread::yield();
        continue;
      }
      seen = reads;
      list("relay.index_crash_safe", {"relay.000001"});
      std::filesystem::remove(folder_ / "relay.index");
      std::filesystem::rename(spare, folder_ / "relay.index");
    }
  });
  for (int time = 0; time < 5000; ++time) {
    ++reads;
    const auto files = read_index(folder_ / "relay.index", {});
    // A spare that is being written may be read when the index has just gone; that is no missing one.
    ASSERT_TRUE(files || files.error().kind != ErrorKind::kNotFound) << time << ": " << files.error().what;
  }
}

/// Relay logs that are kept, and an index that follows them.
class KeptLogs : public test::LogFolder {
 protected:
  void SetUp() override {
    test::LogFolder::SetUp();
    write("binlog.000001", LogWriter().previous_gtids({}).rows_transaction(1).bytes());
    list("binlog.index", {"binlog.000001"});
    write("relay.000001", relay_.bytes());
    write("relay.000002", relay_.bytes().substr(0, relay_.size() - 30));
    list("relay.index", {"relay.000001", "relay.000002"});
  }
  /// The channel is reset: the same names come again with other bytes.
  void reset_channel() {
    std::filesystem::remove(folder_ / "relay.000001");
    std::filesystem::remove(folder_ / "relay.000002");
    write("relay.000001", fresh_.bytes());
    list("relay.index", {"relay.000001"});
  }
  /// All that the relay logs hold is in binary logs too.
  void apply() {
    LogWriter applied;
    applied.previous_gtids({});
    for (std::uint64_t number = 1; number < 10; ++number) applied.rows_transaction(number);
    write("binlog.000002", applied.bytes());
    list("binlog.index", {"binlog.000001", "binlog.000002"});
  }
  [[nodiscard]] std::shared_ptr<const LogSnapshot> read() {
    const auto done = index_ ? index_->advance({}) : index_.emplace(listings()).advance({});
    EXPECT_TRUE(done) << done.error().what;
    return index_->snapshot();
  }
  [[nodiscard]] std::vector<LogListing> listings() const {
    return {{LogKind::kBinlog, folder_ / "binlog.index", {}}, relay_listing()};
  }
  [[nodiscard]] LogListing relay_listing() const { return {LogKind::kRelay, folder_ / "relay.index", {}, kept()}; }
  [[nodiscard]] std::filesystem::path kept() const { return folder_ / "kept" / "relay"; }
  [[nodiscard]] static GtidSet one(int number) {
    return set_of(std::string(LogWriter::kUuid) + ":" + std::to_string(number));
  }

  LogWriter relay_ = LogWriter::relay().previous_gtids({}).connection(4).rows_transaction(2).rows_transaction(3);
  LogWriter fresh_ = LogWriter::relay().previous_gtids({}).connection(4).rows_transaction(77);
  std::optional<LogIndex> index_;
};

TEST_F(KeptLogs, OutliveTheirNamesAndAreReadOn) {
  const auto first = keep_logs(relay_listing());
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_EQ(*first, 2U);
  EXPECT_EQ(keep_logs(relay_listing()).value(), 0U) << "they are kept already";
  const GtidSet before = read()->available;
  EXPECT_EQ(read()->logs[1].files.size(), 2U) << "a file with two names is one file";
  reset_channel();
  for (int time = 0; time < 2; ++time) {
    const auto after = read();
    EXPECT_EQ(after->available, before.united(one(77)));
    EXPECT_TRUE(after->problems.empty());
    EXPECT_EQ(keep_logs(relay_listing()).value(), time == 0 ? 1U : 0U);
    EXPECT_EQ(kept_logs(kept())->size(), 3U);
    index_.reset();  // A sidecar that starts anew finds them too.
  }
}

TEST_F(KeptLogs, AStreamGoesOnWithTheSecondName) {
  ASSERT_TRUE(keep_logs(relay_listing()));
  const auto snapshot = read();
  reset_channel();
  const auto streamed = test::drain(snapshot, GtidSet());
  EXPECT_FALSE(streamed.error) << streamed.error->what;
  index_.reset();
  for (const auto& log : *kept_logs(kept())) ASSERT_TRUE(release_log(log.path));
  EXPECT_EQ(test::drain(snapshot, GtidSet()).error->kind, ErrorKind::kRetry) << "now they are gone";
}

TEST_F(KeptLogs, AFileThatIsListedAndMissingIsReadWhereItIsKept) {
  ASSERT_TRUE(keep_logs(relay_listing()));
  const GtidSet before = read()->available;
  std::filesystem::remove(folder_ / "relay.000001");
  index_.reset();
  EXPECT_EQ(read()->available, before);
  EXPECT_TRUE(read()->problems.empty());
}

TEST_F(KeptLogs, TheNewestFileIsReadOnWhereItIsKeptWhenOnlyItsFirstNameGoes) {
  write("relay.000002", fresh_.bytes());
  ASSERT_TRUE(keep_logs(relay_listing()));
  const GtidSet before = read()->available;
  EXPECT_TRUE(before.contains(one(77)));
  std::filesystem::remove(folder_ / "relay.000002");
  const auto missed = index_->advance({});
  EXPECT_TRUE(missed || missed.error().kind == ErrorKind::kRetry) << missed.error().what;
  EXPECT_EQ(read()->available, before);
  EXPECT_TRUE(read()->problems.empty());
  const std::uint64_t known = fresh_.size();
  append("kept/relay/relay.000002", fresh_.rows_transaction(78).bytes().substr(known));
  EXPECT_EQ(read()->available, before.united(one(78))) << "the receiver has it open";
  ASSERT_TRUE(release_log(kept() / "relay.000002"));
  EXPECT_EQ(read()->problems.size(), 1U) << "now it is lost";
  EXPECT_FALSE(read()->available.contains(one(77)));
}

/// A chain of binary logs ends where RESET BINARY LOGS AND GTIDS begins another.
TEST_F(KeptLogs, BinaryLogsFromBeforeAResetAreSentToo) {
  const LogListing binlogs{LogKind::kBinlog, folder_ / "binlog.index", {}, folder_ / "kept" / "binlog"};
  LogWriter first;
  first.previous_gtids({}).rows_transaction(1).rows_transaction(2).rotate();
  LogWriter second;
  second.previous_gtids({{LogWriter::kUuid, "", {{1, 2}}}}).rows_transaction(3).rotate();
  LogWriter after;
  after.previous_gtids({}).rows_transaction(10);
  write("binlog.000001", first.bytes());
  write("binlog.000002", second.bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  ASSERT_TRUE(keep_logs(binlogs));
  std::filesystem::remove(folder_ / "binlog.000001");
  std::filesystem::remove(folder_ / "binlog.000002");
  write("binlog.000001", after.bytes());
  list("binlog.index", {"binlog.000001"});
  LogIndex index({binlogs});
  ASSERT_TRUE(index.advance({}));
  const auto snapshot = index.snapshot();
  const std::string three = second.bytes().substr(second.head_end(), second.ends()[0].first - second.head_end());
  const std::string ten = after.bytes().substr(after.head_end());
  const auto sent = [&](const GtidSet& reader) {
    const auto got = test::drain(snapshot, reader);
    EXPECT_FALSE(got.error) << got.error->what;
    return got.bytes();
  };
  const std::string one_and_two = first.bytes().substr(first.head_end(), first.ends()[1].first - first.head_end());
  EXPECT_EQ(sent({}), one_and_two + three + ten) << "all that is told as servable";
  EXPECT_EQ(sent(set_of(test::kUuid + ":1-2")), three + ten);
  EXPECT_EQ(sent(set_of(test::kUuid + ":1-3")), ten);
  EXPECT_EQ(sent(snapshot->available), "");
}

TEST_F(KeptLogs, AreReleasedWhenTheirTransactionsAreInBinaryLogs) {
  ASSERT_TRUE(keep_logs(relay_listing()));
  EXPECT_TRUE(releasable_relay_logs(*read(), kept()).empty()) << "they are listed";
  reset_channel();
  EXPECT_TRUE(releasable_relay_logs(*read(), kept()).empty()) << "their transactions are nowhere else";
  apply();
  const auto snapshot = read();
  const auto releasable = releasable_relay_logs(*snapshot, kept());
  EXPECT_EQ(releasable, (std::vector{kept() / "relay.000001", kept() / "relay.000002"}));
  LogSnapshot unfinished = *snapshot;
  unfinished.is_complete = false;
  EXPECT_TRUE(releasable_relay_logs(unfinished, kept()).empty());
  for (const auto& path : releasable) ASSERT_TRUE(release_log(path));
  EXPECT_EQ(read()->logs[1].files.size(), 1U);
  EXPECT_TRUE(release_log(kept() / "relay.000001")) << "it is gone already";
}

/// Its name there depends on which names were taken when it was kept. With a third name it could never be released.
TEST_F(KeptLogs, AFileHasOneNameThereWhateverIsReleasedMeanwhile) {
  ASSERT_TRUE(keep_logs(relay_listing()));
  reset_channel();
  EXPECT_EQ(keep_logs(relay_listing()).value(), 1U);
  ASSERT_TRUE(std::filesystem::exists(kept() / "relay.000001.1")) << "the first name was taken";
  ASSERT_TRUE(release_log(kept() / "relay.000001"));
  EXPECT_EQ(keep_logs(relay_listing()).value(), 0U) << "it is kept already";
  EXPECT_EQ(std::filesystem::hard_link_count(folder_ / "relay.000001"), 2U);
}

/// As it may seem for a moment, while mysqld replaces the index.
TEST_F(KeptLogs, AreNotReleasedWhileTheyHaveTheirFirstNamesThoughNothingIsListed) {
  ASSERT_TRUE(keep_logs(relay_listing()));
  apply();
  std::filesystem::remove(folder_ / "relay.index");
  EXPECT_EQ(read()->logs[1].files.size(), 2U) << "they are found where they are kept";
  EXPECT_TRUE(releasable_relay_logs(*read(), kept()).empty()) << "the receiver may go on writing one";
  std::filesystem::remove(folder_ / "relay.000001");
  EXPECT_EQ(releasable_relay_logs(*read(), kept()), std::vector{kept() / "relay.000001"});
}

TEST_F(KeptLogs, OneThatCannotBeReadIsNotReleased) {
  std::string damaged = relay_.bytes();
  std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(relay_.ends()[0].first) + 9, 2, '\x5B');
  write("relay.000001", damaged);
  ASSERT_TRUE(keep_logs(relay_listing()));
  reset_channel();
  apply();
  const auto snapshot = read();
  EXPECT_EQ(snapshot->problems.size(), 1U);
  EXPECT_EQ(releasable_relay_logs(*snapshot, kept()), std::vector{kept() / "relay.000002"})
      << "what is behind the damage may be nowhere else";
}

TEST_F(KeptLogs, AnInterruptedKeepingIsFinishedByTheNext) {
  std::filesystem::create_directories(kept());
  std::filesystem::create_hard_link(folder_ / "relay.000001", kept() / "relay.000001");
  EXPECT_EQ(keep_logs(relay_listing()).value(), 1U);
  ASSERT_TRUE(sync_kept_logs(kept()));
  std::filesystem::remove(folder_ / "relay.000001");
  EXPECT_EQ(keep_logs(relay_listing()).error().kind, ErrorKind::kRetry) << "listed and missing";
  ASSERT_TRUE(release_log(kept() / "relay.000002"));
  EXPECT_FALSE(are_kept(relay_listing()).value());
  EXPECT_FALSE(keep_logs(relay_listing()));
  EXPECT_TRUE(are_kept(relay_listing()).value()) << "the one behind it is kept all the same";
}

}  // namespace
}  // namespace baton::binlog
