#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/ids.h"

namespace baton::kube {

/// What the Lease object says.
struct LeaseRecord {
  std::string holder;            ///< Empty: nobody; released.
  std::string version;           ///< metadata.resourceVersion, changed by every write.
  std::int64_t transitions = 0;  ///< How often the holder changed.
  friend bool operator==(const LeaseRecord&, const LeaseRecord&) = default;
};

/// Who leads, decided without I/O.
///
/// Two candidates never both believe that they lead, whatever their wall clocks say, as long as their monotonic clocks
/// run at rates that differ by less than a sixth. The holder counts from *before* it sent a renewal, and stops
/// believing after 5/6 of the duration; another waits the whole duration from when it *saw* the record change. Since
/// the change is seen after it was made, and made after the holder began to count, the waiting ends later than the
/// believing. (Stored times are for people only.)
///
/// The same holds when somebody deletes the object: its absence says no more than that the holder has not renewed
/// since. It is waited for like a silent holder, also by a process that never saw the object; only who leads at this
/// very moment makes it anew at once. (An object that is deleted twice within the time that a candidate takes from its
/// read to its write is beyond this: absence has no version to compare with.)
class LeaseCore {
 public:
  struct Timing {
    Duration duration = std::chrono::seconds(3);
    Duration renew_every = std::chrono::seconds(1);
    Duration look_every = std::chrono::milliseconds(500);  ///< Reads while another leads.
  };
  enum class Act : std::uint8_t {
    kWait,   ///< Until due().
    kRead,   ///< GET, then observed().
    kWrite,  ///< Create when record() has no value, else replace with its version as precondition.
  };

  LeaseCore(std::string identity, Timing timing) : identity_(std::move(identity)), timing_(timing) {}

  [[nodiscard]] Act next(Instant now) const {
    if (now < due_) return Act::kWait;
    return known_ && may_write(now) ? Act::kWrite : Act::kRead;
  }
  [[nodiscard]] Instant due() const { return due_; }

  /// What a GET found; no value: there is no such object.
  void observed(std::optional<LeaseRecord> record, Instant now) {
    if (!known_ || record != record_) seen_at_ = now;
    known_ = true;
    record_ = std::move(record);
    const bool another_holds = record_ && !record_->holder.empty() && record_->holder != identity_;
    if (another_holds) valid_until_ = Instant::min();
    due_ = may_write(now) ? now : std::min(now + timing_.look_every, seen_at_ + timing_.duration);
  }
  /// Our write was answered with success.
  void written(LeaseRecord record, Instant before_request) {
    // One that only goes on leading is in the same term: nobody else can have led in between.
    if (!is_leader(before_request)) ++term_;
    record_ = std::move(record);
    known_ = true;
    seen_at_ = before_request;
    pause_ = kFirstPause;
    valid_until_ = before_request + timing_.duration * 5 / 6;
    due_ = before_request + timing_.renew_every;
  }
  /// Our write was refused by another's (`conflict`), or failed with unknown effect: only reading tells. A leader stays
  /// one until its time is over: nobody else can begin before.
  ///
  /// After a conflict the read comes at once, because somebody else got through. Otherwise reads may work while writes
  /// fail at once, and both together would be a loop without a pause: the next try comes a while after this one began,
  /// later with each failure in a row, and soon enough for two more within what is left of a lease. Counted from the
  /// beginning, so that a request that took long itself costs a leader no further time.
  void write_failed(Instant before_request, Instant now, bool conflict) {
    known_ = false;
    if (conflict) {
      due_ = now;
      return;
    }
    due_ = std::max(now, before_request + pause_);
    pause_ = std::min(pause_ * 2, timing_.look_every);
  }
  void read_failed(Instant now) { due_ = now + timing_.look_every / 2; }
  /// We give it up: no longer leader from now on.
  void resign() { valid_until_ = Instant::min(); }

  [[nodiscard]] bool is_leader(Instant now) const { return now < valid_until_; }
  [[nodiscard]] Instant valid_until() const { return valid_until_; }
  /// Raised each time that we become leader; never the same twice, whatever becomes of the object. 0: never yet.
  [[nodiscard]] std::int64_t term() const { return term_; }
  [[nodiscard]] const std::optional<LeaseRecord>& record() const { return record_; }
  [[nodiscard]] const std::string& identity() const { return identity_; }
  [[nodiscard]] const Timing& timing() const { return timing_; }

 private:
  static constexpr Duration kFirstPause = std::chrono::milliseconds(200);

  /// Nobody else can lead, as far as is known.
  [[nodiscard]] bool may_write(Instant now) const {
    const bool free = record_ && (record_->holder.empty() || record_->holder == identity_);
    return free || is_leader(now) || now >= seen_at_ + timing_.duration;
  }

  std::string identity_;
  Timing timing_;
  bool known_ = false;
  std::optional<LeaseRecord> record_;
  Instant seen_at_{};
  Instant valid_until_ = Instant::min();
  Instant due_ = Instant::min();
  std::int64_t term_ = 0;
  Duration pause_ = kFirstPause;  ///< After the next write that fails.
};

}  // namespace baton::kube
