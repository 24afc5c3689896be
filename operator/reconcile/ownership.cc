#include "operator/reconcile/ownership.h"

#include <algorithm>
#include <string>

#include "operator/api/names.h"
#include "operator/kube/resource.h"
#include "operator/reconcile/pod_facts.h"

namespace baton::reconcile {
namespace {

bool is_owned_by(const Object& object, std::string_view cluster) {
  const auto path = Object::json_pointer("/metadata/ownerReferences");
  if (!object.contains(path) || !object.at(path).is_array()) return false;
  return std::ranges::any_of(object.at(path), [&](const Object& owner) {
    return kube::text_at(owner, {"kind"}) == api::kKind && kube::text_at(owner, {"name"}) == cluster &&
           kube::text_at(owner, {"apiVersion"}).starts_with(std::string(api::kGroup) + "/");
  });
}

}  // namespace

Result<void> check_ours(const Object& object, std::string_view kind, std::string_view cluster) {
  if (owner_of(object).name == cluster || is_owned_by(object, cluster)) return {};
  return fail(ErrorKind::kUnsafe,
              "{} {} is there already and is not this cluster's, so it is left alone: rename or delete it, or label it "
              "{}={} to hand it over",
              kind, kube::metadata_text(object, "name"), api::kClusterLabel, cluster);
}

}  // namespace baton::reconcile
