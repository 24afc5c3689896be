// Small worlds, exhaustively: three members, every single and double fault at every point of a failover, with a client
// that writes all the time. Each ends open with nothing acknowledged lost, or held with a sentence that says why.
#include <gtest/gtest.h>

#include <format>
#include <functional>

#include "tests/engine/world.h"

namespace baton::test {
namespace {

struct FaultKind {
  std::string name;
  std::function<void(World&)> strike;
  bool loses_a_log = false;  ///< Then a cluster that is healed may have to stay held.
};

std::vector<FaultKind> faults() {
  std::vector<FaultKind> result;
  for (int i = 0; i < 3; ++i) {
    const auto index = static_cast<std::size_t>(i);
    result.push_back({std::format("kill {}", i), [i](World& w) { w.kill_mysqld(i); }});
    result.push_back({std::format("unhear {}", i), [index](World& w) { w.members[index].heard = false; }});
    result.push_back({std::format("force-delete {}", i), [i](World& w) { w.delete_pod(i, true); }, true});
    result.push_back({std::format("lose the volume of {}", i), [i](World& w) { w.lose_volume(i); }, true});
    result.push_back({std::format("freeze {}", i), [index](World& w) { w.members[index].frozen = true; }, true});
    result.push_back({std::format("reboot {}", i), [i](World& w) { w.reboot_node(i); }, true});
  }
  // A reader's lock on the candidate of most worlds.
  result.push_back({"stall the applier of 1", [](World& w) { w.members[1].applies = false; }});
  result.push_back({"new leader", [](World& w) { w.new_leader(); }});
  return result;
}

World healthy(int acks) {
  World world(3, acks);
  Driver driver(world);
  EXPECT_TRUE(driver.settle());
  world.write(3);
  EXPECT_TRUE(world.is_open());
  return world;
}

/// With replicas that have received much and applied little of it; where one ack is enough, one of them only half of
/// it.
World lagging(int acks) {
  World world = healthy(acks);
  for (const int i : {1, 2}) world.members.at(static_cast<std::size_t>(i)).applies = false;
  world.write(1500);
  world.members.at(2).frozen = acks == 1;
  world.write(1500);
  world.members.at(2).frozen = false;
  for (const int i : {1, 2}) world.members.at(static_cast<std::size_t>(i)).applies = true;
  world.apply_at_most = 300;
  EXPECT_TRUE(world.is_open());
  return world;
}

void expect_told(const World& world, const Driver& driver, const std::string& what) {
  ASSERT_TRUE(world.violations().empty()) << what << ": " << shorten(world.violations().front());
  const engine::Decision& last = driver.last();
  const bool told = last.state == engine::ClusterState::kHealthy || !last.findings.empty() ||
                    (!world.is_open() && !last.message.empty());
  ASSERT_TRUE(told) << what << ": " << driver.state_line() << " without a finding";
  const bool claims_open =
      last.state == engine::ClusterState::kHealthy || last.state == engine::ClusterState::kDegraded;
  ASSERT_TRUE(world.is_open() || !claims_open) << what << ": " << driver.state_line() << ", but nothing is open";
}

struct Strike {
  const FaultKind* fault;
  int at;  ///< Before that action.
};

/// Kills the primary, lets the faults strike, looks at what came of it, heals, and looks again. Gives the actions
/// taken.
int play(const World& start, const std::vector<Strike>& strikes) {
  World world = start;
  std::string what = "kill 0";
  bool loses = false;
  for (const Strike& strike : strikes) {
    what += std::format(", {} before action {}", strike.fault->name, strike.at);
    loses = loses || strike.fault->loses_a_log;
  }
  world.load = true;
  world.kill_mysqld(0);
  Driver driver(world);
  driver.before = [&](int action) {
    for (const Strike& strike : strikes) {
      if (strike.at == action) strike.fault->strike(world);
    }
    return true;
  };
  EXPECT_TRUE(driver.settle()) << what << ": it never settles: " << driver.state_line();
  const int actions = driver.actions();
  expect_told(world, driver, what);
  driver.before = nullptr;
  world.heal();
  EXPECT_TRUE(driver.settle()) << what << ", healed: it never settles: " << driver.state_line();
  expect_told(world, driver, what + ", healed");
  EXPECT_TRUE(loses || world.is_open()) << what << ", healed: " << driver.state_line();
  return actions;
}

void play_all(const World& start) {
  const std::vector<FaultKind> all = faults();
  const int points = play(start, {});
  for (const FaultKind& first : all) {
    for (int at = 0; at <= points; ++at) {
      play(start, {{&first, at}});
      if (::testing::Test::HasFailure()) return;
    }
  }
}

void play_pairs(const World& start) {
  const std::vector<FaultKind> all = faults();
  const int points = play(start, {});
  for (const FaultKind& first : all) {
    for (int at = 0; at <= points; ++at) {
      const int taken = play(start, {{&first, at}});
      for (const FaultKind& second : all) {
        // The second one right after the first, a few actions later, and long after, if there is still something to do.
        for (const int later : {0, 2, 8}) {
          if (at + later < taken) play(start, {{&first, at}, {&second, at + later}});
        }
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(Exhaustive, AnyOneFaultAtAnyPointOfAFailoverLosesNothingWithOneAck) { play_all(healthy(1)); }
TEST(Exhaustive, AnyOneFaultAtAnyPointOfAFailoverLosesNothingWithTwoAcks) { play_all(healthy(2)); }
TEST(Exhaustive, AnyOneFaultWhileARelaxedCandidateCatchesUpLosesNothingWithOneAck) { play_all(lagging(1)); }
TEST(Exhaustive, AnyOneFaultWhileARelaxedCandidateCatchesUpLosesNothingWithTwoAcks) { play_all(lagging(2)); }
TEST(Exhaustive, AnyTwoFaultsAtAnyPointOfAFailoverLoseNothingWithOneAck) { play_pairs(healthy(1)); }
TEST(Exhaustive, AnyTwoFaultsAtAnyPointOfAFailoverLoseNothingWithTwoAcks) { play_pairs(healthy(2)); }
TEST(Exhaustive, AnyTwoFaultsWhileARelaxedCandidateCatchesUpLoseNothingWithOneAck) { play_pairs(lagging(1)); }
TEST(Exhaustive, AnyTwoFaultsWhileARelaxedCandidateCatchesUpLoseNothingWithTwoAcks) { play_pairs(lagging(2)); }

TEST(Exhaustive, ALaggingCandidateIsRelaxedAtAll) {
  for (const int acks : {1, 2}) {
    World world = lagging(acks);
    world.kill_mysqld(0);
    Driver driver(world);
    int relaxed = 0;
    int restored = 0;
    driver.tell = [&](const std::string& line) {
      relaxed += line.contains("relax the durability of shop-1") ? 1 : 0;
      restored += line.contains("restore the durability of shop-1") ? 1 : 0;
    };
    EXPECT_TRUE(driver.settle());
    EXPECT_TRUE(world.is_open());
    EXPECT_EQ(relaxed, 1);
    EXPECT_EQ(restored, 1);
  }
}

}  // namespace
}  // namespace baton::test
