#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "operator/kube/backoff.h"
#include "operator/kube/kube_client.h"
#include "operator/kube/object_store.h"

namespace baton::kube {

struct InformerOptions {
  ResourceType type;
  Selection selection = {};
  /// The server ends each watch after this; the next one begins where it ended. Short enough that a connection that
  /// died without a word is soon noticed (the watch port's idle timeout must be somewhat longer).
  std::chrono::seconds watch_timeout = std::chrono::seconds(30);
  Duration backoff_first = std::chrono::milliseconds(100);
  Duration backoff_limit = std::chrono::seconds(10);
};

/// Keeps an ObjectStore equal to a collection of the API server, on a thread of its own, until it is destroyed.
class Informer {
 public:
  using OnChange = std::function<void(const Change&)>;

  /// Begins at once. on_change is called on the informer's thread, after the store has the change; it should put a key
  /// into a queue and return. Client and clock must outlive the informer.
  Informer(KubeClient& client, const Clock& clock, const Logger& log, InformerOptions options, OnChange on_change);

  [[nodiscard]] const ObjectStore& store() const { return store_; }
  /// The first list is in the store.
  [[nodiscard]] bool synced() const;
  /// Waits for it; false at stop or deadline.
  [[nodiscard]] bool wait_synced(const Context& context) const;

 private:
  void run(const std::stop_token& stop);
  Result<void> step(const Context& context);
  Result<void> list(const Context& context, const ListRequest& request);
  Result<void> watch(const Context& context, const WatchRequest& request);
  void take(Delta delta);
  void pause(const std::stop_token& stop, Duration wait);

  KubeClient& client_;
  const Clock& clock_;
  Logger log_;
  InformerOptions options_;
  OnChange on_change_;
  WatchState state_;  // Of the thread.
  Backoff backoff_;   // Of the thread.
  ObjectStore store_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  bool synced_ = false;
  std::jthread thread_;  // Last: stopped and joined before what it uses goes.
};

}  // namespace baton::kube
