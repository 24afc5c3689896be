#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/base/result.h"
#include "operator/base/fd.h"

namespace baton::sidecar {

/// The pid of a mysqld whose command line names this data directory, in the pod's shared process list; zombies do not
/// count. Errors: kRetry when /proc, or the command line of a process that is there, cannot be read.
[[nodiscard]] Result<std::optional<int>> find_mysqld(const std::filesystem::path& data_directory);

/// Whether some process of this node keeps InnoDB's lock on this data directory, be it of another pod, which this pod's
/// process list does not show: mysqld takes it (fcntl) on ibdata1 before it reads it, and loses it when the kernel
/// closes its files (storage/innobase/os/os0file.cc, os_file_lock). Errors: kRetry when that cannot be told, also
/// without an ibdata1.
[[nodiscard]] Result<bool> is_data_locked(const std::filesystem::path& data_directory);

/// Whether no thread of this process will ever run its own code again: each has the kernel's flag PF_EXITING
/// (include/linux/sched.h, field 9 of proc_pid_stat(5)), which is set at the beginning of its end and never cleared.
/// The process itself may stay for long: the kernel gives its memory back first, 150 ms for each GiB (seconds for a big
/// buffer pool), and only then closes its sockets and lets a pidfd tell. False when /proc does not say.
[[nodiscard]] bool is_ending(int pid);

/// The signal that ends a process whose end has begun: field 52 of proc_pid_stat(5), which the kernel fills in before
/// it gives the memory back, and shows to who may trace the process. Nothing if it ends by itself, or /proc does not
/// say.
[[nodiscard]] std::optional<int> ending_signal(int pid);

/// Sees a process end, by its threads' flags within kGlance and by pidfd at once, and can kill it without anybody's
/// help. Thread-safe.
class ProcessWatch {
 public:
  /// How often the threads' flags are looked at: one read of a few microseconds.
  static constexpr std::chrono::milliseconds kGlance{20};

  /// Gets the end of a process, with the signal that brought it if that is known.
  using OnEnd = std::function<void(int pid, std::optional<int> signal)>;

  /// `on_end` is called on the watch's own thread, once for each watched process.
  explicit ProcessWatch(OnEnd on_end);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  /// Watches this process instead of the one before. One that is gone already is told like any other end; while the
  /// kernel refuses to say (no descriptor is free), nothing is told, and it is asked again every kGlance.
  void watch(int pid);
  /// Sends a signal to the watched process; never to another that got its number. False if there is none, or it is not
  /// known yet.
  bool send_signal(int signal);

 private:
  void run(const std::stop_token& stop);
  void wake() const;
  void open();
  [[nodiscard]] bool wait_for_end(const Fd* process, int pid) const;

  OnEnd on_end_;
  Fd wake_;
  std::mutex mutex_;
  std::shared_ptr<const Fd> process_;  ///< pidfd; null: none, or it could not be opened yet. Shared with who polls it.
  int pid_ = 0;
  bool gone_ = false;  ///< There was no such process any more.
  std::jthread thread_;
};

}  // namespace baton::sidecar
