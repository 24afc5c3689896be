#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "operator/base/context.h"
#include "operator/ports/cluster_key.h"
#include "sidecar/wire/order.h"

namespace baton {

/// The very pod that an order is meant for, and where it is.
struct SidecarAddress {
  ClusterKey cluster;
  Ordinal ordinal;
  std::string pod;  ///< Pod name; its sidecar's certificate bears it.
  PodUid pod_uid;
  std::string address;  ///< Pod IP.

  friend bool operator==(const SidecarAddress&, const SidecarAddress&) = default;
};

/// Orders to sidecars. Behind it: POST /v1/orders over HTTPS. Thread-safe.
class SidecarPort {
 public:
  virtual ~SidecarPort() = default;
  /// Gives one order and waits for its answer. An answer of the sidecar, also a refusal, is a value. Fails with kRetry
  /// or kCancelled when there was no answer (whether the order was carried out is then unknown), kCorrupt when the
  /// answer could not be read, kDenied when it refused our token or its certificate is not the member's.
  virtual Result<wire::OrderResult> give(const Context& context, const SidecarAddress& to,
                                         const wire::Order& order) = 0;
};

/// One object of the API server as JSON.
using Object = nlohmann::json;

/// What decisions and steps do at the API server. Thread-safe; every call ends by the context's deadline.
class ClusterPort {
 public:
  virtual ~ClusterPort() = default;
  /// GET of the resource itself, from the server, never from a cache. kNotFound if it is gone.
  virtual Result<Object> read(const Context& context, const ClusterKey& key) = 0;
  /// PUT of the status subresource on condition that metadata.resourceVersion is still that of `cluster`; kConflict if
  /// it is not. Gives the resource as it was written.
  virtual Result<Object> write_status(const Context& context, const Object& cluster) = 0;
  /// Removes an annotation of the resource if it still has the value that `cluster` has; kConflict if the resource
  /// changed since. Gives the resource as it was written.
  virtual Result<Object> remove_annotation(const Context& context, const Object& cluster, std::string_view name) = 0;
  /// One write of the primary Service: selects `pod`, notes `epoch`. Conditional on the Service's resourceVersion and
  /// on the epoch noted there not being higher; kConflict otherwise. Nothing if it is so already. kUnsafe: there is a
  /// Service of that name that is not the cluster's.
  virtual Result<void> move_endpoint(const Context& context, const ClusterKey& key, const std::string& pod,
                                     Epoch epoch) = 0;
  /// Sets the role label of that very pod ("" removes it); kConflict or kNotFound if the pod is another one by now.
  virtual Result<void> label_role(const Context& context, const ClusterKey& key, const std::string& pod,
                                  const PodUid& pod_uid, const std::string& role) = 0;
};

/// Tells people what happened. Never blocks. Thread-safe.
class EventPort {
 public:
  virtual ~EventPort() = default;
  /// An Event about the cluster; `reason` is one CamelCase word, `message` a sentence.
  virtual void tell(const ClusterKey& key, bool warning, std::string_view reason, std::string_view message) = 0;
};

/// Whether this process leads. Behind it: a Lease of 3 seconds. Thread-safe, never blocks.
class LeasePort {
 public:
  virtual ~LeasePort() = default;
  /// True while the lease is held and has time left by our own monotonic clock.
  [[nodiscard]] virtual bool held() const = 0;
  /// Differs for each time that the lease was taken; meaningful while held() is true.
  [[nodiscard]] virtual std::int64_t term() const = 0;
};

}  // namespace baton
