#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sidecar/wire/member_state.h"
#include "sidecar/wire/order.h"

namespace baton::wire {
namespace {

/// A state in which no field has its default.
MemberState full_state() {
  return {.member = "shop-0",
          .pod_uid = "pod-uid",
          .boot_id = "boot",
          .sidecar_id = "sidecar",
          .sequence = 7,
          .epoch = 3,
          .revision = 9,
          .opened_epoch = 2,
          .hold = Hold::kCrashedPrimary,
          .relaxed = true,
          .uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562",
          .server_id = 4'294'967'295,
          .directory = Directory::kCloned,
          .process = Process::kRunning,
          .terminating = true,
          .last_exit = Exit{.status = 16, .signal = 9, .ordered = true},
          .suspect_end = true,
          .unordered_ends = 3,
          .restart_pause_seconds = 2,
          .start_error = "no \"space\"\nleft",
          .sql = Sql{.version = "9.7.4",
                     .read_only = false,
                     .super_read_only = false,
                     .gtid_executed = "a:1-5",
                     .gtid_owned = "a:6",
                     .gtid_purged = "a:1-2",
                     .semi_sync = {.source_enabled = true,
                                   .wait_for_count = 1,
                                   .clients = 2,
                                   .waiting_sessions = 3,
                                   .source_active = true,
                                   .replica_enabled = true,
                                   .replica_active = true},
                     .channel = {.source_host = "10.0.0.1",
                                 .source_port = 3306,
                                 .source_uuid = "u",
                                 .receiver = Thread::kConnecting,
                                 .applier = Thread::kRunning,
                                 .retrieved = "a:3-6",
                                 .place = "binlog.000002 4",
                                 .rows_in_progress = 4,
                                 .receiver_error = "r",
                                 .applier_error = "x"},
                     .dump_threads = {{.uuid = "d", .host = "10.0.0.2"}},
                     .replication_accounts = {{.uuid = "p", .locked = true}, {.uuid = "q", .locked = false}},
                     .fsyncs_relay_log = true,
                     .app_account = true,
                     .clone_unlocked = true,
                     .drift = {"relay_log_purge is OFF, not ON"},
                     .relaxed = {"sync_binlog is 100, not 1"}},
          .sql_error = "slow",
          .logs_readable = true,
          .logs_gtid_set = "a:1-6",
          .logs_error = "torn",
          .servable = "a:3-6",
          .unreadable_log = "binlog.000001 is encrypted",
          .offered_to = "o",
          .offered = "a:4",
          .busy = "Follow"};
}

TEST(MemberStateWire, EveryFieldComesBack) {
  const auto state = full_state();
  const auto line = to_line(state);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto read = parse_member_state(line);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, state);
}

TEST(MemberStateWire, EveryFieldIsWrittenOnce) {
  const auto json = nlohmann::json::parse(to_line(full_state()));
  EXPECT_EQ(json.size(), 30U);
  EXPECT_EQ(json["sql"].size(), 15U);
  EXPECT_EQ(json["sql"]["channel"].size(), 10U);
  EXPECT_EQ(json["sql"]["semi_sync"].size(), 7U);
  EXPECT_EQ(json["hold"], "CrashedPrimary");
}

TEST(MemberStateWire, DefaultsAreLeftOut) {
  EXPECT_EQ(to_line(MemberState{}), "{}");
  MemberState state;
  state.sql.emplace();
  state.last_exit.emplace();
  EXPECT_EQ(to_line(state), R"({"last_exit":{},"sql":{}})");
  EXPECT_EQ(parse_member_state(to_line(state)), state);
}

TEST(MemberStateWire, UnknownFieldsAreIgnored) {
  const auto read = parse_member_state(R"({"member":"shop-1","weather":{"wind":3},"sql":{"moon":1}})");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->member, "shop-1");
  EXPECT_TRUE(read->sql.has_value());
}

TEST(MemberStateWire, BytesThatAreNotUtf8DoNotStopALine) {
  MemberState state;
  state.start_error = "caf\xE9";
  EXPECT_TRUE(parse_member_state(to_line(state)));
}

struct Wrong {
  const char* line;
  const char* named;
};

TEST(MemberStateWire, WrongTypesNameTheField) {
  const std::vector<Wrong> wrong = {
      {R"({"member":1})", "'member'"},
      {R"({"epoch":"1"})", "'epoch'"},
      {R"({"epoch":1.5})", "'epoch'"},
      {R"({"epoch":18446744073709551615})", "'epoch'"},
      {R"({"terminating":0})", "'terminating'"},
      {R"({"hold":"Tight"})", "'hold'"},
      {R"({"hold":2})", "'hold'"},
      {R"({"last_exit":{"status":99999999999}})", "'last_exit.status'"},
      {R"({"last_exit":[]})", "'last_exit'"},
      {R"({"sql":7})", "'sql'"},
      {R"({"sql":{"channel":{"receiver":"Up"}}})", "'sql.channel.receiver'"},
      {R"({"sql":{"dump_threads":[{"uuid":false}]}})", "'sql.dump_threads[].uuid'"},
      {R"({"sql":{"drift":"x"}})", "'sql.drift'"},
      {R"([])", "(whole)"},
  };
  for (const auto& [line, named] : wrong) {
    const auto read = parse_member_state(line);
    ASSERT_FALSE(read) << line;
    EXPECT_EQ(read.error().kind, ErrorKind::kCorrupt) << line;
    EXPECT_NE(read.error().what.find(named), std::string::npos) << line << ": " << read.error().what;
  }
}

TEST(MemberStateWire, WhatIsNoJsonOrTooLongIsCorrupt) {
  for (const std::string& line :
       {std::string(), std::string("{"), std::string("{\"member\":\"x\"} {}"), std::string(5'000'000, ' ') + "{}"}) {
    const auto read = parse_member_state(line);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, ErrorKind::kCorrupt);
  }
}

std::vector<Command> every_command() {
  return {Initialize{.uuid = "u"},
          CloneFrom{.host = "h", .port = 3307},
          Permit{},
          Fence{},
          StopReceiver{},
          Follow{.host = "h", .port = 3308, .source_uuid = "s", .acks = true},
          OfferLogs{.replica = "r", .set = "a:1-5"},
          SetDurability{.relaxed = true},
          SetAckCount{.wait_for_count = 2},
          SetAckers{.replicas = {"a", "b"}},
          EnsureReplicationAccount{.uuid = "u"},
          ExpelReplica{.uuid = "u"},
          EnsureApplicationAccount{.database = "d", .user = "u"},
          WriteHeartbeat{},
          AllowClone{.allowed = true},
          WaitApplied{.target = "a:1-5", .milliseconds = 5},
          WaitAckers{.count = 2, .milliseconds = 6},
          WaitReceived{.target = "a:1-6", .milliseconds = 7},
          Open{.target = "a:1-5"}};
}

TEST(OrderWire, EveryCommandComesBack) {
  const auto commands = every_command();
  ASSERT_EQ(commands.size(), std::variant_size_v<Command>);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    ASSERT_EQ(commands[i].index(), i);
    const Order order{.epoch = 4, .revision = 11, .member = "shop-2", .pod_uid = "p", .command = commands[i]};
    const auto text = to_json_text(order);
    const auto read = parse_order(text);
    ASSERT_TRUE(read) << text << ": " << read.error().what;
    EXPECT_EQ(read->epoch, 4);
    EXPECT_EQ(read->revision, 11);
    EXPECT_EQ(read->member, "shop-2");
    EXPECT_EQ(read->pod_uid, "p");
    EXPECT_EQ(read->command.index(), i);
    // The text holds every argument (each differs from its default), so equal texts are equal orders.
    EXPECT_EQ(to_json_text(*read), text);
  }
}

TEST(OrderWire, ArgumentsAreAllThere) {
  const auto text = to_json_text(Order{.epoch = 1,
                                       .revision = 2,
                                       .member = "m",
                                       .pod_uid = "p",
                                       .command = Follow{.host = "h", .port = 1, .source_uuid = "s", .acks = true}});
  EXPECT_EQ(text, R"({"arguments":{"acks":true,"host":"h","port":1,"source_uuid":"s"},"epoch":1,"member":"m",)"
                  R"("order":"Follow","pod_uid":"p","revision":2})");
}

TEST(OrderWire, WrongOrdersAreRefused) {
  const auto error_of = [](const char* text) { return parse_order(text).error(); };
  EXPECT_EQ(error_of(R"({"order":"Dance"})").kind, ErrorKind::kTerminal);
  EXPECT_EQ(error_of(R"({"epoch":1})").kind, ErrorKind::kTerminal);
  EXPECT_EQ(error_of(R"({"order":"Open","arguments":{"target":5}})").kind, ErrorKind::kCorrupt);
  EXPECT_NE(error_of(R"({"order":"Open","arguments":{"target":5}})").what.find("'arguments.target'"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"order":"Fence","epoch":"x"})").what.find("'epoch'"), std::string::npos);
  EXPECT_EQ(error_of(R"({"order":"Fence","arguments":[]})").kind, ErrorKind::kCorrupt);
}

TEST(OrderWire, ResultsComeBack) {
  const OrderResult result{.error_kind = "Unsafe", .error = "no", .state = full_state()};
  const auto read = parse_order_result(to_json_text(result));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->error_kind, "Unsafe");
  EXPECT_EQ(read->error, "no");
  EXPECT_EQ(read->state, full_state());
  EXPECT_EQ(parse_order_result(R"({"state":{"epoch":[]}})").error().what, "field 'state.epoch' is not a whole number");
}

TEST(OrderWire, NamesAreTheTypesNames) {
  EXPECT_EQ(name_of(Initialize{}), "Initialize");
  EXPECT_EQ(name_of(WaitAckers{}), "WaitAckers");
  EXPECT_EQ(name_of(Open{}), "Open");
}

}  // namespace
}  // namespace baton::wire
