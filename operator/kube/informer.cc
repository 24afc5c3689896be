#include "operator/kube/informer.h"

namespace baton::kube {
namespace {

// Lists may be long, and the server slow while it starts.
constexpr Duration kListLimit = std::chrono::seconds(30);
// A watch that ends sooner than this brought nothing: without a pause, a broken server would be asked in a tight loop.
constexpr Duration kShortWatch = std::chrono::seconds(1);

}  // namespace

Informer::Informer(KubeClient& client, const Clock& clock, const Logger& log, InformerOptions options,
                   OnChange on_change)
    : client_(client),
      clock_(clock),
      log_(log.with({{"informer", options.type.plural}})),
      options_(std::move(options)),
      on_change_(std::move(on_change)),
      backoff_(options_.backoff_first, options_.backoff_limit),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

bool Informer::synced() const {
  const std::scoped_lock lock(mutex_);
  return synced_;
}

bool Informer::wait_synced(const Context& context) const {
  std::unique_lock lock(mutex_);
  const auto limit = std::min<Duration>(context.remaining(clock_), std::chrono::hours(24));
  return changed_.wait_for(lock, context.stop, limit, [&] { return synced_; });
}

void Informer::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Context context{.stop = stop, .deadline = Instant::max(), .log = log_};
    const auto done = step(context);
    if (done || stop.stop_requested()) continue;
    if (done.error().kind == ErrorKind::kGone) {
      state_.on_gone();
      log_.info("history is gone, listing again", {{"error", done.error().what}});
    } else {
      log_.warn("list or watch failed", {{"kind", name_of(done.error().kind)}, {"error", done.error().what}});
    }
    pause(stop, backoff_.next());
  }
}

Result<void> Informer::step(const Context& context) {
  const auto request = state_.next_request();
  if (const auto* page = std::get_if<ListRequest>(&request)) return list(context, *page);
  return watch(context, std::get<WatchRequest>(request));
}

Result<void> Informer::list(const Context& context, const ListRequest& request) {
  TRY(page,
      client_.list_page(context.within(kListLimit, clock_), options_.type, options_.selection, request.continue_token));
  auto delta = state_.on_page(std::move(page));
  if (!delta) return {};
  take(std::move(*delta));
  {
    const std::scoped_lock lock(mutex_);
    synced_ = true;
  }
  changed_.notify_all();
  return {};
}

Result<void> Informer::watch(const Context& context, const WatchRequest& request) {
  const Instant begun = clock_.now();
  Result<void> outcome;
  bool heard = false;
  auto ended = client_.watch(context, options_.type, options_.selection, request.resource_version,
                             options_.watch_timeout, [&](std::string_view line) {
                               auto delta = state_.on_line(line);
                               if (!delta) {
                                 outcome = std::unexpected(std::move(delta).error());
                                 return false;
                               }
                               heard = true;
                               backoff_.reset();
                               if (*delta) take(std::move(**delta));
                               return true;
                             });
  if (!outcome) return outcome;
  if (!ended) return ended;
  if (!heard && clock_.now() - begun < kShortWatch) return fail(ErrorKind::kRetry, "the watch ended at once");
  return {};
}

void Informer::take(Delta delta) {
  for (const auto& change : store_.apply(std::move(delta))) on_change_(change);
}

void Informer::pause(const std::stop_token& stop, Duration wait) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, wait, [] { return false; });
}

}  // namespace baton::kube
