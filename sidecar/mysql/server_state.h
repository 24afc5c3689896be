#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/mysql/session_pool.h"
#include "sidecar/wire/member_state.h"

/// Readings that several orders share: one function, one or two statements. For sidecar/mysql alone.
namespace baton::sidecar {

/// A connection that is fed from the binlog.
struct DumpConnection {
  std::int64_t id = 0;  ///< For KILL.
  std::string user;
  std::string host;
  std::string uuid;        ///< As the replica claims, in @replica_uuid.
  bool semi_sync = false;  ///< Its acks would count: @rpl_semi_sync_replica is set.
};

/// All but the accounts.
[[nodiscard]] Result<wire::Sql> read_sql(SqlLease& sql);
/// SHOW REPLICA STATUS: the row of the default channel, or a default Channel. Names of other channels go to `others`.
[[nodiscard]] Result<wire::Channel> read_channel(SqlLease& sql, std::vector<std::string>* others = nullptr);
/// SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%': fills clients, waiting_sessions, source_active, replica_active.
[[nodiscard]] Result<void> read_semi_sync_status(SqlLease& sql, wire::SemiSync& semi_sync);
[[nodiscard]] Result<std::vector<DumpConnection>> read_dump_connections(SqlLease& sql);
/// SELECT @@global.gtid_executed.
[[nodiscard]] Result<GtidSet> read_executed(SqlLease& sql);
/// What was received by this channel and is not executed. Retrieved is read first, so that it never seems more.
[[nodiscard]] Result<GtidSet> read_unapplied(SqlLease& sql);
/// KILL of connections; one that is gone already is no failure.
[[nodiscard]] Result<void> kill_connections(SqlLease& sql, const std::vector<std::int64_t>& ids);

}  // namespace baton::sidecar
