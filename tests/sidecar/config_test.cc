#include "sidecar/local/config.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sidecar/local/secrets.h"

namespace baton::sidecar {
namespace {

TEST(Config, ReadsFlags) {
  const std::vector<std::string> arguments = {"--member", "shop-0", "--pod-uid", "u",          "--data",
                                              "/d",       "--run",  "/r",        "--api-port", "9"};
  const auto config = parse_config(arguments);
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->member, "shop-0");
  EXPECT_EQ(config->data_directory(), "/d/data");
  EXPECT_EQ(config->mysqld_socket(), "/r/mysql/mysqld.sock");
  EXPECT_EQ(config->api_port, 9);
  EXPECT_EQ(config->metrics_port, 9104);
  EXPECT_EQ(config->log_port, 3307);
}

TEST(Config, NamesWhatIsWrong) {
  const auto error_of = [](std::vector<std::string> arguments) { return parse_config(arguments).error().what; };
  EXPECT_NE(error_of({"--colour", "red"}).find("--colour"), std::string::npos);
  EXPECT_NE(error_of({"--api-port", "70000"}).find("--api-port"), std::string::npos);
  EXPECT_NE(error_of({"--data"}).find("--data"), std::string::npos);
}

TEST(Config, EveryStartIsReadOnlyAndStandsStill) {
  const auto arguments = server_arguments(Config{.member = "m", .pod_uid = "p"}, 42);
  EXPECT_TRUE(arguments.front().starts_with("--defaults-file=")) << "mysqld takes it only as the first";
  for (const char* wanted : {"--super-read-only=ON", "--read-only=ON", "--skip-replica-start=ON", "--server-id=42"}) {
    EXPECT_TRUE(std::ranges::contains(arguments, wanted)) << wanted;
  }
}

TEST(Secrets, TokensAreComparedWhole) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
  EXPECT_FALSE(equal_in_constant_time("", "a"));
}

}  // namespace
}  // namespace baton::sidecar
