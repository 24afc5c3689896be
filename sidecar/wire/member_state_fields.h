#pragma once

#include <array>

#include "sidecar/wire/fields.h"
#include "sidecar/wire/member_state.h"

/// The field lists of MemberState and its parts. For sidecar/wire and the epoch file of sidecar/local.
namespace baton::wire {

constexpr auto enum_names(Directory) {
  return std::to_array<EnumName<Directory>>({{Directory::kUnknown, "Unknown"},
                                             {Directory::kEmpty, "Empty"},
                                             {Directory::kInitialized, "Initialized"},
                                             {Directory::kCloned, "Cloned"}});
}
constexpr auto enum_names(Process) {
  return std::to_array<EnumName<Process>>({{Process::kUnknown, "Unknown"},
                                           {Process::kNotRunning, "NotRunning"},
                                           {Process::kInitializing, "Initializing"},
                                           {Process::kCloning, "Cloning"},
                                           {Process::kStarting, "Starting"},
                                           {Process::kRunning, "Running"}});
}
constexpr auto enum_names(Hold) {
  return std::to_array<EnumName<Hold>>(
      {{Hold::kNone, "None"}, {Hold::kCrashedPrimary, "CrashedPrimary"}, {Hold::kFenced, "Fenced"}});
}
constexpr auto enum_names(Thread) {
  return std::to_array<EnumName<Thread>>(
      {{Thread::kStopped, "Stopped"}, {Thread::kConnecting, "Connecting"}, {Thread::kRunning, "Running"}});
}

/// T, const or not.
template <class S, class T>
concept Of = std::same_as<std::remove_const_t<S>, T>;

template <class Visitor, Of<Exit> S>
void visit_fields(Visitor& visit, S& value) {
  visit("status", value.status);
  visit("signal", value.signal);
  visit("ordered", value.ordered);
}

template <class Visitor, Of<Channel> S>
void visit_fields(Visitor& visit, S& value) {
  visit("source_host", value.source_host);
  visit("source_port", value.source_port);
  visit("source_uuid", value.source_uuid);
  visit("receiver", value.receiver);
  visit("applier", value.applier);
  visit("retrieved", value.retrieved);
  visit("place", value.place);
  visit("rows_in_progress", value.rows_in_progress);
  visit("receiver_error", value.receiver_error);
  visit("applier_error", value.applier_error);
}

template <class Visitor, Of<SemiSync> S>
void visit_fields(Visitor& visit, S& value) {
  visit("source_enabled", value.source_enabled);
  visit("wait_for_count", value.wait_for_count);
  visit("clients", value.clients);
  visit("waiting_sessions", value.waiting_sessions);
  visit("source_active", value.source_active);
  visit("replica_enabled", value.replica_enabled);
  visit("replica_active", value.replica_active);
}

template <class Visitor, Of<DumpThread> S>
void visit_fields(Visitor& visit, S& value) {
  visit("uuid", value.uuid);
  visit("host", value.host);
}

template <class Visitor, Of<ReplicationAccount> S>
void visit_fields(Visitor& visit, S& value) {
  visit("uuid", value.uuid);
  visit("locked", value.locked);
}

template <class Visitor, Of<Sql> S>
void visit_fields(Visitor& visit, S& value) {
  visit("version", value.version);
  visit("read_only", value.read_only);
  visit("super_read_only", value.super_read_only);
  visit("gtid_executed", value.gtid_executed);
  visit("gtid_owned", value.gtid_owned);
  visit("gtid_purged", value.gtid_purged);
  visit("semi_sync", value.semi_sync);
  visit("channel", value.channel);
  visit("dump_threads", value.dump_threads);
  visit("replication_accounts", value.replication_accounts);
  visit("fsyncs_relay_log", value.fsyncs_relay_log);
  visit("app_account", value.app_account);
  visit("clone_unlocked", value.clone_unlocked);
  visit("drift", value.drift);
  visit("relaxed", value.relaxed);
}

template <class Visitor, Of<MemberState> S>
void visit_fields(Visitor& visit, S& value) {
  visit("member", value.member);
  visit("pod_uid", value.pod_uid);
  visit("boot_id", value.boot_id);
  visit("sidecar_id", value.sidecar_id);
  visit("sequence", value.sequence);
  visit("epoch", value.epoch);
  visit("revision", value.revision);
  visit("opened_epoch", value.opened_epoch);
  visit("hold", value.hold);
  visit("relaxed", value.relaxed);
  visit("uuid", value.uuid);
  visit("server_id", value.server_id);
  visit("directory", value.directory);
  visit("process", value.process);
  visit("terminating", value.terminating);
  visit("last_exit", value.last_exit);
  visit("suspect_end", value.suspect_end);
  visit("unseen_pod", value.unseen_pod);
  visit("unordered_ends", value.unordered_ends);
  visit("restart_pause_seconds", value.restart_pause_seconds);
  visit("start_error", value.start_error);
  visit("sql", value.sql);
  visit("sql_error", value.sql_error);
  visit("logs_readable", value.logs_readable);
  visit("logs_gtid_set", value.logs_gtid_set);
  visit("logs_error", value.logs_error);
  visit("servable", value.servable);
  visit("unreadable_log", value.unreadable_log);
  visit("offered_to", value.offered_to);
  visit("offered", value.offered);
  visit("busy", value.busy);
}

}  // namespace baton::wire
