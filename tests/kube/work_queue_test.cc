#include "operator/kube/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <random>
#include <thread>

#include "operator/kube/controller.h"
#include "tests/operator/manual_clock.h"

namespace baton::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Instant at(int milliseconds_since_start) { return Instant(milliseconds(milliseconds_since_start)); }

using Core = WorkQueueCore<int>;

TEST(WorkQueueCoreTest, AddedManyTimesRunsOnce) {
  Core core;
  for (int i = 0; i < 3; ++i) core.add(7);
  EXPECT_EQ(core.take(at(0)), 7);
  core.done(7);
  EXPECT_EQ(core.take(at(0)), std::nullopt);
}

TEST(WorkQueueCoreTest, AddedWhileRunningRunsOnceMoreAfterwards) {
  Core core;
  core.add(7);
  EXPECT_EQ(core.take(at(0)), 7);
  core.add(7);
  core.add(7);
  EXPECT_EQ(core.take(at(0)), std::nullopt) << "a key runs once at a time";
  core.done(7);
  EXPECT_EQ(core.take(at(0)), 7);
  core.done(7);
  EXPECT_EQ(core.take(at(0)), std::nullopt);
}

TEST(WorkQueueCoreTest, EarlierOfTwoDelaysWins) {
  Core core;
  core.add_at(7, at(100));
  core.add_at(7, at(50));
  core.add_at(7, at(80));
  EXPECT_EQ(core.next_due(), at(50));
  EXPECT_EQ(core.take(at(49)), std::nullopt);
  EXPECT_EQ(core.take(at(50)), 7);
  core.done(7);
  EXPECT_EQ(core.take(at(1000)), std::nullopt) << "the later ones are forgotten";
}

TEST(WorkQueueCoreTest, NowWinsOverLater) {
  Core core;
  core.add_at(7, at(100));
  core.add(7);
  EXPECT_EQ(core.take(at(0)), 7);
  core.done(7);
  EXPECT_EQ(core.next_due(), std::nullopt);
}

TEST(WorkQueueCoreTest, FailuresBackOffPerKeyUpToALimitAndSuccessForgets) {
  Core core({.first = milliseconds(10), .longest = milliseconds(50)});
  const auto wait_of = [&](int key) {
    core.add_failed(key, at(0));
    const auto due = core.next_due();
    EXPECT_EQ(core.take(*due), key);
    core.done(key);
    return (*due - at(0)).count();
  };
  EXPECT_EQ(wait_of(1), 10);
  EXPECT_EQ(wait_of(1), 20);
  EXPECT_EQ(wait_of(2), 10) << "another key has its own count";
  EXPECT_EQ(wait_of(1), 40);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(wait_of(1), 50);
  core.forget(1);
  EXPECT_EQ(wait_of(1), 10);
}

TEST(WorkQueueCoreTest, WhoWaitedLongestComesFirst) {
  Core core;
  core.add_at(1, at(20));
  core.add_at(2, at(10));
  EXPECT_EQ(core.take(at(30)), 2);
  EXPECT_EQ(core.take(at(30)), 1);
}

/// The rules, stated for one key, as simply as can be: is it wanted, since when may it run, does it run.
class Twin {
 public:
  void add(int key) { due_[key] = Instant::min(); }
  void add_at(int key, Instant due) {
    const auto [at, fresh] = due_.try_emplace(key, due);
    if (!fresh) at->second = std::min(at->second, due);
  }
  void taken(int key) {
    due_.erase(key);
    running_.insert(key);
  }
  void done(int key) { running_.erase(key); }
  [[nodiscard]] bool may_run(int key, Instant now) const {
    return due_.contains(key) && due_.at(key) <= now && !running_.contains(key);
  }
  // A key that came due stays due.
  void pass(Instant now) {
    for (auto& [key, due] : due_) {
      if (due <= now) due = Instant::min();
    }
  }
  [[nodiscard]] const std::set<int>& running() const { return running_; }

 private:
  std::map<int, Instant> due_;
  std::set<int> running_;
};

TEST(WorkQueueCoreTest, AgreesWithItsTwinOnRandomInput) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random); };
    Core core;
    Twin twin;
    int now = 0;
    for (int step = 0; step < 500; ++step) {
      const int key = pick(5);
      switch (pick(5)) {
        case 0: core.add(key), twin.add(key); break;
        case 1: {
          const auto due = at(now + pick(20));
          core.add_at(key, due), twin.add_at(key, due);
          break;
        }
        case 2:
          if (twin.running().contains(key)) core.done(key), twin.done(key);
          break;
        case 3: now += pick(10); break;
        default: {
          const auto taken = core.take(at(now));
          bool any = false;
          for (int i = 0; i < 5; ++i) any = any || twin.may_run(i, at(now));
          ASSERT_EQ(taken.has_value(), any) << "seed " << seed << " step " << step;
          if (taken) {
            ASSERT_TRUE(twin.may_run(*taken, at(now))) << "seed " << seed << " step " << step;
            twin.taken(*taken);
          }
          twin.pass(at(now));
        }
      }
    }
  }
}

TEST(WorkQueueTest, ManyThreadsNeverRunAKeyTwiceAtOnceAndLoseNothing) {
  const SystemClock clock;
  WorkQueue<int> queue(clock, {.first = milliseconds(1), .longest = milliseconds(2)});
  constexpr int kKeys = 4;
  std::array<std::atomic<int>, kKeys> running{};
  std::array<std::atomic<int>, kKeys> wanted{};
  std::array<std::atomic<int>, kKeys> seen{};
  std::atomic<bool> twice = false;
  Controller<int> controller(queue, clock, Logger(), 4, {.reconcile = seconds(5), .resync = seconds(5)},
                             [&](const Context&, const int& key) -> Result<Outcome> {
                               const auto index = static_cast<std::size_t>(key);
                               if (++running[index] != 1) twice = true;
                               seen[index] = wanted[index].load();
                               --running[index];
                               if (seen[index] % 3 == 0) return fail(ErrorKind::kRetry, "now and then");
                               return Outcome{};
                             });
  {
    std::vector<std::jthread> adders;
    for (int thread = 0; thread < 3; ++thread) {
      adders.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) {
          ++wanted[static_cast<std::size_t>(i % kKeys)];
          queue.add(i % kKeys);
        }
      });
    }
  }
  const auto settled = [&] {
    for (std::size_t i = 0; i < kKeys; ++i) {
      if (seen[i] != wanted[i]) return false;
    }
    return true;
  };
  for (const auto until = clock.now() + seconds(10); !settled() && clock.now() < until;) std::this_thread::yield();
  EXPECT_TRUE(settled());
  EXPECT_FALSE(twice);
}

TEST(WorkQueueTest, ASuccessForgetsTheFailuresOfItsKey) {
  test::ManualClock clock;
  WorkQueue<int> queue(clock, {.first = milliseconds(10), .longest = seconds(1)});
  queue.add(1);
  queue.take({})->failed();
  clock.advance(milliseconds(10));
  queue.take({})->failed();
  clock.advance(milliseconds(20));
  queue.take({})->succeeded(milliseconds(0));
  queue.take({})->failed();
  // After a third failure in a row it would come later than another key.
  queue.add_after(2, milliseconds(15));
  clock.advance(milliseconds(15));
  EXPECT_EQ(queue.take({})->key(), 1);
}

TEST(WorkQueueTest, StopEndsAWait) {
  const SystemClock clock;
  WorkQueue<int> queue(clock);
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(queue.take(stop.get_token()));
}

TEST(ControllerTest, TheLogNamesTheCluster) {
  const SystemClock clock;
  WorkQueue<int> queue(clock);
  std::mutex mutex;
  std::condition_variable told;
  std::vector<std::string> lines;
  const auto log = Logger::to_function(
      [&](std::string_view line) {
        {
          const std::scoped_lock lock(mutex);
          lines.emplace_back(line);
        }
        told.notify_all();
      },
      LogLevel::kInfo);
  Controller<int> controller(
      queue, clock, log, 1, {.reconcile = seconds(5), .resync = seconds(10)},
      [](const Context&, const int&) -> Result<Outcome> { return fail(ErrorKind::kTerminal, "wrong"); });
  queue.add(7);
  std::unique_lock lock(mutex);
  ASSERT_TRUE(told.wait_for(lock, seconds(10), [&] { return !lines.empty(); }));
  EXPECT_EQ(nlohmann::json::parse(lines.front())["cluster"], "7");
}

TEST(ControllerTest, ATerminalErrorIsLookedAtAgainAfterTheResyncInterval) {
  test::ManualClock clock;
  WorkQueue<int> queue(clock, {.first = Duration::zero(), .longest = Duration::zero()});
  std::atomic<int> terminal = 0;
  std::atomic<int> retried = 0;
  std::atomic<int> again = 0;
  Controller<int> controller(queue, clock, Logger(), 1, {.reconcile = seconds(5), .resync = seconds(10)},
                             [&](const Context&, const int& key) -> Result<Outcome> {
                               if (key == 1) return ++terminal, fail(ErrorKind::kTerminal, "a right is missing");
                               if (key == 2) return ++retried, fail(ErrorKind::kRetry, "away");
                               return ++again, Outcome{.again_after = Duration::zero()};
                             });
  const auto reached = [](const std::function<bool()>& holds) {
    const SystemClock real;
    for (const auto until = real.now() + seconds(10); !holds() && real.now() < until;) std::this_thread::yield();
    return holds();
  };
  for (int key = 1; key <= 3; ++key) queue.add(key);
  EXPECT_TRUE(reached([&] { return retried >= 5 && again >= 5; }));
  EXPECT_EQ(terminal, 1) << "its time has not come";
  clock.advance(seconds(10));
  EXPECT_TRUE(reached([&] { return terminal == 2; })) << "nothing waits for ever for a change that nobody tells of";
}

}  // namespace
}  // namespace baton::kube
