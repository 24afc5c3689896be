#include "sidecar/binlog/proof.h"

#include <algorithm>

#include "tests/binlog/log_folder.h"
#include "tests/binlog/log_oracle.h"

namespace baton::binlog {
namespace {

using test::kUuid;
using test::LogWriter;
using test::set_of;

/// Three binary logs, 1-3, 4-6 and 7-9, and two relay logs, 9-10 and 11-12.
class ProofTest : public test::LogFolder {
 protected:
  void SetUp() override {
    LogFolder::SetUp();
    for (LogWriter* writer : {&logs_[0], &logs_[1]}) writer->rotate();
    for (std::size_t i = 0; i < logs_.size(); ++i) write(std::format("binlog.00000{}", i + 1), logs_[i].bytes());
    list("binlog.index", {"binlog.000001", "binlog.000002", "binlog.000003"});
    for (std::size_t i = 0; i < relays_.size(); ++i) write(std::format("relay.00000{}", i + 1), relays_[i].bytes());
    list("relay.index", {"relay.000001", "relay.000002"});
  }

  static LogWriter binlog(bool in_use, std::uint64_t first) {
    LogWriter writer(in_use);
    if (first == 1) {
      writer.previous_gtids({});
    } else {
      writer.previous_gtids({{LogWriter::kUuid, "", {{1, first - 1}}}});
    }
    return writer.rows_transaction(first).rows_transaction(first + 1).rows_transaction(first + 2);
  }
  static LogWriter relay(std::uint64_t first) {
    LogWriter writer = LogWriter::relay();
    return writer.previous_gtids({{LogWriter::kUuid, "", {{1, first - 1}}}})
        .connection(4)
        .rows_transaction(first)
        .rows_transaction(first + 1);
  }
  /// The length of the event behind this transaction reads as 0: no crash's trace, since events follow.
  void damage(const std::string& name, const LogWriter& writer, std::size_t transaction) {
    std::string bytes = writer.bytes();
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(writer.ends()[transaction].first) + 9, 4, '\0');
    write(name, bytes);
  }
  void encrypt(const std::string& name) {
    write(name,
          "\xFD"
          "bin, and what nobody can read");
  }
  [[nodiscard]] Result<GtidSet> proof(const GtidSet& outside = {}) {
    LogIndex index(listings());
    const auto done = index.advance({});
    EXPECT_TRUE(done && *done);
    snapshot_ = index.snapshot();
    return prove(*snapshot_, outside);
  }
  /// The proof fails for the problem of this file.
  void expect_problem_of(const std::string& name) {
    const auto proven = proof();
    ASSERT_FALSE(proven) << proven->to_string();
    EXPECT_TRUE(proven.error().what.starts_with(name)) << proven.error().what;
  }

  std::array<LogWriter, 3> logs_{binlog(false, 1), binlog(false, 4), binlog(true, 7)};
  std::array<LogWriter, 2> relays_{relay(9), relay(11)};
  std::shared_ptr<const LogSnapshot> snapshot_;
};

TEST_F(ProofTest, BinaryLogsAndRelayLogsTogether) { EXPECT_EQ(proof(), set_of(kUuid + ":1-12")); }

TEST_F(ProofTest, AnOldDamagedBinlogIsNamedByTheNext) {
  damage("binlog.000002", logs_[1], 0);
  EXPECT_EQ(proof(), set_of(kUuid + ":1-12"));
  EXPECT_EQ(snapshot_->available, set_of(kUuid + ":1-4:7-12")) << "but it cannot be served";
  encrypt("binlog.000001");
  EXPECT_EQ(proof(), set_of(kUuid + ":1-12"));
  std::filesystem::remove(folder_ / "binlog.000001");
  EXPECT_EQ(proof(), set_of(kUuid + ":1-12"));
}

TEST_F(ProofTest, DamageInTheNewestBinlogHides) {
  damage("binlog.000003", logs_[2], 0);
  expect_problem_of("binlog.000003 at offset ");
  encrypt("binlog.000003");
  expect_problem_of("binlog.000003 is encrypted and cannot be read without mysqld: set binlog_encryption=OFF");
  std::filesystem::remove(folder_ / "binlog.000003");
  EXPECT_FALSE(proof()) << "lost";
}

TEST_F(ProofTest, DamageBeforeANewestThatHasNoHeadHides) {
  damage("binlog.000002", logs_[1], 0);
  write("binlog.000003", std::string_view(logs_[2].bytes()).substr(0, logs_[2].head_end() - 1));
  expect_problem_of("binlog.000002 at offset ");
}

TEST_F(ProofTest, SomeBinlogMustTellWhatCameBefore) {
  list("binlog.index", {"binlog.000003"});
  write("binlog.000003", std::string_view(logs_[2].bytes()).substr(0, logs_[2].head_end() - 1));
  expect_problem_of("no binary log tells what came before it; binlog.000003 at offset ");
}

TEST_F(ProofTest, ATornTailIsNoDamage) {
  write("binlog.000003", std::string_view(logs_[2].bytes()).substr(0, logs_[2].size() - 1));
  list("relay.index", {});
  std::filesystem::remove(folder_ / "relay.index");
  EXPECT_EQ(proof(), set_of(kUuid + ":1-8"));
}

TEST_F(ProofTest, DamageInTheNewestRelayLogHides) {
  damage("relay.000002", relays_[1], 0);
  expect_problem_of("relay.000002 at offset ");
}

TEST_F(ProofTest, WhatAnOldRelayLogHidMustHaveBeenExecuted) {
  damage("relay.000001", relays_[0], 0);  // Hides 10, which the next one names as received.
  const auto proven = proof();
  ASSERT_FALSE(proven);
  EXPECT_EQ(proven.error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(proven.error().what.starts_with("the relay logs name " + kUuid + ":10 as received"))
      << proven.error().what;
  EXPECT_TRUE(proven.error().what.contains("relay.000001 at offset ")) << proven.error().what;
  EXPECT_EQ(proof(set_of(kUuid + ":10")), set_of(kUuid + ":1-9:11-12")) << "known otherwise";
  LogWriter newest = binlog(true, 7);
  newest.rows_transaction(10);
  write("binlog.000003", newest.bytes());
  EXPECT_EQ(proof(), set_of(kUuid + ":1-12")) << "applied before it was damaged";
}

/// The channel was made anew since: its relay logs tell nothing of those that are kept of the one before.
TEST_F(ProofTest, DamageInARelayLogOfAnEarlierChannelHides) {
  LogWriter first = LogWriter::relay();
  first.previous_gtids({}).connection(4).rows_transaction(11);
  LogWriter second = LogWriter::relay();
  second.previous_gtids({{LogWriter::kUuid, "", {{11, 11}}}}).connection(4).rows_transaction(12);
  write("relay.000002", first.bytes());
  write("relay.000003", second.bytes());
  list("relay.index", {"relay.000001", "relay.000002", "relay.000003"});
  EXPECT_EQ(proof(), set_of(kUuid + ":1-12"));
  damage("relay.000001", relays_[0], 0);  // Hides 10, which may have been acknowledged.
  expect_problem_of("relay.000001 at offset ");
  EXPECT_FALSE(proof(set_of(kUuid + ":10"))) << "nobody can tell that this was all";
  encrypt("relay.000001");
  expect_problem_of("relay.000001 is encrypted");
  // One of the last channel is told by the next all the same.
  list("relay.index", {"relay.000002", "relay.000003"});
  encrypt("relay.000002");
  ASSERT_FALSE(proof());
  EXPECT_TRUE(proof().error().what.starts_with("the relay logs name " + kUuid + ":11 as received"));
  EXPECT_TRUE(proof(set_of(kUuid + ":11")));
}

// ---- LogStream of what is wanted alone: damage ends it only where it may hide something of that.

TEST_F(ProofTest, AStreamOfWhatIsWantedPassesDamageThatHidesNothingOfIt) {
  damage("binlog.000002", logs_[1], 0);
  ASSERT_TRUE(proof());
  const auto stream_of = [this](const std::string& numbers) {
    LogStream stream(snapshot_, set_of(kUuid + ":" + numbers));
    return test::drain(stream);
  };
  EXPECT_FALSE(stream_of("1-4:7-8").error);
  const auto hidden = stream_of("1-8");
  ASSERT_TRUE(hidden.error);
  EXPECT_TRUE(hidden.error->what.starts_with("binlog.000002")) << hidden.error->what;
}

/// In its place: 7 may build on 5, and would be undone by it if that came later.
TEST_F(ProofTest, AStreamTakesWhatADamagedBinlogHidesFromTheRelayLogsInItsPlace) {
  damage("binlog.000002", logs_[1], 0);  // Hides 5 and 6.
  const std::array relays{relay(5), relay(10)};
  write("relay.000001", relays[0].bytes());
  write("relay.000002", relays[1].bytes());
  ASSERT_TRUE(proof());
  const auto all_of = [](const LogWriter& writer) {
    std::string bytes;
    for (const auto& found : test::LogOracle(writer.bytes()).transactions()) {
      bytes += writer.bytes().substr(found.begin, found.end - found.begin);
    }
    return bytes;
  };
  const std::string readable = all_of(logs_[1]).substr(0, logs_[1].ends()[0].first - logs_[1].head_end());
  const std::string in_order = all_of(logs_[0]) + readable + all_of(relays[0]) + all_of(logs_[2]) + all_of(relays[1]);
  LogStream wanted(snapshot_, set_of(kUuid + ":1-11"));
  const auto got = test::drain(wanted);
  EXPECT_FALSE(got.error) << got.error->what;
  EXPECT_EQ(got.bytes(), in_order);
  std::vector<std::string> names;
  for (const LogBegin& begin : got.begins) names.push_back(begin.name);
  EXPECT_EQ(names, (std::vector<std::string>{"binlog.000001", "binlog.000002", "relay.000001", "binlog.000003",
                                             "relay.000002"}));
  const auto any = test::drain(snapshot_, {});
  EXPECT_FALSE(any.error) << any.error->what;
  EXPECT_EQ(any.bytes(), in_order);
  // One that they lack ends it all the same.
  write("relay.000001", std::string_view(relays[0].bytes()).substr(0, relays[0].ends()[0].first));
  ASSERT_TRUE(proof()) << "6 is known to have been executed, but it is nowhere";
  LogStream lacking(snapshot_, set_of(kUuid + ":1-11"));
  const auto ended = test::drain(lacking);
  ASSERT_TRUE(ended.error);
  EXPECT_TRUE(ended.error->what.starts_with("binlog.000002")) << ended.error->what;
}

TEST_F(ProofTest, AStreamOfWhatIsWantedPassesDamageAtTheEndWhenAllIsThere) {
  damage("binlog.000003", logs_[2], 0);  // Hides 8 and 9, of which relay.000001 has the latter.
  EXPECT_FALSE(proof());
  for (const auto& [numbers, passes] : {std::pair("6-7", true), {"6-7:9-12", true}, {"6-8", false}, {"13", false}}) {
    LogStream stream(snapshot_, set_of(kUuid + ":" + numbers));
    const auto got = test::drain(stream);
    EXPECT_EQ(!got.error, passes) << numbers;
  }
}

TEST_F(ProofTest, AStreamOfWhatIsWantedHasNothingElse) {
  ASSERT_TRUE(proof());
  LogStream stream(snapshot_, set_of(kUuid + ":5:8:10:99"));
  const auto got = test::drain(stream);
  EXPECT_FALSE(got.error);
  const auto part = [](const LogWriter& writer, std::size_t place) {
    const std::size_t begin = place == 0 ? writer.head_end() : writer.ends()[place - 1].first;
    return writer.bytes().substr(begin, writer.ends()[place].first - begin);
  };
  EXPECT_EQ(got.bytes(), part(logs_[1], 1) + part(logs_[2], 1) + part(relays_[0], 1));
}

}  // namespace
}  // namespace baton::binlog
