#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace baton {

/// Threads made as they are needed, up to a limit, and kept. Jobs are blocking calls: while one is stuck, another
/// thread takes the next. Jobs beyond the limit wait in order. Thread-safe.
class ThreadPool {
 public:
  using Job = std::function<void(std::stop_token)>;

  explicit ThreadPool(std::size_t limit) : limit_(limit) {}
  /// Stops: jobs that wait are dropped, running ones see the stop token and are waited for.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void run(Job job);

 private:
  void work(const std::stop_token& stop);

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Job> waiting_;
  std::size_t idle_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace baton
