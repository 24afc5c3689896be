#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "operator/sidecars/sidecar_access.h"

namespace baton {

/// Orders over HTTPS: POST /v1/orders. Keeps one client, and so one connection, per member. Thread-safe.
class SidecarClient final : public SidecarPort {
 public:
  SidecarClient(ConnectSidecar connect, CredentialsOf credentials);

  Result<wire::OrderResult> give(const Context& context, const SidecarAddress& to, const wire::Order& order) override;

  /// Closes the connections to a cluster's members.
  void forget(const ClusterKey& key);

 private:
  struct Known {
    SidecarAddress address;
    SidecarCredentials credentials;
    std::shared_ptr<HttpPort> http;
  };
  [[nodiscard]] Result<std::shared_ptr<HttpPort>> client_of(const SidecarAddress& to);

  ConnectSidecar connect_;
  CredentialsOf credentials_;
  std::mutex mutex_;
  std::map<std::pair<ClusterKey, std::string>, Known> clients_;  ///< By cluster and pod name.
};

}  // namespace baton
