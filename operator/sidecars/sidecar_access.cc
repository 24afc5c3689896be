#include "operator/sidecars/sidecar_access.h"

#include <format>

#include "operator/base/http_cpprest.h"

namespace baton {
namespace {

/// A pod is one hop away: what does not answer within a second is not there.
constexpr Duration kConnectTimeout = std::chrono::seconds(1);

}  // namespace

std::string sidecar_url(const std::string& address, int port) {
  const bool version6 = address.contains(':');
  return std::format("https://{}{}{}:{}", version6 ? "[" : "", address, version6 ? "]" : "", port);
}

ConnectSidecar connect_by_https(const Clock& clock, int port) {
  return [&clock, port](const SidecarAddress& to, const SidecarCredentials& credentials, Duration idle) {
    HttpClientOptions options{.base_url = sidecar_url(to.address, port)};
    options.ca_pem = credentials.authority_pem;
    options.verify_name = to.pod;
    options.token = [token = credentials.token] { return token; };
    options.connect_timeout = kConnectTimeout;
    options.idle_timeout = idle;
    return std::unique_ptr<HttpPort>(std::make_unique<HttpCpprest>(std::move(options), clock));
  };
}

}  // namespace baton
