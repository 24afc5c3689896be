#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "operator/base/clock.h"
#include "operator/base/log.h"
#include "operator/sidecars/sidecar_access.h"
#include "operator/sidecars/sidecar_book.h"

namespace baton {

/// Which sidecars are listened to.
class LinksPort {
 public:
  virtual ~LinksPort() = default;
  /// Listens to exactly these members of a cluster from now on. Never blocks.
  virtual void want(const ClusterKey& key, const std::vector<SidecarAddress>& members) = 0;
};

/// One thread per member that reads its state stream into the book and starts again whenever it ends. Also a watchdog
/// that tells when a member has grown silent, which no line does. Thread-safe.
class SidecarLinks final : public LinksPort {
 public:
  /// Says that a cluster is to be looked at after that time. Called on the links' threads.
  using Changed = std::function<void(const ClusterKey&, Duration after)>;

  /// Book and clock must outlive the links.
  SidecarLinks(SidecarBook& book, const Clock& clock, ConnectSidecar connect, CredentialsOf credentials,
               Changed changed, Logger log);
  ~SidecarLinks() override;
  SidecarLinks(const SidecarLinks&) = delete;
  SidecarLinks& operator=(const SidecarLinks&) = delete;

  void want(const ClusterKey& key, const std::vector<SidecarAddress>& members) override;

 private:
  class Link;

  void watch(const std::stop_token& stop);

  SidecarBook& book_;
  const Clock& clock_;
  ConnectSidecar connect_;
  CredentialsOf credentials_;
  Changed changed_;
  Logger log_;
  std::mutex mutex_;
  std::map<ClusterKey, std::vector<std::unique_ptr<Link>>> links_;
  std::vector<std::unique_ptr<Link>> ending_;  ///< Told to stop; joined once they have.
  std::mutex watch_mutex_;
  std::condition_variable_any watch_wake_;
  std::jthread watchdog_;  ///< Last.
};

}  // namespace baton
