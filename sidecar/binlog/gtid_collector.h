#pragma once

#include <cstdint>
#include <vector>

#include "engine/gtid/gtid_set.h"
#include "sidecar/binlog/event.h"

namespace baton::binlog {

/// Collects GTIDs as they come in a log: runs of growing numbers, of a few sources at a time. Adding one to a run costs
/// a comparison of bytes; the set is touched once for each run. Not synchronised.
class GtidCollector {
 public:
  void add(const RawGtid& gtid) {
    if (last_ < runs_.size() && runs_[last_].goes_on_with(gtid)) {
      ++runs_[last_].last;
      return;
    }
    add_elsewhere(gtid);
  }
  /// Moves all that was added into `set`.
  void flush_into(GtidSet& set) {
    for (const Run& run : runs_) set.add(run.source.source(), {run.first, run.last});
    for (const auto& [source, interval] : done_) set.add(source, interval);
    runs_.clear();
    done_.clear();
  }
  [[nodiscard]] bool empty() const { return runs_.empty(); }

 private:
  struct Run {
    RawGtid source;
    std::int64_t first = 0;
    std::int64_t last = 0;
    [[nodiscard]] bool goes_on_with(const RawGtid& gtid) const {
      return gtid.number == last + 1 && source.same_source(gtid);
    }
  };
  static constexpr std::size_t kRunsMost = 16;

  void add_elsewhere(const RawGtid& gtid) {
    for (last_ = 0; last_ < runs_.size(); ++last_) {
      Run& run = runs_[last_];
      if (!run.source.same_source(gtid)) continue;
      if (gtid.number != run.last + 1) {
        done_.emplace_back(run.source.source(), GtidInterval{run.first, run.last});
        run.first = gtid.number;
      }
      run.last = gtid.number;
      return;
    }
    if (runs_.size() == kRunsMost) {
      for (const Run& run : runs_) done_.emplace_back(run.source.source(), GtidInterval{run.first, run.last});
      runs_.clear();
    }
    last_ = runs_.size();
    runs_.push_back({gtid, gtid.number, gtid.number});
  }

  std::vector<Run> runs_;
  std::size_t last_ = 0;
  std::vector<std::pair<GtidSource, GtidInterval>> done_;
};

}  // namespace baton::binlog
