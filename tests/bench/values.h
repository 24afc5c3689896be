#pragma once

#include <charconv>
#include <chrono>
#include <cstdio>
#include <print>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace baton::bench {

/// One value of a figure: "<name> <value> <unit>" on standard output, at once.
inline void print_value(std::string_view name, double value, std::string_view unit) {
  std::println("{} {:g} {}", name, value, unit);
  std::fflush(stdout);
}

/// What a person who waits wants to know, on standard error.
template <class... Args>
void tell(std::format_string<Args...> text, Args&&... args) {
  std::println(stderr, "{}", std::format(text, std::forward<Args>(args)...));
}

[[nodiscard]] inline double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Arguments of a program.
using Words = std::vector<std::string_view>;

/// A number among the arguments. Errors: kTerminal.
[[nodiscard]] inline Result<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return number;
  return fail(ErrorKind::kTerminal, "'{}' is not a number", text);
}

/// The body of each program's main: runs it with its arguments, and tells why it failed.
template <class Program>
[[nodiscard]] int run_bench(int argc, char** argv, std::size_t count, std::string_view usage, Program&& program) {
  const Words words(argv + 1, argv + argc);
  if (words.size() != count) {
    std::println(stderr, "usage: {} {}", argv[0], usage);
    return 2;
  }
  const Result<void> done = program(words);
  if (done) return 0;
  std::println(stderr, "error: {}", done.error().what);
  return 1;
}

}  // namespace baton::bench
