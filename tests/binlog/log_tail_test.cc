#include "sidecar/binlog/log_tail.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "tests/binlog/held_look.h"
#include "tests/binlog/log_fixtures.h"
#include "tests/binlog/log_folder.h"

namespace baton::binlog {
namespace {

using test::LogWriter;
using test::set_of;

class LogTailTest : public test::LogFolder {
 protected:
  /// Waits until the tail knows exactly `set` to be executed.
  static void expect_executed(const LogTail& tail, const GtidSet& set) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    auto known = tail.latest();
    while (known->executed != set && std::chrono::steady_clock::now() < deadline) {
      known = tail.wait_newer(known, {}, deadline);
    }
    EXPECT_EQ(known->executed, set);
  }
};

TEST_F(LogTailTest, LearnsOfWhatIsAppendedAndPublished) {
  const std::string uuid(LogWriter::kUuid);
  LogWriter writer(true);
  writer.previous_gtids({}).rows_transaction(1).rows_transaction(2);
  std::atomic<std::uint64_t> published = writer.head_end();
  std::atomic<int> looks = 0;
  LogTail tail(
      listings(),
      [&] { return LogIndex::Step{.is_alive = true, .published = LogPosition{"binlog.000001", published}}; },
      std::chrono::milliseconds(5), [&] { ++looks; });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!tail.failure() && std::chrono::steady_clock::now() < deadline) tail.poke();
  ASSERT_TRUE(tail.failure()) << "there is no index yet";
  EXPECT_EQ(tail.failure()->kind, ErrorKind::kNotFound);
  write("binlog.000001", writer.bytes());
  list("binlog.index", {"binlog.000001"});
  published = writer.ends()[0].first;
  expect_executed(tail, set_of(uuid + ":1"));
  published = writer.ends()[1].first;
  tail.poke();
  expect_executed(tail, set_of(uuid + ":1-2"));
  EXPECT_FALSE(tail.failure());
  EXPECT_GE(looks, 2) << "the last one may not be told yet";
}

TEST_F(LogTailTest, ALookThatBeganBeforeDoesNotCount) {
  LogWriter writer(true);
  writer.previous_gtids({}).rows_transaction(1);
  write("binlog.000001", writer.bytes());
  list("binlog.index", {"binlog.000001"});
  std::mutex mutex;
  std::condition_variable changed;
  bool is_held = false;
  bool is_alive = true;
  LogTail tail(
      listings(),
      [&] {
        std::unique_lock lock(mutex);
        const LogIndex::Step step{.is_alive = is_alive};
        changed.wait(lock, [&] { return !is_held; });
        return step;
      },
      std::chrono::hours(1));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  ASSERT_TRUE(tail.wait_complete(tail.poke(), {}, deadline));
  EXPECT_TRUE(tail.latest()->executed.empty()) << "nothing is published";
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  {
    const std::scoped_lock lock(mutex);
    is_held = true;
    first = tail.poke();
  }
  // The look is held where it has read its facts, or has not begun yet; mysqld dies, and another look is asked for.
  {
    const std::scoped_lock lock(mutex);
    is_alive = false;
    second = tail.poke();
    is_held = false;
    changed.notify_all();
  }
  ASSERT_TRUE(tail.wait_complete(second, {}, deadline));
  EXPECT_GE(second, first);
  EXPECT_EQ(tail.latest()->executed, set_of(std::string(LogWriter::kUuid) + ":1"));
  EXPECT_FALSE(tail.wait_complete(second + 2, {}, std::chrono::steady_clock::now()));
  EXPECT_GE(tail.known().last, tail.known().complete);
}

TEST_F(LogTailTest, ALookThatLeavesABacklogIsNotComplete) {
  write_long_log("binlog.000001", 1);
  list("binlog.index", {"binlog.000001"});
  const test::HeldLook held;
  LogTail tail(listings(), held.facts(), std::chrono::hours(1));
  ASSERT_TRUE(held.wait());
  const auto known = tail.known();
  EXPECT_EQ(known.last, 1U);
  EXPECT_EQ(known.complete, 0U) << "else a part of the log would count for all that the dead server has executed";
  EXPECT_FALSE(known.snapshot->is_complete);
  EXPECT_TRUE(known.snapshot->executed.empty());
  held.go_on();
  ASSERT_TRUE(tail.wait_complete(1, {}, std::chrono::steady_clock::now() + std::chrono::seconds(20)));
  EXPECT_EQ(tail.latest()->executed, set_of(std::string(LogWriter::kUuid) + ":1-3"));
}

TEST_F(LogTailTest, WhereNothingIsOfValueNothingIsKnown) {
  LogWriter writer(true);
  writer.previous_gtids({}).rows_transaction(1);
  write("binlog.000001", writer.bytes());
  list("binlog.index", {"binlog.000001"});
  std::atomic<bool> is_of_value = true;
  LogTail tail(
      listings(), [&] { return is_of_value ? std::optional(LogIndex::Step{}) : std::nullopt; }, std::chrono::hours(1));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (const bool of_value : {true, false, true}) {
    is_of_value = of_value;
    ASSERT_TRUE(tail.wait_complete(tail.poke(), {}, deadline));
    EXPECT_EQ(tail.latest()->available.empty(), !of_value);
    EXPECT_FALSE(tail.failure());
  }
}

TEST_F(LogTailTest, EndsAtOnceWhateverItsInterval) {
  const auto begin = std::chrono::steady_clock::now();
  {
    const LogTail tail(listings(), [] { return LogIndex::Step{}; }, std::chrono::hours(1));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
}  // namespace baton::binlog
