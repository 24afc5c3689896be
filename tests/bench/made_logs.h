#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "tests/support/mysqld.h"

namespace baton::bench {

/// What the transactions of made logs look like.
enum class Content : std::uint8_t {
  kSmall,  ///< One row each, about 390 bytes in the log.
  kLarge,  ///< 100 rows each, about 26 KB in the log.
};
[[nodiscard]] Result<Content> content_of(std::string_view name);

/// Makes `folder` hold at least `bytes` of binary logs, of 256 MB each but the last, closed, and their index. What is
/// there already is kept and gone on from, so it is written once and used again.
///
/// A real mysqld writes them, each transaction with a GTID of its own. Its table has the engine BLACKHOLE, which logs
/// rows and stores none: hundreds of megabytes a second, with COMMIT in the place of XID. Errors: the server's.
[[nodiscard]] Result<void> make_logs(const std::filesystem::path& folder, Content content, std::uint64_t bytes);

/// The first logs of a made folder, linked into a folder beside it that goes away with this object: what a server
/// writes or purges there leaves the made ones as they are.
class LinkedLogs {
 public:
  /// As many files as hold `bytes`, or all.
  [[nodiscard]] static Result<LinkedLogs> link(const std::filesystem::path& made, std::uint64_t bytes);

  [[nodiscard]] std::filesystem::path index() const { return folder_->path / "binlog.index"; }
  /// Of the linked files.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const std::vector<std::filesystem::path>& files() const { return files_; }

  /// A server that goes on with these logs: its executed set is what they hold. Has account `repl`, password `secret`,
  /// and the table of write_logs.
  [[nodiscard]] Result<std::unique_ptr<test::Mysqld>> start_server() const;

 private:
  /// Goes away with all that is in it.
  struct Folder {
    explicit Folder(std::filesystem::path name) : path(std::move(name)) {}
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const std::filesystem::path path;
  };

  std::unique_ptr<Folder> folder_;
  std::vector<std::filesystem::path> files_;
  std::uint64_t bytes_ = 0;
};

/// Lets a server of start_server commit so many transactions.
[[nodiscard]] Result<void> write_logs(test::SqlSession& session, Content content, std::uint64_t transactions);

}  // namespace baton::bench
