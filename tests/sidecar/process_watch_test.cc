#include "sidecar/local/process_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sidecar/child.h"

namespace baton::sidecar {
namespace {

using std::chrono::seconds;
using test::Child;
using test::wait_for_ever;

constexpr seconds kLimit{30};

/// Collects the pids that a watch tells.
class Ends {
 public:
  void add(int pid) {
    const std::scoped_lock lock(mutex_);
    pids_.push_back(pid);
    changed_.notify_all();
  }
  bool wait_for(std::vector<int> pids) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kLimit, [&] { return pids_ == pids; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> pids_;
};

/// While it lives, no more than so many descriptors can be opened, one at most.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t left) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const Fd lowest(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const rlimit few{.rlim_cur = static_cast<rlim_t>(lowest.get()) + left, .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST(FindMysqld, WhatCannotBeReadMayBeIt) {
  const std::filesystem::path nowhere = "/nonexistent/data";
  EXPECT_EQ(find_mysqld(nowhere), std::nullopt);
  const FewDescriptors enough_for_the_list(1);
  const auto found = find_mysqld(nowhere);
  ASSERT_FALSE(found) << "no command line could be read";
  EXPECT_EQ(found.error().kind, ErrorKind::kRetry);
}

TEST(IsEnding, TellsTheLivingFromTheDead) {
  EXPECT_FALSE(is_ending(::getpid()));
  const Child child(wait_for_ever);
  EXPECT_FALSE(is_ending(child.pid()));
  child.kill();
  child.wait_for_zombie();
  EXPECT_TRUE(is_ending(child.pid()));
}

/// Of a mysqld in another pod's process list.
TEST(IsDataLocked, TellsWhetherSomebodyHoldsTheLock) {
  static std::string data;
  data = (std::filesystem::temp_directory_path() / "baton-lock-XXXXXX").string();
  ASSERT_NE(::mkdtemp(data.data()), nullptr);
  EXPECT_FALSE(is_data_locked(data)) << "without the file nobody can tell";
  std::ofstream(data + "/ibdata1") << "x";
  EXPECT_EQ(is_data_locked(data), false);
  {
    const Child child([] { test::hold_lock(data + "/ibdata1"); });
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while (is_data_locked(data) != true) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    child.kill();
    child.wait_for_zombie();
    EXPECT_EQ(is_data_locked(data), false);
  }
  std::filesystem::remove_all(data);
}

TEST(IsEnding, OneLivingThreadIsLife) {
  const Child child([] {
    pthread_t other{};
    const auto live = [](void*) -> void* {
      wait_for_ever();
      return nullptr;
    };
    if (::pthread_create(&other, nullptr, live, nullptr) != 0) ::_exit(1);
    // The first thread alone; the system call, since pthread_exit wants to unwind.
    ::syscall(SYS_exit, 0);
  });
  const auto state = [&] {
    std::array<char, 512> text{};
    const auto path = "/proc/" + std::to_string(child.pid()) + "/stat";
    const Fd file(::open(path.c_str(), O_RDONLY));
    const auto count = ::read(file.get(), text.data(), text.size() - 1);
    return count > 0 && std::string_view(text.data()).contains(") Z ");
  };
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (!state()) ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the first thread has not ended";
  EXPECT_FALSE(is_ending(child.pid())) << "the second thread may still talk to clients";
}

TEST(EndingSignal, IsKnownOfOneThatWasKilledAndOfNobodyElse) {
  EXPECT_EQ(ending_signal(::getpid()), std::nullopt);
  const Child killed(wait_for_ever);
  killed.kill();
  killed.wait_for_zombie();
  EXPECT_EQ(ending_signal(killed.pid()), SIGKILL);
  const Child by_itself([] { ::_exit(9); });
  by_itself.wait_for_zombie();
  EXPECT_EQ(ending_signal(by_itself.pid()), std::nullopt) << "status 9 is no signal 9";
}

TEST(ProcessWatch, TellsTheSignal) {
  std::promise<std::optional<int>> told;
  ProcessWatch watch([&](int /*pid*/, std::optional<int> signal) { told.set_value(signal); });
  const Child child(wait_for_ever);
  watch.watch(child.pid());
  child.kill();
  auto signal = told.get_future();
  ASSERT_EQ(signal.wait_for(kLimit), std::future_status::ready);
  EXPECT_EQ(signal.get(), SIGKILL);
}

TEST(ProcessWatch, TellsEachEndOnce) {
  Ends ends;
  ProcessWatch watch([&](int pid, std::optional<int> /*signal*/) { ends.add(pid); });
  const Child first(wait_for_ever);
  watch.watch(first.pid());
  EXPECT_TRUE(watch.send_signal(SIGKILL));
  EXPECT_TRUE(ends.wait_for({first.pid()}));
  EXPECT_FALSE(watch.send_signal(SIGKILL)) << "there is nothing left to signal";

  const Child second(wait_for_ever);
  watch.watch(second.pid());
  second.kill();
  EXPECT_TRUE(ends.wait_for({first.pid(), second.pid()}));
}

TEST(ProcessWatch, AProcessThatIsGoneIsToldToo) {
  int pid = 0;
  {
    const Child child(wait_for_ever);
    pid = child.pid();
  }
  Ends ends;
  ProcessWatch watch([&](int ended, std::optional<int> /*signal*/) { ends.add(ended); });
  watch.watch(pid);
  EXPECT_TRUE(ends.wait_for({pid}));
}

TEST(ProcessWatch, OneThatCannotBeOpenedIsNotTakenForGone) {
  const Child child(wait_for_ever);
  std::promise<bool> told;
  ProcessWatch watch([&](int pid, std::optional<int> /*signal*/) { told.set_value(is_ending(pid)); });
  {
    const FewDescriptors none(0);
    watch.watch(child.pid());
    EXPECT_FALSE(watch.send_signal(0));
  }
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (!watch.send_signal(0)) ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it was not tried again";
  child.kill();
  auto was_ending = told.get_future();
  ASSERT_EQ(was_ending.wait_for(kLimit), std::future_status::ready);
  EXPECT_TRUE(was_ending.get()) << "it lived";
}

TEST(ProcessWatch, TellsAnEndWhenNoDescriptorIsLeft) {
  const Child child(wait_for_ever);
  Ends ends;
  ProcessWatch watch([&](int pid, std::optional<int> /*signal*/) { ends.add(pid); });
  const FewDescriptors enough_for_the_process(1);
  watch.watch(child.pid());
  child.kill();
  EXPECT_TRUE(ends.wait_for({child.pid()}));
}

/// A mysqld with a big buffer pool takes seconds to give its memory back, and only then does its pidfd tell.
TEST(ProcessWatch, DoesNotWaitForTheMemoryToBeGivenBack) {
  const auto body = [] {
    constexpr std::size_t kMemory = std::size_t{512} << 20;
    void* memory = ::mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) ::_exit(1);
    ::kill(::getpid(), SIGSTOP);
    wait_for_ever();
  };
  bool earlier = false;
  // A busy machine may keep the watch from its glance once, but not ten times.
  for (int round = 0; round < 10 && !earlier; ++round) {
    const Child child(body);
    int status = 0;
    ASSERT_EQ(::waitpid(child.pid(), &status, WUNTRACED), child.pid());
    ASSERT_TRUE(WIFSTOPPED(status));
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0)));
    Ends ends;
    ProcessWatch watch([&](int pid, std::optional<int> /*signal*/) {
      pollfd ended{process.get(), POLLIN, 0};
      earlier = ::poll(&ended, 1, 0) == 0;
      ends.add(pid);
    });
    watch.watch(child.pid());
    child.kill();
    ASSERT_TRUE(ends.wait_for({child.pid()}));
  }
  EXPECT_TRUE(earlier);
}

}  // namespace
}  // namespace baton::sidecar
