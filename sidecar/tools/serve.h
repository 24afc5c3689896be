#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "sidecar/binlog/log_index.h"

namespace baton::tools {

/// What `baton-binlog serve` is told.
struct ServeOptions {
  std::filesystem::path folder;  ///< With the index files, and auto.cnf if it is a data directory.
  std::string address = "127.0.0.1";
  std::uint16_t port = 3307;
  std::string user = "baton";
  std::filesystem::path password_file;
  std::string certificate_file;
  std::string key_file;
  std::uint32_t server_id = 4'294'967'295;  ///< Must differ from each replica's.
};

/// Reads "FOLDER --name value …". Errors: kTerminal, naming the flag.
[[nodiscard]] Result<ServeOptions> parse_serve(std::span<const std::string_view> words);

/// Sends the logs of a dead server to receivers until SIGINT or SIGTERM, which it takes away from the whole process.
/// Errors: those of reading the logs and of BinlogServer::start.
[[nodiscard]] Result<void> serve(const ServeOptions& options, std::vector<binlog::LogListing> listings);

}  // namespace baton::tools
