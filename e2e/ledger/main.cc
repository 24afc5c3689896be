// baton-ledger: writes rows through an endpoint, remembers each one that was acknowledged, and afterwards asks the
// endpoint which of them it still has. Connection from MYSQL_HOST, MYSQL_PORT, MYSQL_USER, MYSQL_PWD, MYSQL_DATABASE.
// Ends on SIGTERM, or when the file of --until exists, which `baton-ledger stop` makes. Last line of output:
// `ledger: acknowledged N, lost N, longest gap N ms`. Exit status 0: nothing was lost, and something was written.
#include <mysql.h>

#include <atomic>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <print>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "e2e/ledger/ledger.h"

namespace baton::ledger {
namespace {

using namespace std::chrono_literals;

struct Settings {
  std::string host, user, password, database;
  unsigned port = 3306;
  int writers = 4;
  std::chrono::milliseconds pause{2};  ///< Between two writes of one writer: steady load, not a benchmark.
  std::string until = "/tmp/ledger-stop";
};

struct CloseSession {
  void operator()(MYSQL* session) const { mysql_close(session); }
};
using Session = std::unique_ptr<MYSQL, CloseSession>;

std::string from_environment(const char* name, std::string otherwise) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread starts
  return value != nullptr ? value : std::move(otherwise);
}

/// Short limits for connecting, so that a dead address costs little; a longer one for answers, since commits may wait.
Session connect(const Settings& settings) {
  Session session(mysql_init(nullptr));
  const unsigned connect_seconds = 1;
  const unsigned answer_seconds = 10;
  mysql_options(session.get(), MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
  mysql_options(session.get(), MYSQL_OPT_READ_TIMEOUT, &answer_seconds);
  mysql_options(session.get(), MYSQL_OPT_WRITE_TIMEOUT, &answer_seconds);
  const bool public_key = true;
  mysql_options(session.get(), MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &public_key);
  if (mysql_real_connect(session.get(), settings.host.c_str(), settings.user.c_str(), settings.password.c_str(),
                         settings.database.c_str(), settings.port, nullptr, 0) == nullptr) {
    return nullptr;
  }
  return session;
}

bool execute(MYSQL* session, const std::string& statement) {
  return mysql_real_query(session, statement.data(), statement.size()) == 0;
}

/// Sleeps without a fixed wait in the way of a stop.
void pause(const std::stop_token& stop, std::chrono::milliseconds length) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, length, [] { return false; });
}

void write_rows(const std::stop_token& stop, const Settings& settings, int writer, Ledger& ledger) {
  Session session;
  for (std::int64_t number = 1; !stop.stop_requested();) {
    if (!session) session = connect(settings);
    if (!session) {
      pause(stop, 5ms);
      continue;
    }
    if (execute(session.get(),
                std::format("INSERT INTO ledger (writer, number, payload) VALUES ({}, {}, REPEAT('x', 100))", writer,
                            number))) {
      ledger.acknowledged({writer, number});
      pause(stop, settings.pause);
    } else {
      ledger.unknown();
      session.reset();
    }
    ++number;  // A number whose outcome is unknown is never used again.
  }
}

std::optional<std::set<Row>> read_rows(const Settings& settings) {
  const Session session = connect(settings);
  if (!session || !execute(session.get(), "SELECT writer, number FROM ledger")) return std::nullopt;
  MYSQL_RES* result = mysql_use_result(session.get());
  if (result == nullptr) return std::nullopt;
  std::set<Row> rows;
  while (MYSQL_ROW row = mysql_fetch_row(result)) rows.emplace(std::atoi(row[0]), std::atoll(row[1]));
  const bool whole = mysql_errno(session.get()) == 0;
  mysql_free_result(result);
  if (!whole) return std::nullopt;
  return rows;
}

template <class Attempt>
bool within(std::chrono::seconds limit, const std::stop_token& stop, Attempt attempt) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    if (attempt()) return true;
    pause(stop, 50ms);
  }
  return false;
}

bool prepare(const Settings& settings) {
  return within(60s, {}, [&] {
    const Session session = connect(settings);
    return session && execute(session.get(),
                              "CREATE TABLE IF NOT EXISTS ledger (writer INT, number BIGINT, payload VARBINARY(200),"
                              " PRIMARY KEY (writer, number)) ENGINE=InnoDB");
  });
}

std::string stamp(Wall time) { return std::format("{:%FT%T}Z", time); }

void tell_gaps(Ledger& ledger) {
  for (const Gap& gap : ledger.new_gaps()) {
    std::println("gap: {} ms from {} to {}", gap.length.count(), stamp(gap.begin), stamp(gap.end));
    std::fflush(stdout);
  }
}

int judge(const Settings& settings, const Ledger& ledger) {
  std::optional<std::set<Row>> present;
  if (!within(60s, {}, [&] { return (present = read_rows(settings)).has_value(); })) {
    std::println("error: the rows could not be read back within 60 s");
    return 2;
  }
  std::int64_t lost = 0;
  for (const Row& row : ledger.rows()) {
    if (present->contains(row)) continue;
    if (++lost <= 20) std::println("lost: writer {} row {}", row.first, row.second);
  }
  std::println("unknown outcomes: {}", ledger.unknown_count());
  std::println("ledger: acknowledged {}, lost {}, longest gap {} ms", ledger.count(), lost,
               ledger.longest_gap().count());
  return lost == 0 && ledger.count() > 0 ? 0 : 1;
}

std::atomic<bool> terminated = false;  // NOLINT: a signal handler can reach nothing else

int run(const Settings& settings) {
  if (!prepare(settings)) {
    std::println("error: {}:{} did not accept writes within 60 s", settings.host, settings.port);
    return 2;
  }
  std::println("writing through {}:{} with {} writers", settings.host, settings.port, settings.writers);
  std::fflush(stdout);
  Ledger ledger;
  {
    std::random_device entropy;
    const int first = static_cast<int>(entropy() % 1'000'000) * 100;  // Runs on one table do not meet.
    std::vector<std::jthread> writers;
    for (int i = 0; i < settings.writers; ++i) {
      writers.emplace_back([&, i](const std::stop_token& stop) { write_rows(stop, settings, first + i, ledger); });
    }
    auto said = std::chrono::steady_clock::now();
    while (!terminated && !std::filesystem::exists(settings.until)) {
      pause({}, 20ms);
      tell_gaps(ledger);
      if (std::chrono::steady_clock::now() - said < 1s) continue;
      said = std::chrono::steady_clock::now();
      std::println("acknowledged {}", ledger.count());
      std::fflush(stdout);
    }
  }
  tell_gaps(ledger);
  const int verdict = judge(settings, ledger);
  std::fflush(stdout);
  return verdict;
}

/// What a second process says to the first.
int stop(const std::string& file) { return std::ofstream(file) ? 0 : 2; }

int number_of(std::string_view text, int otherwise) {
  int value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace
}  // namespace baton::ledger

int main(int count, char** arguments) {
  using namespace baton::ledger;
  Settings settings{.host = from_environment("MYSQL_HOST", "127.0.0.1"),
                    .user = from_environment("MYSQL_USER", "app"),
                    .password = from_environment("MYSQL_PWD", ""),
                    .database = from_environment("MYSQL_DATABASE", "app"),
                    .port = static_cast<unsigned>(number_of(from_environment("MYSQL_PORT", "3306"), 3306))};
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    if (name == "--writers") settings.writers = number_of(arguments[i + 1], settings.writers);
    if (name == "--pause") settings.pause = std::chrono::milliseconds(number_of(arguments[i + 1], 2));
    if (name == "--until") settings.until = arguments[i + 1];
  }
  if (count > 1 && std::string_view(arguments[1]) == "stop") return stop(settings.until);
  std::signal(SIGTERM, [](int) { terminated = true; });
  mysql_library_init(0, nullptr, nullptr);
  const int verdict = run(settings);
  mysql_library_end();
  return verdict;
}
