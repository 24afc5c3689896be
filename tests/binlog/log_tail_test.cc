#include "sidecar/binlog/log_tail.h"

#include <atomic>

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
  std::atomic<int> changes = 0;
  LogTail tail(
      listings(),
      [&] { return LogIndex::Step{.is_alive = true, .published = LogPosition{"binlog.000001", published}}; },
      std::chrono::milliseconds(5), [&] { ++changes; });
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
  EXPECT_GE(changes, 1);
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
