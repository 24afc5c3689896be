#include "operator/reconcile/pod_facts.h"

#include <gtest/gtest.h>

#include <format>
#include <memory>
#include <string>
#include <vector>

namespace baton::reconcile {
namespace {

using Json = nlohmann::json;

/// A pod as the API server shows it, with this status.
struct Case {
  const char* what;
  const char* status;
  const char* trouble;  ///< What is said of it; empty: nothing is wrong.
};

const std::vector<Case> kCases{
    {"nothing is known yet", "{}", ""},
    {"a pod without a status of containers", R"({"phase": "Pending"})", ""},
    {"all runs",
     R"({"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}],
         "initContainerStatuses": [{"name": "sidecar", "state": {"running": {}}}],
         "containerStatuses": [{"name": "mysqld", "state": {"running": {}}}]})",
     ""},
    {"containers that are merely on their way",
     R"({"phase": "Pending",
         "initContainerStatuses": [{"name": "sidecar", "state": {"waiting": {"reason": "PodInitializing"}}}],
         "containerStatuses": [{"name": "mysqld", "state": {"waiting": {"reason": "ContainerCreating"}}}]})",
     ""},
    {"a container that ended well",
     R"({"phase": "Running", "containerStatuses": [{"name": "mysqld", "state": {"terminated": {"exitCode": 0}}}]})",
     ""},
    {"no node",
     R"({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
         "message": "0/3 nodes are available: 3 Insufficient memory."}]})",
     "the pod cannot be scheduled: 0/3 nodes are available: 3 Insufficient memory."},
    {"another condition that does not hold",
     R"({"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "message": "not ready"}]})", ""},
    {"an image that cannot be pulled",
     R"({"phase": "Pending", "containerStatuses": [{"name": "mysqld", "state": {"waiting": {"reason": "ErrImagePull",
         "message": "manifest unknown"}}}]})",
     "container mysqld waits: ErrImagePull: manifest unknown"},
    {"the same, without a message",
     R"({"phase": "Pending",
         "containerStatuses": [{"name": "mysqld", "state": {"waiting": {"reason": "ErrImagePull"}}}]})",
     "container mysqld waits: ErrImagePull"},
    {"the sidecar's trouble comes before mysqld's, which waits for it",
     R"({"phase": "Pending",
         "initContainerStatuses": [{"name": "sidecar", "state": {"waiting": {"reason": "CrashLoopBackOff",
           "message": "back-off 40s restarting failed container"}}}],
         "containerStatuses": [{"name": "mysqld", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]})",
     "container sidecar waits: CrashLoopBackOff: back-off 40s restarting failed container"},
    {"a container that failed",
     R"({"phase": "Pending", "initContainerStatuses": [{"name": "gate", "state": {"terminated": {"exitCode": 127,
         "reason": "StartError"}}}]})",
     "container gate ended with status 127 (StartError)"},
    {"an evicted pod, whose containers ended because of that",
     R"({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
         "containerStatuses": [{"name": "mysqld", "state": {"terminated": {"exitCode": 137}}}]})",
     "the pod has failed: Evicted The node was low on resource: memory."},
};

TEST(PodFacts, WhatKubernetesSaysIsWrongBecomesASentence) {
  for (const Case& one : kCases) {
    EXPECT_EQ(pod_trouble({{"status", Json::parse(one.status)}}), one.trouble) << one.what;
  }
  EXPECT_EQ(pod_trouble(Json::object()), "");
}

TEST(PodFacts, EveryReasonForWhichAContainerIsStuckIsTold) {
  // As the kubelet writes them: k8s.io/kubernetes/pkg/kubelet, images/, container/ and kuberuntime/.
  for (const char* reason :
       {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "CrashLoopBackOff",
        "RunContainerError", "CreateContainerError", "CreateContainerConfigError", "StartError"}) {
    const Json container = {{"name", "mysqld"}, {"state", {{"waiting", {{"reason", reason}}}}}};
    EXPECT_EQ(pod_trouble({{"status", {{"containerStatuses", Json::array({container})}}}}),
              std::format("container mysqld waits: {}", reason));
  }
}

TEST(PodFacts, APodWithoutANodeIsUnscheduled) {
  for (const Case& one : kCases) {
    const bool no_node = std::string_view(one.what) == "no node";
    EXPECT_EQ(unscheduled({{"status", Json::parse(one.status)}}), no_node) << one.what;
  }
}

TEST(PodFacts, ThePodHasEndedOnlyWhenEveryContainerHas) {
  Json pod = Json::parse(R"({"metadata": {"name": "shop-0", "deletionTimestamp": "t"},
    "status": {"initContainerStatuses": [{"name": "sidecar", "state": {"running": {}}}],
               "containerStatuses": [{"name": "mysqld", "state": {"terminated": {"exitCode": 137}}}]}})");
  EXPECT_FALSE(all_containers_ended(pod));
  pod["status"]["initContainerStatuses"][0]["state"] = {{"terminated", {{"exitCode", 0}}}};
  EXPECT_TRUE(all_containers_ended(pod));
  pod["metadata"].erase("deletionTimestamp");
  EXPECT_FALSE(all_containers_ended(pod));
  EXPECT_FALSE(all_containers_ended(Json::parse(R"({"metadata": {"deletionTimestamp": "t"}, "status": {}})")));
}

TEST(PodFacts, APodThatEndedIsRememberedAfterItVanished) {
  const Json container = {{"name", "mysqld"}, {"state", {{"terminated", {{"exitCode", 0}}}}}};
  const auto pod = [&](int number, const char* phase) {
    return std::make_shared<const Json>(
        Json{{"metadata",
              {{"name", "shop-0"},
               {"namespace", "default"},
               {"uid", std::format("uid-{}", number)},
               {"labels", {{"mysql.baton.dev/cluster", "shop"}}}}},
             {"status", {{"phase", phase}, {"containerStatuses", Json::array({container})}}}});
  };
  const ClusterKey shop{"default", "shop"};
  EndedPods ended;
  ended.note({.key = {"default", "shop-0"}, .before = nullptr, .after = pod(1, "Running")});
  EXPECT_TRUE(ended.of(shop).empty());
  ended.note({.key = {"default", "shop-0"}, .before = pod(1, "Failed"), .after = nullptr});
  EXPECT_EQ(ended.of(shop), std::set<PodUid>{PodUid("uid-1")});
  for (int number = 2; number <= static_cast<int>(EndedPods::kMaxPods) + 1; ++number) {
    ended.note({.key = {"default", "shop-0"}, .before = nullptr, .after = pod(number, "Succeeded")});
  }
  EXPECT_EQ(ended.of(shop).size(), EndedPods::kMaxPods);
  EXPECT_FALSE(ended.of(shop).contains(PodUid("uid-1"))) << "the oldest goes first";
  ended.forget(shop);
  EXPECT_TRUE(ended.of(shop).empty());
}

}  // namespace
}  // namespace baton::reconcile
