#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "operator/kube/watch_state.h"

namespace baton::kube {

using ObjectPtr = std::shared_ptr<const Json>;

/// What became of one object. before is null for a new one, after for one that is gone.
struct Change {
  ObjectKey key;
  ObjectPtr before;
  ObjectPtr after;
};

/// The last known state of a collection. One writer, many readers; readers get whole, immutable objects.
class ObjectStore {
 public:
  /// Takes a delta in and tells what changed, in key order. A Replace reports what vanished meanwhile as gone, and what
  /// has kept uid and version not at all.
  std::vector<Change> apply(Delta delta);

  /// Null when there is none.
  [[nodiscard]] ObjectPtr get(const ObjectKey& key) const;
  [[nodiscard]] std::vector<ObjectPtr> list() const;
  [[nodiscard]] std::vector<ObjectPtr> list(const std::string& space) const;
  [[nodiscard]] std::size_t size() const;

 private:
  using Objects = std::map<ObjectKey, ObjectPtr>;
  std::vector<Change> replace(Replace all);

  mutable std::shared_mutex mutex_;
  Objects objects_;
};

}  // namespace baton::kube
