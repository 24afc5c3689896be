#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/base/http.h"
#include "operator/kube/resource.h"
#include "operator/kube/watch_state.h"

namespace baton::kube {

/// Which objects of a collection. Empty fields choose all.
struct Selection {
  std::string space = {};  ///< Namespace; empty: all.
  std::string label_selector = {};
  std::string field_selector = {};
};

struct ObjectList {
  std::vector<Json> items;
  std::string resource_version;
};

/// The object is deleted only if it still is the one that was looked at.
struct DeleteOptions {
  std::string uid = {};
  std::string resource_version = {};
  std::string propagation_policy = {};  ///< Foreground, Background, Orphan; empty: the kind's default.
  std::optional<int> grace_period_seconds = {};
};

/// The API server, one method a verb, on plain JSON. Errors carry the server's own sentence and kind_of_status: 409
/// kConflict, 404 kNotFound, 410 kGone, 401 kDenied, 429, 5xx and lost connections kRetry, 400, 403, 422 kTerminal.
/// Thread-safe.
class KubeClient {
 public:
  /// Two ports, since a watch may be silent for longer than an answer may take. Both must outlive the client.
  KubeClient(HttpPort& requests, HttpPort& watches) : requests_(requests), watches_(watches) {}

  Result<Json> get(const Context& context, const ResourceType& type, const ObjectKey& key);
  /// One page; continue_token empty for the first. kGone: the token is too old, begin anew.
  Result<ListPage> list_page(const Context& context, const ResourceType& type, const Selection& selection,
                             const std::string& continue_token, int limit = kPageSize);
  /// All pages.
  Result<ObjectList> list(const Context& context, const ResourceType& type, const Selection& selection);

  /// Namespace and name are taken from metadata; apiVersion and kind are filled in. kConflict: it exists already.
  Result<Json> create(const Context& context, const ResourceType& type, Json object);
  /// Replaces; with metadata.resourceVersion only if nobody wrote since (else kConflict).
  Result<Json> update(const Context& context, const ResourceType& type, Json object);
  /// The same for the status sub-resource alone.
  Result<Json> update_status(const Context& context, const ResourceType& type, Json object);
  /// JSON merge patch (RFC 7386). With metadata.resourceVersion in it, a compare-and-set.
  Result<Json> merge_patch(const Context& context, const ResourceType& type, const ObjectKey& key, const Json& patch);
  Result<Json> merge_patch_status(const Context& context, const ResourceType& type, const ObjectKey& key,
                                  const Json& patch);
  /// Server-side apply: the fields of `object` become field_manager's. kConflict: another manager owns one of them, and
  /// force is false.
  Result<Json> apply(const Context& context, const ResourceType& type, Json object, std::string_view field_manager,
                     bool force);
  Result<void> remove(const Context& context, const ResourceType& type, const ObjectKey& key,
                      const DeleteOptions& options = {});
  /// Hands over each line of a watch that begins after resource_version and ends by itself after `timeout`.
  Result<void> watch(const Context& context, const ResourceType& type, const Selection& selection,
                     const std::string& resource_version, std::chrono::seconds timeout,
                     std::function<bool(std::string_view line)> on_line);

  static constexpr int kPageSize = 500;

 private:
  Result<Json> call(const Context& context, HttpRequest request);
  Result<Json> put(const Context& context, const ResourceType& type, Json object, std::string_view subresource);

  HttpPort& requests_;
  HttpPort& watches_;
};

}  // namespace baton::kube
