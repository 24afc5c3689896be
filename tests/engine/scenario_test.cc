// Golden transcripts: tests/golden/scenarios/*.txt. A line that begins with "> " is a command, "# " a comment; all
// other lines are what came of it. Rewrite: BATON_REWRITE=1 engine_test.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/engine/script.h"

namespace baton::test {
namespace {

namespace fs = std::filesystem;

struct Scenario {
  std::string name;
  fs::path path;
  std::vector<std::string> lines;  ///< Commands and comments.
  std::string text;

  friend void PrintTo(const Scenario& scenario, std::ostream* out) { *out << scenario.name; }
};

std::vector<Scenario> scenarios() {
  std::vector<Scenario> result;
  for (const auto& entry : fs::directory_iterator(fs::path(BATON_SOURCE_DIR) / "tests/golden/scenarios")) {
    std::ifstream in(entry.path());
    Scenario scenario{.name = entry.path().stem().string(), .path = entry.path(), .lines = {}, .text = {}};
    for (std::string line; std::getline(in, line);) {
      scenario.text += line + "\n";
      if (line.starts_with("> ") || line.starts_with("#")) scenario.lines.push_back(line);
    }
    result.push_back(std::move(scenario));
  }
  std::ranges::sort(result, {}, &Scenario::name);
  return result;
}

/// Plays the commands and gives the transcript.
std::string transcript(const Scenario& scenario, World& world) {
  std::string text;
  Driver driver(world);
  driver.tell = [&](const std::string& line) { text += line + "\n"; };
  for (const std::string& line : scenario.lines) {
    text += line + "\n";
    if (!line.starts_with("> ")) continue;
    const std::string command = line.substr(2);
    EXPECT_TRUE(run_command(world, driver, command)) << scenario.name << ": no command " << command;
    if (command == "settle") text += picture(world, driver);
  }
  return shorten(text);
}

class Transcript : public ::testing::TestWithParam<Scenario> {};

TEST_P(Transcript, IsAsExpected) {
  World world(3, 1);
  const std::string text = transcript(GetParam(), world);
  EXPECT_TRUE(world.violations().empty()) << world.violations().front();
  EXPECT_EQ(text.find("IT NEVER SETTLES"), std::string::npos) << text;
  if (std::getenv("BATON_REWRITE") != nullptr) {
    std::ofstream(GetParam().path) << text;
    return;
  }
  EXPECT_EQ(text, GetParam().text) << "rewrite with BATON_REWRITE=1 and read the difference";
}

/// What must be the same however a scenario was interrupted.
struct Outcome {
  bool open = false;
  bool settled = true;
  bool explained = true;
  std::string state;
};

enum class Fault : std::uint8_t { kDropRest, kReversed, kEager, kNewLeader };

std::string_view name_of(Fault fault) {
  switch (fault) {
    case Fault::kDropRest: return "the operator crashes";
    case Fault::kReversed: return "steps in reverse order and a crash";
    case Fault::kEager: return "steps with the record and a crash";
    case Fault::kNewLeader: return "a new leader takes over";
  }
  return {};
}

/// Plays a scenario with a crash before action number `crash` of all its settling.
Outcome interrupted(const Scenario& scenario, Fault fault, int crash, int& actions, std::vector<std::string>& broken) {
  World world(3, 1);
  Driver driver(world);
  driver.order = fault == Fault::kReversed ? Driver::Order::kReversed : Driver::Order::kAsPlanned;
  driver.eager = fault == Fault::kEager;
  driver.before = [&](int action) {
    if (action != crash) return true;
    if (fault == Fault::kNewLeader) world.new_leader();
    return false;
  };
  bool settled = true;
  driver.tell = [&](const std::string& line) { settled = settled && line != "IT NEVER SETTLES"; };
  for (const std::string& line : scenario.lines) {
    if (line.starts_with("> ")) run_command(world, driver, line.substr(2));
  }
  actions = driver.actions();
  broken = world.violations();
  const engine::Decision& last = driver.last();
  return {.open = world.is_open(),
          .settled = settled,
          .explained = world.is_open() || !last.message.empty(),
          .state = std::string(engine::name_of(last.state))};
}

class Interruption : public ::testing::TestWithParam<Scenario> {};

TEST_P(Interruption, AfterEachStepEndsInTheSamePlace) {
  for (const Fault fault : {Fault::kDropRest, Fault::kReversed, Fault::kEager, Fault::kNewLeader}) {
    int actions = 0;
    std::vector<std::string> broken;
    const Outcome whole = interrupted(GetParam(), Fault::kDropRest, -1, actions, broken);
    for (int crash = -1, last = actions; crash < last; ++crash) {
      const Outcome outcome = interrupted(GetParam(), fault, crash, actions, broken);
      last = std::max(last, actions);
      const auto where = std::format("{} before action {} of {}", name_of(fault), crash, last);
      ASSERT_TRUE(broken.empty()) << where << ": " << shorten(broken.front());
      ASSERT_TRUE(outcome.settled) << where << ": it never settles";
      ASSERT_TRUE(outcome.explained) << where;
      // A new leader does not know what the old one had heard of pods that are gone.
      if (fault == Fault::kNewLeader) continue;
      ASSERT_EQ(outcome.open, whole.open) << where << ": " << outcome.state << " instead of " << whole.state;
    }
  }
}

std::string name_of_case(const ::testing::TestParamInfo<Scenario>& info) {
  std::string name = info.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Transcript, ::testing::ValuesIn(scenarios()), name_of_case);
INSTANTIATE_TEST_SUITE_P(Scenarios, Interruption, ::testing::ValuesIn(scenarios()), name_of_case);

}  // namespace
}  // namespace baton::test
