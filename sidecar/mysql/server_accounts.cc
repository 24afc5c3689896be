#include <algorithm>
#include <array>
#include <format>

#include "sidecar/mysql/password_mark.h"
#include "sidecar/mysql/server_admin.h"
#include "sidecar/mysql/server_state.h"

namespace baton::sidecar {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kAccountsAge = 5s;
constexpr std::string_view kIdentified = "IDENTIFIED WITH caching_sha2_password BY";

std::string account(std::string_view user) { return sql_quoted(user) + "@'%'"; }

/// The part of a statement that gives an account this password, with its mark. Both come or neither does.
std::string identified_by(std::string_view password, std::string_view options) {
  return std::format(R"({} {} {} ATTRIBUTE '{{"baton_password":"{}"}}')", kIdentified, sql_quoted(password), options,
                     password_mark(password));
}

const std::string& password_of(const AccountRow& row, const Passwords& passwords) {
  if (row.application) return passwords.application;
  return row.uuid.empty() ? passwords.clone : passwords.replication;
}

/// Whether account statements may go into the binlog. A statement that waits for an ack keeps the lock of the account
/// cache meanwhile, so that nobody can log in any more, not even the replica that would send the ack.
Result<bool> may_be_binlogged(SqlLease& sql) {
  TRY(channel, read_channel(sql));
  if (!channel.source_host.empty()) return false;
  TRY(semi_sync, sql.value("SELECT @@global.rpl_semi_sync_source_enabled"));
  return semi_sync == "0";
}

/// Refuses unless acks are flowing at this moment, if they are wanted at all.
Result<void> need_flowing_acks(SqlLease& sql) {
  TRY(rows, sql.query("SELECT @@global.rpl_semi_sync_source_enabled AS enabled,"
                      " @@global.rpl_semi_sync_source_wait_for_replica_count AS wanted"));
  if (!rows[0].flag("enabled")) return {};
  wire::SemiSync status;
  TRY_VOID(read_semi_sync_status(sql, status));
  if (status.clients >= rows[0].number("wanted") && status.waiting_sessions == 0) return {};
  return fail(ErrorKind::kRetry,
              "commits wait for acks: an account statement now would keep everybody from logging in");
}

/// The pattern of a database's name in GRANT, where _ and % stand for other characters, unless partial_revokes is on.
Result<std::string> grant_pattern(SqlLease& sql, std::string_view database) {
  TRY(partial_revokes, sql.value("SELECT @@global.partial_revokes"));
  std::string pattern;
  for (const char c : database) {
    if (partial_revokes == "0" && (c == '_' || c == '%' || c == '\\')) pattern += '\\';
    pattern += c;
  }
  return sql_name(pattern);
}

bool reserved_user(std::string_view user) {
  return user.empty() || user == "root" || user.starts_with("baton_") || user.starts_with("mysql.");
}

bool reserved_database(std::string_view database) {
  constexpr auto kOwn = std::to_array<std::string_view>({"mysql", "sys", "performance_schema", "information_schema"});
  return database.empty() || std::ranges::contains(kOwn, database);
}

}  // namespace

std::string replication_account(std::string_view uuid) {
  constexpr std::size_t kDigits = 24;
  std::string name(kReplicationAccountPrefix);
  for (const char c : uuid) {
    if (c != '-' && name.size() < kReplicationAccountPrefix.size() + kDigits) name += c;
  }
  return name;
}

Result<std::vector<AccountRow>> ServerAdmin::baton_accounts(SqlLease& sql) {
  const bool stale = accounts_stale_.exchange(false);
  {
    const std::scoped_lock lock(accounts_mutex_);
    if (!stale && steady_clock::now() - accounts_read_ < kAccountsAge) return accounts_;
  }
  auto rows = sql.query(
      "SELECT User, account_locked, User_attributes->>'$.metadata.baton_uuid' AS uuid,"
      " User_attributes->>'$.metadata.baton' AS baton,"
      " User_attributes->>'$.metadata.baton_password' AS password_mark FROM mysql.user WHERE Host='%' HAVING"
      " baton IS NOT NULL");
  if (!rows) {
    forget_accounts();
    return std::unexpected(Error(rows.error()));
  }
  std::vector<AccountRow> accounts;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const auto row = (*rows)[i];
    accounts.push_back({.user = row.text("User"),
                        .uuid = row.text("uuid"),
                        .password_mark = row.text("password_mark"),
                        .locked = row.text("account_locked") == "Y",
                        .application = row.text("baton") == "application"});
  }
  const std::scoped_lock lock(accounts_mutex_);
  accounts_ = accounts;
  accounts_read_ = steady_clock::now();
  return accounts;
}

Result<void> ServerAdmin::change_accounts(SqlLease& sql, bool binlogged,
                                          const std::function<Result<void>()>& statements) {
  if (binlogged) TRY_VOID(sql.run("SET SESSION sql_log_bin=1"));
  auto done = while_writable(sql, statements);
  forget_accounts();
  if (binlogged && !sql.run("SET SESSION sql_log_bin=0")) sql.drop();
  return done;
}

Result<void> ServerAdmin::while_writable(SqlLease& sql, const std::function<Result<void>()>& statements) {
  TRY(closed, sql.value("SELECT @@global.super_read_only"));
  // Open by an order, or by hand; or still from the last time.
  if (closed == "0" && !is_to_be_closed_) return statements();
  const Odd opening(openings_);
  is_to_be_closed_ = true;
  // read_only stays on: but for root, everybody is kept out as before.
  TRY_VOID(sql.run("SET GLOBAL super_read_only=OFF"));
  auto done = statements();
  // A stop ends the caller's session, but not the duty to close the door again.
  auto own = work_.take(std::stop_token());
  auto closed_again = own ? close_door(*own) : std::unexpected(Error(own.error()));
  if (!closed_again && done) return wrap("super_read_only could not be set again", std::move(closed_again).error());
  return done;
}

Result<void> ServerAdmin::close_door(SqlLease& sql) {
  // It would set read_only too: a server that was opened since stays open.
  TRY(closed, sql.value("SELECT @@global.read_only"));
  if (closed != "0") TRY_VOID(sql.run("SET GLOBAL super_read_only=ON"));
  is_to_be_closed_ = false;
  return {};
}

Result<void> ServerAdmin::close_again(const std::stop_token& stop) {
  if (!is_to_be_closed_) return {};
  const std::unique_lock lock(writable_, std::try_to_lock);
  if (!lock || !is_to_be_closed_) return {};  // Whoever has the lock closes it himself.
  const Odd opening(openings_);
  TRY(sql, work_.take(stop));
  TRY_VOID(sql.run("SET SESSION lock_wait_timeout=1"));
  auto closed = close_door(sql);
  sql.drop();
  return closed;
}

Result<void> ServerAdmin::bootstrap_accounts(const std::stop_token& stop, const Passwords& passwords) {
  TRY(sql, work_.take(stop));
  forget_accounts();
  TRY(accounts, baton_accounts(sql));
  if (std::ranges::contains(accounts, kCloneAccount, &AccountRow::user)) return {};
  const std::scoped_lock lock(writable_);
  TRY(binlogged, may_be_binlogged(sql));
  return change_accounts(sql, binlogged, [&] -> Result<void> {
    const std::string clone = account(kCloneAccount);
    TRY_VOID(sql.run(std::format("CREATE USER IF NOT EXISTS {} {}", clone,
                                 identified_by(passwords.clone, "REQUIRE SSL ACCOUNT LOCK"))));
    TRY_VOID(sql.run(std::format("GRANT BACKUP_ADMIN ON *.* TO {}", clone)));
    // Last: it is what says that all is done.
    TRY_VOID(sql.run(std::format(R"(ALTER USER {} ATTRIBUTE '{{"baton":"clone"}}')", clone)));
    return {};
  });
}

Result<void> ServerAdmin::ensure_replication_account(const std::stop_token& stop, std::string_view uuid,
                                                     const Passwords& passwords) {
  if (!GtidSet::parse(std::format("{}:1", uuid))) return fail(ErrorKind::kTerminal, "'{}' is not a server_uuid", uuid);
  TRY(sql, work_.take(stop));
  forget_accounts();
  TRY(accounts, baton_accounts(sql));
  const auto known = std::ranges::find(accounts, uuid, &AccountRow::uuid);
  if (known != accounts.end() && !known->locked) return {};
  const std::scoped_lock lock(writable_);
  TRY(binlogged, may_be_binlogged(sql));
  return change_accounts(sql, binlogged, [&] -> Result<void> {
    const std::string name = account(replication_account(uuid));
    TRY_VOID(sql.run(
        std::format("CREATE USER IF NOT EXISTS {} {}", name, identified_by(passwords.replication, "REQUIRE SSL"))));
    TRY_VOID(sql.run(std::format("GRANT REPLICATION SLAVE ON *.* TO {}", name)));
    TRY_VOID(sql.run(std::format(
        R"(ALTER USER {} ACCOUNT UNLOCK ATTRIBUTE '{{"baton":"replication","baton_uuid":"{}"}}')", name, uuid)));
    return {};
  });
}

Result<void> ServerAdmin::ensure_application_account(const std::stop_token& stop, std::string_view database,
                                                     std::string_view user, const Passwords& passwords) {
  if (reserved_user(user)) return fail(ErrorKind::kTerminal, "'{}' cannot be the application's account", user);
  if (reserved_database(database))
    return fail(ErrorKind::kTerminal, "'{}' cannot be the application's database", database);
  TRY(sql, work_.take(stop));
  forget_accounts();
  TRY(accounts, baton_accounts(sql));
  const auto known = std::ranges::find(accounts, user, &AccountRow::user);
  if (known != accounts.end() && known->application) return {};
  TRY(channel, read_channel(sql));
  if (!channel.source_host.empty()) {
    return fail(ErrorKind::kUnsafe, "this server is a replica of {}: the application's account is made on the primary",
                channel.source_host);
  }
  TRY(pattern, grant_pattern(sql, database));
  const std::scoped_lock lock(writable_);
  TRY_VOID(need_flowing_acks(sql));
  return change_accounts(sql, true, [&] -> Result<void> {
    const std::string name = account(user);
    // It keeps no lock of accounts: when it has got its acks, those of the next statements are as good as there.
    TRY_VOID(sql.run(std::format("CREATE DATABASE IF NOT EXISTS {}", sql_name(database))));
    TRY_VOID(sql.run(std::format("CREATE USER IF NOT EXISTS {} {}", name, identified_by(passwords.application, ""))));
    TRY_VOID(sql.run(std::format("GRANT ALL ON {}.* TO {}", pattern, name)));
    TRY_VOID(sql.run(std::format(R"(ALTER USER {} ATTRIBUTE '{{"baton":"application"}}')", name)));
    return {};
  });
}

Result<void> ServerAdmin::allow_clone(const std::stop_token& stop, bool allowed) {
  TRY(sql, work_.take(stop));
  forget_accounts();
  TRY(accounts, baton_accounts(sql));
  const auto known = std::ranges::find(accounts, kCloneAccount, &AccountRow::user);
  if (known == accounts.end()) return fail(ErrorKind::kNotFound, "there is no account {}", kCloneAccount);
  if (known->locked != allowed) return {};
  const std::scoped_lock lock(writable_);
  return change_accounts(sql, false, [&] -> Result<void> {
    return sql.run(std::format("ALTER USER {} ACCOUNT {}", account(kCloneAccount), allowed ? "UNLOCK" : "LOCK"));
  });
}

Result<void> ServerAdmin::set_passwords(const std::stop_token& stop, const Passwords& passwords) {
  TRY(sql, work_.take(stop));
  forget_accounts();
  TRY(accounts, baton_accounts(sql));
  std::erase_if(accounts, [&](const auto& row) { return is_mark_of(row.password_mark, password_of(row, passwords)); });
  if (accounts.empty()) return {};
  const std::scoped_lock lock(writable_);
  return change_accounts(sql, false, [&] -> Result<void> {
    for (const auto& row : accounts) {
      TRY_VOID(sql.run(std::format("ALTER USER {} {}", account(row.user),
                                   identified_by(password_of(row, passwords), "RETAIN CURRENT PASSWORD"))));
    }
    return {};
  });
}

Result<void> ServerAdmin::expel_replica(const std::stop_token& stop, std::string_view uuid) {
  TRY(sql, work_.take(stop));
  const std::string name = replication_account(uuid);
  TRY(locked,
      sql.value(std::format("SELECT account_locked FROM mysql.user WHERE Host='%' AND User={}", sql_quoted(name))));
  if (locked == "N") {
    const std::scoped_lock lock(writable_);
    // Not binlogged: who is cut off from this primary must not be cut off from the next one.
    const auto lock_account = [&] -> Result<void> {
      return sql.run(std::format("ALTER USER {} ACCOUNT LOCK", account(name)));
    };
    TRY_VOID(change_accounts(sql, false, lock_account));
  }
  int looks_without = 0;
  const auto gone = look_until(stop, 5s, 3ms, [&] -> Result<bool> {
    TRY(ids, connections_of(sql, name, uuid));
    looks_without = ids.empty() ? looks_without + 1 : 0;
    TRY_VOID(kill_connections(sql, ids));
    // Twice, since one that was let in just before the lock may not have shown its name at the first look.
    return looks_without == 2;
  });
  if (!gone) return std::unexpected(gone.error());
  if (!*gone) return fail(ErrorKind::kRetry, "connections of replica {} were killed but are still there", uuid);
  return {};
}

}  // namespace baton::sidecar
