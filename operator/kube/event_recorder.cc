#include "operator/kube/event_recorder.h"

namespace baton::kube {
namespace {

constexpr Duration kEventRequestLimit = std::chrono::seconds(5);
constexpr Duration kFarewell = std::chrono::seconds(2);

// Cuts without splitting a UTF-8 character.
std::string cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  constexpr unsigned kMask = 0xC0;
  constexpr unsigned kContinuation = 0x80;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & kMask) == kContinuation) --limit;
  return std::string(text.substr(0, limit));
}

}  // namespace

EventSubject subject_of(const Json& object, const ResourceType& type) {
  return {type.api_version(),
          type.kind,
          {metadata_text(object, "namespace"), metadata_text(object, "name")},
          metadata_text(object, "uid")};
}

EventRecorder::EventRecorder(KubeClient& client, const Clock& clock, Logger log, std::string component,
                             std::string instance)
    : client_(client),
      clock_(clock),
      log_(std::move(log)),
      component_(std::move(component)),
      instance_(std::move(instance)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

EventRecorder::~EventRecorder() { flush({.stop = {}, .deadline = clock_.now() + kFarewell, .log = {}}); }

void EventRecorder::record(const EventSubject& subject, EventType type, std::string_view reason,
                           std::string_view message) {
  constexpr std::size_t kMaxReason = 128;
  constexpr std::size_t kMaxMessage = 1024;
  Key key{subject, type, cut(reason, kMaxReason), cut(message, kMaxMessage)};
  {
    const std::scoped_lock lock(mutex_);
    if (const auto at = waiting_.find(key); at != waiting_.end()) {
      ++at->second;
    } else if (order_.size() >= kMaxWaiting) {
      ++dropped_;
    } else {
      waiting_.emplace(key, 1);
      order_.push_back(std::move(key));
    }
  }
  changed_.notify_all();
}

std::size_t EventRecorder::dropped() const {
  const std::scoped_lock lock(mutex_);
  return dropped_;
}

bool EventRecorder::flush(const Context& context) {
  std::unique_lock lock(mutex_);
  const auto limit = std::min<Duration>(context.remaining(clock_), std::chrono::hours(1));
  return changed_.wait_for(lock, context.stop, limit, [&] { return order_.empty() && !writing_; });
}

void EventRecorder::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return !order_.empty(); })) {
    const Key key = std::move(order_.front());
    order_.pop_front();
    const auto at = waiting_.find(key);
    const auto times = at->second;
    waiting_.erase(at);
    writing_ = true;
    lock.unlock();
    const Context context{.stop = stop, .deadline = clock_.now() + kEventRequestLimit, .log = log_};
    const auto written = write(context, key, times);
    if (!written) {
      log_.warn("event dropped", {{"reason", key.reason}, {"message", key.message}, {"error", written.error().what}});
    }
    lock.lock();
    writing_ = false;
    if (!written) ++dropped_;
    changed_.notify_all();
  }
}

Result<void> EventRecorder::write(const Context& context, const Key& key, std::int64_t times) {
  const auto at = known_.find(key);
  if (at == known_.end()) return create(context, key, times);
  const Json patch{{"count", at->second.count + times}, {"lastTimestamp", rfc3339(clock_.wall())}};
  const auto space = key.subject.key.space.empty() ? "default" : key.subject.key.space;
  auto patched = client_.merge_patch(context, kEvents, {space, at->second.name}, patch);
  if (patched) {
    at->second.count += times;
    return {};
  }
  // The API server forgets events after an hour.
  if (patched.error().kind == ErrorKind::kNotFound) return create(context, key, times);
  return std::unexpected(std::move(patched).error());
}

Result<void> EventRecorder::create(const Context& context, const Key& key, std::int64_t times) {
  const auto& subject = key.subject;
  const auto time = rfc3339(clock_.wall());
  const auto name = new_name(key);
  const auto space = subject.key.space.empty() ? "default" : subject.key.space;  // Events about cluster-wide objects.
  const Json event{{"metadata", {{"namespace", space}, {"name", name}}},
                   {"involvedObject",
                    {{"apiVersion", subject.api_version},
                     {"kind", subject.kind},
                     {"namespace", subject.key.space},
                     {"name", subject.key.name},
                     {"uid", subject.uid}}},
                   {"reason", key.reason},
                   {"message", key.message},
                   {"type", key.type == EventType::kNormal ? "Normal" : "Warning"},
                   {"count", times},
                   {"firstTimestamp", time},
                   {"lastTimestamp", time},
                   {"source", {{"component", component_}, {"host", instance_}}},
                   {"reportingComponent", component_},
                   {"reportingInstance", instance_}};
  TRY_VOID(client_.create(context, kEvents, event));
  remember(key, {name, times});
  return {};
}

void EventRecorder::remember(const Key& key, Written written) {
  if (known_.insert_or_assign(key, std::move(written)).second) known_order_.push_back(key);
  if (known_order_.size() <= kMaxKnown) return;
  known_.erase(known_order_.front());
  known_order_.pop_front();
}

std::string EventRecorder::new_name(const Key& key) {
  constexpr std::size_t kRoom = 230;  // Of the 253 characters of a name.
  return std::format("{}.{:016x}", key.subject.key.name.substr(0, kRoom), random_());
}

}  // namespace baton::kube
