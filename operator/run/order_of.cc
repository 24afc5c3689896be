#include "operator/run/order_of.h"

#include <algorithm>
#include <format>
#include <utility>

namespace baton {
namespace {

/// How long one waiting order waits in the sidecar; repeated while the decision still wants it.
constexpr Duration kWaitSlice = std::chrono::seconds(1);

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

Result<const PlanMember*> source(const Plan& plan, Ordinal ordinal) {
  const PlanMember* member = plan.member(ordinal);
  if (member == nullptr || member->at.address.empty()) {
    return fail(ErrorKind::kTerminal, "member {} has no address", ordinal);
  }
  return member;
}

std::vector<std::string> texts_of(const std::vector<ServerUuid>& uuids) {
  std::vector<std::string> texts;
  texts.reserve(uuids.size());
  for (const ServerUuid& uuid : uuids) texts.push_back(uuid.get());
  return texts;
}

struct CommandOf {
  const Plan& plan;

  using R = Result<wire::Command>;
  R operator()(const engine::Initialize& s) const { return wire::Initialize{.uuid = s.uuid.get()}; }
  R operator()(const engine::CloneFrom& s) const {
    TRY(donor, source(plan, s.donor));
    return wire::CloneFrom{.host = donor->at.address, .port = wire::kMysqlPort};
  }
  R operator()(const engine::Permit&) const { return wire::Permit{}; }
  R operator()(const engine::Fence&) const { return wire::Fence{}; }
  R operator()(const engine::StopReceiver&) const { return wire::StopReceiver{}; }
  R operator()(const engine::Follow& s) const {
    TRY(from, source(plan, s.source));
    return wire::Follow{
        .host = from->at.address, .port = wire::kMysqlPort, .source_uuid = from->uuid.get(), .acks = s.acks};
  }
  R operator()(const engine::OfferLogs& s) const {
    return wire::OfferLogs{.replica = s.replica.get(), .set = s.set.to_string()};
  }
  R operator()(const engine::Fetch& s) const {
    TRY(from, source(plan, s.source));
    return wire::Follow{
        .host = from->at.address, .port = wire::kLogPort, .source_uuid = from->uuid.get(), .acks = false};
  }
  R operator()(const engine::SetDurability& s) const { return wire::SetDurability{.relaxed = s.relaxed}; }
  R operator()(const engine::SetAckCount& s) const { return wire::SetAckCount{.wait_for_count = s.count}; }
  R operator()(const engine::SetAckers& s) const { return wire::SetAckers{.replicas = texts_of(s.replicas)}; }
  R operator()(const engine::EnsureReplicationAccount& s) const {
    return wire::EnsureReplicationAccount{.uuid = s.replica.get()};
  }
  R operator()(const engine::ExpelReplica& s) const { return wire::ExpelReplica{.uuid = s.replica.get()}; }
  R operator()(const engine::EnsureApplicationAccount&) const {
    return wire::EnsureApplicationAccount{.database = plan.database, .user = plan.user};
  }
  R operator()(const engine::WriteHeartbeat&) const { return wire::WriteHeartbeat{}; }
  R operator()(const engine::AllowClone& s) const { return wire::AllowClone{.allowed = s.allowed}; }
  R operator()(const engine::WaitApplied& s) const {
    return wire::WaitApplied{.target = s.target.to_string(), .milliseconds = kWaitSlice.count()};
  }
  R operator()(const engine::WaitAckers& s) const {
    return wire::WaitAckers{.count = s.count, .milliseconds = kWaitSlice.count()};
  }
  R operator()(const engine::WaitReceived& s) const {
    return wire::WaitReceived{.target = s.target.to_string(), .milliseconds = kWaitSlice.count()};
  }
  R operator()(const engine::Open& s) const { return wire::Open{.target = s.target.to_string()}; }
  R operator()(const engine::Repoint&) const { return fail(ErrorKind::kTerminal, "the endpoint is no sidecar's"); }
  R operator()(const engine::LabelRole&) const { return fail(ErrorKind::kTerminal, "a label is no sidecar's"); }
};

}  // namespace

const PlanMember* Plan::member(Ordinal ordinal) const {
  const auto found = std::ranges::find(members, ordinal, [](const PlanMember& m) { return m.at.ordinal; });
  return found == members.end() ? nullptr : &*found;
}

Lane lane_of(const engine::Step& step) {
  return std::visit(
      Overloaded{[](const engine::Fence&) { return Lane::kFence; },
                 [](const engine::Repoint&) { return Lane::kEndpoint; },
                 [](const engine::LabelRole&) { return Lane::kLabel; }, [](const auto&) { return Lane::kOrder; }},
      step);
}

Result<wire::Order> order_of(const engine::Step& step, const Plan& plan) {
  const PlanMember* member = plan.member(engine::member_of(step));
  if (member == nullptr || member->at.address.empty()) {
    return fail(ErrorKind::kTerminal, "member {} has no address", engine::member_of(step));
  }
  TRY(command, std::visit(CommandOf{plan}, step));
  return wire::Order{.epoch = plan.epoch.get(),
                     .revision = plan.revision.get(),
                     .member = member->at.pod,
                     .pod_uid = member->at.pod_uid.get(),
                     .command = std::move(command)};
}

Duration deadline_of(const engine::Step& step) {
  return std::visit(Overloaded{
                        // --initialize writes a whole data directory and starts the server, on a disk that may be slow.
                        [](const engine::Initialize&) { return Duration(std::chrono::minutes(3)); },
                        // STOP REPLICA takes about 2 s while the receiver redials a source that was lost silently.
                        [](const engine::StopReceiver&) { return Duration(std::chrono::seconds(5)); },
                        [](const engine::Fence&) { return Duration(std::chrono::seconds(5)); },
                        // To be restored, a candidate syncs what it wrote last, on a disk that may be slow.
                        [](const engine::SetDurability&) { return Duration(std::chrono::seconds(30)); },
                        [](const engine::WaitApplied&) { return kWaitSlice + std::chrono::seconds(2); },
                        [](const engine::WaitAckers&) { return kWaitSlice + std::chrono::seconds(2); },
                        [](const engine::WaitReceived&) { return kWaitSlice + std::chrono::seconds(2); },
                        [](const engine::Repoint&) { return Duration(std::chrono::seconds(3)); },
                        [](const engine::LabelRole&) { return Duration(std::chrono::seconds(3)); },
                        [](const auto&) { return Duration(std::chrono::seconds(10)); },
                    },
                    step);
}

std::string identity_of(const engine::Step& step, const Plan& plan) {
  if (const auto* repoint = std::get_if<engine::Repoint>(&step)) return std::format("Repoint {}", repoint->to);
  if (const auto* label = std::get_if<engine::LabelRole>(&step)) {
    return std::format("LabelRole {} {}", label->on, label->role);
  }
  auto order = order_of(step, plan);
  if (!order) return std::format("{} {}", engine::name_of(step), engine::member_of(step));
  // The same wish from a later record is the same step.
  order->epoch = order->revision = 0;
  return wire::to_json_text(*order);
}

}  // namespace baton
