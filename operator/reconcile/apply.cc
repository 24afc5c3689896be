#include "operator/reconcile/apply.h"

#include <algorithm>
#include <format>
#include <functional>
#include <iterator>
#include <utility>

#include "operator/desired/config_map.h"
#include "operator/desired/pod_disruption_budget.h"
#include "operator/desired/services.h"
#include "operator/desired/stateful_set.h"
#include "operator/desired/volume_claims.h"
#include "operator/reconcile/ownership.h"
#include "operator/reconcile/pod_facts.h"

namespace baton::reconcile {
namespace {

kube::ObjectKey key_of(const api::Cluster& cluster, std::string name) {
  return {.space = cluster.name_space, .name = std::move(name)};
}

/// What changes when somebody else touches an object: its generation, where it has one that status does not raise, else
/// its version. Empty: there is no such object.
std::string seen_version(const Object& object) {
  const auto generation = Object::json_pointer("/metadata/generation");
  const std::string uid = kube::metadata_text(object, "uid");
  if (object.contains(generation)) return uid + "/" + object.at(generation).dump();
  return uid + "/" + kube::metadata_text(object, "resourceVersion");
}

/// Whether everything in `wanted` is in `data`; others may have put further keys there.
bool holds(const desired::SecretData& data, const desired::SecretData& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& item) {
    const auto found = data.find(item.first);
    return found != data.end() && found->second == item.second;
  });
}

engine::Finding obstacle(const Error& error) {
  const char* code = "ObjectNotApplied";
  if (error.kind == ErrorKind::kTerminal) code = "ObjectRefused";
  if (error.kind == ErrorKind::kUnsafe) code = "ObjectNotOurs";
  if (error.kind == ErrorKind::kCancelled) code = kApiServerAway;
  return {.code = code, .member = std::nullopt, .sentence = error.what};
}

/// The content of a Secret that is ours; nothing if there is none.
Result<desired::SecretData> data_of(const std::optional<Object>& secret, const api::Cluster& cluster) {
  if (!secret) return desired::SecretData();
  TRY_VOID(check_ours(*secret, kube::kSecrets.kind, cluster.name));
  return desired::secret_data(*secret);
}

void tell_restored(EventPort& events, const api::Cluster& cluster, std::string_view name) {
  events.tell(key_of(cluster, cluster.name), true, "SecretRestored",
              std::format("Secret {} was gone and is written again with what it held", name));
}

std::chrono::sys_seconds seconds_of(WallTime time) { return std::chrono::floor<std::chrono::seconds>(time); }

}  // namespace

Applier::Applier(kube::KubeClient& client, const Clock& clock, EventPort& events, ApplierOptions options,
                 Lookups lookups)
    : client_(client), clock_(clock), events_(events), options_(std::move(options)), lookups_(std::move(lookups)) {}

Applier::Known Applier::known(const ClusterKey& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = clusters_.find(key);
  return found == clusters_.end() ? Known() : found->second;
}

void Applier::keep(const ClusterKey& key, Known known) {
  const std::scoped_lock lock(mutex_);
  clusters_[key] = std::move(known);
}

void Applier::forget(const ClusterKey& key) {
  const std::scoped_lock lock(mutex_);
  clusters_.erase(key);
}

void Applier::take_secret(Known& known, desired::SecretData secret) {
  const auto before = known.secret.find(desired::kTokenFile);
  const auto after = secret.find(desired::kTokenFile);
  const bool changed = before != known.secret.end() && after != secret.end() && before->second != after->second;
  if (changed) known.earlier_token = before->second;
  known.secret = std::move(secret);
}

std::optional<SidecarCredentials> Applier::credentials(const ClusterKey& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = clusters_.find(key);
  if (found == clusters_.end()) return std::nullopt;
  const desired::SecretData& secret = found->second.secret;
  const auto authority = secret.find(desired::kAuthorityCertificateFile);
  const auto token = secret.find(desired::kTokenFile);
  if (authority == secret.end() || token == secret.end()) return std::nullopt;
  return SidecarCredentials{
      .authority_pem = authority->second, .token = token->second, .earlier_token = found->second.earlier_token};
}

Result<std::optional<Object>> Applier::find(const Context& context, const kube::ResourceType& type,
                                            const kube::ObjectKey& key) {
  auto object = client_.get(context, type, key);
  if (object) return std::optional(*std::move(object));
  if (object.error().kind == ErrorKind::kNotFound) return std::optional<Object>();
  return wrap(std::format("failed to read {} {}", type.kind, key.name), std::move(object).error());
}

void Applier::refresh_credentials(const Context& context, const api::Cluster& cluster) {
  const ClusterKey key = key_of(cluster, cluster.name);
  Known state = known(key);
  const Instant now = clock_.now();
  if (now < state.secret_due) return;
  const auto secret = find(context, kube::kSecrets, key_of(cluster, cluster.names().baton_secret()));
  const bool found = secret && secret->has_value() && check_ours(**secret, kube::kSecrets.kind, cluster.name);
  if (found) {
    if (auto data = desired::secret_data(**secret)) {
      // What somebody took away is still known here and will be written again.
      data->merge(state.secret);
      if (*data != state.secret) state.secret_generation = -1;
      take_secret(state, *std::move(data));
    }
  } else if (secret) {
    state.secret_generation = -1;
  }
  const auto app = find(context, kube::kSecrets, key_of(cluster, cluster.names().app_secret()));
  if (app && !app->has_value()) state.secret_generation = -1;
  state.secret_due = clock_.now() + (found ? kSecretPeriod : kSecretRetry);
  keep(key, std::move(state));
}

std::vector<engine::Finding> Applier::bring(const Context& context, const api::Cluster& cluster, int members,
                                            bool services_too) {
  const ClusterKey key = key_of(cluster, cluster.name);
  Known state = known(key);
  std::vector<engine::Finding> obstacles;
  const auto note = [&](const Result<void>& result) {
    if (!result) obstacles.push_back(obstacle(result.error()));
    // A server that does not answer is not asked for the rest as well.
    return result || result.error().kind != ErrorKind::kCancelled;
  };
  const auto generation = static_cast<std::size_t>(cluster.generation);
  bool go_on = note(attempt(state.attempts["Secret/*"], generation, {}, Duration::zero(), [&] {
    return bring_secrets(context, cluster, state).transform([] { return std::string(); });
  }));
  auto objects = wanted(cluster, members, services_too);
  if (!objects) {
    obstacles.push_back(obstacle(objects.error()));
  } else {
    for (const Wanted& object : *objects) go_on = go_on && note(apply(context, cluster, object, state));
  }
  const int claims = claims_may_grow(cluster) ? api::kMaxMembers : 0;
  for (int i = 0; go_on && i < claims; ++i) go_on = note(grow_claim(context, cluster, Ordinal(i), state));
  if (go_on) note(look_at_claims(context, cluster, members, state));
  std::ranges::copy(state.unbound, std::back_inserter(obstacles));
  keep(key, std::move(state));
  return obstacles;
}

Result<std::vector<Applier::Wanted>> Applier::wanted(const api::Cluster& cluster, int members,
                                                     bool services_too) const {
  TRY(config_map, desired::config_map(cluster));
  desired::StatefulSetInputs inputs{.sidecar_image = options_.sidecar_image,
                                    .sidecar_pull_policy = options_.sidecar_pull_policy,
                                    .replicas = members,
                                    .claim_size = std::nullopt};
  if (const auto existing = lookups_.stateful_sets(key_of(cluster, cluster.names().stateful_set()));
      existing != nullptr) {
    inputs.claim_size = desired::claim_size_of(*existing);
  }
  std::vector<Wanted> result;
  result.push_back({kube::kConfigMaps, std::move(config_map), nullptr});
  for (Object service :
       {desired::members_service(cluster), desired::primary_service(cluster), desired::replicas_service(cluster)}) {
    const bool there = lookups_.services(key_of(cluster, kube::metadata_text(service, "name"))) != nullptr;
    if (services_too || !there) result.push_back({kube::kServices, std::move(service), &lookups_.services});
  }
  result.push_back({kube::kDisruptionBudgets, desired::pod_disruption_budget(cluster), nullptr});
  result.push_back({kube::kStatefulSets, desired::stateful_set(cluster, inputs), &lookups_.stateful_sets});
  return result;
}

Result<void> Applier::attempt(Attempt& last, std::size_t wanted, const std::string& seen, Duration repeat,
                              const std::function<Result<std::string>()>& write) const {
  const Instant now = clock_.now();
  const bool same = last.wanted == wanted && last.seen == seen;
  if (same && now < last.due) return last.refusal ? std::unexpected(*last.refusal) : Result<void>();
  auto written = write();
  if (written) {
    last = {.wanted = wanted, .seen = *std::move(written), .due = now + repeat, .failures = 0, .refusal = {}};
    return {};
  }
  if (written.error().kind == ErrorKind::kCancelled) {
    last = {};  // Nobody refused it.
  } else {
    constexpr int kDoublings = 10;  // Beyond, the limit holds anyway.
    const int failures = same ? last.failures : 0;
    const Duration pause = std::min(kLongestRetry, kFirstRetry * (1 << std::min(failures, kDoublings)));
    last = {.wanted = wanted, .seen = seen, .due = now + pause, .failures = failures + 1, .refusal = written.error()};
  }
  return std::unexpected(std::move(written).error());
}

Result<void> Applier::apply(const Context& context, const api::Cluster& cluster, const Wanted& wanted, Known& known) {
  const std::string name = kube::metadata_text(wanted.object, "name");
  const std::string title = std::format("{} {}", wanted.type.kind, name);
  const kube::ObjectKey key{.space = kube::metadata_text(wanted.object, "namespace"), .name = name};
  const kube::ObjectPtr watched = wanted.watched == nullptr ? nullptr : (*wanted.watched)(key);
  const std::string seen = watched == nullptr ? std::string() : seen_version(*watched);
  const std::size_t hash = std::hash<std::string>{}(wanted.object.dump());
  return attempt(known.attempts[title], hash, seen, kRepeat, [&]() -> Result<std::string> {
    // Caches hold only what bears the label of some cluster.
    if (watched != nullptr) {
      TRY_VOID(check_ours(*watched, wanted.type.kind, cluster.name));
    } else {
      TRY(there, find(context, wanted.type, key));
      if (there) TRY_VOID(check_ours(*there, wanted.type.kind, cluster.name));
    }
    auto result = client_.apply(context, wanted.type, wanted.object, api::kFieldManager, /*force=*/true);
    if (!result) return wrap(title, std::move(result).error());
    return wanted.watched == nullptr ? std::string() : seen_version(*result);
  });
}

Result<void> Applier::bring_secrets(const Context& context, const api::Cluster& cluster, Known& known) {
  // Certificates are looked at now and then, because they end.
  const bool fresh = clock_.now() - known.secret_checked < kCertificatePeriod;
  if (known.secret_generation == cluster.generation && fresh) return {};
  const api::Names names = cluster.names();
  TRY(written, find(context, kube::kSecrets, key_of(cluster, names.baton_secret())));
  TRY(written_app, find(context, kube::kSecrets, key_of(cluster, names.app_secret())));
  TRY(there, data_of(written, cluster));
  desired::SecretData existing = there;
  existing.insert(known.secret.begin(), known.secret.end());
  // The members need Baton's own Secret, also while the application's is somebody else's.
  desired::SecretData app;
  if (written_app && check_ours(*written_app, kube::kSecrets.kind, cluster.name)) {
    TRY(data, desired::secret_data(*written_app));
    app = std::move(data);
  }
  const bool known_before = !known.secret.empty();
  TRY(complete, desired::baton_secret_data(cluster, existing, app, seconds_of(clock_.wall())));
  if (!written) {
    // Not by apply: if another operator made it a moment ago, its keys must win.
    TRY(made, client_.create(context, kube::kSecrets, desired::baton_secret(cluster, complete)));
    static_cast<void>(made);
    if (known_before) tell_restored(events_, cluster, names.baton_secret());
  } else if (!holds(there, complete)) {
    Object secret = desired::baton_secret(cluster, complete);
    secret["metadata"]["resourceVersion"] = kube::metadata_text(*written, "resourceVersion");
    TRY(made, client_.apply(context, kube::kSecrets, std::move(secret), api::kFieldManager, /*force=*/true));
    static_cast<void>(made);
  }
  take_secret(known, complete);
  TRY_VOID(bring_app_secret(context, cluster, complete, written_app, known_before));
  known.secret_generation = cluster.generation;
  known.secret_checked = clock_.now();
  return {};
}

Result<void> Applier::bring_app_secret(const Context& context, const api::Cluster& cluster,
                                       const desired::SecretData& complete, const std::optional<Object>& written,
                                       bool restores) {
  TRY(there, data_of(written, cluster));
  const Object secret = desired::app_secret(cluster, complete);
  TRY(wanted, desired::secret_data(secret));
  if (written && holds(there, wanted)) return {};
  TRY(made, client_.apply(context, kube::kSecrets, secret, api::kFieldManager, /*force=*/true));
  static_cast<void>(made);
  if (!written && restores) tell_restored(events_, cluster, cluster.names().app_secret());
  return {};
}

/// Only where the template is too small for what is wanted now.
bool Applier::claims_may_grow(const api::Cluster& cluster) const {
  const auto stateful_set = lookups_.stateful_sets(key_of(cluster, cluster.names().stateful_set()));
  return stateful_set != nullptr && desired::claim_size_of(*stateful_set) != cluster.spec.storage.size;
}

/// Each claim on its own: one that is refused is no reason for the others to stay small.
Result<void> Applier::grow_claim(const Context& context, const api::Cluster& cluster, Ordinal member, Known& known) {
  const kube::ObjectKey key = key_of(cluster, cluster.names().claim(member));
  const std::string title = std::format("volume claim {}", key.name);
  const std::size_t hash = std::hash<std::string>{}(cluster.spec.storage.size);
  return attempt(known.attempts[title], hash, {}, kRepeat, [&]() -> Result<std::string> {
    TRY(claim, find(context, kube::kVolumeClaims, key));
    if (!claim) return std::string();
    const auto growth = desired::claim_growth(cluster, *claim);
    if (!growth) return std::string();
    auto grown = client_.merge_patch(context, kube::kVolumeClaims, key, *growth);
    if (!grown) return wrap(title, std::move(grown).error());
    return std::string();
  });
}

Result<int> Applier::volumes(const Context& context, const api::Cluster& cluster) {
  int count = 0;
  for (int i = 0; i < api::kMaxMembers; ++i) {
    TRY(claim, find(context, kube::kVolumeClaims, key_of(cluster, cluster.names().claim(Ordinal(i)))));
    if (claim) count = i + 1;
  }
  return count;
}

Result<void> Applier::look_at_claims(const Context& context, const api::Cluster& cluster, int members, Known& known) {
  std::vector<Ordinal> waiting;
  for (int i = 0; i < members; ++i) {
    const kube::ObjectPtr pod = lookups_.pods(key_of(cluster, cluster.names().pod(Ordinal(i))));
    if (pod != nullptr && unscheduled(*pod)) waiting.emplace_back(i);
  }
  std::erase_if(known.unbound, [&](const auto& finding) { return !std::ranges::contains(waiting, *finding.member); });
  if (waiting.empty() || clock_.now() < known.unbound_due) return {};
  known.unbound.clear();
  known.unbound_due = clock_.now() + kClaimPeriod;
  for (const Ordinal member : waiting) {
    TRY(finding, unbound(context, cluster, member));
    if (finding) known.unbound.push_back(*std::move(finding));
  }
  return {};
}

/// A claim that is merely on its way has no warning.
Result<std::optional<engine::Finding>> Applier::unbound(const Context& context, const api::Cluster& cluster,
                                                        Ordinal member) {
  const kube::ObjectKey key = key_of(cluster, cluster.names().claim(member));
  TRY(claim, find(context, kube::kVolumeClaims, key));
  const bool bound = claim && claim->value(Object::json_pointer("/status/phase"), "") == "Bound";
  if (!claim || bound) return std::optional<engine::Finding>();
  const std::string of_claim = std::format("involvedObject.uid={},type=Warning", kube::metadata_text(*claim, "uid"));
  auto events = client_.list(context, kube::kEvents, {.space = key.space, .field_selector = of_claim});
  if (!events) return wrap(std::format("failed to read why {} is not bound", key.name), std::move(events).error());
  if (events->items.empty()) return std::optional<engine::Finding>();
  const auto newest = std::ranges::max_element(
      events->items, {}, [](const Object& event) { return event.value("lastTimestamp", Object()).dump(); });
  return std::optional(engine::Finding{
      .code = "VolumeNotBound",
      .member = member,
      .sentence = std::format("PersistentVolumeClaim {} is not bound, and {} waits for it: {}", key.name,
                              cluster.names().pod(member), newest->value("message", "no reason is given"))});
}

Result<Object> Applier::set_finalizer(const Context& context, const Object& cluster, bool present) {
  const auto path = Object::json_pointer("/metadata/finalizers");
  Object finalizers = cluster.contains(path) ? cluster.at(path) : Object::array();
  const auto ours = std::ranges::find(finalizers, Object(kFinalizer));
  if ((ours != finalizers.end()) == present) return cluster;
  if (present) {
    finalizers.push_back(kFinalizer);
  } else {
    finalizers.erase(ours);
  }
  const Object patch = {
      {"metadata",
       {{"resourceVersion", kube::metadata_text(cluster, "resourceVersion")}, {"finalizers", std::move(finalizers)}}}};
  TRY(key, kube::key_of(cluster));
  return client_.merge_patch(context, cluster_type(), key, patch);
}

}  // namespace baton::reconcile
