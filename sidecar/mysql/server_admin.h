#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/mysql/mysql_session.h"
#include "sidecar/mysql/session_pool.h"
#include "sidecar/wire/member_state.h"
#include "sidecar/wire/order.h"

namespace baton::sidecar {

/// Passwords of Baton's accounts, read from the mounted Secret by the caller, anew for each order.
struct Passwords {
  std::string replication;  ///< Of every baton_r_… account.
  std::string clone;        ///< Of baton_clone.
  std::string application;  ///< Of the application's account.

  friend bool operator==(const Passwords&, const Passwords&) = default;
};

/// The account with which an incarnation's receiver logs in at its source: baton_r_ and the first 24 hexadecimal digits
/// of its server_uuid, which is as long as an account's name may be (32 characters). The whole uuid is in the account's
/// attribute `baton_uuid`.
[[nodiscard]] std::string replication_account(std::string_view uuid);
inline constexpr std::string_view kReplicationAccountPrefix = "baton_r_";
inline constexpr std::string_view kCloneAccount = "baton_clone";

/// How a clone into this server went (performance_schema.clone_status), asked after its restart.
struct CloneOutcome {
  enum class State : std::uint8_t { kNone, kRunning, kCompleted, kFailed };
  State state = State::kNone;
  std::string error;
};

/// A row of mysql.user that Baton made.
struct AccountRow {
  std::string user;
  std::string uuid;           ///< Of a replication account.
  std::string password_mark;  ///< Of the password that Baton gave it last (password_mark.h); empty: not known.
  bool locked = false;
  bool application = false;
};

/// What SQL does to the local mysqld: each order of sidecar/wire/order.h, and the state of a running server.
///
/// Works as root@localhost over the unix socket. That account has no password and is no way in from outside: settings
/// pin skip_name_resolve, so that no TCP address matches 'localhost', and the socket lies in a folder of the sidecar's
/// uid. Every session has sql_log_bin=0, so that nothing local becomes an errant transaction. Statements that make
/// accounts go into the binlog, for the replicas, only while semi-sync is off: one that waits for acks keeps the lock
/// of the account cache meanwhile, and nobody can log in any more, not even the replica whose ack it waits for (seen
/// on 9.7.4).
///
/// Thread-safe. Connections are made when needed and kept; one that the server closed is replaced. Orders that touch
/// the replication channel wait for one another. Every call ends at the stop token, and by itself within about 10 s of
/// a server's silence unless it says otherwise. Errors: SqlFailure's kinds, wrapped with the operation; and as said.
class ServerAdmin {
 public:
  struct Config {
    std::filesystem::path socket;  ///< mysqld's unix socket.
    std::filesystem::path ca;      ///< Certificate of the cluster's CA, as mysqld sees it: SOURCE_SSL_CA, clone_ssl_ca.
  };
  /// `library` must live longer. Connects to nothing yet.
  ServerAdmin(const MysqlLibrary& library, Config config);

  /// All fields of wire::Sql, in this order, over one session; the GTID sets come LAST, since whoever sees that an ack
  /// count was raised or a replica is gone takes the sets of the same state as the floor of what was acknowledged
  /// before:
  ///   mysql.user for Baton's accounts: only every 5 s, and after an order of this object that changes accounts;
  ///   the dump threads out of performance_schema.threads with their @replica_uuid (user_variables_by_thread);
  ///   SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'; SHOW REPLICA STATUS FOR CHANNEL '';
  ///   SELECT version, read_only, semi-sync's and all pinned settings;
  ///   SELECT @@global.gtid_owned; SELECT @@global.gtid_executed, gtid_purged.
  /// gtid_owned before gtid_executed: a transaction moves from owned to executed, so their union misses none of those
  /// that were in the binlog when gtid_owned was read. About 1 ms. Gives up after 3 s of silence.
  /// That super_read_only is off while read_only is on counts as drift, but for the time of a call of this object.
  [[nodiscard]] Result<wire::Sql> read_state(const std::stop_token& stop);

  /// ALTER INSTANCE RELOAD TLS: connections made from now on see the certificate files as they are. kTerminal: they do
  /// not fit together or cannot be read; the former stay in use.
  [[nodiscard]] Result<void> reload_tls(const std::stop_token& stop);

  // ---- accounts. super_read_only is off for their time and then as before; read_only stays. If it cannot be set again
  // within 5 s (somebody holds a lock, a commit waits for an ack), that is the call's failure, and close_again's work.

  /// SET GLOBAL super_read_only=ON, if a call above had to leave it off, or it is the first of this object, and nobody
  /// has opened the server since. Waits 1 s at most for the lock that this takes. For who looks after the server, every
  /// now and then.
  [[nodiscard]] Result<void> close_again(const std::stop_token& stop);

  /// CREATE USER baton_clone@'%' … REQUIRE SSL ACCOUNT LOCK; GRANT BACKUP_ADMIN. Nothing if it is there. Binlogged if
  /// semi-sync is off.
  [[nodiscard]] Result<void> bootstrap_accounts(const std::stop_token& stop, const Passwords& passwords);
  /// CREATE USER baton_r_…@'%' … REQUIRE SSL; GRANT REPLICATION SLAVE; ALTER USER … ACCOUNT UNLOCK if it is locked.
  /// For any member: binlogged on a server without a source while semi-sync is off, else for this server alone.
  [[nodiscard]] Result<void> ensure_replication_account(const std::stop_token& stop, std::string_view uuid,
                                                        const Passwords& passwords);
  /// CREATE DATABASE; CREATE USER …@'%'; GRANT ALL ON that database alone. Always binlogged. kTerminal: the name is one
  /// of Baton's or the server's own; kUnsafe: this is a replica; kRetry: commits wait for acks.
  [[nodiscard]] Result<void> ensure_application_account(const std::stop_token& stop, std::string_view database,
                                                        std::string_view user, const Passwords& passwords);
  /// ALTER USER baton_clone ACCOUNT UNLOCK | LOCK, if it is not so yet. On this server alone: given to the donor.
  [[nodiscard]] Result<void> allow_clone(const std::stop_token& stop, bool allowed);
  /// For a Secret made anew: ALTER USER … IDENTIFIED BY … RETAIN CURRENT PASSWORD for all of Baton's accounts and the
  /// application's, so that the old passwords hold too until the next change. On this server alone: given to each
  /// member. An account that has its password already is left alone: the statement would put it in the place of the old
  /// one too, which others may still use.
  [[nodiscard]] Result<void> set_passwords(const std::stop_token& stop, const Passwords& passwords);

  // ---- clone

  /// SET GLOBAL clone_valid_donor_list, clone_ssl_ca; CLONE INSTANCE FROM … REQUIRE SSL. Blocks until all is copied,
  /// however long, then mysqld ends with status 16 to be started again. A donor copies to one at a time, and is asked
  /// again while it copies to another; kRetry after two minutes of that. Success: copied; clone_outcome after the
  /// restart is the last word. All data of this server are gone from the moment it begins: the caller has checked that
  /// the directory has no value.
  [[nodiscard]] Result<void> clone_from(const std::stop_token& stop, const wire::CloneFrom& donor,
                                        const Passwords& passwords);
  /// STATE and ERROR_MESSAGE of performance_schema.clone_status.
  [[nodiscard]] Result<CloneOutcome> clone_outcome(const std::stop_token& stop);
  /// After the restart into a clone: RESET REPLICA ALL, since the copied channel is the donor's and its relay logs were
  /// not copied; and baton_clone is locked, which was copied unlocked. kUnsafe unless the clone has completed and this
  /// channel never retrieved anything.
  [[nodiscard]] Result<void> forget_cloned_channel(const std::stop_token& stop);

  // ---- replication channel

  /// Makes the receiver follow a source as baton_r_<own uuid>, over TLS, with or without acks, and both threads run.
  /// Changes nothing if all is so already. Else, whatever of it is needed:
  ///   STOP REPLICA IO_THREAD; START REPLICA SQL_THREAD if it does not run; SET GLOBAL rpl_semi_sync_replica_enabled;
  ///   Rpl_semi_sync_replica_status is seen OFF; CHANGE REPLICATION SOURCE TO …; START REPLICA.
  /// With both threads stopped, CHANGE purges the relay logs: so the applier is started first and never stopped here.
  /// kUnsafe: the server is open for writes; the source is this server or (if it connects within 0.5 s) not the one
  /// meant; the source is to be changed while the applier cannot run and something received is unapplied.
  [[nodiscard]] Result<void> follow(const std::stop_token& stop, const wire::Follow& order, const Passwords& passwords);
  /// Why the applier could not go on: it stands behind the end of a relay log, or in one that is gone. After a loss of
  /// power, mysql.slave_relay_log_info may be ahead of relay logs, which are not synced. Empty: it could, or runs.
  /// (A relay log that is torn behind the applier's place is no obstacle: mysqld goes on behind it, seen on 9.7.4.)
  [[nodiscard]] Result<std::string> overrun_relay_logs(const std::stop_token& stop);
  /// STOP REPLICA; RESET REPLICA ALL, whatever is unapplied: the caller has made sure that the relay logs are kept.
  /// kUnsafe: the server is open for writes.
  [[nodiscard]] Result<void> reset_channel(const std::stop_token& stop);
  /// STOP REPLICA IO_THREAD; gives Retrieved_Gtid_Set, which is final then. Empty without a channel. A receiver that
  /// redials a lost source can take 2 s to stop.
  [[nodiscard]] Result<GtidSet> stop_receiver(const std::stop_token& stop);
  /// START REPLICA SQL_THREAD if it does not run; SELECT WAIT_FOR_EXECUTED_GTID_SET(target, seconds). kRetry, naming
  /// what is missing, when time is over.
  [[nodiscard]] Result<void> wait_applied(const std::stop_token& stop, const GtidSet& target,
                                          std::chrono::milliseconds limit);
  /// The checks and statements of wire::Open: gtid_executed ⊇ target; retrieved ⊆ executed; STOP REPLICA IO_THREAD;
  /// retrieved ⊆ executed again; an applier that is in the middle of a transaction is killed, since the rest will never
  /// come; STOP REPLICA, or, where a lock for a backup refuses it, all of the applier is killed; gtid_owned empty;
  /// RESET REPLICA ALL; SET GLOBAL super_read_only=OFF, read_only=OFF. Semi-sync's settings stay as set_ack_count left
  /// them. Nothing if the server is open already. kUnsafe: something is missing or unapplied, with the set; kRetry: a
  /// transaction is still in the appliers' hands.
  [[nodiscard]] Result<void> open(const std::stop_token& stop, const GtidSet& target);

  // ---- durability

  /// SET GLOBAL sync_binlog=100, innodb_flush_log_at_trx_commit=2. Each commit still reaches the kernel, so that a
  /// crash of mysqld takes nothing back; what is left to sync later stays small.
  [[nodiscard]] Result<void> relax_durability(const std::stop_token& stop);
  /// SET GLOBAL sync_binlog=1, innodb_flush_log_at_trx_commit=1; waits, 5 s at most, for the end of all transactions
  /// that may have begun to commit before that (kRetry), but not for appliers that wait for a lock; FLUSH ENGINE LOGS,
  /// which syncs the redo log. Of the binary log, the earlier part is synced with the next commit only: the caller
  /// syncs the files.
  [[nodiscard]] Result<void> restore_durability(const std::stop_token& stop);
  /// Reads both settings. kRetry, naming it, if one is not as restore_durability sets it.
  [[nodiscard]] Result<void> verify_durability(const std::stop_token& stop);

  // ---- semi-sync source

  /// SET GLOBAL rpl_semi_sync_source_wait_for_replica_count, rpl_semi_sync_source_enabled; 0 switches it off.
  [[nodiscard]] Result<void> set_ack_count(const std::stop_token& stop, std::int64_t count);
  /// FLUSH OPTIMIZER_COSTS into the binary log: its ack frees all commits before it that wait, since an ack counts for
  /// every earlier position. kUnsafe: this server takes no writes; kRetry: no ack came within 3 s, or earlier ones wait
  /// still, which nothing ends but an ack: the more of them, the rarer.
  [[nodiscard]] Result<void> write_heartbeat(const std::stop_token& stop);
  /// Looks at Rpl_semi_sync_source_clients every 3 ms. kRetry with the number when time is over.
  [[nodiscard]] Result<void> wait_ackers(const std::stop_token& stop, std::int64_t count,
                                         std::chrono::milliseconds limit);
  /// Looks every 3 ms whether `target` is received or executed. kRetry, naming what is missing, when time is over, or
  /// the receiver is not connected.
  [[nodiscard]] Result<void> wait_received(const std::stop_token& stop, const GtidSet& target,
                                           std::chrono::milliseconds limit);
  /// ALTER USER baton_r_… ACCOUNT LOCK (this server alone); KILL of all its connections, seen gone, at most 5 s:
  /// kRetry.
  [[nodiscard]] Result<void> expel_replica(const std::stop_token& stop, std::string_view uuid);
  /// KILL of each dump thread whose acks would count or that logged in as baton_r_…, and whose uuid is not among
  /// `allowed`. Gives those that it killed. Dump threads of other accounts without acks (data capture) are left alone.
  [[nodiscard]] Result<std::vector<wire::DumpThread>> kill_strangers(const std::stop_token& stop,
                                                                     const std::vector<std::string>& allowed);

 private:
  [[nodiscard]] Result<void> keep_applying(SqlLease& sql, const GtidSet& target);
  [[nodiscard]] Result<std::vector<AccountRow>> baton_accounts(SqlLease& sql);
  /// Runs account statements while_writable, with or without the binlog. Needs writable_ held.
  [[nodiscard]] Result<void> change_accounts(SqlLease& sql, bool binlogged,
                                             const std::function<Result<void>()>& statements);
  /// Runs statements with super_read_only off, and sets it again if it was on.
  [[nodiscard]] Result<void> while_writable(SqlLease& sql, const std::function<Result<void>()>& statements);
  /// Sets super_read_only again after while_writable. Needs writable_ held.
  [[nodiscard]] Result<void> close_door(SqlLease& sql);
  /// Connections of a replication account, and dump threads that claim its uuid.
  [[nodiscard]] static Result<std::vector<std::int64_t>> connections_of(SqlLease& sql, std::string_view account,
                                                                        std::string_view uuid);
  /// STOP REPLICA and RESET REPLICA ALL under the last-copy guard.
  [[nodiscard]] static Result<void> forget_channel(SqlLease& sql);
  void forget_accounts() { accounts_stale_ = true; }

  const MysqlLibrary& library_;
  Config config_;
  SessionPool watch_;  ///< For read_state: short answers only, and never held up by an order.
  SessionPool work_;
  std::mutex channel_;  ///< Held while the replication channel is changed.
  /// Held while read_only, super_read_only or rpl_semi_sync_source_enabled is changed. Taken after channel_.
  std::mutex writable_;
  /// super_read_only was switched off by while_writable, and is not known to be on again. At first that may have been
  /// the work of an earlier sidecar, which did not live to end it.
  std::atomic<bool> is_to_be_closed_ = true;
  /// Odd while super_read_only is off on purpose or about to be set: what read_state sees then is no drift.
  std::atomic<std::uint64_t> openings_ = 0;
  std::mutex accounts_mutex_;
  std::vector<AccountRow> accounts_;
  std::chrono::steady_clock::time_point accounts_read_{};
  std::atomic<bool> accounts_stale_ = true;
};

}  // namespace baton::sidecar
