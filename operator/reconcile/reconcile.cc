#include "operator/reconcile/reconcile.h"

#include <algorithm>
#include <array>
#include <format>
#include <utility>

namespace baton::reconcile {
namespace {

/// Records that one look may write; each is followed by another decision.
constexpr int kMaxRecords = 8;
constexpr Duration kSetsPeriod = std::chrono::seconds(10);
/// Sentences that change with every line of a stream are not written more often than this.
constexpr Duration kReportPause = std::chrono::milliseconds(500);
/// While a failover runs, reports wait: each would cost it a write of etcd.
constexpr Duration kReportPauseInFailover = std::chrono::seconds(1);
constexpr Duration kApiRest = std::chrono::seconds(3);
constexpr Duration kRecordDeadline = std::chrono::seconds(3);
constexpr Duration kReportDeadline = std::chrono::seconds(2);
/// Two small reads, which take milliseconds from an API server that is well.
constexpr Duration kCredentialsDeadlineInFailover = std::chrono::milliseconds(500);
constexpr Duration kObjectsDeadline = std::chrono::seconds(5);
constexpr Duration kObstacleRetry = std::chrono::seconds(2);
/// While a failover runs, objects wait as well, but no longer than this: what holds it up may be a setting that a
/// person has corrected by now.
constexpr Duration kObjectsPauseInFailover = std::chrono::seconds(10);

/// Findings that tell of something on its way, not of something wrong.
constexpr std::array<std::string_view, 3> kProgress = {"Cloning", "Rejoining", "MemberStarting"};

Duration earlier(Duration a, Duration b) { return std::min(a, b); }

bool in_failover(const engine::Recorded& recorded, const engine::Decision& decision) {
  return (recorded.failover && decision.state != engine::ClusterState::kFailoverHeld) ||
         decision.state == engine::ClusterState::kFailingOver || decision.state == engine::ClusterState::kOpening;
}

/// When the line was heard that told of the primary's end, if one did.
std::optional<Instant> heard_dead(const engine::Recorded& recorded, const engine::ObservedCluster& observed) {
  if (!recorded.failover) return std::nullopt;
  for (const engine::ObservedMember& member : observed.members) {
    if (member.report && member.report->uuid == recorded.failover->old_primary.uuid) return member.down_since;
  }
  return std::nullopt;
}

std::string text_of(const engine::Finding& finding) {
  return std::format("{}/{}", finding.code, finding.member ? finding.member->get() : -1);
}

bool unanswered(const Error& error) {
  return error.kind == ErrorKind::kRetry || error.kind == ErrorKind::kCancelled || error.kind == ErrorKind::kDenied;
}

}  // namespace

bool not_older(std::string_view version, std::string_view other) {
  if (version.size() != other.size()) return version.size() > other.size();
  return version >= other;
}

Result<kube::Outcome> Reconciler::reconcile(const Context& context, const ClusterKey& key) {
  const Instant began = parts_.clock.now();
  const kube::ObjectPtr cached = parts_.clusters(key);
  if (cached == nullptr) {
    forget(key);
    return kube::Outcome{};
  }
  Memory& memory = memory_of(key);
  take_cached(memory, *cached);
  if (!parts_.lease.held()) stand_by(key);
  if (!kube::metadata_text(memory.newest, "deletionTimestamp").empty()) return finish(context, key, memory);
  const auto cluster = parse(memory);
  if (!cluster) return hold(context, key, memory, "InvalidSpec", cluster.error());

  parts_.links.want(key, sidecars_of(key, gather(key, cluster->names())));
  if (!parts_.lease.held()) {
    refresh_credentials(context, memory, *cluster, kReportDeadline);
    return kube::Outcome{.again_after = kResync};
  }

  auto pass = settle(context, key, memory, *cluster);
  if (pass && pass->settled) submit(key, *cluster, *pass);
  // Only now: it may take as long as a slow API server lets it. The next decision of a failover waits for it too, and a
  // record that an API server without an answer kept waiting is tried again before anything else is asked.
  const bool hurried = pass && in_failover(pass->recorded, pass->decision);
  if (pass || !unanswered(pass.error())) {
    refresh_credentials(context, memory, *cluster, hurried ? kCredentialsDeadlineInFailover : kReportDeadline);
  }
  if (!pass && pass.error().kind == ErrorKind::kCorrupt)
    return hold(context, key, memory, "RecordUnreadable", pass.error());
  if (!pass) return std::unexpected(std::move(pass).error());
  parts_.metrics.decided(key, pass->recorded, pass->observed, pass->decision);
  Duration again = pass->settled ? kResync : Duration::zero();
  announce(key, memory, pass->decision);
  take_back_force(context, key, memory, *cluster, *pass);
  tend_objects(context, memory, *cluster, *pass);
  if (const auto reported = report(context, key, memory, *cluster, *pass); !reported)
    again = earlier(again, kReportPause);
  if (!memory.obstacles.empty()) again = earlier(again, kObstacleRetry);
  if (pass->decision.look_again) {
    again = earlier(again, std::max(Duration::zero(), *pass->decision.look_again - parts_.clock.now()));
  }
  parts_.metrics.reconciled(key, parts_.clock.now() - began);
  return kube::Outcome{.again_after = again};
}

void Reconciler::submit(const ClusterKey& key, const api::Cluster& cluster, const Pass& pass) {
  parts_.steps.submit(key, {.epoch = pass.recorded.epoch,
                            .revision = pass.recorded.revision,
                            .members = plan_members(key, pass.observed),
                            .database = cluster.spec.bootstrap.database,
                            .user = cluster.spec.bootstrap.user,
                            .steps = pass.decision.steps});
}

void Reconciler::refresh_credentials(const Context& context, const Memory& memory, const api::Cluster& cluster,
                                     Duration limit) {
  if (parts_.clock.now() < memory.api_rest_until) return;
  parts_.objects.refresh_credentials(context.within(limit, parts_.clock), cluster);
}

Reconciler::Memory& Reconciler::memory_of(const ClusterKey& key) {
  const std::scoped_lock lock(mutex_);
  auto& memory = memories_[key];
  if (memory == nullptr) memory = std::make_unique<Memory>();
  return *memory;
}

void Reconciler::take_cached(Memory& memory, const Object& cached) {
  const bool same =
      !memory.newest.is_null() && kube::metadata_text(memory.newest, "uid") == kube::metadata_text(cached, "uid");
  if (!same) {
    memory = Memory{.newest = cached};
  } else if (not_older(kube::metadata_text(cached, "resourceVersion"),
                       kube::metadata_text(memory.newest, "resourceVersion"))) {
    memory.newest = cached;
  }
}

/// An unreadable spec does not take the protection of the last good one away.
Result<api::Cluster> Reconciler::parse(Memory& memory) {
  auto cluster = api::parse_cluster(memory.newest);
  if (cluster) {
    memory.good_spec = cluster->spec;
    return cluster;
  }
  if (!memory.good_spec) return cluster;
  Object readable = memory.newest;
  readable["spec"] = api::to_json(*memory.good_spec);
  return api::parse_cluster(readable);
}

Gathered Reconciler::gather(const ClusterKey& key, const api::Names& names) const {
  const Instant now = parts_.clock.now();
  Gathered gathered;
  for (int i = 0; i < api::kMaxMembers; ++i) {
    const std::string pod = names.pod(Ordinal(i));
    kube::ObjectPtr object = parts_.pods({.space = key.space, .name = pod});
    // Some other pod that merely bears such a name is none of ours.
    if (object != nullptr && owner_of(*object) != key) object = nullptr;
    if (object != nullptr) parts_.book.expect(key, pod, now);
    gathered.expected_since.push_back(parts_.book.expected_since(key, pod));
    gathered.refusals.push_back(object == nullptr ? std::string() : parts_.book.refusal(key, pod, now));
    gathered.pods.push_back(std::move(object));
  }
  gathered.primary_service = parts_.services({.space = key.space, .name = names.primary_service()});
  gathered.entries = parts_.book.entries(key, now);
  gathered.ended_pods = parts_.ended.of(key);
  return gathered;
}

/// Volumes that were there before the record: which members there once were, only they tell. Read once.
Result<void> Reconciler::count_volumes(const Context& context, Memory& memory, const api::Cluster& cluster,
                                       const engine::Recorded& recorded) {
  if (recorded.bootstrap || recorded.current_primary) memory.volumes.reset();
  if (recorded.bootstrap || recorded.current_primary || memory.volumes) return {};
  TRY(volumes, parts_.objects.volumes(context.within(kReportDeadline, parts_.clock), cluster));
  memory.volumes = volumes;
  return {};
}

Result<Reconciler::Pass> Reconciler::settle(const Context& context, const ClusterKey& key, Memory& memory,
                                            const api::Cluster& cluster) {
  const engine::Spec spec = spec_of(cluster);
  Pass pass;
  bool decided = false;
  Result<void> written;
  for (int round = 0; round < kMaxRecords; ++round) {
    TRY(recorded, recorded_of(memory.newest.value("status", Json()), cluster.names()));
    if (memory.term != parts_.lease.term()) {
      written = claim_term(context, key, memory, recorded);
    } else {
      TRY_VOID(count_volumes(context, memory, cluster, recorded));
      const Instant now = parts_.clock.now();
      pass.recorded = std::move(recorded);
      Gathered gathered = gather(key, cluster.names());
      gathered.volumes = memory.volumes.value_or(0);
      pass.observed = observe(cluster, gathered, now);
      pass.decision = engine::decide(spec, pass.recorded, pass.observed, now);
      decided = true;
      pass.settled = !pass.decision.record;
      if (pass.settled) return pass;
      written = record(context, key, memory, cluster, pass);
    }
    // A lost race is decided anew, on what the winner wrote.
    if (!written && written.error().kind != ErrorKind::kConflict) return std::unexpected(std::move(written).error());
  }
  // Somebody writes all the time: what was decided, if anything was, was decided on what holds no more.
  if (!written) return std::unexpected(std::move(written).error());
  if (!decided) return fail(ErrorKind::kConflict, "the last of {} tries took the record over", kMaxRecords);
  return pass;
}

Result<void> Reconciler::claim_term(const Context& context, const ClusterKey& key, Memory& memory,
                                    const engine::Recorded& recorded) {
  const std::int64_t term = parts_.lease.term();
  engine::Recorded next = recorded;
  next.revision = Revision(next.revision.get() + 1);
  Json status = memory.newest.value("status", Json::object());
  put_recorded(status, next, api::Names(key.name));
  TRY_VOID(write_record(context, key, memory, std::move(status), next));
  memory.term = term;
  memory.hurried_since.reset();
  parts_.timelines.forget(key);  // Of an earlier term of ours; another leader may have written since.
  context.log.info("record taken over", {{"revision", next.revision}});
  return {};
}

Result<void> Reconciler::record(const Context& context, const ClusterKey& key, Memory& memory,
                                const api::Cluster& cluster, const Pass& pass) {
  const WallTime decided = parts_.clock.wall();
  const Instant begun = parts_.clock.now();
  const engine::RecordChange& change = *pass.decision.record;
  Json status = memory.newest.value("status", Json::object());
  put_recorded(status, change.next, cluster.names());
  // State and reason go with the record: no second write is spent on them.
  Pass after = pass;
  after.recorded = change.next;
  Timeline timeline = parts_.timelines.of(key);
  if (ends_failover(pass.recorded, change.next)) {
    // What a failover cost must not be lost with this process: it is told in the same write that ends it.
    const Json under_way = memory.newest.value("status", Json::object()).value("failover", Json::object());
    timeline = ended(timeline, pass.recorded, cluster.names(), under_way.value("startedAt", rfc3339(decided)), decided);
  }
  status = put_report(status, report_of(memory, cluster, after, timeline, false));
  if (auto written = write_record(context, key, memory, std::move(status), change.next); !written) {
    context.log.warn("record not written", {{"why", change.why}, {"error", written.error().what}});
    return written;
  }
  memory.reported_at = parts_.clock.now();
  context.log.info("record written", {{"epoch", change.next.epoch},
                                      {"revision", change.next.revision},
                                      {"why", change.why},
                                      {"ms", (parts_.clock.now() - begun).count()}});
  // What led to a record may be mended by it, and never be found again.
  announce(key, memory, pass.decision);
  announce_record(key, pass, decided);
  return {};
}

Result<void> Reconciler::write_record(const Context& context, const ClusterKey& key, Memory& memory, Json status,
                                      const engine::Recorded& recorded) {
  TRY_VOID(write(context.within(kRecordDeadline, parts_.clock), key, memory, std::move(status)));
  const auto kept = recorded_of(memory.newest.value("status", Json()), api::Names(key.name));
  if (kept && *kept == recorded) return {};
  return fail(ErrorKind::kTerminal,
              "the API server did not keep the record as it was written; is the custom resource definition older than "
              "the operator?");
}

Result<void> Reconciler::write(const Context& context, const ClusterKey& key, Memory& memory, Json status) {
  if (!parts_.lease.held()) return fail(ErrorKind::kCancelled, "the lease is not held any more");
  Object next = memory.newest;
  next["status"] = std::move(status);
  auto written = parts_.cluster.write_status(context, next);
  if (written) {
    memory.newest = *std::move(written);
    return {};
  }
  if (written.error().kind == ErrorKind::kConflict) {
    TRY(fresh, parts_.cluster.read(context, key));
    memory.newest = std::move(fresh);
  }
  return wrap("failed to write the status", std::move(written).error());
}

Report Reconciler::report_of(const Memory& memory, const api::Cluster& cluster, const Pass& pass,
                             const Timeline& timeline, bool fresh_sets) const {
  return {.cluster = cluster,
          .recorded = pass.recorded,
          .decision = pass.decision,
          .observed = pass.observed,
          .timeline = timeline,
          .obstacles = memory.obstacles,
          .now = rfc3339(parts_.clock.wall()),
          .fresh_sets = fresh_sets};
}

Result<void> Reconciler::report(const Context& context, const ClusterKey& key, Memory& memory,
                                const api::Cluster& cluster, const Pass& pass) {
  const Instant now = parts_.clock.now();
  const Json before = memory.newest.value("status", Json::object());
  const bool new_state = before.value("state", "") != engine::name_of(pass.decision.state);
  const Timeline timeline = parts_.timelines.of(key);
  const bool fresh_sets = new_state || memory.sets_at == Instant() || now - memory.sets_at >= kSetsPeriod;
  Json after = put_report(before, report_of(memory, cluster, pass, timeline, fresh_sets));
  if (after == before) return {};
  const bool hurried = in_failover(pass.recorded, pass.decision);
  const Duration pause = hurried ? kReportPauseInFailover : kReportPause;
  const bool soon_after = memory.reported_at != Instant() && now - memory.reported_at < pause;
  if (now < memory.api_rest_until || ((hurried || !new_state) && soon_after)) {
    return fail(ErrorKind::kRetry, "the report waits");
  }
  const auto written = write(context.within(kReportDeadline, parts_.clock), key, memory, std::move(after));
  if (written) {
    memory.reported_at = now;
    if (fresh_sets) memory.sets_at = now;
    return {};
  }
  if (unanswered(written.error())) memory.api_rest_until = parts_.clock.now() + kApiRest;
  context.log.warn("report not written", {{"error", written.error().what}});
  return written;
}

/// A person's word is meant for one loss: it goes when it has served, or cannot.
void Reconciler::take_back_force(const Context& context, const ClusterKey& key, Memory& memory,
                                 const api::Cluster& cluster, const Pass& pass) {
  const auto word = cluster.annotations.find(std::string(api::kForceFailoverAnnotation));
  if (word == cluster.annotations.end() || parts_.clock.now() < memory.api_rest_until || !parts_.lease.held()) return;
  if (pass.observed.forced && !pass.decision.force_spent) return;
  const bool is_primary = pass.observed.forced && pass.recorded.current_primary &&
                          pass.recorded.current_primary->ordinal == *pass.observed.forced;
  const std::string why = !pass.observed.forced ? "is no member of this cluster"
                          : is_primary          ? "is the primary and is up, so it was not given up"
                                                : "is not the primary any more";
  auto without = parts_.cluster.remove_annotation(context.within(kReportDeadline, parts_.clock), memory.newest,
                                                  api::kForceFailoverAnnotation);
  if (!without) {
    context.log.warn("annotation not removed", {{"error", without.error().what}});
    return;
  }
  memory.newest = *std::move(without);
  parts_.events.tell(key, !pass.observed.forced || is_primary, "ForceFailoverTakenBack",
                     std::format("{}: '{}' {}", api::kForceFailoverAnnotation, word->second, why));
}

void Reconciler::tend_objects(const Context& context, Memory& memory, const api::Cluster& cluster, const Pass& pass) {
  const Instant now = parts_.clock.now();
  const bool hurried = in_failover(pass.recorded, pass.decision);
  if (!hurried) memory.hurried_since.reset();
  if (hurried && !memory.hurried_since) memory.hurried_since = now;
  // Without the Service there is nothing that could be pointed at the new primary, and the failover would not end.
  const bool endpoint_there =
      parts_.services({.space = cluster.name_space, .name = cluster.names().primary_service()}) != nullptr;
  if (hurried && endpoint_there && now - *memory.hurried_since < kObjectsPauseInFailover) return;
  if (now < memory.api_rest_until || !parts_.lease.held()) return;
  const Context limited = context.within(kObjectsDeadline, parts_.clock);
  if (auto object = parts_.objects.set_finalizer(limited, memory.newest, true)) memory.newest = *std::move(object);
  // As long as the endpoint still has to move, also while a failover is held, no Service is touched that is there.
  const bool services_too = !hurried && !pass.recorded.failover;
  memory.obstacles = parts_.objects.bring(limited, cluster, pass.decision.members_wanted, services_too);
  const bool away = std::ranges::contains(memory.obstacles, std::string(kApiServerAway), &engine::Finding::code);
  if (away) memory.api_rest_until = parts_.clock.now() + kApiRest;
}

void Reconciler::announce(const ClusterKey& key, Memory& memory, const engine::Decision& decision) {
  std::set<std::string> present;
  const auto tell = [&](const engine::Finding& finding) {
    const std::string text = text_of(finding);
    present.insert(text);
    if (memory.announced.contains(text)) return;
    parts_.events.tell(key, !std::ranges::contains(kProgress, finding.code), finding.code, finding.sentence);
  };
  std::ranges::for_each(decision.findings, tell);
  std::ranges::for_each(memory.obstacles, tell);
  memory.announced = std::move(present);
}

void Reconciler::announce_record(const ClusterKey& key, const Pass& pass, WallTime decided) {
  const WallTime written = parts_.clock.wall();
  const engine::RecordChange& change = *pass.decision.record;
  std::optional<WallTime> detected;
  if (const auto heard = heard_dead(change.next, pass.observed)) detected = written - (parts_.clock.now() - *heard);
  const auto reached = parts_.timelines.record_written(key, pass.recorded, change.next, detected, decided, written);
  if (std::ranges::contains(reached, "recorded")) {
    parts_.metrics.failover_begun(key);
    parts_.events.tell(key, true, "FailoverBegun", change.why);
  } else if (std::ranges::contains(reached, "chosen")) {
    parts_.events.tell(key, false, "FailoverChosen", change.why);
  } else {
    parts_.events.tell(key, false, "Recorded", change.why);
  }
}

Result<kube::Outcome> Reconciler::hold(const Context& context, const ClusterKey& key, Memory& memory,
                                       std::string_view reason, const Error& error) {
  if (!parts_.lease.held()) return kube::Outcome{.again_after = kResync};
  const Json before = memory.newest.value("status", Json::object());
  const std::int64_t generation = memory.newest["metadata"].value("generation", std::int64_t{0});
  Json after = put_hold(before, generation, reason, error.what, rfc3339(parts_.clock.wall()));
  if (after != before) {
    parts_.events.tell(key, true, reason, error.what);
    TRY_VOID(write(context.within(kReportDeadline, parts_.clock), key, memory, std::move(after)));
  }
  context.log.warn("cluster held", {{"reason", std::string(reason)}, {"error", error.what}});
  return kube::Outcome{.again_after = kResync};
}

Result<kube::Outcome> Reconciler::finish(const Context& context, const ClusterKey& key, Memory& memory) {
  parts_.links.want(key, {});
  parts_.steps.forget(key);
  if (!parts_.lease.held()) return kube::Outcome{.again_after = kResync};
  TRY(object, parts_.objects.set_finalizer(context.within(kReportDeadline, parts_.clock), memory.newest, false));
  memory.newest = std::move(object);
  return kube::Outcome{};
}

/// What this process remembers of its own term gets older than what the leader writes.
void Reconciler::stand_by(const ClusterKey& key) {
  parts_.timelines.forget(key);
  parts_.metrics.forget(key);
}

void Reconciler::forget(const ClusterKey& key) {
  parts_.links.want(key, {});
  parts_.steps.forget(key);
  parts_.objects.forget(key);
  parts_.book.forget(key);
  parts_.ended.forget(key);
  parts_.timelines.forget(key);
  parts_.metrics.forget(key);
  if (parts_.closed) parts_.closed(key);
  const std::scoped_lock lock(mutex_);
  memories_.erase(key);
}

}  // namespace baton::reconcile
