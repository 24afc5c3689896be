#pragma once

#include <string>
#include <vector>

#include "engine/base/ids.h"

namespace baton::engine {

/// What a person said about one member as a candidate.
struct CandidateRule {
  Ordinal member;
  int priority = 50;  ///< Higher wins. 0 … 1000.
  bool never_promote = false;
};

/// The wanted cluster, as far as decisions need it. Already validated.
struct Spec {
  std::string name;  ///< Pods are called <name>-<ordinal>.
  int replicas = 3;  ///< Members in all, the primary included.
  int acks = 1;      ///< Wanted number of acks a commit waits for.
  /// What happens when no acker is left: commits go on without acks, instead of waiting for one.
  bool degrade = false;
  bool failover_enabled = true;
  Duration crash_grace{0};  ///< How long a crashed mysqld may take to come back before a failover begins.
  /// Whether what only the dead primary's log holds, and nobody acknowledged, is saved too. Without: it is errant.
  bool apply_tail = true;
  /// Without progress for that long, a candidate gives way to one that is able, and what nobody was promised is given
  /// up.
  Duration salvage_stall{10000};
  std::vector<CandidateRule> candidates;
};

}  // namespace baton::engine
