#include "sidecar/replication/query.h"

#include <gtest/gtest.h>

#include <format>

namespace baton::replication {
namespace {

/// The answer in one line: `column,column = value,NULL`, `done`, or `1193 text`.
class Query : public testing::Test {
 protected:
  std::string ask(std::string_view text) {
    const QueryFacts facts{
        .system_variable = [](std::string_view name) -> std::optional<std::string> {
          if (name == "server_id") return "7";
          if (name == "binlog_checksum") return "CRC32";
          if (name == "version_comment") return "here";
          return std::nullopt;
        },
        .functions = {{"unix_timestamp", "1700000000"}, {"database", std::nullopt}},
    };
    const QueryAnswer answer = answer_query(text, facts, variables_);
    if (const auto* error = std::get_if<QueryError>(&answer)) return std::format("{} {}", error->number, error->text);
    if (std::holds_alternative<Done>(answer)) return "done";
    const auto& rows = std::get<Rows>(answer);
    std::string line;
    for (const auto& column : rows.columns) line += (line.empty() ? "" : ",") + column;
    for (const auto& row : rows.rows) {
      line += " =";
      for (const auto& value : row) line += " " + value.value_or("NULL");
    }
    return line;
  }

  UserVariables variables_;
};

TEST_F(Query, WhatReceiversSend) {
  EXPECT_EQ(ask("SELECT UNIX_TIMESTAMP()"), "UNIX_TIMESTAMP() = 1700000000");
  EXPECT_EQ(ask("SELECT @@GLOBAL.SERVER_ID"), "@@GLOBAL.SERVER_ID = 7");
  EXPECT_EQ(ask("SET @master_heartbeat_period = 500000000, @source_heartbeat_period = 500000000"), "done");
  EXPECT_EQ(variables_["source_heartbeat_period"], "500000000");
  EXPECT_EQ(ask("SET @master_binlog_checksum = @@global.binlog_checksum, "
                "@source_binlog_checksum = @@global.binlog_checksum"),
            "done");
  EXPECT_EQ(ask("SELECT @source_binlog_checksum"), "@source_binlog_checksum = CRC32");
  EXPECT_EQ(ask("SELECT @master_binlog_checksum"), "@master_binlog_checksum = CRC32");
  EXPECT_EQ(ask("SET @slave_uuid = '3e11fa47', @replica_uuid = '3e11fa47'"), "done");
  EXPECT_EQ(variables_["replica_uuid"], "3e11fa47");
}

TEST_F(Query, SemiSyncIsNotKnownHere) {
  EXPECT_EQ(ask("SELECT @@global.rpl_semi_sync_source_enabled"),
            "1193 Unknown system variable 'rpl_semi_sync_source_enabled'");
  EXPECT_EQ(ask("SELECT @@global.rpl_semi_sync_master_enabled"),
            "1193 Unknown system variable 'rpl_semi_sync_master_enabled'");
}

TEST_F(Query, CaseSpaceAndCommentsDoNotMatter) {
  EXPECT_EQ(ask("  /* a */select\n\t@@Server_Id -- b\n ;"), "@@Server_Id = 7");
  EXPECT_EQ(ask("sElEcT  @@session.server_id  aS `x y` , 1, 'it''s', NULL from dual LIMIT 1"),
            "x y,1,'it''s',NULL = 7 1 it's NULL");
  EXPECT_EQ(ask("set @A:=  'b\\'c'"), "done");
  EXPECT_EQ(variables_["a"], "b'c");
  EXPECT_EQ(ask("select @a,@none"), "@a,@none = b'c NULL");
  EXPECT_EQ(ask("select @@version_comment limit 1"), "@@version_comment = here");
  EXPECT_EQ(ask("SELECT DATABASE()"), "DATABASE() = NULL");
}

TEST_F(Query, SessionSettingsAreTakenAndGlobalOnesAreNot) {
  EXPECT_EQ(ask("SET NAMES utf8mb4"), "done");
  EXPECT_EQ(ask("SET SESSION sql_mode = CONCAT(@@sql_mode, ',x'), autocommit=1, @x = 5"), "done");
  EXPECT_EQ(variables_["x"], "5");
  EXPECT_TRUE(ask("SET GLOBAL read_only = 0").starts_with("1227 "));
  EXPECT_TRUE(ask("SET @@global.read_only = 0").starts_with("1227 "));
  EXPECT_TRUE(ask("SET PERSIST read_only = 0").starts_with("1227 "));
  EXPECT_TRUE(ask("SET @y = 1, GLOBAL read_only = 0").starts_with("1227 "));
  EXPECT_FALSE(variables_.contains("y")) << "assigned together or not at all";
  EXPECT_TRUE(ask("SET @y = @@nothing").starts_with("1193 "));
}

TEST_F(Query, VariablesAreShownByName) {
  EXPECT_EQ(ask("SHOW VARIABLES LIKE 'SERVER_ID'"), "Variable_name,Value = server_id 7");
  EXPECT_EQ(ask("show global variables like 'nothing'"), "Variable_name,Value");
  EXPECT_EQ(ask("SHOW WARNINGS"), "Level,Code,Message");
}

TEST_F(Query, AnythingElseIsRefused) {
  for (const char* text : {"",
                           ";",
                           "SELECT",
                           "SELECT * FROM t",
                           "SELECT 1 FROM t",
                           "DELETE FROM t",
                           "SELECT SLEEP(5)",
                           "SELECT UNIX_TIMESTAMP(",
                           "SELECT 1,",
                           "SELECT 1 2 3",
                           "SET",
                           "SET @a",
                           "SET @a =",
                           "SET @a = 1 2",
                           "SET a",
                           "SHOW",
                           "SHOW TABLES",
                           "SHOW VARIABLES LIKE",
                           "SELECT 'open",
                           "/* open",
                           "SELECT @a := 1"}) {
    const std::string answer = ask(text);
    if (std::string_view(text) == "SELECT 'open") continue;  // Read as if it were closed.
    EXPECT_TRUE(answer.starts_with("1235 ")) << text << ": " << answer;
  }
}

TEST_F(Query, VariablesAreBounded) {
  for (int i = 0; i < 100; ++i) static_cast<void>(ask(std::format("SET @v{} = 1", i)));
  EXPECT_EQ(variables_.size(), 64U);
  EXPECT_TRUE(ask("SET @v1 = '" + std::string(5000, 'x') + "'").starts_with("1235 "));
  EXPECT_EQ(variables_["v1"], "1");
}

}  // namespace
}  // namespace baton::replication
