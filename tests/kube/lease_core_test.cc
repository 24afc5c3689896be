#include "operator/kube/lease_core.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace baton::kube {
namespace {

using std::chrono::milliseconds;
using Act = LeaseCore::Act;

Instant at(std::int64_t milliseconds_since_start) { return Instant(milliseconds(milliseconds_since_start)); }

TEST(LeaseCoreTest, TakesAFreeLeaseAndRenewsIt) {
  LeaseCore core("me", {});
  EXPECT_EQ(core.next(at(0)), Act::kRead);
  core.observed(LeaseRecord{"", "0", 0}, at(5));
  EXPECT_EQ(core.next(at(5)), Act::kWrite);
  EXPECT_FALSE(core.is_leader(at(5)));
  core.written({"me", "1", 0}, at(5));
  EXPECT_TRUE(core.is_leader(at(6)));
  EXPECT_EQ(core.next(at(6)), Act::kWait);
  EXPECT_EQ(core.due(), at(1005));
  EXPECT_EQ(core.next(at(1005)), Act::kWrite);
  EXPECT_TRUE(core.is_leader(at(2504)));
  EXPECT_FALSE(core.is_leader(at(2505))) << "five sixths of three seconds after the request began";
}

TEST(LeaseCoreTest, WaitsTheWholeDurationFromTheLastChangeItSaw) {
  LeaseCore core("me", {});
  core.observed(LeaseRecord{"other", "1", 0}, at(0));
  core.observed(LeaseRecord{"other", "2", 0}, at(1000));
  core.observed(LeaseRecord{"other", "2", 0}, at(3900));
  EXPECT_EQ(core.due(), at(4000));
  EXPECT_EQ(core.next(at(3999)), Act::kWait);
  EXPECT_EQ(core.next(at(4000)), Act::kWrite);
  core.observed(LeaseRecord{"", "3", 0}, at(1100));
  EXPECT_EQ(core.next(at(1100)), Act::kWrite) << "released: taken at once";
}

TEST(LeaseCoreTest, ALeaderWhoseWriteFailedReadsAndStaysLeaderUntilItsTimeIsOver) {
  LeaseCore core("me", {});
  core.written({"me", "1", 0}, at(0));
  core.write_failed(at(1000), at(1500), false);
  EXPECT_EQ(core.next(at(1500)), Act::kRead);
  EXPECT_TRUE(core.is_leader(at(2000)));
  core.observed(LeaseRecord{"me", "2", 0}, at(1600));
  EXPECT_EQ(core.next(at(1600)), Act::kWrite) << "the write had worked, the answer was lost";
  core.observed(LeaseRecord{"other", "3", 1}, at(1700));
  EXPECT_FALSE(core.is_leader(at(1700))) << "seen in another's hand: no longer ours, whatever the clock says";
}

TEST(LeaseCoreTest, ALeaseThatIsNotThereIsWaitedForAsIfItWereHeld) {
  LeaseCore other("other", {});
  other.observed(LeaseRecord{"me", "1", 0}, at(900));
  other.observed(std::nullopt, at(1000));
  EXPECT_EQ(other.next(at(1500)), Act::kRead) << "it was deleted, and its holder still leads";
  EXPECT_EQ(other.next(at(4000)), Act::kWrite);
  LeaseCore fresh("fresh", {});
  fresh.observed(std::nullopt, at(1000));
  EXPECT_EQ(fresh.next(at(1500)), Act::kRead) << "it may have been deleted a moment before this process began";
  EXPECT_EQ(fresh.next(at(4000)), Act::kWrite);
  LeaseCore leader("me", {});
  leader.written({"me", "1", 0}, at(1000));
  leader.observed(std::nullopt, at(2000));
  EXPECT_EQ(leader.next(at(2000)), Act::kWrite) << "who leads makes it anew";
  leader.observed(std::nullopt, at(3500));
  EXPECT_EQ(leader.next(at(3500)), Act::kWait) << "who does not lead any more waits like the others";
}

TEST(LeaseCoreTest, ATermIsNeverTheSameTwice) {
  LeaseCore core("me", {});
  EXPECT_EQ(core.term(), 0);
  core.written({"me", "1", 0}, at(0));
  EXPECT_EQ(core.term(), 1);
  core.written({"me", "2", 0}, at(1000));
  EXPECT_EQ(core.term(), 1) << "renewed";
  core.written({"me", "9", 0}, at(9000));
  EXPECT_EQ(core.term(), 2) << "lost, deleted and made anew: its transitions begin at 0 again";
}

/// What a candidate asks of a server whose reads and writes are answered within a millisecond, until `end`: the writes
/// with a failure.
int requests_of(LeaseCore& core, const std::optional<LeaseRecord>& there, std::int64_t begin, std::int64_t end) {
  int requests = 0;
  for (std::int64_t now = begin; now < end; ++now) {
    const auto act = core.next(at(now));
    if (act == Act::kWait) continue;
    ++requests;
    if (act == Act::kRead) core.observed(there, at(now));
    if (act == Act::kWrite) core.write_failed(at(now), at(now), false);
  }
  return requests;
}

TEST(LeaseCoreTest, WritesThatFailAtOnceDoNotMakeALoop) {
  LeaseCore core("me", {});
  const int requests = requests_of(core, LeaseRecord{"", "1", 0}, 0, 10'000);
  EXPECT_LE(requests, 2 * (10'000 / 500 + 2)) << "a read and a write for each half second, and the first pauses";
  EXPECT_GE(requests, 2 * (10'000 / 500)) << "and it goes on trying";
}

TEST(LeaseCoreTest, ALeaderWhoseRenewalFailsTriesTwiceMoreWithinItsTime) {
  LeaseCore core("me", {});
  core.written({"me", "1", 0}, at(0));
  const int requests = requests_of(core, LeaseRecord{"me", "1", 0}, 1, 2500);
  EXPECT_GE(requests, 3 + 2) << "three writes, and a read before each but the first";
  core.observed(LeaseRecord{"me", "1", 0}, at(2500));
  core.written({"me", "2", 0}, at(2500));
  EXPECT_EQ(requests_of(core, LeaseRecord{"me", "2", 0}, 2501, 3701), 2) << "200 ms after the write comes a read again";
}

/// Candidates against one register with compare-and-set, with delayed requests, delayed and lost answers, pauses of a
/// candidate, and clocks that run at different rates. Never may two believe that they lead.
class LeaseWorld {
 public:
  explicit LeaseWorld(unsigned seed) : random_(seed) {
    for (std::size_t i = 0; i < kCandidates; ++i) {
      candidates_[i] = {
          .core = LeaseCore("c" + std::to_string(i), {}), .rate_percent = 93 + pick(15), .offset = pick(100'000)};
    }
  }
  void step() {
    now_ += 1 + pick(20);
    // Somebody deletes the object; not twice within the longest time that any candidate can be away.
    if (now_ > undeleted_until_ && pick(1000) == 0) {
      record_.reset();
      undeleted_until_ = now_ + 30'000;
    }
    for (auto& candidate : candidates_) advance(candidate);
  }
  [[nodiscard]] int leaders() const {
    int count = 0;
    for (const auto& candidate : candidates_) count += candidate.core.is_leader(own_time(candidate)) ? 1 : 0;
    return count;
  }

 private:
  static constexpr std::size_t kCandidates = 3;
  struct Candidate {
    LeaseCore core{"", {}};
    std::int64_t rate_percent = 100;
    std::int64_t offset = 0;
    bool busy = false;  // A request is on its way: to the server, or back.
    bool applied = false;
    bool is_write = false;
    std::int64_t next_event = 0;
    Instant began{};
    std::optional<LeaseRecord> sent;
    std::optional<LeaseRecord> answer;
    bool refused = false;
  };

  std::int64_t pick(std::int64_t limit) { return std::uniform_int_distribution<std::int64_t>(0, limit - 1)(random_); }
  [[nodiscard]] Instant own_time(const Candidate& candidate) const {
    return at(candidate.offset + now_ * candidate.rate_percent / 100);
  }
  // Mostly quick, now and then as long as a paused process or a stuck network.
  std::int64_t delay() { return pick(20) == 0 ? pick(6000) : pick(60); }

  void advance(Candidate& candidate) {
    if (now_ < candidate.next_event) return;
    if (!candidate.busy) return begin(candidate);
    if (!candidate.applied) return apply(candidate);
    finish(candidate);
  }
  void begin(Candidate& candidate) {
    const auto act = candidate.core.next(own_time(candidate));
    if (act == Act::kWait) return;
    candidate.busy = true;
    candidate.applied = false;
    candidate.is_write = act == Act::kWrite;
    candidate.began = own_time(candidate);
    candidate.sent = candidate.core.record();
    candidate.next_event = now_ + delay();
  }
  void apply(Candidate& candidate) {
    candidate.applied = true;
    candidate.refused = false;
    if (candidate.is_write) {
      candidate.refused =
          record_ ? !candidate.sent || candidate.sent->version != record_->version : candidate.sent.has_value();
      if (!candidate.refused) record_ = LeaseRecord{candidate.core.identity(), std::to_string(++version_), 0};
    }
    candidate.answer = record_;
    candidate.next_event = now_ + delay();
  }
  void finish(Candidate& candidate) {
    const Instant own = own_time(candidate);
    const bool lost = pick(15) == 0;
    candidate.busy = false;
    if (!candidate.is_write) {
      lost ? candidate.core.read_failed(own) : candidate.core.observed(candidate.answer, own);
    } else if (lost || candidate.refused) {
      candidate.core.write_failed(candidate.began, own, candidate.refused && !lost);
    } else {
      candidate.core.written(*candidate.answer, candidate.began);
    }
    candidate.next_event = now_ + (pick(50) == 0 ? pick(8000) : 0);
  }

  std::mt19937 random_;
  std::int64_t now_ = 0;
  std::array<Candidate, kCandidates> candidates_;
  std::optional<LeaseRecord> record_;
  std::int64_t undeleted_until_ = 30'000;
  int version_ = 0;
};

TEST(LeaseCoreTest, NeverTwoLeadersWhateverTheNetworkDoes) {
  std::int64_t led = 0;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    LeaseWorld world(seed);
    for (int step = 0; step < 20'000; ++step) {
      world.step();
      const int leaders = world.leaders();
      ASSERT_LE(leaders, 1) << "seed " << seed << " step " << step;
      led += leaders;
    }
  }
  EXPECT_GT(led, 100 * 20'000 / 4) << "and somebody leads for a good part of the time";
}

}  // namespace
}  // namespace baton::kube
