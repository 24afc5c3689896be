#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/base/http.h"
#include "operator/kube/resource.h"

namespace baton::test {

/// An API server that keeps what is written, by path. Versions rise with each write, and so does the generation of a
/// StatefulSet whose spec changes; a write that names a version or a uid is refused when the object has another one.
/// Patches are merged, to which an apply comes too as long as it leaves nothing out. For one thread.
class FakeApiServer final : public HttpPort {
 public:
  using Json = nlohmann::json;

  Result<HttpResponse> send(const Context&, HttpRequest request) override {
    std::string path = request.path_and_query.substr(0, request.path_and_query.find('?'));
    asked.push_back(request.method + " " + request.path_and_query);
    if (request.method == "GET") {
      const auto found = objects.find(path);
      if (found == objects.end()) return HttpResponse{.status = 404, .body = "{}"};
      return HttpResponse{.body = found->second.dump()};
    }
    if (std::exchange(refuses, false)) return HttpResponse{.status = 503, .body = "{}"};
    const Json body = Json::parse(request.body);
    if (request.method == "POST") path += "/" + kube::metadata_text(body, "name");
    if (path == refused_path) return HttpResponse{.status = 422, .body = R"({"message": "not like this"})"};
    if (outdated(path, body)) return HttpResponse{.status = 409, .body = "{}"};
    write(path, body);
    return HttpResponse{.body = objects.at(path).dump()};
  }
  Result<void> stream_lines(const Context&, HttpRequest, std::function<bool(std::string_view)>) override { return {}; }

  /// Somebody writes.
  void write(const std::string& path, const Json& patch) {
    Json& object = objects[path];
    const Json before = object;
    object.merge_patch(patch);
    Json& metadata = object["metadata"];
    metadata["resourceVersion"] = std::to_string(++version_);
    metadata.emplace("uid", "uid of " + path);
    const bool as_before = before.is_object() && before.value("spec", Json()) == object.value("spec", Json());
    if (path.contains("/statefulsets/") && !as_before) metadata["generation"] = metadata.value("generation", 0) + 1;
  }

  std::map<std::string, Json> objects;
  std::vector<std::string> asked;
  bool refuses = false;      ///< The next write.
  std::string refused_path;  ///< Every write to it, for its content.

 private:
  [[nodiscard]] bool outdated(const std::string& path, const Json& body) const {
    const auto found = objects.find(path);
    const Json there = found == objects.end() ? Json() : found->second;
    const auto differs = [&](const char* field) {
      const std::string named = kube::metadata_text(body, field);
      return !named.empty() && named != kube::metadata_text(there, field);
    };
    return differs("resourceVersion") || differs("uid");
  }

  int version_ = 0;
};

}  // namespace baton::test
