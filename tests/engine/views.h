#pragma once

#include <algorithm>
#include <format>
#include <string>

#include "engine/decide/decide.h"
#include "engine/model/view.h"

namespace baton::test {

/// uuid of the member with that ordinal in unit tables; 90 and above are strangers.
inline ServerUuid uuid_of(int i) { return ServerUuid(std::format("00000000-0000-0000-0000-0000000000{:02}", i + 1)); }

/// Transactions 1 … last of a member's uuid.
inline GtidSet gtids(int member, std::int64_t last) {
  GtidSet set;
  if (last > 0) set.add({.uuid = uuid_of(member).get(), .tag = {}}, {1, last});
  return set;
}

inline engine::Identity identity(int i) {
  return {.ordinal = Ordinal{i},
          .uuid = uuid_of(i),
          .pod_uid = PodUid(std::format("pod-{}", i)),
          .boot_id = BootId(std::format("boot-{}", i))};
}

/// Member 0 is the dead primary, 1 … n-1 are ackers whose receivers were stopped at the recorded epoch and that hold
/// 1-10 of it. Tables change one thing each.
struct Sample {
  engine::Spec spec{.name = "shop"};
  engine::Recorded recorded;
  engine::ObservedCluster observed;
  Instant now{Duration{100000}};

  explicit Sample(int members = 3, int acks = 1) {
    spec.replicas = members;
    spec.acks = acks;
    recorded.epoch = Epoch{2};
    recorded.revision = Revision{9};
    recorded.current_primary = engine::PrimaryRef{Ordinal{0}, uuid_of(0)};
    recorded.bootstrap = recorded.current_primary;
    recorded.ack_count = acks;
    recorded.ever_ready = true;
    recorded.floor = gtids(0, 5);
    recorded.failover =
        engine::FailoverRecord{.id = "shop-2", .old_primary = *recorded.current_primary, .evidence = "it died"};
    for (int i = 0; i < members; ++i) {
      observed.members.push_back(member(i));
      if (i > 0) recorded.ackers.push_back(identity(i));
    }
    engine::Report& dead = *at(0).report;
    dead.process = engine::Process::kNotRunning;
    dead.held = true;
    dead.server.reset();
    dead.exit = "killed by signal 9";
    dead.opened_epoch = Epoch{1};
  }

  engine::ObservedMember& at(int i) { return observed.members.at(static_cast<std::size_t>(i)); }
  engine::Server& server(int i) { return *at(i).report->server; }
  engine::Channel& channel(int i) { return server(i).channel; }
  [[nodiscard]] engine::View view() const { return {spec, recorded, observed, now}; }
  [[nodiscard]] engine::Decision decide() const { return engine::decide(spec, recorded, observed, now); }

  static engine::ObservedMember member(int i) {
    engine::Server server{.version = "8.4.6", .read_only = true, .executed = gtids(0, 10)};
    server.channel.source_host = "10.0.0.0";
    server.channel.applier = engine::Thread::kRunning;
    for (int j = 0; j < 9; ++j) server.replication_accounts.push_back({uuid_of(j), false});
    engine::Report report{.uuid = uuid_of(i), .pod_uid = identity(i).pod_uid, .boot_id = identity(i).boot_id};
    report.held_epoch = Epoch{2};
    report.held_revision = Revision{9};
    report.directory = engine::Directory::kInitialized;
    report.process = engine::Process::kRunning;
    report.server = server;
    return {.ordinal = Ordinal{i},
            .pod = std::format("shop-{}", i),
            .pod_uid = identity(i).pod_uid,
            .address = std::format("10.0.0.{}", i),
            .pod_trouble = {},
            .refusal = {},
            .role_label = {},
            .heard = true,
            .report = report,
            .down_since = std::nullopt,
            .not_acking_since = std::nullopt};
  }

  /// Makes member 0 the open primary of the recorded epoch and the others its connected ackers.
  void open() {
    recorded.failover.reset();
    at(0) = member(0);
    at(0).report->opened_epoch = recorded.epoch;
    server(0).read_only = false;
    server(0).app_account = true;
    server(0).channel = {};
    server(0).semi_sync = {.source_enabled = recorded.ack_count > 0, .wait_for_count = recorded.ack_count};
    for (std::size_t i = 1; i < observed.members.size(); ++i) attach(static_cast<int>(i));
    observed.endpoint_pod = "shop-0";
    observed.endpoint_epoch = recorded.epoch;
  }

  void attach(int i) {
    channel(i).receiver = engine::Thread::kRunning;
    server(i).semi_sync.replica_enabled = server(i).semi_sync.replica_active = true;
    server(0).dump_threads.push_back({uuid_of(i), at(i).address});
    ++server(0).semi_sync.clients;
  }
};

/// The step of that type, if the decision has one.
template <class Step>
const Step* step_of(const engine::Decision& decision) {
  for (const engine::Step& step : decision.steps) {
    if (const auto* found = std::get_if<Step>(&step)) return found;
  }
  return nullptr;
}

inline bool finds(const engine::Decision& decision, const std::string& code) {
  return std::ranges::any_of(decision.findings, [&](const engine::Finding& finding) { return finding.code == code; });
}

}  // namespace baton::test
