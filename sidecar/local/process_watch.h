#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/base/result.h"
#include "sidecar/local/descriptor.h"

namespace baton::sidecar {

/// The pid of a mysqld whose command line names this data directory, in the pod's shared process list; zombies do not
/// count. Errors: kRetry when /proc cannot be read.
[[nodiscard]] Result<std::optional<int>> find_mysqld(const std::filesystem::path& data_directory);

/// Sees a process end within a millisecond, by pidfd, and can kill it without anybody's help. Thread-safe.
class ProcessWatch {
 public:
  /// `on_end(pid)` is called on the watch's own thread, once for each watched process.
  explicit ProcessWatch(std::function<void(int pid)> on_end);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  /// Watches this process instead of the one before. One that is gone already is told like any other end.
  void watch(int pid);
  /// Sends a signal to the watched process; never to another that got its number. False if there is none.
  bool send_signal(int signal);

 private:
  void run(const std::stop_token& stop);
  void wake() const;

  std::function<void(int)> on_end_;
  Descriptor wake_;
  std::mutex mutex_;
  Descriptor process_;  ///< pidfd
  int pid_ = 0;
  bool gone_ = false;  ///< watch() found no such process.
  std::jthread thread_;
};

}  // namespace baton::sidecar
