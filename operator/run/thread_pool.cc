#include "operator/run/thread_pool.h"

#include <utility>

namespace baton {

ThreadPool::~ThreadPool() {
  std::vector<std::jthread> threads;
  {
    const std::scoped_lock lock(mutex_);
    waiting_.clear();
    threads.swap(threads_);
  }
  for (auto& thread : threads) thread.request_stop();
}

void ThreadPool::run(Job job) {
  const std::scoped_lock lock(mutex_);
  waiting_.push_back(std::move(job));
  if (waiting_.size() > idle_ && threads_.size() < limit_) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
  wake_.notify_one();
}

void ThreadPool::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    const bool have = wake_.wait(lock, stop, [this] { return !waiting_.empty(); });
    --idle_;
    if (!have || stop.stop_requested()) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job(stop);
    job = nullptr;  // What it holds goes outside the lock.
    lock.lock();
  }
}

}  // namespace baton
