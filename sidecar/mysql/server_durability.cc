#include <format>

#include "sidecar/mysql/server_admin.h"
#include "sidecar/mysql/server_state.h"

namespace baton::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongestCommit = 5s;

/// What an applier holds that has yet to begin its commit: it waits for a lock, maybe for hours (a reader has locked
/// the table), or behind such a one for its turn, which comes before the commit writes anything (sql/binlog.cc,
/// ordered_commit, stage 0). It will find the settings as they are then. INNODB_TRX would not tell: who asks it again
/// within a tenth of a second gets the old answer (trx0i_s.cc).
Result<GtidSet> read_held_up(SqlLease& sql) {
  TRY(rows, sql.query("SELECT w.APPLYING_TRANSACTION AS gtid"
                      " FROM performance_schema.replication_applier_status_by_worker AS w"
                      " JOIN performance_schema.threads AS t USING (THREAD_ID)"
                      " WHERE w.APPLYING_TRANSACTION<>'' AND (t.PROCESSLIST_STATE LIKE 'Waiting for % lock'"
                      " OR t.PROCESSLIST_STATE IN ('Waiting for table flush',"
                      " 'Waiting for preceding transaction to commit')"
                      " OR THREAD_ID IN (SELECT REQUESTING_THREAD_ID FROM performance_schema.data_lock_waits))"));
  GtidSet all;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    TRY(one, GtidSet::parse(rows[i].text("gtid")));
    all = all.united(one);
  }
  return all;
}

/// What may be committing. Not what is held up before that. Nor what the receiver was stopped in the middle of, since
/// that can come to no commit: a transaction counts as received before the applier sees its end (sql/binlog.cc,
/// after_write_to_relay_log).
Result<GtidSet> read_committing(SqlLease& sql) {
  TRY(text, sql.value("SELECT @@global.gtid_owned"));
  TRY(owned, GtidSet::parse_owned(text));
  if (owned.empty()) return owned;
  TRY(held_up, read_held_up(sql));
  TRY(channel, read_channel(sql));
  GtidSet committing = owned.minus(held_up);
  if (channel.source_host.empty() || channel.receiver != wire::Thread::kStopped) return committing;
  TRY(received, GtidSet::parse(channel.retrieved));
  return committing.intersected(received);
}

/// Who began to commit before the settings were strict may have passed the place where it would have synced. A
/// replica's transaction owns its GTID from its first statement to the end of its commit.
Result<void> await_commits_under_way(SqlLease& sql) {
  TRY(began, read_committing(sql));
  GtidSet left;
  const auto ended = look_until(sql.stop(), kLongestCommit, 5ms, [&] -> Result<bool> {
    TRY(owned, read_committing(sql));
    left = owned.intersected(began);
    return left.empty();
  });
  if (!ended) return std::unexpected(ended.error());
  if (*ended) return {};
  return fail(ErrorKind::kRetry, "{} began while durability was relaxed and has not ended yet", left.to_string());
}

}  // namespace

Result<void> ServerAdmin::relax_durability(const std::stop_token& stop) {
  TRY(sql, work_.take(stop));
  // Not 0 and 0: then the end of mysqld alone would lose commits, and at the end all of the binary log would be left to
  // be synced. The redo log is synced once a second.
  return sql.run("SET GLOBAL sync_binlog=100, GLOBAL innodb_flush_log_at_trx_commit=2");
}

Result<void> ServerAdmin::restore_durability(const std::stop_token& stop) {
  TRY(sql, work_.take(stop));
  TRY_VOID(sql.run("SET GLOBAL sync_binlog=1, GLOBAL innodb_flush_log_at_trx_commit=1"));
  TRY_VOID(await_commits_under_way(sql));
  // Writes and syncs the redo log whatever the settings (ha_innodb.cc, innobase_flush_logs).
  return sql.run("FLUSH LOCAL ENGINE LOGS");
}

Result<void> ServerAdmin::verify_durability(const std::stop_token& stop) {
  TRY(sql, work_.take(stop));
  TRY(state, read_sql(sql));
  if (state.relaxed.empty()) return {};
  return fail(ErrorKind::kRetry, "durability is not restored: {}", state.relaxed.front());
}

}  // namespace baton::sidecar
