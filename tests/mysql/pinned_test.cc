#include "sidecar/mysql/pinned.h"

#include <gtest/gtest.h>

namespace baton::mysql {
namespace {

const MyCnf kFiles{.ca = "/s/ca.crt", .certificate = "/s/tls.crt", .key = "/s/tls.key"};

const PinnedSetting& pinned(std::string_view name) {
  for (const auto& setting : pinned_settings()) {
    if (setting.name == name) return setting;
  }
  ADD_FAILURE() << name << " is not pinned";
  return pinned_settings().front();
}

TEST(Pinned, EverySpellingOfARefusedSettingIsRefused) {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"sync_binlog", "0"},
                                                                      {"sync-binlog", "0"},
                                                                      {"Sync-Binlog", "100"},
                                                                      {"loose_sync_binlog", "0"},
                                                                      {"loose-loose-sync-binlog", "0"},
                                                                      {"maximum-replica-net-timeout", "60"},
                                                                      {"skip-gtid-mode", ""},
                                                                      {"disable_log_replica_updates", ""},
                                                                      {"log_slave_updates", "OFF"},
                                                                      {"slave-net-timeout", "60"},
                                                                      {"skip-slave-start", "OFF"},
                                                                      {"rpl_semi_sync_master_timeout", "10"},
                                                                      {"relay_log_recovery", "ON"},
                                                                      {"relay-log-recovery", ""},
                                                                      {"super_read_only", "OFF"},
                                                                      {"skip_super_read_only", ""},
                                                                      {"server-id", "7"},
                                                                      {"datadir", "/tmp"},
                                                                      {"log_bin", "other"},
                                                                      {"skip-log-bin", ""},
                                                                      {"disable-log-bin", ""},
                                                                      {"skip-networking", ""},
                                                                      {"skip-grant-tables", ""},
                                                                      {"plugin-load-add", "x.so"},
                                                                      {"replicate-do-db", "a"},
                                                                      {"replicate_wild_ignore_table", "a.%"},
                                                                      {"loose-mysqlx-port", "33060"},
                                                                      {"mysqlx", "ON"},
                                                                      {"enable-mysqlx", ""},
                                                                      {"socket", "/tmp/s"},
                                                                      {"performance_schema", "OFF"},
                                                                      {"default_storage_engine", "MyISAM"},
                                                                      {"binlog-error-action", "IGNORE_ERROR"},
                                                                      {"innodb_doublewrite", "DETECT_ONLY"},
                                                                      {"skip-innodb-doublewrite", ""},
                                                                      {"innodb-flush-method", "nosync"},
                                                                      {"innodb_flush_method", "littlesync"},
                                                                      {"loose_innodb_flush_method", "3"},
                                                                      {"!include", "/etc/x"},
                                                                      {"a b", "1"},
                                                                      {"max_connections]", "1"},
                                                                      {"", "1"},
                                                                      {"init_connect", "x\ngtid_mode=OFF"}}) {
    EXPECT_TRUE(why_refused(name, value)) << name << "=" << value;
  }
}

TEST(Pinned, OtherSettingsAndPinnedValuesAreTaken) {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"max_connections", "1000"},
                                                                      {"innodb-buffer-pool-size", "2G"},
                                                                      {"skip-show-database", ""},
                                                                      {"sync_binlog", "1"},
                                                                      {"gtid_mode", "on"},
                                                                      {"binlog_error_action", "abort_server"},
                                                                      {"innodb_doublewrite", "1"},
                                                                      {"innodb_flush_method", "o_direct"},
                                                                      {"log_slave_updates", "1"},
                                                                      {"skip_name_resolve", "TRUE"},
                                                                      {"replica_parallel_workers", "4"},
                                                                      {"sql_mode", "ANSI_QUOTES"}}) {
    const auto sentence = why_refused(name, value);
    EXPECT_FALSE(sentence) << *sentence;
  }
}

TEST(Pinned, RefusalsSayWhy) {
  EXPECT_EQ(why_refused("sync-binlog", "0"),
            "sync-binlog must be 1: a committed transaction must survive a power loss");
  EXPECT_EQ(why_refused("server_id", "7"), "server_id cannot be set: each data directory has its own, given by Baton");
  EXPECT_EQ(
      why_refused("innodb_flush_method", "nosync"),
      "innodb_flush_method must be one of fsync,O_DSYNC,O_DIRECT,O_DIRECT_NO_FSYNC: tables must survive a power loss");
  const auto text = render_my_cnf({{"sync-binlog", "0"}, {"port", "1"}}, kFiles);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().kind, ErrorKind::kTerminal);
  EXPECT_TRUE(text.error().what.contains("sync-binlog")) << text.error().what;
  EXPECT_TRUE(text.error().what.contains("port")) << text.error().what;
}

TEST(Pinned, UserSettingsReplaceDefaultsAndPinnedOnesComeLast) {
  const auto text =
      render_my_cnf({{"max-connections", "7"}, {"init_connect", "SET @a='#1'"}, {"gtid-mode", "ON"}}, kFiles);
  ASSERT_TRUE(text) << text.error().what;
  EXPECT_TRUE(text->contains("max-connections = \"7\"\n"));
  EXPECT_FALSE(text->contains("max_connections"));
  EXPECT_TRUE(text->contains("init_connect = \"SET @a='#1'\"\n"));
  EXPECT_FALSE(text->contains("gtid-mode"));
  EXPECT_LT(text->find("init_connect"), text->find("gtid_mode = \"ON\""));
  EXPECT_TRUE(text->contains("sync_relay_log = \"10000\""));
  auto strict = kFiles;
  strict.strict_relay_log = true;
  EXPECT_TRUE(render_my_cnf({}, strict)->contains("sync_relay_log = \"1\""));
}

TEST(Pinned, OneSettingInTwoSpellingsIsRefused) {
  EXPECT_FALSE(render_my_cnf({{"max-connections", "7"}, {"max_connections", "8"}}, kFiles));
}

TEST(Pinned, ValuesAreComparedAsTheServerShowsThem) {
  EXPECT_TRUE(agrees(pinned("gtid_mode"), "ON"));
  EXPECT_TRUE(agrees(pinned("skip_name_resolve"), "1"));
  EXPECT_FALSE(agrees(pinned("gtid_mode"), "ON_PERMISSIVE"));
  EXPECT_TRUE(agrees(pinned("secure_file_priv"), std::nullopt));
  EXPECT_FALSE(agrees(pinned("secure_file_priv"), ""));
  EXPECT_TRUE(
      agrees(pinned("disabled_storage_engines"), "CSV, myisam,MRG_MYISAM,MEMORY,BLACKHOLE,ARCHIVE,FEDERATED,EXAMPLE"));
  EXPECT_FALSE(agrees(pinned("disabled_storage_engines"), "MyISAM"));
  EXPECT_EQ(drift_sentence(pinned("sync_binlog"), "0"), "sync_binlog is 0, not 1");
  EXPECT_EQ(drift_sentence(pinned("relay_log_recovery"), "1"), "relay_log_recovery is ON, not OFF");
}

}  // namespace
}  // namespace baton::mysql
