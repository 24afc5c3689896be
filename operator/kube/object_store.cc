#include "operator/kube/object_store.h"

namespace baton::kube {
namespace {

ObjectKey known_key(const Json& object) { return {metadata_text(object, "namespace"), metadata_text(object, "name")}; }

bool same_version(const Json& a, const Json& b) {
  return metadata_text(a, "uid") == metadata_text(b, "uid") &&
         metadata_text(a, "resourceVersion") == metadata_text(b, "resourceVersion");
}

}  // namespace

std::vector<Change> ObjectStore::apply(Delta delta) {
  if (auto* all = std::get_if<Replace>(&delta)) return replace(std::move(*all));
  auto* upsert = std::get_if<Upsert>(&delta);
  auto& object = upsert != nullptr ? upsert->object : std::get<Remove>(delta).object;
  Change change{known_key(object), nullptr, nullptr};
  const std::unique_lock lock(mutex_);
  const auto held = objects_.find(change.key);
  if (held != objects_.end()) change.before = held->second;
  if (upsert == nullptr) {
    if (held == objects_.end()) return {};
    objects_.erase(held);
    return {std::move(change)};
  }
  if (change.before && same_version(*change.before, object)) return {};  // A watch resumed from an older version.
  change.after = std::make_shared<const Json>(std::move(object));
  objects_.insert_or_assign(change.key, change.after);
  return {std::move(change)};
}

std::vector<Change> ObjectStore::replace(Replace all) {
  Objects fresh;
  for (auto& object : all.objects) {
    auto key = known_key(object);
    fresh.insert_or_assign(std::move(key), std::make_shared<const Json>(std::move(object)));
  }
  std::vector<Change> changes;
  const std::unique_lock lock(mutex_);
  auto old = objects_.begin();
  auto now = fresh.begin();
  while (old != objects_.end() || now != fresh.end()) {
    if (now == fresh.end() || (old != objects_.end() && old->first < now->first)) {
      changes.push_back({old->first, old->second, nullptr});
      ++old;
    } else if (old == objects_.end() || now->first < old->first) {
      changes.push_back({now->first, nullptr, now->second});
      ++now;
    } else {
      if (!same_version(*old->second, *now->second)) changes.push_back({now->first, old->second, now->second});
      ++old;
      ++now;
    }
  }
  objects_ = std::move(fresh);
  return changes;
}

ObjectPtr ObjectStore::get(const ObjectKey& key) const {
  const std::shared_lock lock(mutex_);
  const auto held = objects_.find(key);
  return held == objects_.end() ? nullptr : held->second;
}

std::vector<ObjectPtr> ObjectStore::list() const {
  const std::shared_lock lock(mutex_);
  std::vector<ObjectPtr> result;
  for (const auto& [key, object] : objects_) result.push_back(object);
  return result;
}

std::vector<ObjectPtr> ObjectStore::list(const std::string& space) const {
  const std::shared_lock lock(mutex_);
  std::vector<ObjectPtr> result;
  for (auto at = objects_.lower_bound({space, {}}); at != objects_.end() && at->first.space == space; ++at) {
    result.push_back(at->second);
  }
  return result;
}

std::size_t ObjectStore::size() const {
  const std::shared_lock lock(mutex_);
  return objects_.size();
}

}  // namespace baton::kube
