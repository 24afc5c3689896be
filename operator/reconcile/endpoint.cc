#include "operator/reconcile/endpoint.h"

#include <charconv>

#include "operator/api/names.h"
#include "operator/kube/resource.h"

namespace baton::reconcile {

Endpoint endpoint_of(const nlohmann::json& service) {
  const std::string noted = kube::text_at(service, {"metadata", "annotations", api::kEpochAnnotation});
  std::int64_t epoch = 0;
  const auto [end, error] = std::from_chars(noted.data(), noted.data() + noted.size(), epoch);
  return {.pod = kube::text_at(service, {"spec", "selector", api::kPodNameLabel}),
          .epoch = Epoch(error == std::errc() ? epoch : 0)};
}

}  // namespace baton::reconcile
