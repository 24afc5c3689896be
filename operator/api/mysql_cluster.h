#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "operator/api/names.h"

namespace baton::api {

using Json = nlohmann::json;
using StringMap = std::map<std::string, std::string>;

/// What is made once, with the first primary.
struct Bootstrap {
  std::string database = "app";
  std::string user = "app";

  friend bool operator==(const Bootstrap&, const Bootstrap&) = default;
};

/// Each member's volume.
struct Storage {
  std::string size = "10Gi";                      ///< A Kubernetes quantity.
  std::optional<std::string> storage_class_name;  ///< Absent: the default class.

  friend bool operator==(const Storage&, const Storage&) = default;
};

/// The open parts of the pods' security context.
struct PodSecurity {
  std::string fs_group_change_policy = "OnRootMismatch";
  Json supplemental_groups;  ///< Array of numbers, or null.
  Json se_linux_options;     ///< As in a pod, or null.

  friend bool operator==(const PodSecurity&, const PodSecurity&) = default;
};

/// What a person said about one member as a candidate.
struct Candidate {
  std::string pod;
  int priority = 50;  ///< 0 … 1000, higher is chosen sooner.
  bool never_promote = false;

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

enum class RelayLogDurability : std::uint8_t {
  kDefault,  ///< An ack means written.
  kStrict,   ///< An ack means fsynced: sync_relay_log=1.
};

/// What becomes of transactions that only the lost primary's log holds, and that nobody acknowledged.
enum class SalvageTail : std::uint8_t {
  kApply,    ///< The new primary gets them too, so that the old one can follow it.
  kDiscard,  ///< They are lost; the old primary is set aside with them.
};

/// spec of a MySQLReplicationCluster. The defaults are the schema's (crds/), which a test compares. The parts that are
/// Kubernetes' own types stay JSON, as they are handed on unread; null where the spec says nothing.
struct ClusterSpec {
  int replicas = 3;   ///< Members in all, 1 … 9.
  std::string image;  ///< With mysqld 8.4 or newer on PATH.
  std::string image_pull_policy = "IfNotPresent";
  StringMap mysql_config;  ///< my.cnf settings; numbers as text.
  Bootstrap bootstrap;
  Storage storage;

  Json resources = Json::object();  ///< Of mysqld's container.
  Json affinity;
  Json tolerations;
  Json topology_spread_constraints;
  StringMap node_selector;
  std::string priority_class_name;
  StringMap annotations;  ///< Further ones of the pods.
  StringMap labels;       ///< Further ones of the pods.
  PodSecurity security_context;

  int acks = 1;          ///< Wanted number of acks that a commit waits for.
  bool degrade = false;  ///< belowMinimum: Degrade. Commits go on without acks when no replica is left.
  RelayLogDurability relay_log_durability = RelayLogDurability::kDefault;
  bool failover_enabled = true;
  Duration crash_grace{0};
  SalvageTail salvage_tail = SalvageTail::kApply;
  std::chrono::seconds salvage_stall{10};
  std::vector<Candidate> candidates;

  friend bool operator==(const ClusterSpec&, const ClusterSpec&) = default;
};

/// A MySQLReplicationCluster as read from the API server.
struct Cluster {
  std::string name;
  std::string name_space;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  bool deleting = false;  ///< metadata.deletionTimestamp is set.
  StringMap annotations;
  ClusterSpec spec;
  Json status = Json::object();

  [[nodiscard]] Names names() const { return Names(name); }
};

/// Reads an object. What the API server's schema refuses is refused here too as far as a wrong value could do harm: the
/// name, types, replicas, acks and candidates. Errors: kTerminal, with a sentence that names the field.
[[nodiscard]] Result<Cluster> parse_cluster(const Json& object);

/// The spec with every default written out: parse_cluster's opposite.
[[nodiscard]] Json to_json(const ClusterSpec& spec);

}  // namespace baton::api
