// The text form against the server itself: the table of facts, and random texts of nearly right form.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "engine/gtid/gtid_set.h"
#include "tests/gtid/text_cases.h"
#include "tests/support/mysqld.h"

namespace baton::test {
namespace {

std::string quoted(const std::string& text) {
  std::string hex = "x'";
  for (const char c : text) hex += std::format("{:02x}", static_cast<unsigned char>(c));
  return hex + "'";
}

/// What the server makes of a text, without the line ends that it puts behind commas; kRefused for an error.
std::string by_server(SqlSession& session, const std::string& text) {
  auto answer = session.value("SELECT GTID_SUBTRACT(_latin1 " + quoted(text) + ", '')");
  if (!answer) {
    EXPECT_TRUE(answer.error().what.starts_with("1772:")) << answer.error().what;
    return std::string(kRefused);
  }
  std::erase(*answer, '\n');
  return *answer;
}

std::string by_us(const std::string& text) {
  const auto set = GtidSet::parse(text);
  return set ? set->to_string() : std::string(kRefused);
}

class GtidMysql : public testing::Test {
 protected:
  void SetUp() override {
    auto server = Mysqld::create();
    ASSERT_TRUE(server) << server.error().what;
    server_ = std::move(*server);
  }
  std::unique_ptr<Mysqld> server_;
};

TEST_F(GtidMysql, TextIsReadAndPrintedAlike) {
  auto session = server_->connect();
  ASSERT_TRUE(session) << session.error().what;
  for (const auto& [text, canonical] : kTextCases) {
    EXPECT_EQ(by_server(*session, spelt_out(text, true)), spelt_out(canonical, false)) << text;
  }
  const char* given = std::getenv("BATON_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20'260'101;
  SCOPED_TRACE("BATON_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::vector<std::string> parts{"U", "Z", "U:",  ":",    ":",   ":1",  ":5-7", "-", "3", "12", " ", "\n",
                                       ",", ",", "tag", ":a:1", ":_b", "{U}", "{",    "}", "0", "x",  "#"};
  for (int round = 0; round < 4'000 && !HasFailure(); ++round) {
    std::string text = random() % 4 == 0 ? "" : "U";
    for (auto left = random() % 8; left > 0; --left) text += parts[random() % parts.size()];
    const std::string whole = spelt_out(text, random() % 2 == 0);
    EXPECT_EQ(by_us(whole), by_server(*session, whole)) << "text: " << text;
  }
}

TEST_F(GtidMysql, OwnedSetsAreRead) {
  std::vector<SqlSession> owners;
  for (const char* gtid : {"U:5", "U:7", "U:tag:3", "U:tag:9", "Z:1", "Z:2", "U:abc:1"}) {
    auto session = server_->connect();
    ASSERT_TRUE(session) << session.error().what;
    const auto done = session->run({"SET gtid_next='" + spelt_out(gtid, false) + "'", "BEGIN"});
    ASSERT_TRUE(done) << done.error().what;
    owners.push_back(std::move(*session));
  }
  const auto text = server_->value("SELECT @@GLOBAL.gtid_owned");
  ASSERT_TRUE(text) << text.error().what;
  const auto set = GtidSet::parse_owned(*text);
  ASSERT_TRUE(set) << *text << ": " << set.error().what;
  EXPECT_EQ(set->to_string(), spelt_out("Z:1-2,U:5:7:abc:1:tag:3:9", false)) << *text;
}

}  // namespace
}  // namespace baton::test
