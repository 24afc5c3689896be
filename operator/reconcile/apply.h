#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/decide/decide.h"
#include "operator/api/mysql_cluster.h"
#include "operator/base/clock.h"
#include "operator/desired/secrets.h"
#include "operator/kube/kube_client.h"
#include "operator/ports/ports.h"
#include "operator/reconcile/cluster_port.h"
#include "operator/sidecars/sidecar_access.h"

namespace baton::reconcile {

/// The objects that belong to a cluster.
class ObjectsPort {
 public:
  virtual ~ObjectsPort() = default;
  /// Reads the cluster's Secret when that is due. Never writes.
  virtual void refresh_credentials(const Context& context, const api::Cluster& cluster) = 0;
  /// Brings the objects to what they should be, as far as they are not. `members`: the StatefulSet's replicas.
  /// `services_too`: false while an endpoint is about to move, because a change of any Service delays that; one that is
  /// not there is made all the same, because nothing could be pointed anywhere without it. Gives what stands in the
  /// way, as sentences; empty if nothing does.
  virtual std::vector<engine::Finding> bring(const Context& context, const api::Cluster& cluster, int members,
                                             bool services_too) = 0;
  /// One more than the highest ordinal that has a volume claim, whoever made it; 0: there is none.
  virtual Result<int> volumes(const Context& context, const api::Cluster& cluster) = 0;
  /// Adds or removes our finalizer; gives the resource as it is then.
  virtual Result<Object> set_finalizer(const Context& context, const Object& cluster, bool present) = 0;
  virtual void forget(const ClusterKey& key) = 0;
};

/// "mysql.baton.dev/finalizer": the operator lets go of a cluster's members before the cluster goes. Its objects are
/// then removed by Kubernetes through their owner references; volumes are kept.
inline constexpr std::string_view kFinalizer = "mysql.baton.dev/finalizer";

/// Code of the obstacle that the API server does not answer at all.
inline constexpr const char* kApiServerAway = "ApiServerAway";

struct ApplierOptions {
  std::string sidecar_image;
  std::string sidecar_pull_policy;
};

/// ObjectsPort over the API server, by server-side apply. An object is applied when what is wanted changed, when what
/// is watched of it changed, and every kRepeat. One that was not taken is tried again after kFirstRetry, later with
/// each failure in a row, up to kLongestRetry; it stays an obstacle meanwhile. What is there and not ours is never
/// written. Thread-safe for different clusters.
class Applier final : public ObjectsPort {
 public:
  static constexpr Duration kRepeat = std::chrono::minutes(5);
  static constexpr Duration kFirstRetry = std::chrono::seconds(1);
  static constexpr Duration kLongestRetry = std::chrono::seconds(30);
  /// How often Secrets are read: they are not watched, so that the operator needs no right to list them.
  static constexpr Duration kSecretPeriod = std::chrono::seconds(30);
  static constexpr Duration kSecretRetry = std::chrono::seconds(1);
  /// How often it is asked why a volume is not bound.
  static constexpr Duration kClaimPeriod = std::chrono::seconds(5);
  static constexpr Duration kCertificatePeriod = std::chrono::hours(1);

  /// What informers hold.
  struct Lookups {
    Lookup pods;
    Lookup services;
    Lookup stateful_sets;
  };
  /// Client, clock, events and caches must outlive the applier.
  Applier(kube::KubeClient& client, const Clock& clock, EventPort& events, ApplierOptions options, Lookups lookups);

  void refresh_credentials(const Context& context, const api::Cluster& cluster) override;
  std::vector<engine::Finding> bring(const Context& context, const api::Cluster& cluster, int members,
                                     bool services_too) override;
  Result<int> volumes(const Context& context, const api::Cluster& cluster) override;
  Result<Object> set_finalizer(const Context& context, const Object& cluster, bool present) override;
  void forget(const ClusterKey& key) override;

  /// What is known of a cluster's Secret; for sidecar clients. Thread-safe.
  [[nodiscard]] std::optional<SidecarCredentials> credentials(const ClusterKey& key) const;

 private:
  /// What became of the last attempt to write something, and when the next one is due if nothing changes.
  struct Attempt {
    std::size_t wanted = 0;  ///< Hash of what was wanted.
    std::string seen;        ///< Version of the watched object after it; empty if it is not watched, or failed.
    Instant due = Instant::min();
    int failures = 0;              ///< In a row.
    std::optional<Error> refusal;  ///< Why it failed.
  };
  struct Known {
    desired::SecretData secret;
    std::string earlier_token;  ///< The sidecars' token before the present one.
    Instant secret_due = Instant::min();
    Instant secret_checked;
    std::int64_t secret_generation = -1;      ///< Of the resource, when the Secret was checked to be complete.
    std::map<std::string, Attempt> attempts;  ///< By kind and name.
    std::vector<engine::Finding> unbound;     ///< As of unbound_due − kClaimPeriod.
    Instant unbound_due = Instant::min();
  };
  struct Wanted {
    const kube::ResourceType& type;
    Object object;
    const Lookup* watched;  ///< Null: not watched.
  };

  [[nodiscard]] Known known(const ClusterKey& key) const;
  /// Makes it what is known of the Secret, and keeps the token that it replaces.
  static void take_secret(Known& known, desired::SecretData secret);
  void keep(const ClusterKey& key, Known known);
  [[nodiscard]] Result<std::vector<Wanted>> wanted(const api::Cluster& cluster, int members, bool services_too) const;
  /// Writes, unless the same was written or refused a short time ago; a refusal is then told again. `write` gives the
  /// version of the object after it.
  [[nodiscard]] Result<void> attempt(Attempt& last, std::size_t wanted, const std::string& seen, Duration repeat,
                                     const std::function<Result<std::string>()>& write) const;
  [[nodiscard]] Result<void> apply(const Context& context, const api::Cluster& cluster, const Wanted& wanted,
                                   Known& known);
  [[nodiscard]] Result<void> bring_secrets(const Context& context, const api::Cluster& cluster, Known& known);
  [[nodiscard]] Result<void> bring_app_secret(const Context& context, const api::Cluster& cluster,
                                              const desired::SecretData& complete, const std::optional<Object>& written,
                                              bool restores);
  [[nodiscard]] bool claims_may_grow(const api::Cluster& cluster) const;
  [[nodiscard]] Result<void> grow_claim(const Context& context, const api::Cluster& cluster, Ordinal member,
                                        Known& known);
  [[nodiscard]] Result<void> look_at_claims(const Context& context, const api::Cluster& cluster, int members,
                                            Known& known);
  [[nodiscard]] Result<std::optional<engine::Finding>> unbound(const Context& context, const api::Cluster& cluster,
                                                               Ordinal member);
  [[nodiscard]] Result<std::optional<Object>> find(const Context& context, const kube::ResourceType& type,
                                                   const kube::ObjectKey& key);

  kube::KubeClient& client_;
  const Clock& clock_;
  EventPort& events_;
  const ApplierOptions options_;
  const Lookups lookups_;
  mutable std::mutex mutex_;
  std::map<ClusterKey, Known> clusters_;
};

}  // namespace baton::reconcile
