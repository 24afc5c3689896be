#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "operator/kube/kube_client.h"

namespace baton::kube {

/// The object that an event is about.
struct EventSubject {
  std::string api_version;
  std::string kind;
  ObjectKey key;
  std::string uid;
  friend auto operator<=>(const EventSubject&, const EventSubject&) = default;
};
/// Subject of an object from the API server.
[[nodiscard]] EventSubject subject_of(const Json& object, const ResourceType& type);

enum class EventType : std::uint8_t { kNormal, kWarning };

/// Writes Events, as `kubectl describe` shows them, on a thread of its own. Never fails and never delays the caller:
/// what cannot be written is dropped and counted. The same reason and message about the same subject become one Event
/// with a count.
class EventRecorder {
 public:
  /// `component` names the program; `instance` the process. Client and clock must outlive the recorder.
  EventRecorder(KubeClient& client, const Clock& clock, Logger log, std::string component, std::string instance);
  /// Writes what waits, for at most two seconds.
  ~EventRecorder();
  EventRecorder(const EventRecorder&) = delete;
  EventRecorder& operator=(const EventRecorder&) = delete;

  /// reason is one CamelCase word; message a sentence, cut at 1024 bytes (the API's limit). Thread-safe.
  void record(const EventSubject& subject, EventType type, std::string_view reason, std::string_view message);
  [[nodiscard]] std::size_t dropped() const;
  /// Waits until nothing waits to be written; false at stop or deadline.
  bool flush(const Context& context);

 private:
  struct Key {
    EventSubject subject;
    EventType type;
    std::string reason;
    std::string message;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  /// An Event that was written, to be counted up. Kept for the latest kMaxKnown keys.
  struct Written {
    std::string name;
    std::int64_t count = 0;
  };
  void run(const std::stop_token& stop);
  Result<void> write(const Context& context, const Key& key, std::int64_t times);
  Result<void> create(const Context& context, const Key& key, std::int64_t times);
  void remember(const Key& key, Written written);
  [[nodiscard]] std::string new_name(const Key& key);

  static constexpr std::size_t kMaxWaiting = 256;
  static constexpr std::size_t kMaxKnown = 1024;

  KubeClient& client_;
  const Clock& clock_;
  Logger log_;
  std::string component_;
  std::string instance_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<Key, std::int64_t> waiting_;  // With how often it happened.
  std::deque<Key> order_;                // Of waiting_.
  bool writing_ = false;
  std::size_t dropped_ = 0;
  std::map<Key, Written> known_;  // Of the thread, as the two below.
  std::deque<Key> known_order_;
  std::mt19937_64 random_{std::random_device()()};
  std::jthread thread_;  // Last.
};

}  // namespace baton::kube
