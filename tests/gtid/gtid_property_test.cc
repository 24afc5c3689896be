// GtidSet against a dumb twin: a std::set of (source, number). Small numbers, so that intervals meet often.
// BATON_SEED=n repeats a run; the default is fixed, and a failure prints the seed.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <random>
#include <set>

#include "engine/gtid/gtid_set.h"

namespace baton {
namespace {

constexpr int kRounds = 3'000;
constexpr std::int64_t kNumberMost = 24;

using Twin = std::set<std::pair<GtidSource, std::int64_t>>;

std::uint64_t seed_of_run() {
  const char* given = std::getenv("BATON_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20'260'101;
}

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::int64_t number(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  GtidSource source() {
    static const std::vector<std::string> kUuids{"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
                                                 "00000000-0000-0000-0000-000000000001"};
    static const std::vector<std::string> kTags{"", "", "a", "a_1"};
    return {kUuids[static_cast<std::size_t>(number(0, 1))], kTags[static_cast<std::size_t>(number(0, 3))]};
  }
  GtidInterval interval() {
    const auto first = number(1, kNumberMost);
    return {first, std::min(kNumberMost, first + number(0, 4))};
  }

 private:
  std::mt19937_64 random_;
};

struct Pair {
  GtidSet set;
  Twin twin;
};

Pair random_pair(Generator& generator) {
  Pair pair;
  for (auto parts = generator.number(0, 12); parts > 0; --parts) {
    const GtidSource source = generator.source();
    const GtidInterval interval = generator.interval();
    pair.set.add(source, interval);
    for (auto number = interval.first; number <= interval.last; ++number) pair.twin.emplace(source, number);
  }
  return pair;
}

/// The set that the twin means, made without GtidSet::add joining anything: through the text.
GtidSet set_of(const Twin& twin) {
  std::string text;
  for (const auto& [source, number] : twin) {
    text += source.uuid + (source.tag.empty() ? "" : ":" + source.tag) + ":" + std::to_string(number) + ", ";
  }
  return GtidSet::parse(text).value();
}

void expect_normal(const GtidSet& set) {
  for (const auto& [source, intervals] : set.sources()) {
    ASSERT_FALSE(intervals.empty());
    std::int64_t behind = -1;
    for (const auto& [first, last] : intervals) {
      ASSERT_GT(first, behind + 1);
      ASSERT_LE(first, last);
      behind = last;
    }
  }
}

TEST(GtidProperty, SetsBehaveAsTheirTwins) {
  const std::uint64_t seed = seed_of_run();
  SCOPED_TRACE("BATON_SEED=" + std::to_string(seed));
  Generator generator(seed);
  for (int round = 0; round < kRounds && !testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const auto [a, a_twin] = random_pair(generator);
    const auto [b, b_twin] = random_pair(generator);
    Twin united = a_twin;
    united.insert(b_twin.begin(), b_twin.end());
    Twin minus;
    Twin common;
    std::ranges::set_difference(a_twin, b_twin, std::inserter(minus, minus.end()));
    std::ranges::set_intersection(a_twin, b_twin, std::inserter(common, common.end()));

    EXPECT_EQ(a, set_of(a_twin));
    EXPECT_EQ(a.size(), a_twin.size());
    EXPECT_EQ(a.united(b), set_of(united));
    EXPECT_EQ(a.minus(b), set_of(minus));
    EXPECT_EQ(a.intersected(b), set_of(common));
    EXPECT_EQ(a.contains(b), std::ranges::includes(a_twin, b_twin));
    EXPECT_TRUE(a.united(b).contains(a));
    EXPECT_EQ(a.minus(b).united(a.intersected(b)), a);
    const GtidSource source = generator.source();
    const auto number = generator.number(1, kNumberMost);
    EXPECT_EQ(a.contains(source, number), a_twin.contains({source, number}));
    for (const GtidSet& set : {a, a.united(b), a.minus(b), a.intersected(b), a.of_uuid(source.uuid)}) {
      expect_normal(set);
      EXPECT_EQ(GtidSet::parse(set.to_string()).value(), set);
    }
  }
}

}  // namespace
}  // namespace baton
