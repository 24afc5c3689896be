#include "tests/engine/world.h"

#include <algorithm>
#include <format>

#include "engine/base/ensure.h"
#include "engine/model/view.h"

namespace baton::test {
namespace {

/// Adds a value to what two worlds are compared by, so that different values give different bytes.
void note_one(std::string& bytes, std::string_view text) { bytes.append(text).push_back('\0'); }
void note_one(std::string& bytes, const GtidSet& set) {
  for (const auto& [source, intervals] : set.sources()) {
    note_one(bytes, source.uuid);
    note_one(bytes, source.tag);
    for (const GtidInterval& part : intervals) bytes.append(reinterpret_cast<const char*>(&part), sizeof part);
  }
  bytes.push_back('\0');
}
template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
void note_one(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class... Parts>
void note(std::string& bytes, const Parts&... parts) {
  (note_one(bytes, parts), ...);
}

using engine::Directory;
using engine::Process;
using engine::Thread;

constexpr const char* kAckDrift = "rpl_semi_sync_source_timeout is 1000, not 1000000000000000";
constexpr std::string_view kUuidHead = "00000000-0000-0000-0000-0000000000";

bool has_data(const Volume& volume) {
  return volume.directory == Directory::kInitialized || volume.directory == Directory::kCloned;
}

bool running(const Member& member) { return member.pod && member.pod->process == Process::kRunning; }

bool open_now(const Member& member) { return running(member) && !member.pod->read_only; }

/// What binlogs and relay logs hold.
GtidSet files_of(const Volume& volume) { return volume.log.united(volume.retrieved).united(volume.kept); }

/// The first `most` transactions of a set; all of it for 0.
GtidSet first_of(const GtidSet& set, int most) {
  if (most == 0) return set;
  GtidSet result;
  std::int64_t left = most;
  for (const auto& [source, intervals] : set.sources()) {
    for (const GtidInterval& interval : intervals) {
      if (left <= 0) return result;
      const std::int64_t last = std::min(interval.last, interval.first + left - 1);
      result.add(source, {interval.first, last});
      left -= last - interval.first + 1;
    }
  }
  return result;
}

}  // namespace

World::World(int replicas, int acks) {
  spec.name = "shop";
  spec.replicas = replicas;
  spec.acks = acks;
  wanted_ = replicas;
  spec.salvage_stall = Duration{3000};  // Below what counts as quiet.
}

void World::broken(std::string sentence) { violations_.push_back(std::move(sentence)); }

void World::new_volume(Member& member) {
  const bool readable = member.volume.readable;
  member.volume = Volume{};
  member.volume.readable = readable;
  member.volume.uuid = ServerUuid(std::format("{}{:02}", kUuidHead, ++next_uuid_));
}

Member* World::at(const std::string& address) {
  const auto found = std::ranges::find_if(members, [&](const Member& m) { return m.pod && m.pod->address == address; });
  return address.empty() || found == members.end() ? nullptr : &*found;
}

void World::end_process(Member& member, std::string exit) {
  if (!member.pod) return;
  const std::string error = member.pod->start_error;
  Pod fresh{.uid = member.pod->uid, .address = member.pod->address};
  fresh.exit = std::move(exit);
  fresh.start_error = error;
  fresh.offered_to = member.pod->offered_to;
  fresh.offered = member.pod->offered;
  member.pod = fresh;
  if (!member.volume.open_mark) return;
  member.volume.open_mark = false;
  member.volume.held = true;
  const bool by_signal = member.pod->exit.starts_with("killed");
  const auto by_itself = member.pod->exit.empty() ? engine::OpenEnd::kUntold : engine::OpenEnd::kShutDown;
  member.volume.open_end = by_signal ? engine::OpenEnd::kNone : by_itself;
}

void World::shut_down(int i) {
  Member& member = members.at(static_cast<std::size_t>(i));
  if (open_now(member)) {
    member.volume.executed = member.volume.executed.united(member.volume.log);
    acknowledged_ = acknowledged_.united(member.volume.executed);
    void_by_hand = true;
  }
  if (running(member)) end_process(member, "exited with status 0");
  check();
}

void World::kill_mysqld(int i) {
  Member& member = members.at(static_cast<std::size_t>(i));
  if (running(member)) end_process(member, "killed by signal 9");
  check();
}

void World::delete_pod(int i, bool force) {
  Member& member = members.at(static_cast<std::size_t>(i));
  if (!member.pod) return;
  if (member.pod->process != Process::kNotRunning) end_process(member, "killed by signal 9");
  if (member.heard) member.line = report_of(member);
  if (!force) ended_.insert(member.pod->uid);
  member.pod.reset();
  check();
}

void World::lose_volume(int i) {
  delete_pod(i, true);
  Member& member = members.at(static_cast<std::size_t>(i));
  if (member.line) departed_[member.line->uuid.get()] = *member.line;
  member.line.reset();
  new_volume(member);
  check();
}

void World::reboot_node(int i) {
  Member& member = members.at(static_cast<std::size_t>(i));
  end_process(member, "");
  ++member.boot;
  // What was received and not fsynced.
  if (!strict) member.volume.retrieved = member.volume.retrieved.intersected(member.volume.executed);
  if (member.volume.relaxed) {
    // What was committed without a sync is gone, from the binlog or from the tables.
    Volume& volume = member.volume;
    volume.untrusted = true;
    volume.log = volume.executed = volume.retrieved = GtidSet();
  }
  check();
}

void World::restart_all() {
  for (std::size_t i = 0; i < members.size(); ++i) delete_pod(static_cast<int>(i), false);
}

void World::forget_record() {
  recorded = engine::Recorded{};
  initialized_ = 0;
}

void World::new_leader() {
  departed_.clear();
  ended_.clear();
  for (Member& member : members) {
    member.line.reset();
    member.down_since.reset();
    member.not_acking_since = now_;
    member.idle_since.reset();
    member.unmoved_since.reset();
    member.turned_since.reset();
  }
}

void World::heal() {
  for (Member& member : members) {
    member.heard = member.returns = member.applies = member.volume.starts = member.volume.readable = true;
    member.frozen = false;
    if (!member.volume.untrusted) continue;
    // A person deletes claim and pod.
    delete_pod(static_cast<int>(&member - members.data()), false);
    member.line.reset();
    new_volume(member);
  }
}

void World::transact(Member& member, bool binlogged) {
  if (!binlogged) return;
  Volume& volume = member.volume;
  const GtidSet own = volume.log.of_uuid(volume.uuid.get());
  const auto next = own.empty() ? 1 : own.sources().begin()->second.back().last + 1;
  volume.log.add({.uuid = volume.uuid.get(), .tag = {}}, next);
  if (member.pod->read_only || real_count(member) == 0) volume.executed = volume.executed.united(volume.log);
  ever_held_[volume.uuid.get()] = ever_held_[volume.uuid.get()].united(volume.log);
}

void World::write(int count) {
  for (Member& member : members) {
    for (int i = 0; open_now(member) && i < count; ++i) {
      transact(member, true);
      commit_waiting(member);
    }
  }
  replicate();
  check();
}

bool World::connected(const Member& replica, const Member& source) const {
  if (!running(replica) || !running(source) || replica.pod->receiver == Thread::kStopped) return false;
  if (replica.volume.from_logs) return false;
  const auto account = source.volume.accounts.find(replica.volume.uuid.get());
  return account != source.volume.accounts.end() && !account->second && replica.volume.source == source.pod->address;
}

std::vector<const Member*> World::ackers_of(const Member& source) const {
  std::vector<const Member*> result;
  for (const Member& member : members) {
    if (connected(member, source) && member.pod->replica_enabled) result.push_back(&member);
  }
  return result;
}

int World::real_count(const Member& source) const {
  const Pod& pod = *source.pod;
  const bool gave_up = pod.acks_time_out && std::ssize(ackers_of(source)) < pod.wait_for_count;
  return pod.source_enabled && !gave_up ? pod.wait_for_count : 0;
}

void World::commit_waiting(Member& member) {
  if (!running(member) || member.pod->read_only) return;
  const auto ackers = ackers_of(member);
  const int needed = real_count(member);
  const GtidSet waiting = member.volume.log.minus(member.volume.executed);
  for (const auto& [source, intervals] : waiting.sources()) {
    for (const GtidInterval& interval : intervals) {
      for (auto n = interval.first; n <= interval.last; ++n) {
        const auto acks = std::ranges::count_if(ackers, [&](const Member* acker) {
          return !acker->frozen &&
                 (acker->volume.retrieved.contains(source, n) || acker->volume.executed.contains(source, n));
        });
        if (acks < needed) return;
        member.volume.executed.add(source, n);
      }
    }
  }
  // A client was told of all that is executed on an open server.
  acknowledged_ = acknowledged_.united(member.volume.executed);
}

void World::receive(Member& member, Member& source, const GtidSet& sent) {
  const GtidSet fresh = sent.minus(member.volume.log).minus(member.volume.retrieved);
  member.volume.retrieved = member.volume.retrieved.united(fresh);
  auto& held = ever_held_[member.volume.uuid.get()];
  held = held.united(fresh);
  // The application's account travels with the log; those of replication and clones do not.
  if (!fresh.empty()) member.volume.app_account = source.volume.app_account;
}

/// From the binlog server of a pod, whose mysqld may be dead.
void World::fetch(Member& member, Member& source) {
  member.pod->receiver = Thread::kConnecting;
  member.pod->replica_active = false;
  if (source.pod->offered_to != member.volume.uuid || !source.volume.readable || !source.volume.sends) return;
  member.pod->receiver = Thread::kRunning;
  if (member.frozen) return;
  receive(member, source, files_of(source.volume).intersected(source.pod->offered));
}

void World::apply_received(Member& member) const {
  Volume& volume = member.volume;
  volume.executed = volume.executed.united(first_of(volume.retrieved.minus(volume.executed), apply_at_most));
  volume.log = volume.log.united(volume.executed.intersected(volume.retrieved));
}

void World::replicate() {
  for (Member& member : members) {
    if (!running(member) || member.pod->receiver == Thread::kStopped) continue;
    Member* source = at(member.volume.source);
    if (member.volume.from_logs && source != nullptr) {
      fetch(member, *source);
      continue;
    }
    const bool up = source != nullptr && connected(member, *source);
    member.pod->receiver = up ? Thread::kRunning : Thread::kConnecting;
    member.pod->replica_active = up && member.pod->replica_enabled;
    if (up && !member.frozen) receive(member, *source, source->volume.log);
  }
  for (Member& member : members) {
    if (!running(member) || !member.applies || member.pod->applier == Thread::kStopped) continue;
    // An applier's commits wait for acks too.
    if (std::ssize(ackers_of(member)) < real_count(member)) continue;
    apply_received(member);
  }
  for (Member& member : members) commit_waiting(member);
}

void World::finish_clone(Member& member) {
  Member* donor = &members.at(static_cast<std::size_t>(member.pod->clone_donor->get()));
  member.pod->clone_donor.reset();
  if (!running(*donor) || !donor->volume.clone_unlocked) {
    end_process(member, "exited with status 1");
    member.pod->start_error = "the donor refused";
    return;
  }
  Volume& volume = member.volume;
  volume.directory = Directory::kCloned;
  volume.executed = volume.log = donor->volume.executed;
  volume.accounts = donor->volume.accounts;
  volume.app_account = donor->volume.app_account;
  volume.clone_unlocked = donor->volume.clone_unlocked;
  ever_held_[volume.uuid.get()] = volume.executed;
  member.pod->process = Process::kRunning;
  member.pod->start_error.clear();
}

void World::run_process(Member& member) {
  if (!member.pod) return;
  Pod& pod = *member.pod;
  Volume& volume = member.volume;
  if (pod.process == Process::kCloning) return finish_clone(member);
  if (volume.untrusted) {
    pod.start_error = "it was relaxed when its node crashed";
    return;
  }
  if (pod.process == Process::kNotRunning) {
    pod.log_read = has_data(volume) && volume.readable;
    if (has_data(volume) && !volume.held) pod.process = Process::kStarting;
    return;
  }
  if (pod.process != Process::kStarting) return;
  if (!volume.starts) {
    end_process(member, "exited with status 1");
    member.pod->start_error = "mysqld: a line of its log";
    return;
  }
  // Recovery commits what the binlog holds.
  volume.executed = volume.executed.united(volume.log);
  pod.process = Process::kRunning;
  pod.start_error.clear();
}

void World::start_pods() {
  const auto count = static_cast<std::size_t>(wanted_);
  while (members.size() < count) {
    members.emplace_back();
    new_volume(members.back());
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    Member& member = members[i];
    if (i >= count && member.pod) {
      delete_pod(static_cast<int>(i), false);
    } else if (i < count && !member.pod && member.returns) {
      const int number = ++next_pod_;
      member.pod = Pod{.uid = PodUid(std::format("pod-{}", number)), .address = std::format("10.0.0.{}", number)};
      if (!member.not_acking_since) member.not_acking_since = now_;
    }
  }
}

void World::tick(Duration by) {
  now_ += by;
  for (Member& member : members) run_process(member);
  start_pods();
  if (load) write(1);
  replicate();
  check();
}

engine::Server World::server_of(const Member& member) const {
  const Pod& pod = *member.pod;
  engine::Server server{.version = "8.4.6",
                        .read_only = pod.read_only,
                        .executed = member.volume.executed,
                        .owned = member.volume.log.minus(member.volume.executed),
                        .semi_sync = {.source_enabled = real_count(member) > 0,
                                      .wait_for_count = pod.wait_for_count,
                                      .clients = static_cast<int>(ackers_of(member).size()),
                                      .waiting_sessions = member.volume.log == member.volume.executed ? 0 : 1,
                                      .replica_enabled = pod.replica_enabled,
                                      .replica_active = pod.replica_active},
                        .channel = {.source_host = member.volume.source,
                                    .from_logs = member.volume.from_logs,
                                    .source_uuid = {},
                                    .receiver = pod.receiver,
                                    .applier = pod.applier,
                                    .retrieved = member.volume.retrieved,
                                    .receiver_error = {},
                                    .applier_error = {}},
                        .dump_threads = {},
                        .replication_accounts = {},
                        .app_account = member.volume.app_account,
                        .clone_unlocked = member.volume.clone_unlocked,
                        .drift = pod.acks_time_out ? std::vector<std::string>{kAckDrift} : std::vector<std::string>{},
                        .ack_drift = pod.acks_time_out ? kAckDrift : "",
                        .fsyncs_relay_log = strict,
                        .relaxed = pod.relaxed};
  for (const Member& other : members) {
    if (connected(other, member)) server.dump_threads.push_back({other.volume.uuid, other.pod->address});
  }
  for (const auto& [uuid, locked] : member.volume.accounts)
    server.replication_accounts.push_back({ServerUuid(uuid), locked});
  return server;
}

engine::Report World::report_of(const Member& member) const {
  const Pod& pod = *member.pod;
  const Volume& volume = member.volume;
  engine::Report report{.uuid = volume.uuid,
                        .pod_uid = pod.uid,
                        .boot_id = boot_of(member),
                        .held_epoch = volume.held_epoch,
                        .held_revision = volume.held_revision,
                        .opened_epoch = volume.opened_epoch,
                        .held = volume.held,
                        .relaxed = volume.relaxed,
                        .directory = volume.directory,
                        .process = pod.process,
                        .terminating = false,
                        .exit = pod.exit,
                        .open_end = volume.open_end,
                        .start_error = pod.start_error,
                        .server = std::nullopt,
                        .sql_error = {},
                        .dead_log = std::nullopt,
                        .dead_log_error = {},
                        .servable = volume.readable && has_data(volume) ? files_of(volume) : GtidSet{},
                        .offered_to = pod.offered_to,
                        .offered = pod.offered,
                        .busy = {}};
  if (volume.untrusted) {
    // As for an epoch file that cannot be trusted.
    return {.pod_uid = pod.uid,
            .boot_id = report.boot_id,
            .process = engine::Process::kNotRunning,
            .start_error = pod.start_error};
  }
  if (pod.process == Process::kRunning) report.server = server_of(member);
  if (pod.process == Process::kNotRunning && pod.log_read) report.dead_log = files_of(volume);
  if (pod.process == Process::kNotRunning && !volume.readable) report.dead_log_error = "an event is cut short";
  return report;
}

engine::Identity World::identity_of(const Member& member) const {
  const auto ordinal = static_cast<int>(&member - members.data());
  return {.ordinal = Ordinal{ordinal},
          .uuid = member.volume.uuid,
          .pod_uid = member.pod ? member.pod->uid : PodUid{},
          .boot_id = boot_of(member),
          .fsyncs = strict};
}

BootId World::boot_of(const Member& member) const {
  return BootId(std::format("boot-{}-{}", &member - members.data(), member.boot));
}

/// As the operator's SidecarBook does: what is received, what is executed, and whom the receiver is turned to.
void World::note_progress(Member& member) const {
  const std::string points_to = std::format("{} {}", member.volume.source, member.volume.from_logs);
  const bool turned = !member.turned_since || points_to != member.seen_source;
  const GtidSet holds = files_of(member.volume).united(member.volume.executed);
  const bool moved = holds != member.seen_holdings || member.volume.executed != member.seen_executed;
  const auto since = [&](const std::optional<Instant>& before, bool anew) {
    if (!member.line->server) return std::optional<Instant>();
    return anew || !before ? std::optional(now_) : before;
  };
  if (turned) member.turned_since = now_;
  member.unmoved_since = since(member.unmoved_since, moved);
  member.idle_since = since(member.idle_since, moved || turned);
  member.seen_source = points_to;
  member.seen_holdings = holds;
  member.seen_executed = member.volume.executed;
}

engine::ObservedCluster World::observe() {
  engine::ObservedCluster observed;
  for (std::size_t i = 0; i < members.size(); ++i) {
    Member& member = members[i];
    if (member.pod && member.heard) {
      const bool known = member.line && !member.line->uuid.get().empty();
      if (known && member.line->uuid != member.volume.uuid) departed_[member.line->uuid.get()] = *member.line;
      member.line = report_of(member);
      const bool down = member.line->process == Process::kNotRunning;
      member.down_since = down ? std::optional(member.down_since.value_or(now_)) : std::nullopt;
      const bool acking = member.line->server && member.line->server->channel.receiver == Thread::kRunning &&
                          member.line->server->semi_sync.replica_active;
      member.not_acking_since = acking ? std::nullopt : std::optional(member.not_acking_since.value_or(now_));
      note_progress(member);
    } else if (!member.not_acking_since) {
      member.not_acking_since = now_;
    }
    engine::ObservedMember seen{.ordinal = Ordinal{static_cast<int>(i)}, .pod = std::format("shop-{}", i)};
    if (member.pod) {
      seen.pod_uid = member.pod->uid;
      seen.address = member.pod->address;
      seen.report = member.line;
      seen.heard = member.heard && member.line.has_value();
      seen.down_since = member.down_since;
    } else if (member.line && has_data(member.volume)) {
      observed.departed.push_back(*member.line);
    }
    seen.role_label = member.role;
    seen.not_acking_since = member.not_acking_since;
    seen.idle_since = member.idle_since;
    seen.unmoved_since = member.unmoved_since;
    seen.turned_since = member.turned_since;
    observed.members.push_back(std::move(seen));
  }
  for (const auto& [uuid, report] : departed_) observed.departed.push_back(report);
  observed.ended_pods = ended_;
  if (!recorded.current_primary) observed.volumes = static_cast<int>(members.size());
  observed.endpoint_pod = endpoint_;
  observed.endpoint_epoch = endpoint_epoch_;
  observed.forced = forced;
  return observed;
}

/// As the shell does with its reports: what an open primary is seen to have executed.
void World::note_watermark(const engine::ObservedCluster& observed, engine::ClusterState state) {
  using enum engine::ClusterState;
  const bool takes_writes = state == kHealthy || state == kDegraded || state == kWaitingForAcks;
  if (!takes_writes || !recorded.current_primary) return;
  for (const engine::ObservedMember& member : observed.members) {
    const bool is_primary = member.report && member.report->uuid == recorded.current_primary->uuid;
    if (is_primary && member.report->server) recorded.watermark = member.report->server->executed;
  }
}

engine::Decision World::decide() {
  const engine::ObservedCluster observed = observe();
  engine::Decision decision = engine::decide(spec, recorded, observed, now_);
  wanted_ = decision.members_wanted;
  if (decision.force_spent) forced.reset();
  note_watermark(observed, decision.state);
  const auto must = [&](Ordinal ordinal, const char* what) {
    if (ordinal.get() >= wanted_) broken(std::format("I6: shop-{} is scaled away although it is {}", ordinal, what));
  };
  for (const engine::Identity& acker : recorded.ackers) must(acker.ordinal, "an acker");
  if (recorded.current_primary) must(recorded.current_primary->ordinal, "the primary");
  const bool open_or_told = decision.state == engine::ClusterState::kHealthy || !decision.message.empty();
  if (!open_or_told) broken("a decision without a sentence");
  check_relaxing(decision);
  return decision;
}

/// Whoever is told to relax is not needed by anybody who was promised anything.
void World::check_relaxing(const engine::Decision& decision) {
  for (const engine::Step& step : decision.steps) {
    const auto* order = std::get_if<engine::SetDurability>(&step);
    if (order == nullptr || !order->relaxed) continue;
    GtidSet others;
    for (const Member& other : members) {
      const bool is_other = &other != &members.at(static_cast<std::size_t>(order->on.get()));
      if (is_other && other.pod && other.heard && !other.volume.relaxed)
        others = others.united(files_of(other.volume)).united(other.volume.executed);
    }
    if (!others.contains(acknowledged_)) {
      broken(std::format("I7: shop-{} is to be relaxed, and no other member holds {}", order->on,
                         acknowledged_.minus(others).to_string()));
    }
  }
}

/// A person did without what no log holds: it is not owed any more.
void World::give_up(const GtidSet& kept) {
  if (!forced) broken("acknowledged transactions were given up by nobody's word");
  acknowledged_ = acknowledged_.intersected(kept);
}

void World::write_record(const engine::RecordChange& change) {
  const engine::Recorded& next = change.next;
  if (next.revision <= recorded.revision || next.epoch < recorded.epoch) broken("the record's numbers fell");
  const bool removed =
      std::ranges::any_of(recorded.ackers, [&](const engine::Identity& acker) { return !next.is_acker(acker.uuid); });
  const bool moved = recorded.current_primary && next.current_primary != recorded.current_primary;
  const bool floor_due = removed || moved || next.ack_count > recorded.ack_count;
  if (moved) {
    for (const Member& member : members) {
      if (member.volume.uuid == next.current_primary->uuid && member.volume.relaxed)
        broken("I7: the choice is recorded while the new primary is relaxed");
    }
  }
  if (moved && (forced || !next.failover->given_up.empty())) give_up(next.floor);
  if (floor_due && !next.floor.contains(acknowledged_)) {
    broken(std::format("I3: '{}' leaves acknowledged {} out of the floor", change.why,
                       acknowledged_.minus(next.floor).to_string()));
  }
  const GtidSet given_up = next.failover ? next.failover->given_up : GtidSet();
  if (!next.floor.contains(recorded.floor.minus(given_up)))
    broken(std::format("I3: '{}' takes from the floor", change.why));
  recorded = next;
  check();
}

bool World::is_open() const {
  return recorded.current_primary && std::ranges::any_of(members, [&](const Member& member) {
           return open_now(member) && member.volume.uuid == recorded.current_primary->uuid &&
                  member.volume.opened_epoch == recorded.epoch;
         });
}

void World::check_provable() {
  const bool own_log = recorded.ack_count == 0 || !recorded.mandatory_log.empty();
  if (own_log || !recorded.current_primary || void_by_hand) return;
  // in_least[k]: what is in at least k of the ackers' logs.
  std::vector<GtidSet> in_least(static_cast<std::size_t>(recorded.ack_count) + 1);
  in_least.front() = acknowledged_.minus(recorded.floor);
  std::set<ServerUuid> counted;
  for (const engine::Identity& acker : recorded.ackers) {
    if (!counted.insert(acker.uuid).second) continue;
    const GtidSet& log = ever_held_[acker.uuid.get()];
    for (std::size_t k = in_least.size() - 1; k > 0; --k)
      in_least[k] = in_least[k].united(in_least[k - 1].intersected(log));
  }
  const GtidSet lost = in_least.front().minus(in_least.back());
  if (lost.empty()) return;
  broken(
      std::format("I3: acknowledged {} is neither in the floor nor in {} of A", lost.to_string(), recorded.ack_count));
}

void World::check() {
  int able = 0;
  for (const Member& member : members) {
    if (!open_now(member)) continue;
    const auto ackers = ackers_of(member);
    if (std::ssize(ackers) >= real_count(member)) ++able;
    if (!recorded.current_primary || recorded.current_primary->uuid != member.volume.uuid) continue;
    for (const Member* acker : ackers) {
      if (acker->volume.relaxed) broken(std::format("I7: {} acknowledges while relaxed", acker->volume.uuid));
      if (std::ranges::find(recorded.ackers, identity_of(*acker)) == recorded.ackers.end() &&
          !recorded.is_acker(acker->volume.uuid)) {
        broken(std::format("I3: acks of {} count, but it is not in A", acker->volume.uuid));
      }
    }
    if (recorded.ack_count <= real_count(member) && !member.pod->acks_time_out) {
      void_by_hand = false;
    } else if (recorded.ack_count > real_count(member) && !void_by_hand && recorded.mandatory_log.empty()) {
      broken(std::format("I3: recorded W is {}, commits wait for {}", recorded.ack_count, real_count(member)));
    }
  }
  if (able > 1) broken("I2: two members could acknowledge");
  check_provable();
}

std::string World::admit(Member& member) {
  if (!member.pod || !member.heard) return "not reached";
  Volume& volume = member.volume;
  if (volume.untrusted) return "its data cannot be trusted";
  const auto wanted = std::pair(recorded.epoch, recorded.revision);
  if (wanted < std::pair(volume.held_epoch, volume.held_revision)) return "below the highest seen";
  volume.held_epoch = recorded.epoch;
  volume.held_revision = recorded.revision;
  return {};
}

/// One order each, as sidecar/wire/order.h tells it.
struct World::Orders {
  World& world;
  Member& member;

  std::string operator()(const engine::Initialize& s) const {
    if (member.volume.directory == Directory::kInitialized) return {};
    if (s.uuid != member.volume.uuid || member.volume.directory != Directory::kEmpty) return "not this empty directory";
    if (++world.initialized_ > 1) world.broken("I6: initialised a second time");
    member.volume.directory = Directory::kInitialized;
    member.pod->process = Process::kRunning;
    world.transact(member, true);
    return {};
  }
  std::string operator()(const engine::CloneFrom& s) const {
    if (member.volume.directory == Directory::kCloned) return {};
    if (member.volume.directory != Directory::kEmpty || member.volume.held) {
      world.broken("I6: a clone over data was ordered");
      return "not empty";
    }
    member.pod->process = Process::kCloning;
    member.pod->clone_donor = s.donor;
    return {};
  }
  std::string operator()(const engine::Permit&) const {
    member.volume.held = false;
    return {};
  }
  std::string operator()(const engine::Fence&) const {
    if (member.pod->process != Process::kNotRunning) world.end_process(member, "killed by signal 9");
    member.volume.held = true;
    return {};
  }
  std::string operator()(const engine::StopReceiver&) const {
    if (!running(member)) return "mysqld does not run";
    member.pod->receiver = Thread::kStopped;
    member.pod->replica_active = false;
    return {};
  }
  std::string operator()(const engine::Follow& s) const {
    const Member& source = world.members.at(static_cast<std::size_t>(s.source.get()));
    if (!running(member) || !source.pod) return "mysqld does not run";
    if (member.volume.open_mark || !member.pod->read_only) return "it is open";
    if (s.acks && member.volume.relaxed) return "its durability is relaxed";
    if (source.pod->address == member.pod->address) return "a server cannot follow itself";
    member.volume.source = source.pod->address;
    member.volume.from_logs = false;
    member.pod->replica_enabled = s.acks;
    member.pod->receiver = Thread::kConnecting;
    member.pod->applier = Thread::kRunning;
    return {};
  }
  std::string operator()(const engine::OfferLogs& s) const {
    member.pod->offered_to = s.replica;
    member.pod->offered = s.set;
    return {};
  }
  std::string operator()(const engine::Fetch& s) const {
    const Member& source = world.members.at(static_cast<std::size_t>(s.source.get()));
    if (!running(member) || !source.pod) return "mysqld does not run";
    if (member.volume.open_mark || !member.pod->read_only) return "it is open";
    if (source.pod->address == member.pod->address) return "a server cannot fetch from itself";
    member.volume.source = source.pod->address;
    member.volume.from_logs = true;
    member.pod->replica_enabled = false;
    member.pod->receiver = Thread::kConnecting;
    member.pod->applier = Thread::kRunning;
    return {};
  }
  std::string operator()(const engine::SetDurability& s) const {
    if (!running(member)) return "mysqld does not run";
    if (s.relaxed && (member.volume.open_mark || !member.pod->read_only)) return "it is open";
    if (s.relaxed && member.pod->replica_enabled && member.pod->receiver != Thread::kStopped) return "it may send acks";
    member.volume.relaxed = member.pod->relaxed = s.relaxed;
    return {};
  }
  std::string operator()(const engine::SetAckCount& s) const {
    if (!running(member)) return "mysqld does not run";
    if (s.count > 0) member.pod->wait_for_count = s.count;
    member.pod->source_enabled = s.count > 0;
    return {};
  }
  std::string operator()(const engine::SetAckers& s) const {
    for (Member& other : world.members) {
      const bool permitted = std::ranges::find(s.replicas, other.volume.uuid) != s.replicas.end();
      if (world.connected(other, member) && !permitted) other.pod->receiver = Thread::kConnecting;
    }
    return {};
  }
  std::string operator()(const engine::EnsureReplicationAccount& s) const {
    if (!running(member)) return "mysqld does not run";
    member.volume.accounts[s.replica.get()] = false;
    return {};
  }
  std::string operator()(const engine::ExpelReplica& s) const {
    if (!running(member)) return "mysqld does not run";
    const auto known = member.volume.accounts.find(s.replica.get());
    if (known != member.volume.accounts.end()) known->second = true;
    return {};
  }
  std::string operator()(const engine::EnsureApplicationAccount&) const {
    if (!running(member) || !member.volume.source.empty()) return "this server is a replica";
    const bool alone = std::ssize(world.ackers_of(member)) < world.real_count(member);
    if (!member.volume.app_account) world.transact(member, !alone);
    member.volume.app_account = true;
    return {};
  }
  std::string operator()(const engine::WriteHeartbeat&) const { return {}; }  // Acks are never lost there.
  std::string operator()(const engine::AllowClone& s) const {
    if (!running(member)) return "mysqld does not run";
    member.volume.clone_unlocked = s.allowed;
    return {};
  }
  std::string operator()(const engine::WaitApplied& s) const {
    if (!member.volume.source.empty() && running(member)) member.pod->applier = Thread::kRunning;
    return member.volume.executed.contains(s.target) ? "" : "not applied yet";
  }
  std::string operator()(const engine::WaitAckers& s) const {
    return std::ssize(world.ackers_of(member)) >= s.count ? "" : "not connected yet";
  }
  std::string operator()(const engine::WaitReceived& s) const {
    const Volume& volume = member.volume;
    return volume.executed.united(volume.retrieved).contains(s.target) ? "" : "not received yet";
  }
  std::string operator()(const engine::Open& s) const {
    Volume& volume = member.volume;
    if (!running(member)) return "mysqld does not run";
    if (volume.relaxed) return "its durability is relaxed";
    if (!volume.executed.contains(s.target)) return "the target is missing";
    if (!volume.executed.contains(volume.retrieved)) return "received but not applied";
    if (!volume.executed.contains(world.acknowledged_)) {
      world.broken(
          std::format("I1: opened without acknowledged {}", world.acknowledged_.minus(volume.executed).to_string()));
    }
    volume.open_mark = true;
    volume.open_end = engine::OpenEnd::kNone;
    volume.opened_epoch = world.recorded.epoch;
    volume.source.clear();
    volume.from_logs = false;
    volume.retrieved = GtidSet();
    member.pod->receiver = member.pod->applier = Thread::kStopped;
    member.pod->read_only = false;
    world.acknowledged_ = world.acknowledged_.united(volume.executed);
    return {};
  }
  std::string operator()(const engine::Repoint&) const { return {}; }
  std::string operator()(const engine::LabelRole&) const { return {}; }
};

std::string World::apply(const engine::Step& step) {
  const auto index = static_cast<std::size_t>(engine::member_of(step).get());
  if (index >= members.size()) return "no such member";
  if (const auto* repoint = std::get_if<engine::Repoint>(&step)) {
    endpoint_ = std::format("shop-{}", repoint->to);
    endpoint_epoch_ = recorded.epoch;
    return {};
  }
  if (const auto* label = std::get_if<engine::LabelRole>(&step)) {
    members[index].role = label->role;
    return {};
  }
  std::string refusal = admit(members[index]);
  if (refusal.empty()) refusal = std::visit(Orders{*this, members[index]}, step);
  replicate();
  check();
  return refusal;
}

std::string World::fingerprint() const {
  std::string bytes;
  note(bytes, recorded.epoch.get(), recorded.revision.get(), endpoint_, endpoint_epoch_.get(), wanted_, acknowledged_);
  for (const Member& m : members) {
    const Volume& v = m.volume;
    note(bytes, v.uuid.get(), v.directory, v.log, v.executed, v.retrieved, v.from_logs,
         v.from_logs ? std::string() : v.source, v.held, m.role);
    for (const auto& [uuid, locked] : v.accounts) note(bytes, uuid, locked);
    note(bytes, v.app_account, v.clone_unlocked, v.relaxed, v.untrusted);
    if (!m.pod) continue;
    const Pod& p = *m.pod;
    note(bytes, p.offered_to.get(), p.offered);
    // Tries to start are repeated for ever; that is no news.
    if (!v.starts && p.process != Process::kRunning) continue;
    // Nor is that one who fetches in vain turns from source to source.
    if (v.from_logs) continue;
    note(bytes, p.uid.get(), p.process, p.log_read, p.read_only, p.source_enabled, p.wait_for_count, p.replica_enabled,
         p.receiver, p.applier);
  }
  return bytes;
}

std::string shorten(std::string text) {
  for (auto at = text.find(kUuidHead); at != std::string::npos; at = text.find(kUuidHead))
    text.replace(at, kUuidHead.size(), "server-");
  return text;
}

bool Driver::go(const std::string& line) {
  const int number = actions_++;
  if (!before || before(number)) return true;
  say("the operator crashes before: " + line);
  return false;
}

void Driver::say(const std::string& line) {
  // Two members that refuse in turn say it once each.
  const bool refused = line.contains(" (refused: ");
  if (said_.contains(line)) return;
  if (!refused) said_.clear();
  said_.insert(line);
  if (tell) tell(line);
}

std::string Driver::state_line() const { return std::format("{}: {}", engine::name_of(last_.state), last_.message); }

void Driver::pass() {
  last_ = world_.decide();
  const std::string& why_state = state_line();
  if ((last_.record || !last_.steps.empty()) && why_state != told_state_) {
    say("-- " + why_state);
    told_state_ = why_state;
  }
  if (last_.record) {
    const engine::Recorded& next = last_.record->next;
    const std::string line = std::format("record {}.{}: {}", next.epoch, next.revision, last_.record->why);
    if (!go(line)) return;
    say(line);
    world_.write_record(*last_.record);
    if (!eager) return;
  }
  std::vector<engine::Step> steps = last_.steps;
  if (order == Order::kReversed) std::ranges::reverse(steps);
  for (const engine::Step& step : steps) {
    const std::string line = "  " + engine::describe(step, world_.spec.name);
    if (!go(line)) return;
    const std::string refusal = world_.apply(step);
    say(refusal.empty() ? line : line + " (refused: " + refusal + ")");
  }
}

bool Driver::settle() {
  constexpr int kMostPasses = 400;
  constexpr int kQuietPasses = 8;
  constexpr Duration kPause{1500};
  int quiet = 0;
  const bool load = world_.load;
  std::string last = world_.fingerprint();
  for (int i = 0; i < kMostPasses; ++i) {
    // The load ends some day, so that quiet can come.
    world_.load = load && i < 30;
    const bool moved_before = quiet == 0;
    pass();
    world_.tick(moved_before ? Duration{10} : kPause);
    std::string now = world_.fingerprint();
    quiet = now == last ? quiet + 1 : 0;
    last = std::move(now);
    if (quiet < kQuietPasses) continue;
    world_.load = load;
    return true;
  }
  world_.load = load;
  say("IT NEVER SETTLES");
  return false;
}

}  // namespace baton::test
