#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "operator/api/names.h"
#include "operator/base/http.h"
#include "operator/ports/ports.h"

namespace baton {

/// What it takes to believe a cluster's sidecars and to be believed by them; from the Secret <name>-baton.
struct SidecarCredentials {
  std::string authority_pem;
  std::string token;
  std::string earlier_token;  ///< What the Secret held before: mounts of members may be behind. Empty: none known.

  friend bool operator==(const SidecarCredentials&, const SidecarCredentials&) = default;
};

/// The credentials of a cluster as known now; nothing while its Secret is missing or incomplete. Thread-safe.
using CredentialsOf = std::function<std::optional<SidecarCredentials>(const ClusterKey&)>;

/// Makes the HTTP client of one sidecar: to its pod's address, believing only the cluster's CA and only a certificate
/// that bears the pod's name. `idle` is the longest silence that is accepted. A request that the sidecar denies is
/// repeated with the earlier token, and fails only if that is denied too. Thread-safe.
using ConnectSidecar =
    std::function<std::unique_ptr<HttpPort>(const SidecarAddress&, const SidecarCredentials&, Duration idle)>;

/// "https://10.0.0.7:8443", with brackets around an IPv6 address.
[[nodiscard]] std::string sidecar_url(const std::string& address, int port = api::kApiPort);

/// ConnectSidecar over cpprestsdk. The clock must outlive what it makes. A pod is one hop away: what does not take a
/// request within `connect_timeout` is not there.
[[nodiscard]] ConnectSidecar connect_by_https(const Clock& clock, int port = api::kApiPort,
                                              Duration connect_timeout = std::chrono::seconds(1));

}  // namespace baton
