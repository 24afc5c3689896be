#include "operator/kube/kube_client.h"

namespace baton::kube {
namespace {

constexpr const char* kMergePatch = "application/merge-patch+json";
// JSON is YAML, so an apply may send it (k8s.io/apimachinery/pkg/types/patch.go, ApplyYAMLPatchType).
constexpr const char* kApplyPatch = "application/apply-patch+yaml";

std::string selection_query(const Selection& selection) {
  std::string query;
  if (!selection.label_selector.empty()) query += "&labelSelector=" + percent_encode(selection.label_selector);
  if (!selection.field_selector.empty()) query += "&fieldSelector=" + percent_encode(selection.field_selector);
  return query;
}

// Error answers are objects of kind Status, whose message is a sentence for people.
std::string message_of(const std::string& body) {
  const auto status = Json::parse(body, nullptr, false);
  if (status.is_object() && status.contains("message") && status["message"].is_string()) {
    return status["message"].get<std::string>();
  }
  constexpr std::size_t kEnough = 300;
  return body.substr(0, kEnough);
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

void name_type(Json& object, const ResourceType& type) {
  object["apiVersion"] = type.api_version();
  object["kind"] = type.kind;
}

}  // namespace

Result<Json> KubeClient::call(const Context& context, HttpRequest request) {
  const std::string what = request.method + " " + request.path_and_query;
  auto response = requests_.send(context, std::move(request));
  if (!response) return wrap(what, std::move(response).error());
  if (response->status < 200 || response->status >= 300) {
    return fail(kind_of_status(response->status), "{}: {}: {}", what, response->status, message_of(response->body));
  }
  auto json = Json::parse(response->body, nullptr, false);
  if (!json.is_object()) return fail(ErrorKind::kCorrupt, "{}: the answer is no JSON object", what);
  return json;
}

Result<Json> KubeClient::get(const Context& context, const ResourceType& type, const ObjectKey& key) {
  return call(context, {.path_and_query = object_path(type, key)});
}

Result<ListPage> KubeClient::list_page(const Context& context, const ResourceType& type, const Selection& selection,
                                       const std::string& continue_token, int limit) {
  auto path = collection_path(type, selection.space) + std::format("?limit={}", limit) + selection_query(selection);
  if (!continue_token.empty()) path += "&continue=" + percent_encode(continue_token);
  TRY(json, call(context, {.path_and_query = std::move(path)}));
  return parse_list_page(std::move(json));
}

Result<ObjectList> KubeClient::list(const Context& context, const ResourceType& type, const Selection& selection) {
  ObjectList all;
  std::string token;
  do {
    TRY(page, list_page(context, type, selection, token));
    std::ranges::move(page.items, std::back_inserter(all.items));
    all.resource_version = std::move(page.resource_version);
    token = std::move(page.continue_token);
  } while (!token.empty());
  return all;
}

Result<Json> KubeClient::create(const Context& context, const ResourceType& type, Json object) {
  name_type(object, type);
  return call(context, {.method = "POST",
                        .path_and_query = collection_path(type, metadata_text(object, "namespace")),
                        .body = dump(object)});
}

Result<Json> KubeClient::put(const Context& context, const ResourceType& type, Json object,
                             std::string_view subresource) {
  TRY(key, key_of(object));
  name_type(object, type);
  return call(context, {.method = "PUT", .path_and_query = object_path(type, key, subresource), .body = dump(object)});
}

Result<Json> KubeClient::update(const Context& context, const ResourceType& type, Json object) {
  return put(context, type, std::move(object), {});
}

Result<Json> KubeClient::update_status(const Context& context, const ResourceType& type, Json object) {
  return put(context, type, std::move(object), "status");
}

Result<Json> KubeClient::merge_patch(const Context& context, const ResourceType& type, const ObjectKey& key,
                                     const Json& patch) {
  return call(
      context,
      {.method = "PATCH", .path_and_query = object_path(type, key), .body = dump(patch), .content_type = kMergePatch});
}

Result<Json> KubeClient::merge_patch_status(const Context& context, const ResourceType& type, const ObjectKey& key,
                                            const Json& patch) {
  return call(context, {.method = "PATCH",
                        .path_and_query = object_path(type, key, "status"),
                        .body = dump(patch),
                        .content_type = kMergePatch});
}

Result<Json> KubeClient::apply(const Context& context, const ResourceType& type, Json object,
                               std::string_view field_manager, bool force) {
  TRY(key, key_of(object));
  name_type(object, type);
  auto path = std::format("{}?fieldManager={}&force={}", object_path(type, key), percent_encode(field_manager), force);
  return call(
      context,
      {.method = "PATCH", .path_and_query = std::move(path), .body = dump(object), .content_type = kApplyPatch});
}

Result<void> KubeClient::remove(const Context& context, const ResourceType& type, const ObjectKey& key,
                                const DeleteOptions& options) {
  Json body{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (!options.resource_version.empty()) body["preconditions"]["resourceVersion"] = options.resource_version;
  if (!options.propagation_policy.empty()) body["propagationPolicy"] = options.propagation_policy;
  if (options.grace_period_seconds) body["gracePeriodSeconds"] = *options.grace_period_seconds;
  return call(context, {.method = "DELETE", .path_and_query = object_path(type, key), .body = dump(body)})
      .transform([](const Json&) {});
}

Result<void> KubeClient::watch(const Context& context, const ResourceType& type, const Selection& selection,
                               const std::string& resource_version, std::chrono::seconds timeout,
                               std::function<bool(std::string_view)> on_line) {
  auto path = std::format("{}?watch=1&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}{}",
                          collection_path(type, selection.space), percent_encode(resource_version), timeout.count(),
                          selection_query(selection));
  return watches_.stream_lines(context, {.path_and_query = std::move(path)}, std::move(on_line));
}

}  // namespace baton::kube
