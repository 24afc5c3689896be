#include "sidecar/mysql/server_admin.h"

#include <algorithm>
#include <format>

#include "sidecar/mysql/server_state.h"

namespace baton::sidecar {
namespace {

using namespace std::chrono_literals;

/// CLONE says that it could not restart the server itself: everything has been copied (mysqld_error.h,
/// ER_RESTART_SERVER_FAILED).
constexpr unsigned kRestartFailed = 3707;
/// A donor copies to one recipient at a time. The next one's server hears of it in the text of another error
/// (mysqld_error.h, ER_CLONE_DONOR and ER_CLONE_TOO_MANY_CONCURRENT_CLONES).
constexpr unsigned kDonorFailed = 3862;
constexpr std::string_view kDonorIsBusy = " 3634 ";
constexpr auto kTurnPause = 500ms;
/// Of attempts that are refused. Then it is told, and another donor may be chosen.
constexpr auto kTurnPatience = 2min;
/// As long as anybody's data may take to copy; the library counts milliseconds in 32 bits.
constexpr auto kCloneLimit = std::chrono::hours(24 * 7);
/// It lets the server read two tables of constants again, here and on the replicas: of all that goes into a binary log
/// the least.
constexpr const char* kHeartbeat = "FLUSH OPTIMIZER_COSTS";
/// How long the next heartbeat waits after one that is not acknowledged; doubled with each more.
constexpr auto kHeartbeatPause = 5s;

}  // namespace

ServerAdmin::ServerAdmin(const MysqlLibrary& library, Config config)
    : library_(library),
      config_(std::move(config)),
      watch_(library, {.socket = config_.socket}, {.connect = 1s, .answer = 3s}, 1),
      work_(library, {.socket = config_.socket}, {.connect = 2s, .answer = 10s}, 3) {}

Result<wire::Sql> ServerAdmin::read_state(const std::stop_token& stop) {
  TRY(sql, watch_.take(stop));
  TRY(accounts, baton_accounts(sql));
  const std::uint64_t openings = openings_;
  TRY(state, read_sql(sql));
  const bool on_purpose = openings % 2 == 1 || openings != openings_;
  if (state.read_only && !state.super_read_only && !on_purpose) {
    state.drift.emplace_back("super_read_only is OFF, not ON");
  }
  for (const auto& row : accounts) {
    if (row.application) state.app_account = true;
    if (row.user == kCloneAccount) state.clone_unlocked = !row.locked;
    if (!row.uuid.empty()) state.replication_accounts.push_back({row.uuid, row.locked});
  }
  return state;
}

Result<void> ServerAdmin::reload_tls(const std::stop_token& stop) {
  TRY(sql, work_.take(stop));
  return sql.run("ALTER INSTANCE RELOAD TLS");
}

Result<void> ServerAdmin::clone_from(const std::stop_token& stop, const wire::CloneFrom& donor,
                                     const Passwords& passwords) {
  const SessionLimits limits{.connect = 2s, .answer = kCloneLimit};
  TRY(sql, Session::connect(library_, {.socket = config_.socket}, limits, stop));
  TRY_VOID(sql.run(
      stop, std::format("SET GLOBAL clone_valid_donor_list={}, GLOBAL clone_ssl_ca={}",
                        sql_quoted(std::format("{}:{}", donor.host, donor.port)), sql_quoted(config_.ca.string()))));
  const std::string clone =
      std::format("CLONE INSTANCE FROM {}@{}:{} IDENTIFIED BY {} REQUIRE SSL", sql_quoted(kCloneAccount),
                  sql_quoted(donor.host), donor.port, sql_quoted(passwords.clone));
  const auto done = look_until(stop, kTurnPatience, kTurnPause, [&] -> Result<bool> {
    const auto copied = sql.run(stop, clone);
    if (copied || copied.error().number == kRestartFailed) return true;
    if (copied.error().number == kDonorFailed && copied.error().text.contains(kDonorIsBusy)) return false;
    return wrap(std::format("clone from {}:{}", donor.host, donor.port), Error(copied.error()));
  });
  if (!done) return std::unexpected(done.error());
  if (!*done)
    return fail(ErrorKind::kRetry, "{}:{} copies to another member, and has for {} s", donor.host, donor.port,
                std::chrono::seconds(kTurnPatience).count());
  return {};
}

Result<CloneOutcome> ServerAdmin::clone_outcome(const std::stop_token& stop) {
  TRY(sql, work_.take(stop));
  TRY(rows, sql.query("SELECT STATE, ERROR_NO, ERROR_MESSAGE FROM performance_schema.clone_status"));
  if (rows.empty()) return CloneOutcome{};
  const std::string state = rows[0].text("STATE");
  using enum CloneOutcome::State;
  if (state == "Completed") return CloneOutcome{.state = kCompleted};
  if (state == "Failed") {
    return CloneOutcome{.state = kFailed,
                        .error = std::format("{}: {}", rows[0].text("ERROR_NO"), rows[0].text("ERROR_MESSAGE"))};
  }
  return CloneOutcome{.state = kRunning};
}

Result<void> ServerAdmin::set_ack_count(const std::stop_token& stop, std::int64_t count) {
  if (count < 0) return fail(ErrorKind::kTerminal, "an ack count of {} has no meaning", count);
  const std::scoped_lock lock(writable_);
  TRY(sql, work_.take(stop));
  TRY(now, sql.query("SELECT @@global.rpl_semi_sync_source_enabled AS enabled,"
                     " @@global.rpl_semi_sync_source_wait_for_replica_count AS wanted"));
  const bool enabled = now[0].flag("enabled");
  if (count == 0) {
    if (enabled) TRY_VOID(sql.run("SET GLOBAL rpl_semi_sync_source_enabled=OFF"));
    return {};
  }
  // The count first: semi-sync is never on with another one.
  if (now[0].number("wanted") != count) {
    TRY_VOID(sql.run(std::format("SET GLOBAL rpl_semi_sync_source_wait_for_replica_count={}", count)));
  }
  if (!enabled) TRY_VOID(sql.run("SET GLOBAL rpl_semi_sync_source_enabled=ON"));
  return {};
}

Result<void> ServerAdmin::write_heartbeat(const std::stop_token& stop) {
  TRY(sql, Session::connect(library_, {.socket = config_.socket}, {.connect = 2s, .answer = 3s}, stop));
  TRY(read_only, sql.value(stop, "SELECT @@global.read_only"));
  if (read_only != "0") return fail(ErrorKind::kUnsafe, "this server takes no writes");
  // One that waits for its ack does so whatever becomes of its session: not even KILL ends that (seen on 9.7.4).
  TRY(before, sql.query(stop, std::format("SELECT COUNT(*) AS count, MIN(PROCESSLIST_TIME) AS youngest FROM"
                                          " performance_schema.threads WHERE PROCESSLIST_INFO={}",
                                          sql_quoted(kHeartbeat))));
  const std::int64_t count = before[0].number("count");
  if (count > 0 && before[0].number("youngest") < kHeartbeatPause.count() << std::min<std::int64_t>(count, 16)) {
    return fail(ErrorKind::kRetry, "{} heartbeats wait for acks themselves; the next is written later", count);
  }
  const auto written = sql.run(stop, kHeartbeat);
  if (written) return {};
  if (written.error().server_answered()) return wrap("write a heartbeat", Error(written.error()));
  return fail(ErrorKind::kRetry, "a heartbeat was not acknowledged within 3 s");
}

Result<void> ServerAdmin::wait_ackers(const std::stop_token& stop, std::int64_t count,
                                      std::chrono::milliseconds limit) {
  TRY(sql, work_.take(stop));
  wire::SemiSync status;
  const auto enough = look_until(stop, std::clamp(limit, 0ms, 5000ms), 3ms, [&] -> Result<bool> {
    TRY_VOID(read_semi_sync_status(sql, status));
    return status.clients >= count;
  });
  if (!enough) return std::unexpected(enough.error());
  if (!*enough) return fail(ErrorKind::kRetry, "{} of {} semi-sync replicas are connected", status.clients, count);
  return {};
}

Result<std::vector<wire::DumpThread>> ServerAdmin::kill_strangers(const std::stop_token& stop,
                                                                  const std::vector<std::string>& allowed) {
  TRY(sql, work_.take(stop));
  TRY(connections, read_dump_connections(sql));
  std::vector<std::int64_t> ids;
  std::vector<wire::DumpThread> killed;
  for (const auto& dump : connections) {
    if (!dump.semi_sync && !dump.user.starts_with(kReplicationAccountPrefix)) continue;
    // The account is proven, the uuid only claimed: both must fit.
    if (std::ranges::contains(allowed, dump.uuid) && dump.user == replication_account(dump.uuid)) continue;
    ids.push_back(dump.id);
    killed.push_back({dump.uuid, dump.host});
  }
  TRY_VOID(kill_connections(sql, ids));
  return killed;
}

Result<std::vector<std::int64_t>> ServerAdmin::connections_of(SqlLease& sql, std::string_view account,
                                                              std::string_view uuid) {
  TRY(rows,
      sql.query(std::format("SELECT PROCESSLIST_ID AS id FROM performance_schema.threads WHERE PROCESSLIST_USER={}"
                            " AND PROCESSLIST_ID IS NOT NULL AND TYPE='FOREGROUND'",
                            sql_quoted(account))));
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < rows.size(); ++i) ids.push_back(rows[i].number("id"));
  TRY(connections, read_dump_connections(sql));
  for (const auto& dump : connections) {
    if (dump.uuid == uuid && !std::ranges::contains(ids, dump.id)) ids.push_back(dump.id);
  }
  return ids;
}

}  // namespace baton::sidecar
