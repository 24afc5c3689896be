#include "sidecar/local/api_token.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace baton::sidecar {
namespace {

using std::chrono::seconds;

class ApiTokenTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void mount(const std::string& token) const { std::ofstream(folder_ / "token") << token; }

  const std::filesystem::path folder_ = [] {
    std::string name = std::filesystem::temp_directory_path() / "baton-token-XXXXXX";
    return std::filesystem::path(::mkdtemp(name.data()));
  }();
  const Instant start_{std::chrono::hours(1)};
  ApiToken token_{Config{.member = {}, .pod_uid = {}, .secrets = folder_}};
};

TEST_F(ApiTokenTest, NothingIsTakenBeforeTheFileIsThere) {
  EXPECT_FALSE(token_.accepts("Bearer ", start_));
  EXPECT_FALSE(token_.accepts("", start_));
  mount("one\n");
  EXPECT_TRUE(token_.accepts("Bearer one", start_));
  EXPECT_FALSE(token_.accepts("one", start_));
  EXPECT_FALSE(token_.accepts("Bearer ", start_)) << "there was no earlier one";
}

TEST_F(ApiTokenTest, TheEarlierOneHoldsForAWhileAfterAChangeWasSeen) {
  mount("one");
  token_.look(start_);
  mount("two");
  const Instant changed = start_ + std::chrono::hours(1);
  token_.look(changed);
  const Instant last = changed + ApiToken::kEarlierHolds - seconds(1);
  EXPECT_TRUE(token_.accepts("Bearer one", last));
  EXPECT_TRUE(token_.accepts("Bearer two", last));
  EXPECT_FALSE(token_.accepts("Bearer one", last + seconds(1)));
  EXPECT_TRUE(token_.accepts("Bearer two", last + seconds(1)));
}

TEST_F(ApiTokenTest, AFileThatIsAwayOrEmptyChangesNothing) {
  mount("one");
  token_.look(start_);
  for (const bool gone : {false, true}) {
    if (gone) std::filesystem::remove(folder_ / "token");
    if (!gone) mount("");
    EXPECT_TRUE(token_.accepts("Bearer one", start_ + std::chrono::hours(1)));
  }
}

}  // namespace
}  // namespace baton::sidecar
