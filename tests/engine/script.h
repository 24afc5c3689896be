#pragma once

#include <string>

#include "tests/engine/world.h"

namespace baton::test {

/// Carries out one line of a scenario, "kill 0"; all commands are in script.cc. False: there is no such command.
bool run_command(World& world, Driver& driver, const std::string& line);

/// What a person would look at when everything is quiet: state, findings, ballots, sets.
[[nodiscard]] std::string picture(World& world, const Driver& driver);

}  // namespace baton::test
