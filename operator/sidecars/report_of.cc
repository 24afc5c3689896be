#include "operator/sidecars/report_of.h"

#include <algorithm>
#include <format>
#include <utility>

#include "sidecar/wire/order.h"

namespace baton {
namespace {

engine::Directory directory_of(wire::Directory directory) {
  switch (directory) {
    case wire::Directory::kUnknown: return engine::Directory::kUnknown;
    case wire::Directory::kEmpty: return engine::Directory::kEmpty;
    case wire::Directory::kInitialized: return engine::Directory::kInitialized;
    case wire::Directory::kCloned: return engine::Directory::kCloned;
  }
  std::unreachable();
}

engine::Process process_of(wire::Process process) {
  switch (process) {
    case wire::Process::kUnknown: return engine::Process::kUnknown;
    case wire::Process::kNotRunning: return engine::Process::kNotRunning;
    case wire::Process::kInitializing: return engine::Process::kInitializing;
    case wire::Process::kCloning: return engine::Process::kCloning;
    case wire::Process::kStarting: return engine::Process::kStarting;
    case wire::Process::kRunning: return engine::Process::kRunning;
  }
  std::unreachable();
}

engine::Thread thread_of(wire::Thread thread) {
  switch (thread) {
    case wire::Thread::kStopped: return engine::Thread::kStopped;
    case wire::Thread::kConnecting: return engine::Thread::kConnecting;
    case wire::Thread::kRunning: return engine::Thread::kRunning;
  }
  std::unreachable();
}

engine::OpenEnd open_end_of(const wire::MemberState& state) {
  if (!state.suspect_end) return engine::OpenEnd::kNone;
  const bool told = state.last_exit && state.last_exit->status;
  return told ? engine::OpenEnd::kShutDown : engine::OpenEnd::kUntold;
}

/// The drift of a setting that decides whether commits wait for acks, by the names that sidecar/mysql/pinned.cc gives.
std::string ack_drift_of(const std::vector<std::string>& drift) {
  const auto found = std::ranges::find_if(
      drift, [](const std::string& sentence) { return sentence.starts_with("rpl_semi_sync_source_"); });
  return found == drift.end() ? std::string() : *found;
}

std::string exit_of(const std::optional<wire::Exit>& exit) {
  if (!exit) return {};
  if (exit->signal) return std::format("killed by signal {}", *exit->signal);
  return exit->status ? std::format("exited with status {}", *exit->status) : "ended";
}

/// A GTID text and, if an earlier line had the same text, what it was parsed to.
Result<GtidSet> gtid_set(std::string_view field, const std::string& text, const std::string* earlier_text,
                         const GtidSet* earlier_set) {
  if (earlier_text != nullptr && earlier_set != nullptr && *earlier_text == text) return *earlier_set;
  auto parsed = GtidSet::parse(text);
  if (!parsed) return wrap(field, std::move(parsed).error());
  return parsed;
}

engine::SemiSync semi_sync_of(const wire::SemiSync& from) {
  return {.source_enabled = from.source_enabled && from.source_active,
          .wait_for_count = static_cast<int>(from.wait_for_count),
          .clients = static_cast<int>(from.clients),
          .waiting_sessions = static_cast<int>(from.waiting_sessions),
          .replica_enabled = from.replica_enabled,
          .replica_active = from.replica_active};
}

Result<engine::Server> server_of(const wire::Sql& sql, const wire::Sql* before_sql, const engine::Server* before) {
  TRY(executed, gtid_set("gtid_executed", sql.gtid_executed, before_sql ? &before_sql->gtid_executed : nullptr,
                         before ? &before->executed : nullptr));
  TRY(owned, gtid_set("gtid_owned", sql.gtid_owned, before_sql ? &before_sql->gtid_owned : nullptr,
                      before ? &before->owned : nullptr));
  TRY(retrieved, gtid_set("retrieved", sql.channel.retrieved, before_sql ? &before_sql->channel.retrieved : nullptr,
                          before ? &before->channel.retrieved : nullptr));
  engine::Server server{.version = sql.version,
                        .read_only = sql.read_only,
                        .executed = std::move(executed),
                        .owned = std::move(owned),
                        .semi_sync = semi_sync_of(sql.semi_sync),
                        .channel = {.source_host = sql.channel.source_host,
                                    .from_logs = sql.channel.source_port == wire::kLogPort,
                                    .source_uuid = sql.channel.source_uuid,
                                    .receiver = thread_of(sql.channel.receiver),
                                    .applier = thread_of(sql.channel.applier),
                                    .retrieved = std::move(retrieved),
                                    .receiver_error = sql.channel.receiver_error,
                                    .applier_error = sql.channel.applier_error},
                        .dump_threads = {},
                        .replication_accounts = {},
                        .app_account = sql.app_account,
                        .clone_unlocked = sql.clone_unlocked,
                        .drift = sql.drift,
                        .ack_drift = ack_drift_of(sql.drift),
                        .fsyncs_relay_log = sql.fsyncs_relay_log,
                        .relaxed = !sql.relaxed.empty()};
  for (const auto& thread : sql.dump_threads) server.dump_threads.push_back({ServerUuid(thread.uuid), thread.host});
  for (const auto& account : sql.replication_accounts) {
    server.replication_accounts.push_back({ServerUuid(account.uuid), account.locked});
  }
  return server;
}

/// What moves with every commit, blanked.
wire::MemberState without_progress(wire::MemberState state) {
  state.sequence = 0;
  if (!state.sql) return state;
  state.servable.clear();
  state.sql->gtid_executed.clear();
  state.sql->gtid_owned.clear();
  state.sql->gtid_purged.clear();
  state.sql->channel.retrieved.clear();
  state.sql->channel.place.clear();
  state.sql->channel.rows_in_progress = 0;
  state.sql->semi_sync.waiting_sessions = state.sql->semi_sync.waiting_sessions > 0 ? 1 : 0;
  return state;
}

}  // namespace

Result<HeardLine> heard_line(wire::MemberState state, const HeardLine* previous) {
  HeardLine line{.state = {},
                 .report = {.uuid = ServerUuid(state.uuid),
                            .pod_uid = PodUid(state.pod_uid),
                            .boot_id = BootId(state.boot_id),
                            .held_epoch = Epoch(state.epoch),
                            .held_revision = Revision(state.revision),
                            .opened_epoch = Epoch(state.opened_epoch),
                            .held = state.hold != wire::Hold::kNone,
                            .relaxed = state.relaxed,
                            .directory = directory_of(state.directory),
                            .process = process_of(state.process),
                            .terminating = state.terminating,
                            .exit = exit_of(state.last_exit),
                            .open_end = open_end_of(state),
                            .unseen_pod = PodUid(state.unseen_pod),
                            .unordered_ends = static_cast<int>(state.unordered_ends),
                            .restart_pause = std::chrono::seconds(state.restart_pause_seconds),
                            .start_error = state.start_error,
                            .server = std::nullopt,
                            .sql_error = state.sql_error,
                            .dead_log = std::nullopt,
                            .dead_log_error = state.logs_error,
                            .unreadable_log = state.unreadable_log,
                            .servable = {},
                            .offered_to = ServerUuid(state.offered_to),
                            .offered = {},
                            .busy = state.busy}};
  TRY(servable, gtid_set("servable", state.servable, previous ? &previous->state.servable : nullptr,
                         previous ? &previous->report.servable : nullptr));
  line.report.servable = std::move(servable);
  TRY(offered, gtid_set("offered", state.offered, previous ? &previous->state.offered : nullptr,
                        previous ? &previous->report.offered : nullptr));
  line.report.offered = std::move(offered);
  if (state.sql) {
    const bool had_sql = previous != nullptr && previous->state.sql && previous->report.server;
    TRY(server, server_of(*state.sql, had_sql ? &*previous->state.sql : nullptr,
                          had_sql ? &*previous->report.server : nullptr));
    line.report.server = std::move(server);
  }
  if (state.process == wire::Process::kNotRunning && state.logs_readable) {
    const bool had_log = previous != nullptr && previous->report.dead_log;
    TRY(log, gtid_set("logs_gtid_set", state.logs_gtid_set, had_log ? &previous->state.logs_gtid_set : nullptr,
                      had_log ? &*previous->report.dead_log : nullptr));
    line.report.dead_log = std::move(log);
  }
  line.state = std::move(state);
  return line;
}

bool same_content(const wire::MemberState& a, const wire::MemberState& b) {
  if (a.sequence == b.sequence) return a == b;
  wire::MemberState renumbered = a;
  renumbered.sequence = b.sequence;
  return renumbered == b;
}

bool same_apart_from_progress(const wire::MemberState& a, const wire::MemberState& b) {
  return without_progress(a) == without_progress(b);
}

bool same_sets(const wire::MemberState& a, const wire::MemberState& b) {
  return a.sql && b.sql && a.sql->gtid_executed == b.sql->gtid_executed &&
         a.sql->channel.retrieved == b.sql->channel.retrieved &&
         a.sql->channel.rows_in_progress == b.sql->channel.rows_in_progress;
}

bool same_progress(const wire::MemberState& a, const wire::MemberState& b) {
  return same_sets(a, b) && a.sql->channel.place == b.sql->channel.place;
}

bool same_source(const wire::MemberState& a, const wire::MemberState& b) {
  return a.sql && b.sql && a.sql->channel.source_host == b.sql->channel.source_host &&
         a.sql->channel.source_port == b.sql->channel.source_port;
}

bool acking(const wire::MemberState& state) {
  return state.process == wire::Process::kRunning && state.sql &&
         state.sql->channel.receiver == wire::Thread::kRunning && state.sql->semi_sync.replica_active;
}

}  // namespace baton
