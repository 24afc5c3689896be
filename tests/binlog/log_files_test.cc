// The small files beside the logs: indexes, GTID sets, preserved logs.

#include "sidecar/binlog/gtid_file.h"
#include "sidecar/binlog/index_file.h"
#include "sidecar/binlog/preserve.h"
#include "tests/binlog/log_fixtures.h"
#include "tests/binlog/log_folder.h"
#include "tests/binlog/log_oracle.h"

namespace baton::binlog {
namespace {

using test::LogOracle;
using test::LogWriter;
using test::set_of;

using std::string_view_literals::operator""sv;

using LogFiles = test::LogFolder;

TEST(IndexFile, NamesByLine) {
  EXPECT_EQ(parse_index("./a.000001\n/b/c d.2\n").value(), (std::vector<std::string>{"./a.000001", "/b/c d.2"}));
  for (const auto text : {""sv, "a"sv, "a\nb"sv, "\n"sv, "a\n\n"sv, "a\0b\n"sv}) {
    EXPECT_EQ(parse_index(text).error().kind, ErrorKind::kCorrupt) << text;
  }
}

TEST_F(LogFiles, AGtidFileIsReplacedWhole) {
  const auto path = folder_ / "outside_logs";
  EXPECT_EQ(read_gtid_file(path).error().kind, ErrorKind::kNotFound);
  const std::string uuid(LogWriter::kUuid);
  for (const GtidSet& set : {set_of(uuid + ":1-5:tag:7"), GtidSet{}, set_of(uuid + ":3")}) {
    ASSERT_TRUE(write_gtid_file(path, set));
    EXPECT_EQ(read_gtid_file(path).value(), set);
  }
  write("outside_logs.new", "half of a");  // Left behind by a crash.
  EXPECT_EQ(read_gtid_file(path).value(), set_of(uuid + ":3"));
  std::string whole = "baton-gtid-set 1\n" + uuid + ":3\nend\n";
  EXPECT_EQ(parse_gtid_file(whole).value(), set_of(uuid + ":3"));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_EQ(parse_gtid_file(whole.substr(0, cut)).error().kind, ErrorKind::kCorrupt) << cut;
  }
}

TEST_F(LogFiles, PreservedRelayLogsOutliveTheirNamesAndAreReadLikeAnyOthers) {
  const LogWriter relay = test::every_kind_relay(1);
  write("relay.000001", relay.bytes());
  write("relay.000002", relay.bytes().substr(0, relay.size() - 30));
  list("relay.index", {"relay.000001", "relay.000002"});
  const LogListing logs{LogKind::kRelay, folder_ / "relay.index", {}};
  const auto into = folder_ / "kept";
  auto first = preserve_logs(logs, into);
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_EQ(first->linked, 2U);
  auto again = preserve_logs(logs, into);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(again->linked, 0U);
  EXPECT_EQ(again->kept, 2U);
  // The channel is reset: the same names come again with other bytes.
  std::filesystem::remove(folder_ / "relay.000001");
  std::filesystem::remove(folder_ / "relay.000002");
  LogWriter fresh = LogWriter::relay();
  fresh.previous_gtids({}).connection(4).rows_transaction(77);
  write("relay.000001", fresh.bytes());
  list("relay.index", {"relay.000001"});
  const auto third = preserve_logs(logs, into);
  ASSERT_TRUE(third) << third.error().what;
  EXPECT_EQ(third->linked, 1U);
  EXPECT_EQ(read_index(third->logs.index_file, {})->size(), 3U);
  LogIndex index({{LogKind::kRelay, third->logs.index_file, {}}});
  ASSERT_TRUE(index.advance({}).value());
  EXPECT_EQ(index.snapshot()->available,
            LogOracle(relay.bytes()).gtids().united(set_of(std::string(LogWriter::kUuid) + ":77")));
}

TEST_F(LogFiles, AnInterruptedPreservationIsFinishedByTheNext) {
  LogWriter relay = LogWriter::relay();
  relay.previous_gtids({}).connection(4).rows_transaction(1);
  write("relay.000001", relay.bytes());
  list("relay.index", {"relay.000001"});
  std::filesystem::create_directory(folder_ / "kept");
  std::filesystem::create_hard_link(folder_ / "relay.000001", folder_ / "kept" / "relay.000001");
  const auto done = preserve_logs({LogKind::kRelay, folder_ / "relay.index", {}}, folder_ / "kept");
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->kept, 1U);
  EXPECT_EQ(read_index(done->logs.index_file, {})->size(), 1U);
  std::filesystem::remove(folder_ / "relay.000001");
  EXPECT_EQ(preserve_logs({LogKind::kRelay, folder_ / "relay.index", {}}, folder_ / "kept").error().kind,
            ErrorKind::kRetry);
}

}  // namespace
}  // namespace baton::binlog
