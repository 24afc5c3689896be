// The program baton-binlog as a person uses it.

#include <sys/wait.h>

#include <cstdio>

#include "tests/binlog/log_fixtures.h"
#include "tests/binlog/log_folder.h"

namespace baton::binlog {
namespace {

using test::LogWriter;

class BinlogTool : public test::LogFolder {
 protected:
  struct Outcome {
    int status = 0;
    std::string text;  ///< Both streams.
  };
  /// Runs it in the folder.
  [[nodiscard]] Outcome run(const std::string& words) const {
    const std::string command = "cd " + folder_.string() + " && " BATON_BINLOG_TOOL " " + words + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    Outcome outcome;
    for (int byte = std::fgetc(pipe); byte != EOF; byte = std::fgetc(pipe)) {
      outcome.text.push_back(static_cast<char>(byte));
    }
    outcome.status = WEXITSTATUS(::pclose(pipe));
    return outcome;
  }
};

TEST_F(BinlogTool, ListsTransactions) {
  LogWriter writer(true);
  writer.previous_gtids({}).rows_transaction(1);
  writer.gtid(2).query("DROP TABLE t").end();
  writer.tagged_gtid(3, "batch").other(40, 9).end();
  write("binlog.000001", writer.bytes());
  const Outcome outcome = run("list binlog.000001");
  EXPECT_EQ(outcome.status, 0);
  const std::string uuid(LogWriter::kUuid);
  const auto line = [&](std::size_t i, const std::string& kind, const std::string& gtid) {
    const std::uint64_t begin = i == 0 ? writer.head_end() : writer.ends()[i - 1].first;
    return std::format("{:>12} {:>10} {:<11} {}\n", begin, writer.ends()[i].first - begin, kind, uuid + gtid);
  };
  EXPECT_EQ(outcome.text,
            line(0, "transaction", ":1") + line(1, "statement", ":2") + line(2, "compressed", ":batch:3"));
}

TEST_F(BinlogTool, ReadsWhatASidecarHasKeptOfAVolume) {
  std::filesystem::create_directories(folder_ / "data");
  std::filesystem::create_directories(folder_ / "baton" / "kept" / "relay");
  write("data/binlog.000001", LogWriter().previous_gtids({}).rows_transaction(1).bytes());
  list("data/binlog.index", {"binlog.000001"});
  const auto relay = [](std::uint64_t number) {
    return LogWriter::relay().previous_gtids({}).connection(4).rows_transaction(number).bytes();
  };
  write("data/relay.000001", relay(3));
  list("data/relay.index", {"relay.000001"});
  write("baton/kept/relay/relay.000007", relay(2));
  const Outcome outcome = run("verify data");
  EXPECT_EQ(outcome.status, 0) << outcome.text;
  EXPECT_TRUE(outcome.text.contains("available " + std::string(LogWriter::kUuid) + ":1-3")) << outcome.text;
}

TEST_F(BinlogTool, VerifiesFilesAndFolders) {
  LogWriter writer = test::every_kind_binlog(true, 1);
  write("binlog.000001", writer.bytes());
  list("binlog.index", {"binlog.000001"});
  write("relay.000001", test::every_kind_relay(5).bytes());
  list("relay.index", {"relay.000001"});
  const Outcome whole = run("verify . binlog.000001 relay.000001");
  EXPECT_EQ(whole.status, 0) << whole.text;
  EXPECT_NE(whole.text.find("3 dropped parts"), std::string::npos) << whole.text;
  std::filesystem::resize_file(folder_ / "binlog.000001", writer.size() - 5);
  const Outcome torn = run("verify .");
  EXPECT_EQ(torn.status, 0) << torn.text;
  EXPECT_NE(torn.text.find("torn tail"), std::string::npos) << torn.text;
  std::string bytes = writer.bytes();
  bytes[static_cast<std::size_t>(writer.ends()[1].first) + 40] ^= 1;
  write("binlog.000001", bytes);
  for (const char* words : {"verify .", "verify binlog.000001"}) {
    const Outcome corrupt = run(words);
    EXPECT_EQ(corrupt.status, 1) << corrupt.text;
    EXPECT_NE(corrupt.text.find(std::format("binlog.000001 at offset {}: ", writer.ends()[1].first)), std::string::npos)
        << corrupt.text;
  }
}

TEST_F(BinlogTool, SaysHowItIsUsed) {
  EXPECT_EQ(run("").status, 2);
  EXPECT_EQ(run("frobnicate x").status, 2);
  EXPECT_EQ(run("--help").status, 0);
  EXPECT_EQ(run("verify nothing-here").status, 1);
  for (const auto& [words, complaint] : {std::pair("serve", "a folder"),
                                         {"serve .", "--password-file"},
                                         {"serve . --colour red", "--colour"},
                                         {"serve . --port 70000", "--port"},
                                         {"serve . --user", "--user needs a value"}}) {
    const Outcome wrong = run(words);
    EXPECT_EQ(wrong.status, 2);
    EXPECT_NE(wrong.text.find(complaint), std::string::npos) << wrong.text;
  }
  EXPECT_EQ(run("serve nothing-here --password-file /dev/null").status, 1);
}

}  // namespace
}  // namespace baton::binlog
