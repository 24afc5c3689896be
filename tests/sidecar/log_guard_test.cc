#include "sidecar/local/log_guard.h"

#include <algorithm>

#include "tests/binlog/log_folder.h"

namespace baton::sidecar {
namespace {

using binlog::LogKind;
using test::LogWriter;

class LogGuardTest : public test::LogFolder {
 protected:
  void SetUp() override {
    test::LogFolder::SetUp();
    write("binlog.000001", LogWriter().previous_gtids({}).rows_transaction(1).bytes());
    list("binlog.index", {"binlog.000001"});
    write("relay.000001", relay(2));
    list("relay.index", {"relay.000001"});
    index_.emplace(listings());
    guard_.emplace(listings());
  }
  static std::string relay(std::uint64_t number) {
    return LogWriter::relay().previous_gtids({}).connection(4).rows_transaction(number).bytes();
  }
  [[nodiscard]] std::vector<binlog::LogListing> listings() const {
    return {{LogKind::kBinlog, folder_ / "binlog.index", {}, folder_ / "kept" / "binlog"},
            {LogKind::kRelay, folder_ / "relay.index", {}, folder_ / "kept" / "relay"}};
  }
  /// One look, as LogKeeper has it, and one more that sees what the first one did.
  void look(bool is_incident) {
    for (int time = 0; time < 2; ++time) {
      ASSERT_TRUE(index_->advance({}));
      const auto tended = guard_->tend(*index_->snapshot(), is_incident);
      ASSERT_TRUE(tended) << tended.error().what;
    }
  }
  [[nodiscard]] std::vector<std::string> kept(const std::string& kind) const {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "kept" / kind, none)) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }

  using Names = std::vector<std::string>;
  std::optional<binlog::LogIndex> index_;
  std::optional<LogGuard> guard_;
};

TEST_F(LogGuardTest, RelayLogsAreKeptUntilTheirTransactionsAreInBinaryLogs) {
  look(false);
  EXPECT_EQ(kept("relay"), Names{"relay.000001"});
  EXPECT_EQ(kept("binlog"), Names{});
  write("relay.000002", relay(3));
  std::filesystem::remove(folder_ / "relay.000001");
  list("relay.index", {"relay.000002"});
  look(false);
  EXPECT_EQ(kept("relay"), (Names{"relay.000001", "relay.000002"})) << "its transaction is nowhere else";
  write("binlog.000002", LogWriter().previous_gtids({}).rows_transaction(2).bytes());
  list("binlog.index", {"binlog.000001", "binlog.000002"});
  look(true);
  EXPECT_EQ(kept("relay"), (Names{"relay.000001", "relay.000002"})) << "nothing goes in an incident";
  look(false);
  EXPECT_EQ(kept("relay"), Names{"relay.000002"});
}

TEST_F(LogGuardTest, BinaryLogsAreKeptWhileThereIsAnIncident) {
  look(true);
  EXPECT_EQ(kept("binlog"), Names{"binlog.000001"});
  write("binlog.000002", LogWriter().previous_gtids({}).rows_transaction(5).bytes());
  std::filesystem::remove(folder_ / "binlog.000001");
  list("binlog.index", {"binlog.000002"});
  look(true);
  EXPECT_EQ(kept("binlog"), (Names{"binlog.000001", "binlog.000002"}));
  EXPECT_TRUE(index_->snapshot()->available.contains(test::set_of(std::string(LogWriter::kUuid) + ":1")));
  look(false);
  EXPECT_EQ(kept("binlog"), Names{});
}

TEST_F(LogGuardTest, WhatCouldNotBeKeptIsTriedAgain) {
  ASSERT_TRUE(index_->advance({}));
  write("kept", "a file where the folder is to be");
  const auto tended = guard_->tend(*index_->snapshot(), true);
  ASSERT_FALSE(tended);
  EXPECT_EQ(tended.error().kind, ErrorKind::kRetry);
  std::filesystem::remove(folder_ / "kept");
  look(true);
  EXPECT_EQ(kept("binlog"), Names{"binlog.000001"}) << "the list of logs has not changed, but they were not kept";
  EXPECT_EQ(kept("relay"), Names{"relay.000001"});
}

TEST(Incident, IsWhatMayStillWantLogs) {
  wire::MemberState calm{.process = wire::Process::kRunning, .sql = wire::Sql{.read_only = false}};
  EXPECT_FALSE(is_incident(calm)) << "an open primary";
  calm.sql->read_only = true;
  EXPECT_TRUE(is_incident(calm)) << "it neither takes writes nor receives";
  calm.sql->channel.receiver = wire::Thread::kConnecting;
  EXPECT_FALSE(is_incident(calm)) << "a replica";
  const auto changed = [&](const auto& change) {
    wire::MemberState state = calm;
    change(state);
    return is_incident(state);
  };
  EXPECT_TRUE(changed([](auto& state) { state.process = wire::Process::kNotRunning; }));
  EXPECT_TRUE(changed([](auto& state) { state.hold = wire::Hold::kFenced; }));
  EXPECT_TRUE(changed([](auto& state) { state.offered_to = "somebody"; }));
  EXPECT_TRUE(changed([](auto& state) { state.sql.reset(); }));
}

}  // namespace
}  // namespace baton::sidecar
