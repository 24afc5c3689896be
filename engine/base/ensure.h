#pragma once

#include <cstdlib>

/// Ends the process when an invariant of our own is broken, in release builds too: going on with a state that cannot
/// exist is how data is lost. For the failures of others (network, disk, servers) there is Result.
#define ENSURE(condition)          \
  do {                             \
    if (!(condition)) [[unlikely]] \
      std::abort();                \
  } while (false)
