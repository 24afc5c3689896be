#include <algorithm>
#include <filesystem>
#include <format>
#include <system_error>

#include "sidecar/mysql/server_admin.h"
#include "sidecar/mysql/server_state.h"

namespace baton::sidecar {
namespace {

using namespace std::chrono_literals;
using wire::Thread;

/// Settings of the default channel, as CHANGE REPLICATION SOURCE TO takes them and mysql.slave_master_info keeps them.
struct Source {
  std::string host;
  std::int64_t port = 0;
  std::string user;
  std::string password;
  std::string ca;
  bool ssl = true;
  bool auto_position = true;
  std::int64_t connect_retry = 1;
  std::int64_t retry_count = 2'000'000'000;  // 60 years of seconds; 0 means "for ever" only in the newest servers.
  std::string heartbeat = "0.5";

  friend bool operator==(const Source&, const Source&) = default;
};

Result<std::optional<Source>> read_source(SqlLease& sql) {
  TRY(rows, sql.query("SELECT * FROM mysql.slave_master_info WHERE Channel_name=''"));
  if (rows.empty() || rows[0].text("Host").empty()) return std::nullopt;
  const auto row = rows[0];
  return Source{.host = row.text("Host"),
                .port = row.number("Port"),
                .user = row.text("User_name"),
                .password = row.text("User_password"),
                .ca = row.text("Ssl_ca"),
                .ssl = row.flag("Enabled_ssl"),
                .auto_position = row.flag("Enabled_auto_position"),
                .connect_retry = row.number("Connect_retry"),
                .retry_count = row.number("Retry_count"),
                .heartbeat = row.text("Heartbeat")};
}

/// SOURCE_AUTO_POSITION may be given only while the applier is stopped, so it is left out where it is on already.
std::string change_statement(const Source& source, bool with_auto_position) {
  return std::format(
      "CHANGE REPLICATION SOURCE TO SOURCE_HOST={}, SOURCE_PORT={}, SOURCE_USER={}, SOURCE_PASSWORD={}, SOURCE_SSL=1,"
      " SOURCE_SSL_CA={}, SOURCE_SSL_VERIFY_SERVER_CERT=0, SOURCE_CONNECT_RETRY={}, SOURCE_RETRY_COUNT={},"
      " SOURCE_HEARTBEAT_PERIOD={}{} FOR CHANNEL ''",
      sql_quoted(source.host), source.port, sql_quoted(source.user), sql_quoted(source.password), sql_quoted(source.ca),
      source.connect_retry, source.retry_count, source.heartbeat, with_auto_position ? ", SOURCE_AUTO_POSITION=1" : "");
}

std::unexpected<Error> unapplied_refusal(const GtidSet& unapplied, std::string_view applier_error) {
  return fail(ErrorKind::kUnsafe,
              "received but not applied: {}; the relay logs that hold it would be purged, because the applier does not "
              "run{}{}",
              unapplied.to_string(), applier_error.empty() ? "" : ": ", applier_error);
}

/// With a running applier, CHANGE keeps the relay logs. One that was just started may fail at its first event, so it is
/// watched until it has got somewhere, or for a moment.
Result<void> make_applier_run(SqlLease& sql) {
  TRY(before, read_unapplied(sql));
  auto started = sql.run("START REPLICA SQL_THREAD FOR CHANNEL ''");
  if (before.empty()) return {};  // Nothing to lose, and START REPLICA will be tried once more.
  if (!started) return unapplied_refusal(before, Error(started.error()).what);
  std::string applier_error;
  auto stopped = look_until(sql.stop(), 300ms, 10ms, [&] -> Result<bool> {
    TRY(channel, read_channel(sql));
    applier_error = channel.applier_error;
    return channel.applier == Thread::kStopped;
  });
  if (!stopped) return std::unexpected(stopped.error());
  if (!*stopped) return {};
  TRY(left, read_unapplied(sql));
  if (left.empty()) return {};
  return unapplied_refusal(left, applier_error);
}

/// The status, not the variable: a receiver that was connected with acks goes on sending them.
Result<void> see_acks_off(SqlLease& sql) {
  const auto off = look_until(sql.stop(), 1s, 3ms, [&] -> Result<bool> {
    wire::SemiSync status;
    TRY_VOID(read_semi_sync_status(sql, status));
    return !status.replica_active;
  });
  if (!off) return std::unexpected(off.error());
  if (!*off)
    return fail(ErrorKind::kRetry, "Rpl_semi_sync_replica_status is still ON although the receiver is stopped");
  return {};
}

Result<void> change_source(SqlLease& sql, const std::optional<Source>& current, const Source& wanted) {
  TRY(channel, read_channel(sql));
  TRY(received, GtidSet::parse(channel.retrieved));
  const bool with_auto_position = !current || !current->auto_position;
  TRY_VOID(sql.run(change_statement(wanted, with_auto_position)));
  TRY(after, read_channel(sql));
  TRY(kept, GtidSet::parse(after.retrieved));
  TRY(executed, read_executed(sql));
  const GtidSet dropped = received.minus(kept).minus(executed);
  if (dropped.empty()) return {};
  return fail(ErrorKind::kUnsafe,
              "the applier ended while the source was changed, and the server purged relay logs with {}",
              dropped.to_string());
}

/// STOP IO, CHANGE, START. The applier is never stopped.
Result<void> swap_receiver(SqlLease& sql, const wire::Channel& channel, const std::optional<Source>& current,
                           const Source& wanted, bool acks) {
  if (current) {
    TRY_VOID(sql.run("STOP REPLICA IO_THREAD FOR CHANNEL ''"));
    if (current != wanted && channel.applier != Thread::kRunning) TRY_VOID(make_applier_run(sql));
  }
  TRY_VOID(sql.run(std::format("SET GLOBAL rpl_semi_sync_replica_enabled={}", acks ? "ON" : "OFF")));
  TRY_VOID(see_acks_off(sql));
  if (current != wanted) TRY_VOID(change_source(sql, current, wanted));
  TRY_VOID(sql.run("START REPLICA FOR CHANNEL ''"));
  return {};
}

/// Addresses are used again: who answers there must be the server that is meant. A source that does not answer yet is
/// no failure; the receiver goes on dialling. Source_UUID is known a moment after the receiver shows as running.
Result<void> check_source(SqlLease& sql, const wire::Follow& order) {
  wire::Channel channel;
  const auto answered = look_until(sql.stop(), 500ms, 3ms, [&] -> Result<bool> {
    TRY(now, read_channel(sql));
    channel = std::move(now);
    if (channel.receiver == Thread::kStopped) return !channel.receiver_error.empty();
    return channel.receiver == Thread::kRunning && !channel.source_uuid.empty();
  });
  if (!answered) return std::unexpected(answered.error());
  if (channel.receiver != Thread::kRunning || channel.source_uuid.empty()) return {};
  if (order.source_uuid.empty() || channel.source_uuid == order.source_uuid) return {};
  TRY_VOID(sql.run("STOP REPLICA IO_THREAD FOR CHANNEL ''"));
  return fail(ErrorKind::kUnsafe, "the server at {}:{} is {}, not {}", order.host, order.port, channel.source_uuid,
              order.source_uuid);
}

/// What the coordinator has not read yet, it cannot be asked about. It looks twice: a coordinator that was called does
/// not say so before it runs.
Result<void> wait_read_all(SqlLease& sql) {
  int looks = 0;
  const auto read_all = look_until(sql.stop(), 1s, 3ms, [&] -> Result<bool> {
    TRY(reading, sql.value("SELECT COUNT(*) FROM performance_schema.replication_applier_status_by_coordinator AS c"
                           " JOIN performance_schema.threads AS t USING (THREAD_ID) WHERE c.CHANNEL_NAME=''"
                           " AND t.PROCESSLIST_STATE NOT LIKE '%has read all relay log%'"));
    looks = reading == "0" ? looks + 1 : 0;
    return looks == 2;
  });
  // One that is busy for longer is asked all the same.
  return read_all ? Result<void>() : std::unexpected(read_all.error());
}

/// Ends the applier's threads, all or those that are within a transaction, and waits for its end: rolling back may take
/// as long as applying did.
Result<void> kill_applier(SqlLease& sql, bool within_a_transaction) {
  const auto filter = [&](std::string_view column) {
    return within_a_transaction ? std::format(" AND {}<>''", column) : std::string();
  };
  TRY(rows, sql.query(std::format(
                "SELECT t.PROCESSLIST_ID AS id FROM performance_schema.replication_applier_status_by_worker AS w"
                " JOIN performance_schema.threads AS t USING (THREAD_ID) WHERE w.CHANNEL_NAME=''{}"
                " UNION SELECT t.PROCESSLIST_ID FROM performance_schema.replication_applier_status_by_coordinator AS c"
                " JOIN performance_schema.threads AS t USING (THREAD_ID) WHERE c.CHANNEL_NAME=''{}",
                filter("w.APPLYING_TRANSACTION"), filter("c.PROCESSING_TRANSACTION"))));
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < rows.size(); ++i) ids.push_back(rows[i].number("id"));
  if (ids.empty()) return {};
  TRY_VOID(kill_connections(sql, ids));
  const auto ended = look_until(sql.stop(), 4s, 3ms, [&] -> Result<bool> {
    TRY(channel, read_channel(sql));
    return channel.applier == Thread::kStopped;
  });
  if (!ended) return std::unexpected(ended.error());
  if (!*ended) return fail(ErrorKind::kRetry, "the applier was killed, and has not ended yet");
  return {};
}

/// Stops the channel of a server that is to be opened, whose receiver is stopped and which has applied all that it
/// received whole. A bare STOP REPLICA would
/// - wait a minute where the source has died in the middle of a transaction (sql/rpl_replica.cc, sql_slave_killed; seen
///   on 9.7.4), and even for a thread that was killed a moment ago. What has come of it is rolled back by killing the
///   worker that holds its locks, and the coordinator, which alone knows of one of which no change has come yet;
/// - be refused while somebody locks the instance for a backup (stop_slave_cmd, error 3857), which a dump that runs for
///   hours may do. Killing is not.
Result<void> stop_channel(SqlLease& sql) {
  TRY_VOID(wait_read_all(sql));
  TRY_VOID(kill_applier(sql, true));
  auto stopped = sql.run("STOP REPLICA FOR CHANNEL ''");
  constexpr unsigned kLockedForBackup = 3857;
  if (stopped || stopped.error().number != kLockedForBackup) return stopped;
  return kill_applier(sql, false);
}

/// Whether the receiver needs nothing. One that is still dialling, or has not yet asked who the source is, is as good
/// as one that is connected: it will do as rpl_semi_sync_replica_enabled says.
bool receives(const wire::Channel& channel, const wire::SemiSync& semi_sync, bool acks) {
  if (channel.receiver == Thread::kStopped) return false;
  if (semi_sync.replica_enabled != acks) return false;
  if (channel.receiver == Thread::kConnecting || channel.source_uuid.empty()) return !semi_sync.replica_active || acks;
  return semi_sync.replica_active == acks;
}

}  // namespace

Result<void> ServerAdmin::follow(const std::stop_token& stop, const wire::Follow& order, const Passwords& passwords) {
  // CHANGE REPLICATION SOURCE TO takes no more (rpl_replica.h, MAX_PASSWORD_LENGTH).
  if (passwords.replication.size() > 32)
    return fail(ErrorKind::kTerminal, "a replication password has at most 32 bytes");
  const std::scoped_lock lock(channel_);
  TRY(sql, work_.take(stop));
  TRY(self, sql.query("SELECT @@global.server_uuid AS uuid, @@global.read_only AS read_only,"
                      " @@global.rpl_semi_sync_replica_enabled AS acks"));
  const std::string uuid = self[0].text("uuid");
  if (!self[0].flag("read_only"))
    return fail(ErrorKind::kUnsafe, "this server is open for writes: it may follow nobody");
  if (uuid == order.source_uuid) return fail(ErrorKind::kUnsafe, "a server cannot follow itself ({})", uuid);
  const Source wanted{.host = order.host,
                      .port = order.port,
                      .user = replication_account(uuid),
                      .password = passwords.replication,
                      .ca = config_.ca.string()};
  TRY(current, read_source(sql));
  TRY(channel, read_channel(sql));
  wire::SemiSync semi_sync{.replica_enabled = self[0].flag("acks")};
  TRY_VOID(read_semi_sync_status(sql, semi_sync));
  if (current != wanted || !receives(channel, semi_sync, order.acks)) {
    TRY_VOID(swap_receiver(sql, channel, current, wanted, order.acks));
  } else if (channel.applier == Thread::kStopped) {
    TRY_VOID(sql.run("START REPLICA SQL_THREAD FOR CHANNEL ''"));
  }
  return check_source(sql, order);
}

Result<std::string> ServerAdmin::overrun_relay_logs(const std::stop_token& stop) {
  const std::scoped_lock lock(channel_);
  TRY(sql, work_.take(stop));
  TRY(channel, read_channel(sql));
  if (channel.applier != Thread::kStopped) return std::string();
  TRY(rows, sql.query("SELECT @@global.datadir AS folder, Relay_log_name AS name, Relay_log_pos AS place"
                      " FROM mysql.slave_relay_log_info WHERE Channel_name=''"));
  if (rows.empty() || rows[0].text("name").empty()) return std::string();
  const auto file = std::filesystem::path(rows[0].text("folder")) / rows[0].text("name");
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error == std::errc::no_such_file_or_directory) return std::format("{} is gone", file.string());
  if (error) return fail(ErrorKind::kRetry, "size of {}: {}", file.string(), error.message());
  const auto place = static_cast<std::uintmax_t>(rows[0].number("place"));
  if (place <= size) return std::string();
  return std::format("the applier stands at {} of {}, which has {} bytes", place, file.string(), size);
}

Result<void> ServerAdmin::reset_channel(const std::stop_token& stop) {
  const std::scoped_lock lock(channel_, writable_);
  TRY(sql, work_.take(stop));
  TRY(closed, sql.value("SELECT @@global.super_read_only"));
  if (closed != "1") return fail(ErrorKind::kUnsafe, "this server is open for writes");
  TRY_VOID(sql.run("STOP REPLICA FOR CHANNEL ''"));
  return sql.run("RESET REPLICA ALL FOR CHANNEL ''");
}

Result<GtidSet> ServerAdmin::stop_receiver(const std::stop_token& stop) {
  const std::scoped_lock lock(channel_);
  TRY(sql, work_.take(stop));
  TRY(before, read_channel(sql));
  if (before.source_host.empty()) return GtidSet();
  if (before.receiver != Thread::kStopped) TRY_VOID(sql.run("STOP REPLICA IO_THREAD FOR CHANNEL ''"));
  TRY(after, read_channel(sql));
  if (after.receiver != Thread::kStopped) return fail(ErrorKind::kRetry, "the receiver runs although it was stopped");
  return GtidSet::parse(after.retrieved);
}

/// mysqld starts with its applier stopped, and a candidate with nothing to receive gets no other order that starts it.
Result<void> ServerAdmin::keep_applying(SqlLease& sql, const GtidSet& target) {
  TRY(executed, read_executed(sql));
  if (executed.contains(target)) return {};
  const std::scoped_lock lock(channel_);
  TRY(channel, read_channel(sql));
  if (channel.source_host.empty() || channel.applier != Thread::kStopped) return {};
  return sql.run("START REPLICA SQL_THREAD FOR CHANNEL ''");
}

Result<void> ServerAdmin::wait_applied(const std::stop_token& stop, const GtidSet& target,
                                       std::chrono::milliseconds limit) {
  TRY(sql, work_.take(stop));
  TRY_VOID(keep_applying(sql, target));
  const auto bounded = std::clamp(limit, 0ms, 5000ms);
  // A limit of 0 would mean "for ever".
  const double seconds = std::max(0.001, static_cast<double>(bounded.count()) / 1000.0);
  TRY(late,
      sql.value(std::format("SELECT WAIT_FOR_EXECUTED_GTID_SET({}, {:.3f})", sql_quoted(target.to_string()), seconds)));
  if (late == "0") return {};
  TRY(executed, read_executed(sql));
  const GtidSet missing = target.minus(executed);
  if (missing.empty()) return {};
  return fail(ErrorKind::kRetry, "not applied after {} ms: {}", bounded.count(), missing.to_string());
}

Result<void> ServerAdmin::wait_received(const std::stop_token& stop, const GtidSet& target,
                                        std::chrono::milliseconds limit) {
  TRY(sql, work_.take(stop));
  GtidSet missing;
  const auto all = look_until(stop, std::clamp(limit, 0ms, 5000ms), 3ms, [&] -> Result<bool> {
    // In this order: what is applied in between is counted all the same.
    TRY(channel, read_channel(sql));
    TRY(received, GtidSet::parse(channel.retrieved));
    TRY(executed, read_executed(sql));
    missing = target.minus(received).minus(executed);
    // Its source may have died: the next order is to be carried out at once.
    if (!missing.empty() && channel.receiver != Thread::kRunning) {
      return fail(ErrorKind::kRetry, "the receiver is not connected; not received: {}", missing.to_string());
    }
    return missing.empty();
  });
  if (!all) return std::unexpected(all.error());
  if (!*all) return fail(ErrorKind::kRetry, "not received: {}", missing.to_string());
  return {};
}

Result<void> ServerAdmin::open(const std::stop_token& stop, const GtidSet& target) {
  const std::scoped_lock lock(channel_, writable_);
  TRY(sql, work_.take(stop));
  TRY(closed, sql.value("SELECT @@global.read_only OR @@global.super_read_only"));
  if (closed == "0") return {};
  const Odd opening(openings_);
  TRY(executed, read_executed(sql));
  if (const GtidSet missing = target.minus(executed); !missing.empty()) {
    return fail(ErrorKind::kUnsafe, "not opened: {} of the target is missing here", missing.to_string());
  }
  TRY_VOID(forget_channel(sql));
  TRY_VOID(sql.run("SET GLOBAL super_read_only=OFF"));
  TRY_VOID(sql.run("SET GLOBAL read_only=OFF"));
  is_to_be_closed_ = false;
  return {};
}

Result<void> ServerAdmin::forget_channel(SqlLease& sql) {
  TRY(channel, read_channel(sql));
  if (!channel.source_host.empty()) {
    const auto refuse_unapplied = [&] -> Result<void> {
      TRY(unapplied, read_unapplied(sql));
      if (unapplied.empty()) return {};
      return fail(ErrorKind::kUnsafe, "received but not applied, and the relay logs would be deleted: {}",
                  unapplied.to_string());
    };
    TRY_VOID(refuse_unapplied());
    TRY_VOID(sql.run("STOP REPLICA IO_THREAD FOR CHANNEL ''"));
    // Once more: the receiver may have got something until it stopped.
    TRY_VOID(refuse_unapplied());
    TRY_VOID(stop_channel(sql));
  }
  TRY(owned, sql.value("SELECT @@global.gtid_owned"));
  if (!owned.empty()) return fail(ErrorKind::kRetry, "a transaction is still in the appliers' hands: {}", owned);
  if (!channel.source_host.empty()) TRY_VOID(sql.run("RESET REPLICA ALL FOR CHANNEL ''"));
  return {};
}

Result<void> ServerAdmin::forget_cloned_channel(const std::stop_token& stop) {
  const std::scoped_lock lock(channel_);
  TRY(outcome, clone_outcome(stop));
  if (outcome.state != CloneOutcome::State::kCompleted) {
    return fail(ErrorKind::kUnsafe, "this server was not filled by a completed clone");
  }
  TRY(sql, work_.take(stop));
  TRY_VOID(allow_clone(stop, false));
  TRY(source, read_source(sql));
  if (!source) return {};
  TRY(unapplied, read_unapplied(sql));
  if (!unapplied.empty()) return fail(ErrorKind::kUnsafe, "received but not applied: {}", unapplied.to_string());
  TRY_VOID(sql.run("STOP REPLICA FOR CHANNEL ''"));
  TRY_VOID(sql.run("RESET REPLICA ALL FOR CHANNEL ''"));
  return {};
}

}  // namespace baton::sidecar
