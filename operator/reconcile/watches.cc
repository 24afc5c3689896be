#include "operator/reconcile/watches.h"

#include <algorithm>
#include <utility>

#include "operator/api/names.h"

namespace baton::reconcile {

Watches::Watches(kube::KubeClient& client, const Clock& clock, const Logger& log, std::vector<std::string> namespaces,
                 EndedPods& ended, const Changed& changed) {
  if (namespaces.empty()) namespaces.emplace_back();
  const auto of_owner = [changed](const kube::Change& change) {
    const ClusterKey owner = owner_of(change.after != nullptr ? *change.after : *change.before);
    if (!owner.name.empty()) changed(owner);
  };
  const auto watch = [&](Informers& into, const kube::ResourceType& type, const std::string& space,
                         kube::Informer::OnChange on_change) {
    const std::string selector = &into == &clusters_ ? std::string() : std::string(api::kClusterLabel);
    into[space] = std::make_unique<kube::Informer>(
        client, clock, log,
        kube::InformerOptions{.type = type, .selection = {.space = space, .label_selector = selector}},
        std::move(on_change));
  };
  for (const std::string& space : namespaces) {
    watch(clusters_, cluster_type(), space, [changed](const kube::Change& change) { changed(change.key); });
    watch(pods_, kube::kPods, space, [&ended, of_owner](const kube::Change& change) {
      ended.note(change);
      of_owner(change);
    });
    watch(services_, kube::kServices, space, of_owner);
    watch(stateful_sets_, kube::kStatefulSets, space, of_owner);
  }
}

Lookup Watches::lookup_in(const Informers& informers) {
  return [&informers](const kube::ObjectKey& key) -> kube::ObjectPtr {
    auto informer = informers.find("");
    if (informer == informers.end()) informer = informers.find(key.space);
    return informer == informers.end() ? nullptr : informer->second->store().get(key);
  };
}

std::vector<const kube::Informer*> Watches::informers() const {
  std::vector<const kube::Informer*> result;
  for (const Informers* kind : {&clusters_, &pods_, &services_, &stateful_sets_}) {
    for (const auto& [space, informer] : *kind) result.push_back(informer.get());
  }
  return result;
}

std::vector<ClusterKey> Watches::all() const {
  std::vector<ClusterKey> keys;
  for (const auto& [space, informer] : clusters_) {
    for (const auto& object : informer->store().list()) {
      if (auto key = kube::key_of(*object)) keys.push_back(*std::move(key));
    }
  }
  return keys;
}

bool Watches::synced() const { return std::ranges::all_of(informers(), &kube::Informer::synced); }

bool Watches::wait_synced(const Context& context) const {
  return std::ranges::all_of(informers(), [&](const auto* informer) { return informer->wait_synced(context); });
}

}  // namespace baton::reconcile
