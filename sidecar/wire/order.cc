#include "sidecar/wire/order.h"

#include <array>
#include <utility>

#include "sidecar/wire/member_state_fields.h"

namespace baton::wire {
namespace {

/// Longest order read: the longest part is a GTID set.
constexpr std::size_t kMaxOrder = 1024 * 1024;
/// An answer carries a member's whole state.
constexpr std::size_t kMaxOrderResult = 5 * 1024 * 1024;

/// Names by position in Command.
constexpr std::array<std::string_view, std::variant_size_v<Command>> kNames = {"Initialize",
                                                                               "CloneFrom",
                                                                               "Permit",
                                                                               "Fence",
                                                                               "StopReceiver",
                                                                               "Follow",
                                                                               "OfferLogs",
                                                                               "SetDurability",
                                                                               "SetAckCount",
                                                                               "SetAckers",
                                                                               "EnsureReplicationAccount",
                                                                               "ExpelReplica",
                                                                               "EnsureApplicationAccount",
                                                                               "WriteHeartbeat",
                                                                               "AllowClone",
                                                                               "WaitApplied",
                                                                               "WaitAckers",
                                                                               "WaitReceived",
                                                                               "Open"};

/// The envelope; the arguments are read once the name tells which they are.
struct Envelope {
  std::int64_t epoch = 0;
  std::int64_t revision = 0;
  std::string member;
  std::string pod_uid;
  std::string order;
};

template <class T>
Result<Command> command_of(const nlohmann::json& arguments) {
  TRY(command, FieldReader::struct_of<T>(arguments, "arguments."));
  return Command(std::move(command));
}

template <std::size_t... I>
Result<Command> command_at(std::size_t index, const nlohmann::json& arguments, std::index_sequence<I...>) {
  Result<Command> command = fail(ErrorKind::kCorrupt, "no such order");
  static_cast<void>(
      ((I == index && (command = command_of<std::variant_alternative_t<I, Command>>(arguments), true)) || ...));
  return command;
}

Result<Command> parse_command(std::string_view name, const nlohmann::json& arguments) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return command_at(i, arguments, std::make_index_sequence<kNames.size()>{});
  }
  return fail(ErrorKind::kTerminal, "field 'order' names '{}', which this sidecar does not know", name.substr(0, 60));
}

}  // namespace

template <class Visitor, Of<Envelope> S>
void visit_fields(Visitor& visit, S& value) {
  visit("epoch", value.epoch);
  visit("revision", value.revision);
  visit("member", value.member);
  visit("pod_uid", value.pod_uid);
  visit("order", value.order);
}

/// Commands without arguments.
template <class Visitor, class S>
  requires std::is_empty_v<S>
void visit_fields(Visitor&, S&) {}

template <class Visitor, Of<Initialize> S>
void visit_fields(Visitor& visit, S& value) {
  visit("uuid", value.uuid);
}
template <class Visitor, Of<CloneFrom> S>
void visit_fields(Visitor& visit, S& value) {
  visit("host", value.host);
  visit("port", value.port);
}
template <class Visitor, Of<Follow> S>
void visit_fields(Visitor& visit, S& value) {
  visit("host", value.host);
  visit("port", value.port);
  visit("source_uuid", value.source_uuid);
  visit("acks", value.acks);
}
template <class Visitor, Of<OfferLogs> S>
void visit_fields(Visitor& visit, S& value) {
  visit("replica", value.replica);
  visit("set", value.set);
}
template <class Visitor, Of<SetDurability> S>
void visit_fields(Visitor& visit, S& value) {
  visit("relaxed", value.relaxed);
}
template <class Visitor, Of<SetAckCount> S>
void visit_fields(Visitor& visit, S& value) {
  visit("wait_for_count", value.wait_for_count);
}
template <class Visitor, Of<SetAckers> S>
void visit_fields(Visitor& visit, S& value) {
  visit("replicas", value.replicas);
}
template <class Visitor, Of<EnsureReplicationAccount> S>
void visit_fields(Visitor& visit, S& value) {
  visit("uuid", value.uuid);
}
template <class Visitor, Of<ExpelReplica> S>
void visit_fields(Visitor& visit, S& value) {
  visit("uuid", value.uuid);
}
template <class Visitor, Of<EnsureApplicationAccount> S>
void visit_fields(Visitor& visit, S& value) {
  visit("database", value.database);
  visit("user", value.user);
}
template <class Visitor, Of<AllowClone> S>
void visit_fields(Visitor& visit, S& value) {
  visit("allowed", value.allowed);
}
template <class Visitor, Of<WaitApplied> S>
void visit_fields(Visitor& visit, S& value) {
  visit("target", value.target);
  visit("milliseconds", value.milliseconds);
}
template <class Visitor, Of<WaitAckers> S>
void visit_fields(Visitor& visit, S& value) {
  visit("count", value.count);
  visit("milliseconds", value.milliseconds);
}
template <class Visitor, Of<WaitReceived> S>
void visit_fields(Visitor& visit, S& value) {
  visit("target", value.target);
  visit("milliseconds", value.milliseconds);
}
template <class Visitor, Of<Open> S>
void visit_fields(Visitor& visit, S& value) {
  visit("target", value.target);
}
template <class Visitor, Of<OrderResult> S>
void visit_fields(Visitor& visit, S& value) {
  visit("error_kind", value.error_kind);
  visit("error", value.error);
  visit("state", value.state);
}

std::string_view name_of(const Command& command) { return kNames[command.index()]; }

std::string to_json_text(const Order& order) {
  auto json = FieldWriter::object_of(Envelope{.epoch = order.epoch,
                                              .revision = order.revision,
                                              .member = order.member,
                                              .pod_uid = order.pod_uid,
                                              .order = std::string(name_of(order.command))});
  auto arguments = std::visit([](const auto& command) { return FieldWriter::object_of(command); }, order.command);
  if (!arguments.empty()) json["arguments"] = std::move(arguments);
  return line_of(json);
}

Result<Order> parse_order(std::string_view text) {
  TRY(json, parse_bounded(text, kMaxOrder));
  TRY(envelope, FieldReader::struct_of<Envelope>(json, ""));
  const auto arguments = json.find("arguments");
  TRY(command, parse_command(envelope.order, arguments == json.end() ? nlohmann::json::object() : *arguments));
  return Order{.epoch = envelope.epoch,
               .revision = envelope.revision,
               .member = std::move(envelope.member),
               .pod_uid = std::move(envelope.pod_uid),
               .command = std::move(command)};
}

std::string to_json_text(const OrderResult& result) { return line_of(FieldWriter::object_of(result)); }

Result<OrderResult> parse_order_result(std::string_view text) {
  TRY(json, parse_bounded(text, kMaxOrderResult));
  return FieldReader::struct_of<OrderResult>(json, "");
}

}  // namespace baton::wire
