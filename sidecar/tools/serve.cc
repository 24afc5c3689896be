#include "sidecar/tools/serve.h"

#include <signal.h>

#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <ranges>

#include "sidecar/replication/binlog_server.h"
#include "sidecar/replication/indexed_log_source.h"

namespace baton::tools {
namespace {

using binlog::LogIndex;

template <class Number>
Result<void> read_number(std::string_view flag, std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return {};
  return fail(ErrorKind::kTerminal, "{} '{}' is not a number, or too large", flag, text);
}

Result<std::string> first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  if (std::getline(file, line) && !line.empty()) return line;
  return fail(ErrorKind::kTerminal, "{} has no first line", path.string());
}

/// The server_uuid of the data directory; a made-up one where there is no auto.cnf.
std::string uuid_of(const std::filesystem::path& folder) {
  constexpr std::string_view kName = "server-uuid=";
  std::ifstream file(folder / "auto.cnf");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kName)) return line.substr(kName.size());
  }
  return "ba100000-0000-4000-8000-000000000000";
}

Result<replication::Identity> identity_of(const ServeOptions& options, const binlog::LogSnapshot& snapshot) {
  for (const auto& logs : snapshot.logs) {
    for (const auto& file : logs.files | std::views::reverse) {
      if (file->contents.descriptions.empty()) continue;
      const binlog::Description& newest = file->contents.descriptions.back();
      return replication::Identity{.server_id = options.server_id,
                                   .server_uuid = uuid_of(options.folder),
                                   .version = binlog::server_version(newest),
                                   .checksum = newest.checksum};
    }
  }
  return fail(ErrorKind::kNotFound, "{}: no log file has a head", options.folder.string());
}

}  // namespace

Result<ServeOptions> parse_serve(std::span<const std::string_view> words) {
  ServeOptions options;
  const auto text_into = [](auto& place) {
    return [&place](std::string_view text) {
      place = text;
      return Result<void>();
    };
  };
  const std::map<std::string_view, std::function<Result<void>(std::string_view)>> flags = {
      {"--address", text_into(options.address)},
      {"--port", [&](std::string_view text) { return read_number("--port", text, options.port); }},
      {"--user", text_into(options.user)},
      {"--password-file", text_into(options.password_file)},
      {"--certificate", text_into(options.certificate_file)},
      {"--key", text_into(options.key_file)},
      {"--server-id", [&](std::string_view text) { return read_number("--server-id", text, options.server_id); }},
  };
  if (words.empty()) return fail(ErrorKind::kTerminal, "serve needs a folder");
  options.folder = words[0];
  for (std::size_t i = 1; i < words.size(); i += 2) {
    const auto flag = flags.find(words[i]);
    if (flag == flags.end()) return fail(ErrorKind::kTerminal, "unknown flag '{}'", words[i]);
    if (i + 1 == words.size()) return fail(ErrorKind::kTerminal, "{} needs a value", words[i]);
    TRY_VOID(flag->second(words[i + 1]));
  }
  if (options.password_file.empty()) return fail(ErrorKind::kTerminal, "serve needs --password-file");
  return options;
}

Result<void> serve(const ServeOptions& options, std::vector<binlog::LogListing> listings) {
  // Blocked in all threads: this one alone takes them.
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::sigaddset(&ending, SIGINT);
  ::sigprocmask(SIG_BLOCK, &ending, nullptr);
  const Logger log = Logger::to_stdout();
  LogIndex index(std::move(listings));
  TRY_VOID(index.advance({}));
  auto snapshot = index.snapshot();
  for (const Error& problem : snapshot->problems) log.warn("a log file has a problem", {{"error", problem.what}});
  TRY(identity, identity_of(options, *snapshot));
  TRY(password, first_line(options.password_file));
  replication::Served served{.identity = identity,
                             .accounts = {{options.user, replication::password_digest(password)}}};
  replication::IndexedLogSource logs([&snapshot] { return snapshot; }, [] { return GtidSet(); });
  TRY(server, replication::BinlogServer::start(
                  {.address = options.address,
                   .port = options.port,
                   .certificate_file = options.certificate_file,
                   .key_file = options.key_file},
                  [&served] { return served; }, logs, log));
  log.info("serving logs",
           {{"port", server->port()}, {"version", identity.version}, {"has", snapshot->available.to_string()}});
  int signal = 0;
  ::sigwait(&ending, &signal);
  return {};
}

}  // namespace baton::tools
