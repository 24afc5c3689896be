#include "engine/plan/step.h"

#include <format>

namespace baton::engine {
namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

}  // namespace

Ordinal member_of(const Step& step) {
  return std::visit(
      Overloaded{[](const Repoint& repoint) { return repoint.to; }, [](const auto& order) { return order.on; }}, step);
}

std::string describe(const Step& step, const std::string& cluster) {
  const auto pod = [&](Ordinal ordinal) { return std::format("{}-{}", cluster, ordinal); };
  return std::visit(
      Overloaded{
          [&](const Initialize& s) { return std::format("initialize {} with uuid {}", pod(s.on), s.uuid); },
          [&](const CloneFrom& s) { return std::format("clone {} from {}", pod(s.on), pod(s.donor)); },
          [&](const Permit& s) { return std::format("permit {} to start", pod(s.on)); },
          [&](const Fence& s) { return std::format("fence {}", pod(s.on)); },
          [&](const StopReceiver& s) { return std::format("stop the receiver of {}", pod(s.on)); },
          [&](const Follow& s) {
            return std::format("let {} follow {} {} acks", pod(s.on), pod(s.source), s.acks ? "with" : "without");
          },
          [&](const OfferLogs& s) {
            return s.replica.get().empty() ? std::format("let {} send nothing of its logs any more", pod(s.on))
                                           : std::format("let {} send {} transactions of its logs to {}", pod(s.on),
                                                         s.set.size(), s.replica);
          },
          [&](const Fetch& s) { return std::format("let {} fetch from the logs of {}", pod(s.on), pod(s.source)); },
          [&](const SetDurability& s) {
            return s.relaxed ? std::format("relax the durability of {}", pod(s.on))
                             : std::format("restore the durability of {}", pod(s.on));
          },
          [&](const SetAckCount& s) { return std::format("let commits of {} wait for {} acks", pod(s.on), s.count); },
          [&](const SetAckers& s) {
            return std::format("tell {} its {} permitted replicas", pod(s.on), s.replicas.size());
          },
          [&](const EnsureReplicationAccount& s) {
            return std::format("make the replication account of {} on {}", s.replica, pod(s.on));
          },
          [&](const ExpelReplica& s) { return std::format("expel replica {} from {}", s.replica, pod(s.on)); },
          [&](const EnsureApplicationAccount& s) {
            return std::format("make the application's account on {}", pod(s.on));
          },
          [&](const WriteHeartbeat& s) { return std::format("write a heartbeat on {}", pod(s.on)); },
          [&](const AllowClone& s) {
            return std::format("{} clones on {}", s.allowed ? "allow" : "forbid", pod(s.on));
          },
          [&](const WaitApplied& s) {
            return std::format("wait until {} has applied {} transactions", pod(s.on), s.target.size());
          },
          [&](const WaitAckers& s) { return std::format("wait for {} ackers of {}", s.count, pod(s.on)); },
          [&](const WaitReceived& s) {
            return std::format("wait until {} has received {} transactions", pod(s.on), s.target.size());
          },
          [&](const Open& s) { return std::format("open {} for writes", pod(s.on)); },
          [&](const Repoint& s) { return std::format("move the endpoint to {}", pod(s.to)); },
          [&](const LabelRole& s) {
            return std::format("label {} as {}", pod(s.on), s.role.empty() ? "nothing" : s.role);
          },
      },
      step);
}

std::string_view name_of(const Step& step) {
  return std::visit(Overloaded{
                        [](const Initialize&) { return "Initialize"; },
                        [](const CloneFrom&) { return "CloneFrom"; },
                        [](const Permit&) { return "Permit"; },
                        [](const Fence&) { return "Fence"; },
                        [](const StopReceiver&) { return "StopReceiver"; },
                        [](const Follow&) { return "Follow"; },
                        [](const OfferLogs&) { return "OfferLogs"; },
                        [](const Fetch&) { return "Fetch"; },
                        [](const SetDurability&) { return "SetDurability"; },
                        [](const SetAckCount&) { return "SetAckCount"; },
                        [](const SetAckers&) { return "SetAckers"; },
                        [](const EnsureReplicationAccount&) { return "EnsureReplicationAccount"; },
                        [](const ExpelReplica&) { return "ExpelReplica"; },
                        [](const EnsureApplicationAccount&) { return "EnsureApplicationAccount"; },
                        [](const WriteHeartbeat&) { return "WriteHeartbeat"; },
                        [](const AllowClone&) { return "AllowClone"; },
                        [](const WaitApplied&) { return "WaitApplied"; },
                        [](const WaitAckers&) { return "WaitAckers"; },
                        [](const WaitReceived&) { return "WaitReceived"; },
                        [](const Open&) { return "Open"; },
                        [](const Repoint&) { return "Repoint"; },
                        [](const LabelRole&) { return "LabelRole"; },
                    },
                    step);
}

bool irrevocable(const Step& step) {
  return std::holds_alternative<Initialize>(step) || std::holds_alternative<CloneFrom>(step) ||
         std::holds_alternative<Permit>(step) || std::holds_alternative<Open>(step) ||
         std::holds_alternative<Repoint>(step) || std::holds_alternative<SetAckCount>(step) ||
         std::holds_alternative<EnsureReplicationAccount>(step) || std::holds_alternative<Follow>(step);
}

}  // namespace baton::engine
