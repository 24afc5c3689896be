#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "operator/kube/kube_client.h"
#include "operator/kube/lease_core.h"

namespace baton::kube {

struct LeaseOptions {
  ObjectKey key;                  ///< Of the Lease object.
  std::string identity;           ///< Unique to this process: pod name and a random part.
  LeaseCore::Timing timing = {};  ///< duration must be whole seconds.
};

/// Leader election through a Lease of the API server (coordination.k8s.io/v1), on a thread of its own. Held until
/// destroyed, then released, so that the other takes over at once.
class LeaderLease {
 public:
  /// `on_change` is called on the lease's thread with true on becoming leader and false on loss. Between is_leader()
  /// becoming false and the call some milliseconds may pass, so what is irrevocable asks is_leader() first.
  LeaderLease(KubeClient& client, const Clock& clock, const Logger& log, LeaseOptions options,
              std::function<void(bool leader)> on_change);
  ~LeaderLease();
  LeaderLease(const LeaderLease&) = delete;
  LeaderLease& operator=(const LeaderLease&) = delete;

  /// Nobody else can lead at this moment. Thread-safe; no I/O.
  [[nodiscard]] bool is_leader() const;
  /// The time until which that holds without another renewal: a deadline for what must be done as leader.
  [[nodiscard]] Instant valid_until() const { return valid_until_.load(); }
  /// How often the lease changed hands, as of our last look.
  [[nodiscard]] std::int64_t transitions() const { return transitions_.load(); }
  /// Raised each time that this process becomes leader; never the same twice. Meaningful while is_leader().
  [[nodiscard]] std::int64_t term() const { return term_.load(); }

 private:
  void run(const std::stop_token& stop);
  void look(const Context& context);
  void write(const Context& context);
  void release();
  void publish();
  void report();
  [[nodiscard]] Json wanted_object(std::string_view holder) const;

  KubeClient& client_;
  const Clock& clock_;
  Logger log_;
  LeaseOptions options_;
  std::function<void(bool)> on_change_;
  LeaseCore core_;  // Of the thread, as the two below.
  Json object_;     // As last read or written; keeps fields that are not ours.
  bool reported_ = false;
  std::atomic<Instant> valid_until_ = Instant::min();
  std::atomic<std::int64_t> transitions_ = 0;
  std::atomic<std::int64_t> term_ = 0;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // Last.
};

}  // namespace baton::kube
