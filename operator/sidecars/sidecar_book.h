#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "operator/ports/cluster_key.h"
#include "operator/sidecars/report_of.h"

namespace baton {

/// What sidecars said last, and when by our own monotonic clock. One entry for each member and incarnation of its data
/// directory, so that what a lost incarnation proved stays known. Time comes in as an argument. Thread-safe.
class SidecarBook {
 public:
  /// A member counts as heard while its newest line is not older than this: four times the stream's period.
  static constexpr Duration kSilence = std::chrono::seconds(2);
  /// Longer than any pause between two attempts to reach a sidecar.
  static constexpr Duration kRefusalLasts = std::chrono::seconds(15);
  /// Incarnations remembered for each member; the ones heard longest ago are dropped first.
  static constexpr std::size_t kMaxIncarnations = 8;

  /// What a line meant for decisions.
  enum class News : std::uint8_t {
    kNothing,   ///< Said before, or older than what is known.
    kProgress,  ///< Only GTID sets moved.
    kChange,    ///< Something else changed, or the member was silent before.
  };

  /// The newest line of one incarnation.
  struct Entry {
    std::string pod;
    std::shared_ptr<const HeardLine> line;
    Instant heard_at;
    std::optional<Instant> down_since;        ///< mysqld does not run, says each line since then.
    std::optional<Instant> not_acking_since;  ///< Not seen acking since then; silence is not seeing.
    std::optional<Instant> waiting_since;     ///< Its commits wait for acks, says each line since then.
    std::optional<Instant> turned_since;      ///< A server whose channel points to the same source since then.
    std::optional<Instant> idle_since;  ///< A server that has received nothing, not even a part, and executed nothing.
    std::optional<Instant> unmoved_since;  ///< The same, parts not counted.
  };

  /// Notes a line. Lines may overtake each other (stream and answers to orders): older ones of the same sidecar, and
  /// all of an earlier sidecar of the same pod name, mean nothing. Errors: kCorrupt, when a GTID set is unreadable.
  Result<News> hear(const ClusterKey& key, wire::MemberState state, Instant now);

  /// Notes that a member is listened to from now on; only the first time counts.
  void expect(const ClusterKey& key, const std::string& pod, Instant now);

  /// Notes that a member's sidecar refused our token, or we its certificate, with the sentence that says so; empty: we
  /// take each other's credentials. Gives whether that is news.
  bool note_refusal(const ClusterKey& key, const std::string& pod, std::string refusal, Instant now);
  /// The last refusal, if it is not older than kRefusalLasts, else empty: nobody tries for good what is not needed.
  [[nodiscard]] std::string refusal(const ClusterKey& key, const std::string& pod, Instant now) const;

  /// All entries of a cluster. `not_acking_since` takes silence into account.
  [[nodiscard]] std::vector<Entry> entries(const ClusterKey& key, Instant now) const;
  /// Since when a member has been listened to.
  [[nodiscard]] std::optional<Instant> expected_since(const ClusterKey& key, const std::string& pod) const;

  /// Clusters of which a member has grown silent since the last call.
  [[nodiscard]] std::vector<ClusterKey> grown_silent(Instant now);

  void forget(const ClusterKey& key);

 private:
  struct Incarnation {
    std::shared_ptr<const HeardLine> line;
    Instant heard_at;
    std::optional<Instant> down_since;
    std::optional<Instant> not_acking_since;
    std::optional<Instant> waiting_since;
    std::optional<Instant> turned_since;
    std::optional<Instant> idle_since;
    std::optional<Instant> unmoved_since;
  };
  struct Member {
    std::optional<Instant> expected_since;
    std::string sidecar_id;                           ///< Of the newest line.
    std::int64_t sequence = 0;                        ///< Of the newest line.
    std::deque<std::string> retired;                  ///< Earlier sidecars: whatever still comes from them is old.
    std::map<std::string, Incarnation> incarnations;  ///< By uuid.
    Instant heard_at;
    bool silent = true;
    std::string refusal;
    Instant refused_at;
  };
  using Members = std::map<std::string, Member>;  ///< By pod name.

  [[nodiscard]] static bool outdated(const Member& member, const wire::MemberState& state);
  static void take_sidecar(Member& member, const wire::MemberState& state);
  static void drop_oldest(Member& member);

  mutable std::mutex mutex_;
  std::map<ClusterKey, Members> clusters_;
};

}  // namespace baton
