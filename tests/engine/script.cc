#include "tests/engine/script.h"

#include <format>
#include <functional>
#include <map>
#include <sstream>

namespace baton::test {
namespace {

struct Arguments {
  std::vector<std::string> words;

  [[nodiscard]] int number(std::size_t i) const { return i < words.size() ? std::stoi(words[i]) : 0; }
  [[nodiscard]] bool has(const std::string& word) const { return std::ranges::find(words, word) != words.end(); }
  [[nodiscard]] int value(const std::string& name, int otherwise) const {
    for (const std::string& word : words) {
      if (word.starts_with(name + "=")) return std::stoi(word.substr(name.size() + 1));
    }
    return otherwise;
  }
};

struct Stage {
  World& world;
  Driver& driver;
  Arguments arguments;

  [[nodiscard]] Member& member() const { return world.members.at(static_cast<std::size_t>(arguments.number(0))); }
};

void make_cluster(const Stage& s) {
  s.world.spec.replicas = s.arguments.value("replicas", 3);
  s.world.spec.acks = s.arguments.value("acks", 1);
  s.world.spec.crash_grace = Duration{s.arguments.value("grace", 0)};
  s.world.strict = s.arguments.has("strict");
  s.world.spec.failover_enabled = !s.arguments.has("no-failover");
  s.world.spec.degrade = s.arguments.has("degrade");
  s.world.spec.apply_tail = !s.arguments.has("discard-tail");
}

void forbid(const Stage& s) {
  s.world.spec.candidates.push_back({.member = Ordinal{s.arguments.number(0)}, .never_promote = true});
}

void prefer(const Stage& s) {
  s.world.spec.candidates.push_back({.member = Ordinal{s.arguments.number(0)}, .priority = s.arguments.number(1)});
}

void make_errant(const Stage& s) {
  Volume& volume = s.member().volume;
  volume.log.add({.uuid = volume.uuid.get(), .tag = {}}, 900);
  volume.executed = volume.executed.united(volume.log);
}

/// As a person does with RESET REPLICA ALL: the sidecar has kept the relay logs.
void reset_channel(const Stage& s) {
  Volume& volume = s.member().volume;
  volume.kept = volume.kept.united(volume.retrieved);
  volume.retrieved = GtidSet();
  volume.source.clear();
  volume.from_logs = false;
  s.member().pod->receiver = s.member().pod->applier = engine::Thread::kStopped;
}

void lower_acks(const Stage& s) {
  s.world.void_by_hand = true;
  s.member().pod->source_enabled = s.arguments.number(1) > 0;
  s.member().pod->wait_for_count = s.arguments.number(1);
}

void let_acks_time_out(const Stage& s) {
  s.world.void_by_hand = true;
  s.member().pod->acks_time_out = true;
}

void age_record(const Stage& s) { s.world.recorded.epoch = Epoch{s.world.recorded.epoch.get() - 1}; }

using Command = std::function<void(const Stage&)>;

const std::map<std::string, Command>& commands() {
  static const std::map<std::string, Command> kCommands = {
      {"cluster", make_cluster},
      {"settle", [](const Stage& s) { static_cast<void>(s.driver.settle()); }},
      {"write", [](const Stage& s) { s.world.write(s.arguments.number(0)); }},
      {"kill", [](const Stage& s) { s.world.kill_mysqld(s.arguments.number(0)); }},
      {"shut-down", [](const Stage& s) { s.world.shut_down(s.arguments.number(0)); }},
      {"let-acks-time-out", let_acks_time_out},
      {"wait-for-acks", [](const Stage& s) { s.member().pod->acks_time_out = false; }},
      {"delete-pod", [](const Stage& s) { s.world.delete_pod(s.arguments.number(0), false); }},
      {"force-delete-pod", [](const Stage& s) { s.world.delete_pod(s.arguments.number(0), true); }},
      {"lose-volume", [](const Stage& s) { s.world.lose_volume(s.arguments.number(0)); }},
      {"reboot-node", [](const Stage& s) { s.world.reboot_node(s.arguments.number(0)); }},
      {"restart-all", [](const Stage& s) { s.world.restart_all(); }},
      {"forget-record", [](const Stage& s) { s.world.forget_record(); }},
      {"age-record", age_record},
      {"new-leader", [](const Stage& s) { s.world.new_leader(); }},
      {"heal", [](const Stage& s) { s.world.heal(); }},
      {"unhear", [](const Stage& s) { s.member().heard = false; }},
      {"hear", [](const Stage& s) { s.member().heard = true; }},
      {"freeze", [](const Stage& s) { s.member().frozen = true; }},
      {"thaw", [](const Stage& s) { s.member().frozen = false; }},
      {"stall-applier", [](const Stage& s) { s.member().applies = false; }},
      {"stop-applier", [](const Stage& s) { s.member().pod->applier = engine::Thread::kStopped; }},
      {"reset-channel", reset_channel},
      {"run-applier", [](const Stage& s) { s.member().applies = true; }},
      {"unreadable-log", [](const Stage& s) { s.member().volume.readable = false; }},
      {"cannot-send", [](const Stage& s) { s.member().volume.sends = false; }},
      {"cannot-start", [](const Stage& s) { s.member().volume.starts = false; }},
      {"can-start", [](const Stage& s) { s.member().volume.starts = true; }},
      {"stays-away", [](const Stage& s) { s.member().returns = false; }},
      {"returns", [](const Stage& s) { s.member().returns = true; }},
      {"errant", make_errant},
      {"lower-acks", lower_acks},
      {"never-promote", forbid},
      {"priority", prefer},
      {"scale", [](const Stage& s) { s.world.spec.replicas = s.arguments.number(0); }},
      {"acks", [](const Stage& s) { s.world.spec.acks = s.arguments.number(0); }},
      {"load", [](const Stage& s) { s.world.load = s.arguments.has("on"); }},
      {"apply-at-most", [](const Stage& s) { s.world.apply_at_most = s.arguments.number(0); }},
      {"force", [](const Stage& s) { s.world.forced = Ordinal{s.arguments.number(0)}; }},
      {"strict", [](const Stage& s) { s.world.strict = true; }},
  };
  return kCommands;
}

}  // namespace

bool run_command(World& world, Driver& driver, const std::string& line) {
  std::istringstream in(line);
  std::string name;
  in >> name;
  Arguments arguments;
  for (std::string word; in >> word;) arguments.words.push_back(word);
  const auto command = commands().find(name);
  if (command == commands().end()) return false;
  command->second({world, driver, arguments});
  return true;
}

std::string picture(World& world, const Driver& driver) {
  const engine::Decision& decision = driver.last();
  std::string text = std::format("state {}\n", driver.state_line());
  text += std::format("readiness {}: {}\n", decision.readiness.reason, decision.readiness.sentence);
  for (const engine::Finding& finding : decision.findings)
    text += std::format("finding {}: {}\n", finding.code, finding.sentence);
  for (const engine::Ballot& ballot : decision.ballots) {
    text += std::format("ballot {}: {}\n", ballot.eligible ? "yes" : "no", ballot.sentence);
  }
  for (const engine::MemberView& member : decision.members) {
    const Member& m = world.members.at(static_cast<std::size_t>(member.ordinal.get()));
    const bool open = m.pod && m.pod->process == engine::Process::kRunning && !m.pod->read_only;
    text += std::format("shop-{} {} {}{} holds {}{}\n", member.ordinal, member.role, member.reachability,
                        open ? " open" : "", m.volume.log.to_string(),
                        member.errant.empty() ? "" : std::format(", errant {}", member.errant.to_string()));
  }
  std::string ackers;
  for (const engine::Identity& acker : world.recorded.ackers)
    ackers += std::format(" shop-{}/{}", acker.ordinal, acker.uuid);
  text += std::format("record epoch {}, W {}, A{}\n", world.recorded.epoch, world.recorded.ack_count,
                      ackers.empty() ? " none" : ackers);
  text += std::format("floor {}\n", world.recorded.floor.to_string());
  for (const engine::EndedEpoch& ended : world.recorded.epochs)
    text += std::format("ended epoch {}: {} with {}\n", ended.epoch, ended.uuid, ended.final_set.to_string());
  if (world.recorded.failover && !world.recorded.failover->given_up.empty())
    text += std::format("given up {}\n", world.recorded.failover->given_up.to_string());
  text += std::format("acknowledged {}\n", world.acknowledged().to_string());
  if (decision.members_wanted != world.spec.replicas)
    text += std::format("members wanted {}\n", decision.members_wanted);
  return text;
}

}  // namespace baton::test
