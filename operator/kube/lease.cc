#include "operator/kube/lease.h"

namespace baton::kube {
namespace {

// One request may fail and still leave time for a second within the lease.
constexpr Duration kLeaseRequestLimit = std::chrono::seconds(1);

LeaseRecord record_of(const Json& lease) {
  LeaseRecord record{.holder = {}, .version = metadata_text(lease, "resourceVersion"), .transitions = 0};
  const auto spec = lease.find("spec");
  if (spec == lease.end() || !spec->is_object()) return record;
  if (const auto holder = spec->find("holderIdentity"); holder != spec->end() && holder->is_string()) {
    record.holder = *holder;
  }
  if (const auto count = spec->find("leaseTransitions"); count != spec->end() && count->is_number_integer()) {
    record.transitions = *count;
  }
  return record;
}

}  // namespace

LeaderLease::LeaderLease(KubeClient& client, const Clock& clock, const Logger& log, LeaseOptions options,
                         std::function<void(bool)> on_change)
    : client_(client),
      clock_(clock),
      log_(log.with({{"lease", std::format("{}", options.key)}, {"identity", options.identity}})),
      options_(std::move(options)),
      on_change_(std::move(on_change)),
      core_(options_.identity, options_.timing),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

LeaderLease::~LeaderLease() = default;

bool LeaderLease::is_leader() const { return clock_.now() < valid_until(); }

void LeaderLease::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Instant now = clock_.now();
    Context context{.stop = stop, .deadline = now + kLeaseRequestLimit, .log = log_};
    // The call returns in time for the loss to be reported when it happens.
    if (core_.is_leader(now)) context.deadline = std::min(context.deadline, core_.valid_until());
    switch (core_.next(now)) {
      case LeaseCore::Act::kRead: look(context); break;
      case LeaseCore::Act::kWrite: write(context); break;
      case LeaseCore::Act::kWait: break;
    }
    publish();
    report();
    const Instant after = clock_.now();
    const Instant until = core_.is_leader(after) ? std::min(core_.due(), core_.valid_until()) : core_.due();
    if (until <= after) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, until - after, [] { return false; });
  }
  release();
}

void LeaderLease::look(const Context& context) {
  auto lease = client_.get(context, kLeases, options_.key);
  const Instant now = clock_.now();
  if (lease) {
    core_.observed(record_of(*lease), now);
    object_ = *std::move(lease);
    return;
  }
  if (lease.error().kind == ErrorKind::kNotFound) return core_.observed(std::nullopt, now);
  if (!context.stop.stop_requested()) log_.warn("cannot read the lease", {{"error", lease.error().what}});
  core_.read_failed(now);
}

void LeaderLease::write(const Context& context) {
  const Instant before = clock_.now();
  const bool exists = core_.record().has_value();
  const Json wanted = wanted_object(options_.identity);
  auto lease = exists ? client_.update(context, kLeases, wanted) : client_.create(context, kLeases, wanted);
  if (lease) {
    core_.written(record_of(*lease), before);
    object_ = *std::move(lease);
    return;
  }
  const bool conflict = lease.error().kind == ErrorKind::kConflict;
  if (!conflict && !context.stop.stop_requested()) {
    log_.warn("cannot write the lease", {{"error", lease.error().what}});
  }
  core_.write_failed(before, clock_.now(), conflict);
}

Json LeaderLease::wanted_object(std::string_view holder) const {
  const auto& record = core_.record();
  Json lease = record ? object_ : Json{{"metadata", {{"namespace", options_.key.space}, {"name", options_.key.name}}}};
  auto& spec = lease["spec"];
  const auto time = rfc3339_micro(clock_.wall());
  spec["holderIdentity"] = holder;
  spec["leaseDurationSeconds"] = std::chrono::duration_cast<std::chrono::seconds>(options_.timing.duration).count();
  spec["renewTime"] = time;
  if (!record || record->holder != options_.identity) {
    spec["acquireTime"] = time;
    spec["leaseTransitions"] = record ? record->transitions + 1 : 0;
  }
  return lease;
}

void LeaderLease::release() {
  const bool held = core_.record() && core_.record()->holder == options_.identity;
  core_.resign();
  publish();
  report();
  if (!held) return;
  const Context context{.stop = {}, .deadline = clock_.now() + kLeaseRequestLimit, .log = log_};
  auto released = client_.update(context, kLeases, wanted_object(""));
  if (!released && released.error().kind == ErrorKind::kConflict) {
    // The stop may have cut a renewal short that the server carried out all the same.
    auto lease = client_.get(context, kLeases, options_.key);
    if (!lease || record_of(*lease).holder != options_.identity) return;
    object_ = *std::move(lease);
    released = client_.update(context, kLeases, wanted_object(""));
  }
  if (!released) log_.warn("cannot release the lease, it will expire", {{"error", released.error().what}});
}

void LeaderLease::publish() {
  term_ = core_.term();  // First: who sees that we lead sees in which term.
  valid_until_ = core_.valid_until();
  if (core_.record()) transitions_ = core_.record()->transitions;
}

void LeaderLease::report() {
  const bool leader = core_.is_leader(clock_.now());
  if (leader == reported_) return;
  reported_ = leader;
  log_.info(leader ? "became leader" : "is no longer leader", {{"transitions", transitions()}});
  on_change_(leader);
}

}  // namespace baton::kube
