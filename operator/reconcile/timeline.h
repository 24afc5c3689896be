#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/recorded.h"
#include "engine/plan/step.h"
#include "operator/api/names.h"
#include "operator/base/clock.h"

namespace baton::reconcile {

/// When each phase of a failover ended, as far as this process saw it.
///   detected  the line that told of the primary's end was heard
///   decided   the decision was made
///   recorded  the intent was durable
///   revoked   the last receiver that was needed had stopped
///   chosen    the new primary was durable
///   opened    it took writes
///   repointed the endpoint selected it
struct Timeline {
  struct Phase {
    std::string name;
    std::string at;  ///< RFC 3339 with milliseconds.

    friend bool operator==(const Phase&, const Phase&) = default;
  };

  std::string id;  ///< Empty: no failover was seen.
  std::string from;
  std::string to;
  std::string reason;
  std::string started_at;
  std::string finished_at;  ///< Empty: still under way.
  std::string target;
  std::string given_up;  ///< GTID set that may have been acknowledged and was lost, by a person's word.
  std::vector<Phase> phases;

  friend bool operator==(const Timeline&, const Timeline&) = default;

  /// Adds a phase, or nothing if it is there already. True if added.
  bool reach(std::string_view name, WallTime at);
};

/// Whether a change of the record ends a failover: it is over, or another one takes its place.
[[nodiscard]] bool ends_failover(const engine::Recorded& before, const engine::Recorded& after);

/// The time line of the failover that `before` has under way and that ends `at`: `seen` if it is of that failover. Of
/// one that another process began there are no phases, but what the record tells. `started_at` is for that case.
[[nodiscard]] Timeline ended(const Timeline& seen, const engine::Recorded& before, const api::Names& names,
                             const std::string& started_at, WallTime at);

/// Keeps the time line of one cluster's newest failover. Not synchronised.
class TimelineKeeper {
 public:
  [[nodiscard]] const Timeline& timeline() const { return timeline_; }

  /// A record was written. `detected` is when the evidence was heard, if that is known.
  /// Gives the names of the phases that ended with it.
  std::vector<std::string> record_written(const engine::Recorded& before, const engine::Recorded& after,
                                          const api::Names& names, std::optional<WallTime> detected, WallTime decided,
                                          WallTime written);
  /// A step succeeded. Gives the names of the phases that ended with it.
  std::vector<std::string> step_succeeded(const engine::Step& step, WallTime at);

 private:
  void begin(const engine::Recorded& recorded, const api::Names& names, WallTime decided);

  Timeline timeline_;
  std::optional<WallTime> receiver_stopped_;
};

}  // namespace baton::reconcile
