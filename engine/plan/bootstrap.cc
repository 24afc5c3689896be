#include <algorithm>
#include <format>

#include "engine/plan/plans.h"

namespace baton::engine {
namespace {

bool has_data(const ObservedMember& member) {
  return member.report &&
         (member.report->directory == Directory::kInitialized || member.report->directory == Directory::kCloned);
}

/// Every member that is wanted, or has a volume, must have been heard before kept volumes are judged: the newest
/// history may be on the silent one.
std::string unheard(const View& view) {
  std::string names;
  for (int i = 0; i < std::max(view.spec.replicas, view.observed.volumes); ++i) {
    const ObservedMember* member = view.member(Ordinal{i});
    if (member != nullptr && member->heard && member->report->directory != Directory::kUnknown) continue;
    names += std::format("{}{}", names.empty() ? "" : ", ", view.pod(Ordinal{i}));
    if (member != nullptr && !member->pod_trouble.empty()) names += std::format(" ({})", member->pod_trouble);
  }
  return names;
}

/// The member whose executed set contains everything that any member holds, if there is one.
const ObservedMember* holder_of_all(const View& view, GtidSet& everything) {
  for (const ObservedMember& member : view.observed.members) {
    if (const Server* server = server_of(member)) everything = everything.united(holdings(*server));
  }
  for (const ObservedMember& member : view.observed.members) {
    const Server* server = server_of(member);
    if (server != nullptr && has_data(member) && server->executed.contains(everything)) return &member;
  }
  return nullptr;
}

/// Volumes that hold data and no record of them (the resource was made again, or etcd was restored): all members must
/// be there, their logs are all read, and one history must contain the others.
void adopt(const View& view, Decision& decision) {
  if (const std::string names = unheard(view); !names.empty()) {
    set_state(decision, ClusterState::kAmbiguous,
              std::format("volumes hold data without a record of it; every member must be heard first, waiting for {}",
                          names));
    decision.findings.push_back({"BootstrapAmbiguous", std::nullopt, decision.message});
    return;
  }
  Epoch highest{0};
  Revision revision{0};
  for (const ObservedMember& member : view.observed.members) {
    highest = std::max(highest, member.report ? member.report->held_epoch : Epoch{0});
    revision = std::max(revision, member.report ? member.report->held_revision : Revision{0});
  }
  set_state(decision, ClusterState::kReopening, "adopting the data that lies on the members' volumes");
  // Equal is fine: our own orders at the new epoch.
  if (view.recorded.epoch == Epoch{0} || view.recorded.epoch < highest) {
    Recorded next = view.recorded;
    next.epoch = Epoch{highest.get() + 1};
    next.revision = std::max(next.revision, revision);
    return propose(decision, std::move(next),
                   "volumes hold data of an earlier record: taking an epoch above all they have seen");
  }
  bool all_read = true;
  for (const ObservedMember& member : view.observed.members) {
    if (!has_data(member)) continue;
    if (member.report->process == Process::kNotRunning && member.report->held)
      add_order(decision, Permit{member.ordinal});
    if (server_of(member) != nullptr) continue;
    all_read = false;
    decision.message += std::format("; {} is not up yet{}{}", member.pod,
                                    member.report->start_error.empty() ? "" : ": ", member.report->start_error);
    if (member.report->start_error.empty()) continue;
    decision.findings.push_back(
        {"MysqldDoesNotStart", member.ordinal,
         std::format(
             "mysqld of {} does not start, and what it holds must be known before a history is chosen. It said: "
             "{}",
             member.pod, member.report->start_error)});
  }
  if (!all_read) return;
  GtidSet everything;
  const ObservedMember* holder = holder_of_all(view, everything);
  if (holder == nullptr) {
    set_state(decision, ClusterState::kAmbiguous,
              std::format("no member's data contains what the others hold ({}); a person must choose",
                          everything.to_string()));
    decision.findings.push_back({"BootstrapAmbiguous", std::nullopt, decision.message});
    return;
  }
  Recorded next = view.recorded;
  next.bootstrap = PrimaryRef{holder->ordinal, holder->report->uuid};
  next.current_primary = next.bootstrap;
  next.floor = everything;
  propose(decision, std::move(next),
          std::format("adopting {}: it holds everything that any member holds", view.pod(holder->ordinal)));
}

void record_first(const View& view, const ObservedMember& first, Decision& decision) {
  set_state(decision, ClusterState::kBootstrapping, std::format("{} becomes the first primary", first.pod));
  Recorded next = view.recorded;
  next.bootstrap = PrimaryRef{first.ordinal, first.report->uuid};
  next.epoch = Epoch{std::max<std::int64_t>(next.epoch.get(), 1)};
  propose(decision, std::move(next),
          std::format("{} is to be initialised, once, with uuid {}", first.pod, first.report->uuid));
}

void initialize(const View& view, Decision& decision) {
  const auto& [ordinal, uuid] = *view.recorded.bootstrap;
  const ObservedMember* first = view.member(ordinal);
  set_state(decision, ClusterState::kBootstrapping, std::format("initialising {}", view.pod(ordinal)));
  if (first == nullptr || !first->heard) {
    decision.message = std::format("waiting for {} to be initialised{}{}", view.pod(ordinal),
                                   first != nullptr && !first->pod_trouble.empty() ? ": " : "",
                                   first != nullptr ? first->pod_trouble : "");
    return;
  }
  if (first->report->uuid != uuid) {
    set_state(decision, ClusterState::kAmbiguous,
              std::format("{} was recorded as the first primary with uuid {}, and its volume now is another one ({}); "
                          "nothing was ever "
                          "open, so delete and apply the resource again",
                          view.pod(ordinal), uuid, first->report->uuid));
    decision.findings.push_back({"BootstrapAmbiguous", ordinal, decision.message});
    return;
  }
  const Server* server = server_of(*first);
  if (first->report->directory == Directory::kInitialized && server != nullptr) {
    Recorded next = view.recorded;
    next.current_primary = next.bootstrap;
    next.floor = logged(*server);
    return propose(decision, std::move(next), std::format("{} is initialised and becomes the primary", first->pod));
  }
  if (first->report->directory != Directory::kInitialized && first->report->busy.empty())
    add_order(decision, Initialize{ordinal, uuid});
  if (!first->report->start_error.empty()) decision.message += std::format(": {}", first->report->start_error);
}

}  // namespace

void plan_bootstrap(const View& view, Decision& decision) {
  if (view.recorded.bootstrap) return initialize(view, decision);
  if (std::ranges::any_of(view.observed.members, has_data)) return adopt(view, decision);
  const ObservedMember* first = view.member(Ordinal{0});
  if (first == nullptr || !first->heard) {
    set_state(decision, ClusterState::kPending, std::format("waiting for {} to be heard", view.pod(Ordinal{0})));
    if (first != nullptr && !first->pod_trouble.empty()) decision.message += std::format(": {}", first->pod_trouble);
    return;
  }
  // The others may hold kept data that has not been looked at yet.
  if (const std::string names = unheard(view); !names.empty()) {
    return set_state(decision, ClusterState::kPending, std::format("waiting for {} to be heard", names));
  }
  record_first(view, *first, decision);
}

}  // namespace baton::engine
