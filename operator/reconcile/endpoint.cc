#include "operator/reconcile/endpoint.h"

#include <charconv>

#include "operator/api/names.h"

namespace baton::reconcile {
namespace {

/// object/outer/inner/name as text, empty if it is not there.
std::string text_in(const nlohmann::json& object, const char* outer, const char* inner, std::string_view name) {
  const auto path = nlohmann::json::json_pointer(std::string("/") + outer + "/" + inner);
  if (!object.contains(path) || !object.at(path).is_object()) return {};
  const auto it = object.at(path).find(name);
  return it != object.at(path).end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace

Endpoint endpoint_of(const nlohmann::json& service) {
  const std::string noted = text_in(service, "metadata", "annotations", api::kEpochAnnotation);
  std::int64_t epoch = 0;
  const auto [end, error] = std::from_chars(noted.data(), noted.data() + noted.size(), epoch);
  return {.pod = text_in(service, "spec", "selector", api::kPodNameLabel),
          .epoch = Epoch(error == std::errc() ? epoch : 0)};
}

}  // namespace baton::reconcile
