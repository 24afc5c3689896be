#include "sidecar/replication/indexed_log_source.h"

namespace baton::replication {

Result<LogSource::Opened> IndexedLogSource::open(const Receiver& receiver) {
  const auto snapshot = latest_();
  if (GtidSet missing = snapshot->unavailable(receiver.have, outside_()); !missing.empty()) {
    if (!snapshot->is_complete) return fail(ErrorKind::kRetry, "the logs are still being read");
    if (!snapshot->problems.empty()) return std::unexpected(snapshot->problems.front());
    return Opened(Refusal{Refusal::Reason::kPurged, std::move(missing)});
  }
  return Opened(std::make_unique<binlog::LogStream>(latest_, receiver.have));
}

LogSource::Sets IndexedLogSource::sets() {
  const auto snapshot = latest_();
  Sets sets{.executed = snapshot->executed.united(outside_()), .purged = {}};
  sets.purged = sets.executed.minus(snapshot->available);
  return sets;
}

}  // namespace baton::replication
