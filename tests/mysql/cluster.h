#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <format>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "sidecar/mysql/server_admin.h"
#include "tests/support/mysqld.h"

namespace baton::test {

/// For assertions on a Result: shows the failure's sentence.
#define ASSERT_OK(expression)                                              \
  do {                                                                     \
    const auto assert_ok_result = (expression);                            \
    ASSERT_TRUE(assert_ok_result) << Error(assert_ok_result.error()).what; \
  } while (false)

/// Real servers, set up by ServerAdmin alone: my.cnf by render_my_cnf, TLS by a CA of its own.
class Cluster : public testing::Test {
 protected:
  static constexpr std::string_view kDatabase = "app_db";
  static constexpr std::string_view kUser = "app";

  struct Member {
    std::unique_ptr<Mysqld> server;
    std::unique_ptr<sidecar::ServerAdmin> admin;
    std::string uuid;
  };

  /// Empty servers, made at once: initialised and started, read-only.
  void make_members(std::size_t count, const std::vector<std::string>& arguments = {});
  /// member(0) becomes the first primary: accounts, database, table app_db.t, open. The others clone it and follow it.
  void make_replicated(std::size_t count, std::int64_t acks);
  void bootstrap(Member& primary);
  /// CLONE from a member, restart, and forget the donor's channel.
  void fill(Member& member, Member& donor, Member& primary);
  [[nodiscard]] Result<void> follow(Member& member, const Member& source, bool acks);
  [[nodiscard]] wire::Follow follow_order(const Member& source, bool acks) const;

  /// The replica follows through a connection that breaks behind the first event of this type (a byte of its header) of
  /// the primary's next transaction, and has applied all that was before. Gives what that is.
  [[nodiscard]] GtidSet receive_half(std::uint8_t event_type, const Member& primary, const Member& replica);
  [[nodiscard]] static std::uintmax_t bytes_of_relay_logs(const Member& replica);

  [[nodiscard]] wire::Sql state(Member& member);
  /// As root over the socket, with the binlog on.
  void run(const Member& member, const std::string& statement);
  [[nodiscard]] std::string value(const Member& member, const std::string& statement);
  /// Until it holds, at most 20 s.
  [[nodiscard]] static bool eventually(const std::function<bool()>& condition);
  [[nodiscard]] GtidSet executed(const Member& member);
  /// Whether the member has executed all that the primary has, at most 20 s later.
  [[nodiscard]] bool applied(const Member& member, const Member& primary);
  /// Whether it has received all of that, applied or not.
  [[nodiscard]] bool holds(Member& member, const GtidSet& set);
  /// A client over TCP and TLS.
  [[nodiscard]] sidecar::SqlResult<sidecar::Session> client(const Member& member, std::string_view user,
                                                            std::string_view password);
  [[nodiscard]] Member& member(std::size_t index) { return members_[index]; }

  const sidecar::Passwords passwords_{.replication = "rep'l\\ication", .clone = "clo\"ne", .application = "app;secret"};
  const std::stop_token never_;

  void SetUp() override;
  void TearDown() override;

 private:
  void make_certificates();

  sidecar::MysqlLibrary library_;
  std::filesystem::path folder_;
  std::filesystem::path my_cnf_;
  std::vector<Member> members_;

 protected:
  [[nodiscard]] const sidecar::MysqlLibrary& library() const { return library_; }
  [[nodiscard]] std::filesystem::path ca() const { return folder_ / "ca.crt"; }
};

/// Milliseconds that a call took.
template <class Call>
[[nodiscard]] double milliseconds_of(Call&& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace baton::test
