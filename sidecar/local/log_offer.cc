#include "sidecar/local/log_offer.h"

#include <utility>

#include "sidecar/binlog/log_stream.h"
#include "sidecar/mysql/server_admin.h"

namespace baton::sidecar {

/// What one snapshot has of `wanted`, for as long as the offer stands.
class OfferedLogs::Stream final : public binlog::TransactionStream {
 public:
  Stream(OfferedLogs& logs, std::shared_ptr<const Offer> offer, GtidSet have,
         const std::shared_ptr<const binlog::LogSnapshot>& snapshot, const GtidSet& wanted)
      : logs_(logs),
        offer_(std::move(offer)),
        have_(std::move(have)),
        sends_(wanted.intersected(snapshot->available)),
        stream_(snapshot, wanted) {}

  Result<Item> next() override {
    const auto offer = logs_.offer();
    if (offer == nullptr || offer->replica != offer_->replica) {
      return fail(ErrorKind::kRetry, "the logs of this member are no longer offered to {}", offer_->replica);
    }
    auto item = stream_.next();
    if (!item || !std::holds_alternative<binlog::CaughtUp>(*item)) return item;
    if (!std::exchange(has_sent_all_, true)) {
      logs_.sent_ += sends_.size();
      have_ = have_.united(sends_);
    }
    if (offer != offer_ && !have_.contains(offer->set)) {
      return fail(ErrorKind::kRetry, "other transactions are offered now: ask again");
    }
    return item;
  }

 private:
  OfferedLogs& logs_;
  std::shared_ptr<const Offer> offer_;
  GtidSet have_;
  GtidSet sends_;
  bool has_sent_all_ = false;
  binlog::LogStream stream_;
};

void OfferedLogs::set_offer(std::optional<Offer> offer) {
  {
    const std::scoped_lock lock(mutex_);
    if (offer ? offer_ != nullptr && *offer_ == *offer : offer_ == nullptr) return;
    offer_ = offer ? std::make_shared<const Offer>(*std::move(offer)) : nullptr;
  }
  changed_.notify_all();
  wakes_.wake_all();
}

std::shared_ptr<const Offer> OfferedLogs::offer() const {
  const std::scoped_lock lock(mutex_);
  return offer_;
}

std::shared_ptr<const Offer> OfferedLogs::await_offer() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop_.get_token(), kPatience, [this] { return offer_ != nullptr; });
  return offer_;
}

Result<replication::LogSource::Opened> OfferedLogs::open(const replication::Receiver& receiver) {
  // It has logged in, but the offer may have changed since.
  auto offer = this->offer();
  if (offer == nullptr || receiver.user != replication_account(offer->replica)) {
    return fail(ErrorKind::kRetry, "the logs of this member are not offered to {}", receiver.user);
  }
  const GtidSet wanted = offer->set.minus(receiver.have);
  TRY(snapshot, snapshot_with(wanted));
  return Opened(std::make_unique<Stream>(*this, std::move(offer), receiver.have, snapshot, wanted));
}

/// What is known, once that is all of `wanted` or all that there is.
Result<std::shared_ptr<const binlog::LogSnapshot>> OfferedLogs::snapshot_with(const GtidSet& wanted) {
  if (auto latest = tail_.latest(); latest->available.contains(wanted)) return latest;
  tail_.wait_complete(tail_.poke(), stop_.get_token(), std::chrono::steady_clock::now() + kPatience);
  auto known = tail_.known();
  if (known.snapshot->is_complete || known.snapshot->available.contains(wanted)) return std::move(known.snapshot);
  return fail(ErrorKind::kRetry, "the logs are still being read{}{}", known.failure ? ": " : "",
              known.failure ? known.failure->what : "");
}

replication::LogSource::Sets OfferedLogs::sets() {
  const auto offer = this->offer();
  return {.executed = offer == nullptr ? GtidSet() : tail_.latest()->available.intersected(offer->set), .purged = {}};
}

}  // namespace baton::sidecar
