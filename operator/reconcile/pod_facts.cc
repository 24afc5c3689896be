#include "operator/reconcile/pod_facts.h"

#include <algorithm>
#include <array>
#include <format>

#include "operator/api/names.h"

namespace baton::reconcile {
namespace {

using kube::Json;
using kube::text_at;
using kube::value_at;

/// Reasons for which a waiting container does not come up by itself, or not soon.
constexpr std::array<std::string_view, 9> kStuck = {
    "ImagePullBackOff",  "ErrImagePull",         "InvalidImageName",           "ErrImageNeverPull", "CrashLoopBackOff",
    "RunContainerError", "CreateContainerError", "CreateContainerConfigError", "StartError"};

std::string trouble_of_container(const Json& container) {
  const std::string name = text_at(container, {"name"});
  const Json& waiting = value_at(container, {"state", "waiting"});
  const std::string reason = text_at(waiting, {"reason"});
  if (std::ranges::contains(kStuck, reason)) {
    const std::string message = text_at(waiting, {"message"});
    return std::format("container {} waits: {}{}{}", name, reason, message.empty() ? "" : ": ", message);
  }
  const Json& ended = value_at(container, {"state", "terminated"});
  if (ended.is_object() && value_at(ended, {"exitCode"}) != 0) {
    return std::format("container {} ended with status {} ({})", name, value_at(ended, {"exitCode"}).dump(),
                       text_at(ended, {"reason"}));
  }
  return {};
}

/// The condition that says that the pod has no node; null if there is none.
const Json& not_scheduled(const Json& pod) {
  static const Json kNull;
  for (const Json& condition : value_at(pod, {"status", "conditions"})) {
    if (text_at(condition, {"type"}) == "PodScheduled" && text_at(condition, {"status"}) == "False") return condition;
  }
  return kNull;
}

bool ended(const Json& container) { return value_at(container, {"state", "terminated"}).is_object(); }

}  // namespace

std::string pod_trouble(const Json& pod) {
  const Json& status = value_at(pod, {"status"});
  if (text_at(status, {"phase"}) == "Failed") {
    return std::format("the pod has failed: {} {}", text_at(status, {"reason"}), text_at(status, {"message"}));
  }
  if (const Json& condition = not_scheduled(pod); condition.is_object()) {
    return std::format("the pod cannot be scheduled: {}", text_at(condition, {"message"}));
  }
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& container : value_at(status, {list})) {
      if (std::string trouble = trouble_of_container(container); !trouble.empty()) return trouble;
    }
  }
  return {};
}

bool unscheduled(const Json& pod) { return not_scheduled(pod).is_object(); }

bool all_containers_ended(const Json& pod) {
  const Json& status = value_at(pod, {"status"});
  const std::string phase = text_at(status, {"phase"});
  const bool over =
      phase == "Failed" || phase == "Succeeded" || value_at(pod, {"metadata", "deletionTimestamp"}).is_string();
  const Json& containers = value_at(status, {"containerStatuses"});
  if (!over || !containers.is_array() || containers.empty()) return false;
  return std::ranges::all_of(containers, ended) &&
         std::ranges::all_of(value_at(status, {"initContainerStatuses"}), ended);
}

ClusterKey owner_of(const Json& object) {
  return {.space = kube::metadata_text(object, "namespace"),
          .name = text_at(object, {"metadata", "labels", api::kClusterLabel})};
}

void EndedPods::note(const kube::Change& change) {
  for (const kube::ObjectPtr& pod : {change.before, change.after}) {
    if (pod == nullptr || !all_containers_ended(*pod)) continue;
    const PodUid uid(kube::metadata_text(*pod, "uid"));
    const std::scoped_lock lock(mutex_);
    auto& pods = ended_[owner_of(*pod)];
    if (std::ranges::contains(pods, uid)) continue;
    pods.push_back(uid);
    if (pods.size() > kMaxPods) pods.pop_front();
  }
}

std::set<PodUid> EndedPods::of(const ClusterKey& key) const {
  const std::scoped_lock lock(mutex_);
  const auto pods = ended_.find(key);
  if (pods == ended_.end()) return {};
  return {pods->second.begin(), pods->second.end()};
}

void EndedPods::forget(const ClusterKey& key) {
  const std::scoped_lock lock(mutex_);
  ended_.erase(key);
}

}  // namespace baton::reconcile
