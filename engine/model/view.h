#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/model/observed.h"
#include "engine/model/recorded.h"
#include "engine/model/spec.h"

namespace baton::engine {

/// For this long a member may be silent, restart or reconnect before anything is done about it.
inline constexpr Duration kPatience{3000};

/// How sure we are of a member's mysqld. Silence proves nothing. Proof is a process exit seen by its own sidecar or, of
/// a member that is not heard, the kubelet's report that all containers of its pod have ended.
enum class Reachability : std::uint8_t {
  kUp,          ///< Heard, runs and answers.
  kStarting,    ///< Heard; starts by itself or recovers: not dead, not usable.
  kDownProven,  ///< Its own sidecar saw it end and holds its start, or the kubelet reported that its containers ended.
  kUnknown,     ///< Not heard, or it does not answer.
};
[[nodiscard]] std::string_view name_of(Reachability reachability);

/// The current primary as seen now.
struct PrimarySight {
  Reachability reachability = Reachability::kUnknown;
  const ObservedMember* member = nullptr;  ///< The present member with the primary's incarnation, if any.
  const Report* report = nullptr;          ///< Its newest line, perhaps of a pod that is gone.
  std::string evidence;                    ///< A sentence.
};

/// The three inputs of a decision, and the questions that every part of it asks. Borrowed: lives as long as they do.
struct View {
  const Spec& spec;
  const Recorded& recorded;
  const ObservedCluster& observed;
  const Instant now;

  [[nodiscard]] std::string pod(Ordinal ordinal) const;
  [[nodiscard]] const ObservedMember* member(Ordinal ordinal) const;
  /// The present member of that incarnation.
  [[nodiscard]] const ObservedMember* member(const ServerUuid& uuid) const;
  [[nodiscard]] PrimarySight primary() const;
  /// Present members other than the current primary's incarnation, by ordinal.
  [[nodiscard]] std::vector<const ObservedMember*> replicas() const;
  [[nodiscard]] const CandidateRule* rule(Ordinal ordinal) const;
  /// Whether a person gave the primary up, with all that only it holds.
  [[nodiscard]] bool forced() const;
  /// Whether a pod is there whose sidecar was never heard by this process, and that may still speak up: a new leader
  /// must not take its own ignorance for a member's absence.
  [[nodiscard]] bool still_expected(const ObservedMember& member) const;
  /// Transactions of `set` that belong to the history: the floor and the watermark, what the current primary's uuid
  /// wrote, and what each ended epoch's primary had written when it ended. The rest is errant.
  [[nodiscard]] GtidSet legitimate(const GtidSet& set) const;
};

/// From so many ends in a row on it is said that a mysqld keeps ending.
inline constexpr int kEndsInARow = 2;
/// "was killed by signal 9", "ended"; how a mysqld ended last.
[[nodiscard]] std::string how_it_ended(const Report& report);
/// A sentence about a mysqld that ended more than once without an order; empty for any other.
[[nodiscard]] std::string keeps_ending(const Report& report, const std::string& pod);
/// The server's own word, if it is heard and answers; else null.
[[nodiscard]] const Server* server_of(const ObservedMember& member);
/// What a running member can bring into a history: executed ∪ received.
[[nodiscard]] GtidSet holdings(const Server& server);
/// What a member's logs were proven to hold: of a running one its holdings and what it can send, of a dead one all that
/// its files hold.
/// Null when it is not heard, or its files are not read.
[[nodiscard]] std::optional<GtidSet> proven_holdings(const ObservedMember& member);
/// What a primary has or may have acknowledged: executed ∪ owned.
[[nodiscard]] GtidSet logged(const Server& server);
/// The number of acks that a primary's commits really wait for.
[[nodiscard]] int real_ack_count(const Server& server);
/// Whether it is set to follow that member's mysqld, whatever its receiver does now.
[[nodiscard]] bool follows(const Server& server, const ObservedMember& source);
/// Whether it is set to fetch from that member's logs, whatever its receiver does now.
[[nodiscard]] bool fetches_from(const Server& server, const ObservedMember& source);
/// Whether its acks reach that source now.
[[nodiscard]] bool acks_to(const Server& server, const ObservedMember& source);
/// Whether its sidecar has obeyed an order on the newest record, and so refuses what was ordered on older ones and may
/// be on its way still.
[[nodiscard]] bool obeys_record(const View& view, const Report& report);
[[nodiscard]] Identity identity_of(const ObservedMember& member);

}  // namespace baton::engine
