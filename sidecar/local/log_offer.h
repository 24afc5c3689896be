#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/gtid/gtid_set.h"
#include "sidecar/binlog/log_tail.h"
#include "sidecar/replication/log_source.h"
#include "sidecar/replication/wake_list.h"

namespace baton::sidecar {

/// What may be fetched from here, and by whom.
struct Offer {
  std::string replica;  ///< server_uuid of an incarnation; never empty.
  GtidSet set;

  friend bool operator==(const Offer&, const Offer&) = default;
};

/// A member's logs, as far as they are offered: to the one replica that the offer names, the offered transactions that
/// lie in a file here, and nothing else, whatever the logs hold besides. What is offered and does not lie here is no
/// refusal: another member may send it. A stream holds to what the logs had when it was opened, and then stays open,
/// silent but for heartbeats. Thread-safe.
class OfferedLogs final : public replication::LogSource {
 public:
  /// How long a receiver waits for an offer, and a stream for logs that are still being read.
  static constexpr std::chrono::seconds kPatience{2};

  /// `tail` must live longer.
  explicit OfferedLogs(binlog::LogTail& tail) : tail_(tail) {}

  /// Replaces the offer. Streams of another replica end; one of the same replica ends, to be opened anew, once it has
  /// sent what it can and there is more for it in the new offer.
  void set_offer(std::optional<Offer> offer);
  /// The offer now; null: nothing is offered.
  [[nodiscard]] std::shared_ptr<const Offer> offer() const;
  /// The same, but waits for one if there is none, at most kPatience.
  [[nodiscard]] std::shared_ptr<const Offer> await_offer();
  /// Lets nobody wait any more. For the end.
  void stop_waiting() { stop_.request_stop(); }
  /// How many transactions were sent to receivers that got all that there was for them.
  [[nodiscard]] std::uint64_t transactions_sent() const { return sent_; }

  /// Errors: kRetry when nothing is offered to this receiver, or the logs are not read yet; the stream's own: the
  /// problem of a file that may hide something of the offer.
  [[nodiscard]] Result<Opened> open(const replication::Receiver& receiver) override;
  /// What can be had here by whom it is offered to.
  [[nodiscard]] Sets sets() override;
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(std::function<void()> wake) override {
    return wakes_.add(std::move(wake));
  }

 private:
  class Stream;

  [[nodiscard]] Result<std::shared_ptr<const binlog::LogSnapshot>> snapshot_with(const GtidSet& wanted);

  binlog::LogTail& tail_;
  std::stop_source stop_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::shared_ptr<const Offer> offer_;
  std::atomic<std::uint64_t> sent_ = 0;
  replication::WakeList wakes_;
};

}  // namespace baton::sidecar
