#include "sidecar/mysql/server_state.h"

#include <array>
#include <charconv>
#include <format>
#include <map>
#include <string_view>

#include "sidecar/mysql/pinned.h"

namespace baton::sidecar {
namespace {

// mysqld_error.h; <mysql.h> and its companions stay in mysql_session.cc.
constexpr unsigned kUnknownSystemVariable = 1193;
constexpr unsigned kNoSuchThread = 1094;

/// Variables that are read beside the pinned ones.
constexpr auto kVariables = std::to_array<std::string_view>(
    {"version", "read_only", "super_read_only", "rpl_semi_sync_source_enabled",
     "rpl_semi_sync_source_wait_for_replica_count", "rpl_semi_sync_replica_enabled", "sync_relay_log"});

/// Values by name; a variable that the server does not have is not there.
using Variables = std::map<std::string, std::optional<std::string>, std::less<>>;

std::vector<std::string_view> variable_names() {
  std::vector<std::string_view> names(kVariables.begin(), kVariables.end());
  for (const auto& setting : mysql::pinned_settings()) {
    if (setting.compare != mysql::Compare::kNotShown) names.push_back(setting.name);
  }
  return names;
}

/// One SELECT of system variables touches nothing but them. If one is missing (a plugin is not loaded), it fails as a
/// whole: then the slower table is read.
Result<Variables> read_variables(SqlLease& sql) {
  const auto names = variable_names();
  std::string statement = "SELECT ";
  for (const auto name : names)
    statement += std::format("{}@@global.{} AS {}", statement.size() > 7 ? "," : "", name, name);
  Variables variables;
  auto rows = sql.query(statement);
  if (rows) {
    for (const auto name : names) variables.emplace(name, (*rows)[0].find(name));
    return variables;
  }
  if (rows.error().number != kUnknownSystemVariable) return std::unexpected(Error(rows.error()));
  TRY(all, sql.query("SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.global_variables"));
  for (std::size_t i = 0; i < all.size(); ++i)
    variables.emplace(all[i].text("VARIABLE_NAME"), all[i].find("VARIABLE_VALUE"));
  return variables;
}

std::string text_of(const Variables& variables, std::string_view name) {
  const auto it = variables.find(name);
  return it == variables.end() ? "" : it->second.value_or("");
}

bool flag_of(const Variables& variables, std::string_view name) {
  const std::string text = text_of(variables, name);
  return text == "1" || text == "ON";
}

/// Of the settings of durability, or of all others.
std::vector<std::string> drift_of(const Variables& variables, bool durability) {
  std::vector<std::string> drift;
  for (const auto& setting : mysql::pinned_settings()) {
    if (setting.compare == mysql::Compare::kNotShown || mysql::is_durability_setting(setting.name) != durability)
      continue;
    const auto it = variables.find(setting.name);
    if (it == variables.end()) {
      drift.push_back(std::format("{} is missing", setting.name));
    } else if (!mysql::agrees(setting, it->second)) {
      drift.push_back(mysql::drift_sentence(setting, it->second));
    }
  }
  return drift;
}

/// SHOW REPLICA STATUS says Yes, No or Connecting of the receiver, Yes or No of the applier.
wire::Thread thread_of(std::string_view text) {
  if (text == "Yes") return wire::Thread::kRunning;
  return text == "Connecting" ? wire::Thread::kConnecting : wire::Thread::kStopped;
}

/// The server breaks long sets into lines.
std::string one_line(std::string text) {
  std::erase(text, '\n');
  return text;
}

wire::Channel channel_of(const Rows::Row& row) {
  return {.source_host = row.text("Source_Host"),
          .source_port = row.number("Source_Port"),
          .source_uuid = row.text("Source_UUID"),
          .receiver = thread_of(row.text("Replica_IO_Running")),
          .applier = thread_of(row.text("Replica_SQL_Running")),
          .retrieved = one_line(row.text("Retrieved_Gtid_Set")),
          .place = std::format("{} {}", row.text("Source_Log_File"), row.text("Read_Source_Log_Pos")),
          .receiver_error = row.text("Last_IO_Error"),
          .applier_error = row.text("Last_SQL_Error")};
}

/// A long transaction is progress too. Nobody but appliers changes rows of a server that is closed.
Result<std::int64_t> read_rows_in_progress(SqlLease& sql, const wire::Sql& state) {
  TRY(retrieved, GtidSet::parse(state.channel.retrieved));
  TRY(executed, GtidSet::parse(state.gtid_executed));
  if (!state.read_only || executed.contains(retrieved)) return 0;
  TRY(rows, sql.query("SELECT CAST(COALESCE(SUM(trx_rows_modified), 0) AS SIGNED) AS changed"
                      " FROM information_schema.innodb_trx"));
  return rows[0].number("changed");
}

}  // namespace

Result<wire::Sql> read_sql(SqlLease& sql) {
  // The GTID sets come last. Who sees here that an ack count was raised, or that a replica is gone, takes them as the
  // floor of what may have been acknowledged before: read earlier, they would lack what was acknowledged in between.
  TRY(connections, read_dump_connections(sql));
  wire::SemiSync semi_sync;
  TRY_VOID(read_semi_sync_status(sql, semi_sync));
  std::vector<std::string> others;
  TRY(channel, read_channel(sql, &others));
  TRY(variables, read_variables(sql));
  semi_sync.source_enabled = flag_of(variables, "rpl_semi_sync_source_enabled");
  semi_sync.replica_enabled = flag_of(variables, "rpl_semi_sync_replica_enabled");
  const std::string count = text_of(variables, "rpl_semi_sync_source_wait_for_replica_count");
  std::from_chars(count.data(), count.data() + count.size(), semi_sync.wait_for_count);
  // A transaction moves from owned to executed: read in this order, their union misses none.
  TRY(owned_text, sql.value("SELECT @@global.gtid_owned"));
  TRY(owned, GtidSet::parse_owned(owned_text));
  TRY(sets, sql.query("SELECT @@global.gtid_executed AS executed, @@global.gtid_purged AS purged"));
  wire::Sql state{.version = text_of(variables, "version"),
                  .read_only = flag_of(variables, "read_only"),
                  .super_read_only = flag_of(variables, "super_read_only"),
                  .gtid_executed = one_line(sets[0].text("executed")),
                  .gtid_owned = owned.to_string(),
                  .gtid_purged = one_line(sets[0].text("purged")),
                  .semi_sync = semi_sync,
                  .channel = std::move(channel),
                  .fsyncs_relay_log = text_of(variables, "sync_relay_log") == "1",
                  .drift = drift_of(variables, false),
                  .relaxed = drift_of(variables, true)};
  TRY(rows, read_rows_in_progress(sql, state));
  state.channel.rows_in_progress = rows;
  for (const auto& other : others)
    state.drift.push_back(std::format("there is a second replication channel, {}", other));
  for (auto& dump : connections) state.dump_threads.push_back({std::move(dump.uuid), std::move(dump.host)});
  return state;
}

Result<wire::Channel> read_channel(SqlLease& sql, std::vector<std::string>* others) {
  TRY(rows, sql.query("SHOW REPLICA STATUS"));
  wire::Channel channel;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string name = rows[i].text("Channel_Name");
    if (name.empty()) {
      channel = channel_of(rows[i]);
    } else if (others != nullptr) {
      others->push_back(name);
    }
  }
  return channel;
}

Result<void> read_semi_sync_status(SqlLease& sql, wire::SemiSync& semi_sync) {
  TRY(rows, sql.query("SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync%'"));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = rows[i];
    const std::string name = row.text("Variable_name");
    if (name == "Rpl_semi_sync_source_clients") semi_sync.clients = row.number("Value");
    if (name == "Rpl_semi_sync_source_wait_sessions") semi_sync.waiting_sessions = row.number("Value");
    if (name == "Rpl_semi_sync_source_status") semi_sync.source_active = row.flag("Value");
    if (name == "Rpl_semi_sync_replica_status") semi_sync.replica_active = row.flag("Value");
  }
  return {};
}

Result<std::vector<DumpConnection>> read_dump_connections(SqlLease& sql) {
  // SHOW REPLICAS knows uuids but not connections. The dump thread's own variables know both.
  TRY(rows, sql.query("SELECT t.PROCESSLIST_ID AS id, t.PROCESSLIST_USER AS user, t.PROCESSLIST_HOST AS host,"
                      " u.VARIABLE_VALUE AS uuid, s.VARIABLE_VALUE AS semi_sync FROM performance_schema.threads t"
                      " LEFT JOIN performance_schema.user_variables_by_thread u"
                      " ON u.THREAD_ID=t.THREAD_ID AND u.VARIABLE_NAME='replica_uuid'"
                      " LEFT JOIN performance_schema.user_variables_by_thread s"
                      " ON s.THREAD_ID=t.THREAD_ID AND s.VARIABLE_NAME='rpl_semi_sync_replica'"
                      " WHERE t.PROCESSLIST_COMMAND IN ('Binlog Dump','Binlog Dump GTID') ORDER BY id"));
  std::vector<DumpConnection> connections;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = rows[i];
    const std::string semi_sync = row.text("semi_sync");
    connections.push_back({.id = row.number("id"),
                           .user = row.text("user"),
                           .host = row.text("host"),
                           .uuid = row.text("uuid"),
                           .semi_sync = !semi_sync.empty() && semi_sync != "0"});
  }
  return connections;
}

Result<GtidSet> read_executed(SqlLease& sql) {
  TRY(text, sql.value("SELECT @@global.gtid_executed"));
  return GtidSet::parse(text);
}

Result<GtidSet> read_unapplied(SqlLease& sql) {
  TRY(channel, read_channel(sql));
  TRY(retrieved, GtidSet::parse(channel.retrieved));
  TRY(executed, read_executed(sql));
  return retrieved.minus(executed);
}

Result<void> kill_connections(SqlLease& sql, const std::vector<std::int64_t>& ids) {
  for (const auto id : ids) {
    if (auto killed = sql.run(std::format("KILL CONNECTION {}", id));
        !killed && killed.error().number != kNoSuchThread) {
      return std::unexpected(Error(killed.error()));
    }
  }
  return {};
}

}  // namespace baton::sidecar
