#include "operator/reconcile/pod_facts.h"

#include <algorithm>
#include <array>
#include <format>

#include "operator/api/names.h"

namespace baton::reconcile {
namespace {

using Json = nlohmann::json;

const Json& at(const Json& object, std::string_view name) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(name);
  return it == object.end() ? kNull : *it;
}

std::string text(const Json& object, std::string_view name) {
  const Json& value = at(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

/// Reasons for which a waiting container does not come up by itself, or not soon.
constexpr std::array<std::string_view, 9> kStuck = {
    "ImagePullBackOff",  "ErrImagePull",         "InvalidImageName",           "ErrImageNeverPull", "CrashLoopBackOff",
    "RunContainerError", "CreateContainerError", "CreateContainerConfigError", "StartError"};

std::string trouble_of_container(const Json& container) {
  const std::string name = text(container, "name");
  const Json& waiting = at(at(container, "state"), "waiting");
  const std::string reason = text(waiting, "reason");
  if (std::ranges::contains(kStuck, reason)) {
    const std::string message = text(waiting, "message");
    return std::format("container {} waits: {}{}{}", name, reason, message.empty() ? "" : ": ", message);
  }
  const Json& ended = at(at(container, "state"), "terminated");
  if (ended.is_object() && at(ended, "exitCode") != 0) {
    return std::format("container {} ended with status {} ({})", name, at(ended, "exitCode").dump(),
                       text(ended, "reason"));
  }
  return {};
}

/// The condition that says that the pod has no node; null if there is none.
const Json& not_scheduled(const Json& pod) {
  static const Json kNull;
  for (const Json& condition : at(at(pod, "status"), "conditions")) {
    if (text(condition, "type") == "PodScheduled" && text(condition, "status") == "False") return condition;
  }
  return kNull;
}

bool ended(const Json& container) { return at(at(container, "state"), "terminated").is_object(); }

}  // namespace

std::string pod_trouble(const Json& pod) {
  const Json& status = at(pod, "status");
  if (text(status, "phase") == "Failed") {
    return std::format("the pod has failed: {} {}", text(status, "reason"), text(status, "message"));
  }
  if (const Json& condition = not_scheduled(pod); condition.is_object()) {
    return std::format("the pod cannot be scheduled: {}", text(condition, "message"));
  }
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Json& container : at(status, list)) {
      if (std::string trouble = trouble_of_container(container); !trouble.empty()) return trouble;
    }
  }
  return {};
}

bool unscheduled(const Json& pod) { return not_scheduled(pod).is_object(); }

bool all_containers_ended(const Json& pod) {
  const Json& status = at(pod, "status");
  const std::string phase = text(status, "phase");
  const bool over =
      phase == "Failed" || phase == "Succeeded" || at(at(pod, "metadata"), "deletionTimestamp").is_string();
  const Json& containers = at(status, "containerStatuses");
  if (!over || !containers.is_array() || containers.empty()) return false;
  return std::ranges::all_of(containers, ended) && std::ranges::all_of(at(status, "initContainerStatuses"), ended);
}

ClusterKey owner_of(const Json& object) {
  const Json& metadata = at(object, "metadata");
  return {.space = text(metadata, "namespace"), .name = text(at(metadata, "labels"), api::kClusterLabel)};
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
