#include "operator/sidecars/sidecar_client.h"

#include <format>

namespace baton {
namespace {

/// Longer than any order may take: the context's deadline is what ends one.
constexpr Duration kIdle = std::chrono::minutes(4);
constexpr int kFirstErrorStatus = 300;

}  // namespace

SidecarClient::SidecarClient(ConnectSidecar connect, CredentialsOf credentials)
    : connect_(std::move(connect)), credentials_(std::move(credentials)) {}

Result<wire::OrderResult> SidecarClient::give(const Context& context, const SidecarAddress& to,
                                              const wire::Order& order) {
  TRY(http, client_of(to));
  auto response = http->send(context, {.method = "POST", .path_and_query = "/v1/orders", .body = to_json_text(order)});
  if (!response) return wrap(std::format("no answer from {}", to.pod), std::move(response).error());
  auto result = wire::parse_order_result(response->body);
  const bool refused = response->status >= kFirstErrorStatus;
  // Refusals before the order was looked at (401, 413, a listener that stops) have no body of ours.
  if (refused && (!result || result->error.empty())) {
    return fail(kind_of_status(response->status), "{} answered {}: {}", to.pod, response->status, response->body);
  }
  if (!result) return wrap(std::format("unreadable answer from {}", to.pod), std::move(result).error());
  return result;
}

void SidecarClient::forget(const ClusterKey& key) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(clients_, [&](const auto& item) { return item.first.first == key; });
}

Result<std::shared_ptr<HttpPort>> SidecarClient::client_of(const SidecarAddress& to) {
  const auto credentials = credentials_(to.cluster);
  if (!credentials) return fail(ErrorKind::kRetry, "the Secret of {} is not known yet", to_string(to.cluster));
  const std::scoped_lock lock(mutex_);
  Known& known = clients_[{to.cluster, to.pod}];
  if (known.http == nullptr || known.address != to || known.credentials != *credentials) {
    known = {.address = to, .credentials = *credentials, .http = connect_(to, *credentials, kIdle)};
  }
  return known.http;
}

}  // namespace baton
