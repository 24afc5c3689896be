#include "operator/api/mysql_cluster.h"

#include <limits>
#include <string_view>
#include <utility>

#include "operator/api/field_reader.h"

namespace baton::api {
namespace {

constexpr std::int64_t kMaxAcks = 4;
constexpr std::int64_t kMaxPriority = 1000;
constexpr std::int64_t kMaxCrashGraceMilliseconds = 600'000;
constexpr std::int64_t kMaxSalvageStallSeconds = 3600;

int small(std::int64_t number) { return static_cast<int>(number); }

void read_pod_parts(const FieldReader& reader, ClusterSpec& spec) {
  if (const Json& resources = reader.raw("resources"); !resources.is_null()) spec.resources = resources;
  spec.affinity = reader.raw("affinity");
  spec.tolerations = reader.raw("tolerations");
  spec.topology_spread_constraints = reader.raw("topologySpreadConstraints");
  spec.node_selector = reader.texts("nodeSelector");
  spec.priority_class_name = reader.text("priorityClassName");
  spec.annotations = reader.texts("annotations");
  spec.labels = reader.texts("labels");
  const FieldReader security = reader.child("securityContext");
  spec.security_context.fs_group_change_policy =
      security.text("fsGroupChangePolicy", spec.security_context.fs_group_change_policy);
  spec.security_context.supplemental_groups = security.raw("supplementalGroups");
  spec.security_context.se_linux_options = security.raw("seLinuxOptions");
}

void read_replication(const FieldReader& reader, ClusterSpec& spec, std::string& failure) {
  const FieldReader replication = reader.child("replication");
  spec.acks = small(replication.child("semiSync").number("acks", spec.acks, 1, kMaxAcks));
  const std::string below = replication.child("semiSync").text("belowMinimum", "Block");
  spec.degrade = below == "Degrade";
  if (below != "Degrade" && below != "Block" && failure.empty()) {
    failure = std::format("spec.replication.semiSync.belowMinimum must be Block or Degrade, not {}", below);
  }
  const std::string durability = replication.text("relayLogDurability", "Default");
  if (durability == "Strict") spec.relay_log_durability = RelayLogDurability::kStrict;
  if (durability != "Strict" && durability != "Default" && failure.empty()) {
    failure = std::format("spec.replication.relayLogDurability must be Default or Strict, not {}", durability);
  }
  const FieldReader failover = reader.child("failover");
  spec.failover_enabled = failover.flag("enabled", spec.failover_enabled);
  spec.crash_grace = Duration(failover.number("crashGraceMilliseconds", 0, 0, kMaxCrashGraceMilliseconds));
  const FieldReader salvage = failover.child("salvage");
  const std::string tail = salvage.text("tail", "Apply");
  if (tail == "Discard") spec.salvage_tail = SalvageTail::kDiscard;
  if (tail != "Apply" && tail != "Discard" && failure.empty()) {
    failure = std::format("spec.failover.salvage.tail must be Apply or Discard, not {}", tail);
  }
  spec.salvage_stall =
      std::chrono::seconds(salvage.number("stallSeconds", spec.salvage_stall.count(), 1, kMaxSalvageStallSeconds));
  reader.each("candidates", [&](const FieldReader& entry) {
    Candidate candidate{.pod = entry.text("pod")};
    candidate.priority = small(entry.number("priority", candidate.priority, 0, kMaxPriority));
    candidate.never_promote = entry.flag("neverPromote", candidate.never_promote);
    spec.candidates.push_back(std::move(candidate));
  });
}

ClusterSpec read_spec(const FieldReader& reader, std::string& failure) {
  ClusterSpec spec;
  spec.replicas = small(reader.number("replicas", spec.replicas, 1, kMaxMembers));
  spec.image = reader.text("image");
  spec.image_pull_policy = reader.text("imagePullPolicy", spec.image_pull_policy);
  spec.mysql_config = reader.child("mysql").texts("config");
  const FieldReader bootstrap = reader.child("bootstrap");
  spec.bootstrap.database = bootstrap.text("database", spec.bootstrap.database);
  spec.bootstrap.user = bootstrap.text("user", spec.bootstrap.user);
  const FieldReader storage = reader.child("storage");
  spec.storage.size = storage.text("size", spec.storage.size);
  if (std::string name = storage.text("storageClassName"); !name.empty()) {
    spec.storage.storage_class_name = std::move(name);
  }
  read_pod_parts(reader, spec);
  read_replication(reader, spec, failure);
  return spec;
}

/// The rules that tie fields together; the CRD has the same ones as CEL.
Result<void> check(const Cluster& cluster) {
  TRY_VOID(check_name(cluster.name));
  const ClusterSpec& spec = cluster.spec;
  if (spec.image.empty()) return fail(ErrorKind::kTerminal, "spec.image is missing");
  if (spec.replicas > 1 && spec.acks >= spec.replicas) {
    return fail(ErrorKind::kTerminal,
                "spec.replication.semiSync.acks is {}, but of {} members only {} are replicas that can acknowledge",
                spec.acks, spec.replicas, spec.replicas - 1);
  }
  const Names names = cluster.names();
  for (const Candidate& candidate : spec.candidates) {
    if (names.ordinal_of(candidate.pod)) continue;
    return fail(ErrorKind::kTerminal, "spec.candidates names '{}', but the members of this cluster are {} to {}",
                candidate.pod, names.pod(Ordinal{0}), names.pod(Ordinal{kMaxMembers - 1}));
  }
  return {};
}

void put_unless_null(Json& object, std::string_view name, const Json& value) {
  if (!value.is_null()) object[name] = value;
}

void put_unless_empty(Json& object, std::string_view name, const StringMap& value) {
  if (!value.empty()) object[name] = value;
}

Json security_json(const PodSecurity& security) {
  Json object = {{"fsGroupChangePolicy", security.fs_group_change_policy}};
  put_unless_null(object, "supplementalGroups", security.supplemental_groups);
  put_unless_null(object, "seLinuxOptions", security.se_linux_options);
  return object;
}

}  // namespace

Result<Cluster> parse_cluster(const Json& object) {
  std::string failure;
  const FieldReader root(object, "", failure);
  const FieldReader metadata = root.child("metadata");
  Cluster cluster;
  cluster.name = metadata.text("name");
  cluster.name_space = metadata.text("namespace");
  cluster.uid = metadata.text("uid");
  cluster.resource_version = metadata.text("resourceVersion");
  cluster.generation = metadata.number("generation", 0, 0, std::numeric_limits<std::int64_t>::max());
  cluster.deleting = !metadata.raw("deletionTimestamp").is_null();
  cluster.annotations = metadata.texts("annotations");
  cluster.spec = read_spec(root.child("spec"), failure);
  if (const Json& status = root.raw("status"); status.is_object()) cluster.status = status;
  if (!failure.empty()) return fail(ErrorKind::kTerminal, "{}", failure);
  TRY_VOID(check(cluster));
  return cluster;
}

Json to_json(const ClusterSpec& spec) {
  Json object = {
      {"replicas", spec.replicas},
      {"image", spec.image},
      {"imagePullPolicy", spec.image_pull_policy},
      {"mysql", {{"config", spec.mysql_config}}},
      {"bootstrap", {{"database", spec.bootstrap.database}, {"user", spec.bootstrap.user}}},
      {"storage", {{"size", spec.storage.size}}},
      {"resources", spec.resources},
      {"securityContext", security_json(spec.security_context)},
      {"replication",
       {{"semiSync", {{"acks", spec.acks}, {"belowMinimum", spec.degrade ? "Degrade" : "Block"}}},
        {"relayLogDurability", spec.relay_log_durability == RelayLogDurability::kStrict ? "Strict" : "Default"}}},
      {"failover",
       {{"enabled", spec.failover_enabled},
        {"crashGraceMilliseconds", spec.crash_grace.count()},
        {"salvage",
         {{"tail", spec.salvage_tail == SalvageTail::kApply ? "Apply" : "Discard"},
          {"stallSeconds", spec.salvage_stall.count()}}}}},
  };
  if (spec.storage.storage_class_name) object["storage"]["storageClassName"] = *spec.storage.storage_class_name;
  put_unless_null(object, "affinity", spec.affinity);
  put_unless_null(object, "tolerations", spec.tolerations);
  put_unless_null(object, "topologySpreadConstraints", spec.topology_spread_constraints);
  put_unless_empty(object, "nodeSelector", spec.node_selector);
  put_unless_empty(object, "annotations", spec.annotations);
  put_unless_empty(object, "labels", spec.labels);
  if (!spec.priority_class_name.empty()) object["priorityClassName"] = spec.priority_class_name;
  for (const Candidate& candidate : spec.candidates) {
    object["candidates"].push_back(
        {{"pod", candidate.pod}, {"priority", candidate.priority}, {"neverPromote", candidate.never_promote}});
  }
  return object;
}

}  // namespace baton::api
