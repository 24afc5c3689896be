#include "operator/sidecars/sidecar_links.h"

#include <algorithm>
#include <atomic>

#include "operator/kube/backoff.h"
#include "sidecar/wire/member_state.h"

namespace baton {
namespace {

/// A stream that says nothing for so long (four periods) is broken.
constexpr Duration kStreamIdle = std::chrono::seconds(2);
constexpr Duration kFirstRetry = std::chrono::milliseconds(50);
/// Short, because a member that comes back is to be heard at once, and a refused connection costs nothing.
constexpr Duration kLongestRetry = std::chrono::seconds(1);
/// GTID sets that move with every commit lead to at most five decisions a second.
constexpr Duration kProgressPause = std::chrono::milliseconds(200);
constexpr Duration kWatchPeriod = std::chrono::milliseconds(250);
/// How often changed credentials are tried beside a stream that goes on; well within SidecarBook::kRefusalLasts.
constexpr Duration kTrialPeriod = std::chrono::seconds(2);
constexpr Duration kTrialLimit = std::chrono::seconds(1);

}  // namespace

/// The stream of one member.
class SidecarLinks::Link {
 public:
  Link(SidecarLinks& owner, SidecarAddress address)
      : owner_(owner),
        address_(std::move(address)),
        log_(owner.log_.with({{"cluster", to_string(address_.cluster)}, {"member", address_.pod}})),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}

  [[nodiscard]] const SidecarAddress& address() const { return address_; }
  [[nodiscard]] bool ended() const { return ended_; }
  void request_stop() { thread_.request_stop(); }

 private:
  void run(const std::stop_token& stop) {
    kube::Backoff backoff(kFirstRetry, kLongestRetry);
    while (!stop.stop_requested()) {
      heard_any_ = false;
      const auto result = stream(stop);
      if (stop.stop_requested()) break;
      if (!result && result.error().kind == ErrorKind::kDenied) note_refusal(result.error().what);
      if (heard_any_) {
        backoff.reset();
        log_.info("state stream ended", {{"error", result ? "" : result.error().what}});
      } else if (result.error_or(Error{}).what != last_error_) {
        last_error_ = result.error_or(Error{}).what;
        log_.info("no state stream", {{"error", last_error_}});
      }
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, backoff.next(), [] { return false; });
    }
    ended_ = true;
  }

  Result<void> stream(const std::stop_token& stop) {
    const auto credentials = owner_.credentials_(address_.cluster);
    if (!credentials) return fail(ErrorKind::kRetry, "the Secret of the cluster is not known yet");
    const auto http = owner_.connect_(address_, *credentials, kStreamIdle);
    const Context context{.stop = stop, .log = log_};
    tried_ = *credentials;
    return http->stream_lines(context, {.path_and_query = "/v1/state"}, [&](std::string_view line) {
      take(line);
      try_credentials(context);
      return true;
    });
  }

  /// A stream goes on when credentials change; whether the sidecar takes the new ones would show with the next order
  /// only, which may be the one of a failover.
  void try_credentials(const Context& context) {
    auto credentials = owner_.credentials_(address_.cluster);
    const Instant now = owner_.clock_.now();
    if (!credentials || *credentials == tried_ || now < trial_due_) return;
    trial_due_ = now + kTrialPeriod;
    const auto http = owner_.connect_(address_, *credentials, kStreamIdle);
    const auto first_line_is_enough = [](std::string_view) { return false; };
    const auto taken = http->stream_lines(context.within(kTrialLimit, owner_.clock_), {.path_and_query = "/v1/state"},
                                          first_line_is_enough);
    if (taken) tried_ = *std::move(credentials);
    if (taken) note_refusal({});
    if (!taken && taken.error().kind == ErrorKind::kDenied) note_refusal(taken.error().what);
  }

  void take(std::string_view line) {
    auto state = wire::parse_member_state(line);
    if (!state) return complain(state.error().what);
    if (state->member != address_.pod || state->pod_uid != address_.pod_uid.get()) {
      return complain("it speaks for another pod: " + state->member + " " + state->pod_uid);
    }
    const auto news = owner_.book_.hear(address_.cluster, *std::move(state), owner_.clock_.now());
    if (!news) return complain(news.error().what);
    if (!heard_any_) {
      log_.info("state stream begins");
      note_refusal({});
    }
    heard_any_ = true;
    last_error_.clear();
    if (*news == SidecarBook::News::kChange) owner_.changed_(address_.cluster, Duration::zero());
    if (*news == SidecarBook::News::kProgress) owner_.changed_(address_.cluster, kProgressPause);
  }

  void note_refusal(std::string refusal) {
    const bool news =
        owner_.book_.note_refusal(address_.cluster, address_.pod, std::move(refusal), owner_.clock_.now());
    if (news) owner_.changed_(address_.cluster, Duration::zero());
  }

  void complain(const std::string& what) {
    if (what == last_error_) return;
    last_error_ = what;
    log_.warn("line of the state stream not understood", {{"error", what}});
  }

  SidecarLinks& owner_;
  const SidecarAddress address_;
  Logger log_;
  std::string last_error_;
  bool heard_any_ = false;
  SidecarCredentials tried_;  ///< That the sidecar is known to take, once it is heard.
  Instant trial_due_{};
  std::atomic<bool> ended_ = false;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  ///< Last.
};

SidecarLinks::SidecarLinks(SidecarBook& book, const Clock& clock, ConnectSidecar connect, CredentialsOf credentials,
                           Changed changed, Logger log)
    : book_(book),
      clock_(clock),
      connect_(std::move(connect)),
      credentials_(std::move(credentials)),
      changed_(std::move(changed)),
      log_(std::move(log)),
      watchdog_([this](const std::stop_token& stop) { watch(stop); }) {}

SidecarLinks::~SidecarLinks() {
  // All at once, so that the ends are waited for side by side.
  const std::scoped_lock lock(mutex_);
  for (auto& [key, links] : links_) std::ranges::for_each(links, [](const auto& link) { link->request_stop(); });
}

void SidecarLinks::want(const ClusterKey& key, const std::vector<SidecarAddress>& members) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(ending_, [](const auto& link) { return link->ended(); });
  auto& links = links_[key];
  for (auto& link : links) {
    if (std::ranges::contains(members, link->address())) continue;
    link->request_stop();
    ending_.push_back(std::move(link));
  }
  std::erase(links, nullptr);
  for (const SidecarAddress& member : members) {
    const auto there = [&](const auto& link) { return link->address() == member; };
    if (std::ranges::none_of(links, there)) links.push_back(std::make_unique<Link>(*this, member));
  }
  if (links.empty()) links_.erase(key);
}

void SidecarLinks::watch(const std::stop_token& stop) {
  std::unique_lock lock(watch_mutex_);
  while (!stop.stop_requested()) {
    watch_wake_.wait_for(lock, stop, kWatchPeriod, [] { return false; });
    for (const ClusterKey& key : book_.grown_silent(clock_.now())) changed_(key, Duration::zero());
  }
}

}  // namespace baton
