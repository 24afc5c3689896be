#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "sidecar/binlog/log_index.h"
#include "sidecar/binlog/log_stream.h"
#include "sidecar/replication/log_source.h"
#include "sidecar/replication/wake_list.h"

namespace baton::replication {

/// The logs that a LogIndex knows, as the binlog server wants them. Thread-safe.
///
/// A receiver that is ahead of this member in its own uuid is served what it lacks all the same: the member lost the
/// end of its log then, which is for the operator to judge by what both report, and no reason to keep transactions
/// back.
class IndexedLogSource final : public LogSource {
 public:
  /// `latest`: what is known now, never null. `outside`: what was executed here but is in no log (a clone's past). Both
  /// are called by any thread.
  IndexedLogSource(binlog::LogStream::Latest latest, std::function<GtidSet()> outside)
      : latest_(std::move(latest)), outside_(std::move(outside)) {}

  /// Refuses who lacks what no log here has. Errors also: kRetry until every log was read, if what the receiver lacks
  /// may be in one that was not; the problem of a log that may hide what it lacks.
  [[nodiscard]] Result<Opened> open(const Receiver& receiver) override;
  [[nodiscard]] Sets sets() override;
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(std::function<void()> wake) override {
    return wakes_.add(std::move(wake));
  }

  /// To be called after each snapshot that has more.
  void notify() { wakes_.wake_all(); }

 private:
  binlog::LogStream::Latest latest_;
  std::function<GtidSet()> outside_;
  WakeList wakes_;
};

}  // namespace baton::replication
