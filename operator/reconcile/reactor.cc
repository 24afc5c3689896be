#include "operator/reconcile/reactor.h"

#include <format>

#include "operator/api/names.h"

namespace baton::reconcile {

Timeline Timelines::of(const ClusterKey& key) const {
  const std::scoped_lock lock(mutex_);
  const auto keeper = keepers_.find(key);
  return keeper == keepers_.end() ? Timeline() : keeper->second.timeline();
}

std::vector<std::string> Timelines::record_written(const ClusterKey& key, const engine::Recorded& before,
                                                   const engine::Recorded& after, std::optional<WallTime> detected,
                                                   WallTime decided, WallTime written) {
  const std::scoped_lock lock(mutex_);
  return keepers_[key].record_written(before, after, api::Names(key.name), detected, decided, written);
}

std::vector<std::string> Timelines::step_succeeded(const ClusterKey& key, const engine::Step& step, WallTime at) {
  const std::scoped_lock lock(mutex_);
  const auto keeper = keepers_.find(key);
  return keeper == keepers_.end() ? std::vector<std::string>() : keeper->second.step_succeeded(step, at);
}

void Timelines::forget(const ClusterKey& key) {
  const std::scoped_lock lock(mutex_);
  keepers_.erase(key);
}

void Reactor::finished(const StepDone& done) {
  if (done.state) {
    if (const auto heard = parts_.book.hear(done.key, *done.state, parts_.clock.now()); !heard) {
      parts_.log.warn("answer of a sidecar not understood",
                      {{"cluster", to_string(done.key)}, {"error", heard.error().what}});
    }
  }
  note_refusal(done);
  parts_.metrics.step_ended(done);
  log_end(done);
  if (!done.result) {
    // What a safety rule refused is for people to know; what merely failed is tried again.
    if (done.result.error().kind == ErrorKind::kUnsafe) {
      parts_.events.tell(done.key, true, "StepRefused",
                         std::format("{}: {}", engine::describe(done.step, done.cluster), done.result.error().what));
    }
    return;
  }
  for (const std::string& phase : parts_.timelines.step_succeeded(done.key, done.step, parts_.clock.wall())) {
    parts_.events.tell(done.key, false, phase == "opened" ? "FailoverOpened" : "FailoverRepointed",
                       engine::describe(done.step, done.cluster));
  }
}

void Reactor::note_refusal(const StepDone& done) {
  const bool order =
      !std::holds_alternative<engine::Repoint>(done.step) && !std::holds_alternative<engine::LabelRole>(done.step);
  const bool denied = !done.result && !done.state && done.result.error().kind == ErrorKind::kDenied;
  if (!order || (!denied && !done.state)) return;
  parts_.book.note_refusal(done.key, api::Names(done.cluster).pod(engine::member_of(done.step)),
                           denied ? done.result.error().what : std::string(), parts_.clock.now());
}

void Reactor::log_end(const StepDone& done) const {
  const std::string what = engine::describe(done.step, done.cluster);
  const auto milliseconds = done.took.count();
  if (done.result) {
    parts_.log.info("step done", {{"cluster", to_string(done.key)}, {"what", what}, {"ms", milliseconds}});
    return;
  }
  parts_.log.warn("step failed", {{"cluster", to_string(done.key)},
                                  {"what", what},
                                  {"ms", milliseconds},
                                  {"kind", std::string(name_of(done.result.error().kind))},
                                  {"error", done.result.error().what}});
}

}  // namespace baton::reconcile
