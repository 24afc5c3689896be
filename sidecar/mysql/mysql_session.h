#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <format>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "operator/base/fd.h"
#include "sidecar/mysql/mysql_library.h"

struct MYSQL;

namespace baton::sidecar {

/// Why a statement or a connection attempt failed. Turns into an Error by itself, with "errno: text".
///
/// kind: kNotFound   nobody listens there (2002, 2003): mysqld is not up, or not yet;
///       kRetry      a server is there, but slow, full (1040 too many connections, 3159 …) or the connection was lost;
///       kCancelled  the caller's stop token ended it; whether the statement took effect is unknown;
///       kTerminal   the server refused: access denied (1045), syntax, an option that prevents it.
struct SqlFailure {
  ErrorKind kind = ErrorKind::kRetry;
  unsigned number = 0;  ///< mysqld_error.h (from 1000 and 3000) or errmsg.h (2000 … 2999).
  std::string text;

  /// Whether a server answered at all. False proves nothing about its death.
  [[nodiscard]] bool server_answered() const { return number < 2000 || number > 2999; }
  operator Error() const { return Error{kind, std::format("{}: {}", number, text)}; }  // NOLINT: meant to be implicit.
};

template <class T>
using SqlResult = std::expected<T, SqlFailure>;

/// A result set in memory. Values are read by column name (their order and number differ between versions), without
/// regard to case. A NULL is an empty optional. A column that is not there reads as NULL too: old servers lack some.
class Rows {
 public:
  class Row {
   public:
    [[nodiscard]] std::optional<std::string> find(std::string_view column) const;
    /// The text; "" for NULL.
    [[nodiscard]] std::string text(std::string_view column) const { return find(column).value_or(""); }
    /// The whole number; 0 for NULL or text that is none.
    [[nodiscard]] std::int64_t number(std::string_view column) const;
    /// Whether it reads ON, YES or 1.
    [[nodiscard]] bool flag(std::string_view column) const;
    /// By place, from 0.
    [[nodiscard]] const std::optional<std::string>& at(std::size_t place) const;

   private:
    friend class Rows;
    Row(const Rows& rows, std::size_t index) : rows_(rows), index_(index) {}
    const Rows& rows_;
    std::size_t index_;
  };

  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] Row operator[](std::size_t index) const { return Row(*this, index); }

 private:
  friend class Session;
  std::vector<std::string> columns_;
  std::vector<std::vector<std::optional<std::string>>> values_;
};

/// Where a server is and as whom to come.
struct Endpoint {
  std::filesystem::path socket;  ///< If not empty, the unix socket; host, port and TLS are not used then.
  std::string host;
  std::uint16_t port = 3306;
  std::string user = "root";
  std::string password;
  std::filesystem::path ca;  ///< TCP is always TLS. With a CA, the server's certificate must be signed by it.
};

/// Whole seconds, as the library takes them; at least 1.
struct SessionLimits {
  std::chrono::seconds connect{2};
  std::chrono::seconds answer{10};  ///< The longest wait for a packet of an answer.
};

/// A text as a literal of SQL: 'it''s'. For sessions of this class alone (utf8mb4, empty sql_mode).
[[nodiscard]] std::string sql_quoted(std::string_view text);
/// A name in backticks.
[[nodiscard]] std::string sql_name(std::string_view name);

/// One connection. Move-only; one thread at a time. Error texts hold the server's words but never the statement, which
/// may hold a password.
class Session {
 public:
  /// Connects; sets utf8mb4, autocommit, an empty sql_mode and no execution limit, whatever the server's defaults.
  /// A stop during the dial is noticed when it ends, at most limits.connect later.
  [[nodiscard]] static SqlResult<Session> connect(const MysqlLibrary& library, const Endpoint& endpoint,
                                                  SessionLimits limits, const std::stop_token& stop);
  Session(Session&&) noexcept = default;
  Session& operator=(Session&&) noexcept = default;
  ~Session() = default;

  /// Runs one statement and gives its rows (none if it has no result set). A stop shuts the socket down: the session is
  /// lost then, and the server ends the statement unless it is past its commit.
  [[nodiscard]] SqlResult<Rows> query(const std::stop_token& stop, const std::string& statement);
  /// A statement whose rows do not matter.
  [[nodiscard]] SqlResult<void> run(const std::stop_token& stop, const std::string& statement);
  /// The first column of the first row; "" for NULL or no row.
  [[nodiscard]] SqlResult<std::string> value(const std::stop_token& stop, const std::string& statement);

  /// Whether the connection is known to be gone: after a lost query, or because the server has closed it since.
  [[nodiscard]] bool lost() const;
  /// The server's id of this connection.
  [[nodiscard]] std::uint64_t connection_id() const;

 private:
  struct Closer {
    void operator()(MYSQL* handle) const;
  };
  explicit Session(std::unique_ptr<MYSQL, Closer> handle) : handle_(std::move(handle)) {}

  [[nodiscard]] SqlFailure failure(const std::stop_token& stop);

  std::unique_ptr<MYSQL, Closer> handle_;
  /// A second descriptor of the same socket. Another thread may shut it down while the library closes its own.
  Fd cancel_;
  bool lost_ = false;
};

}  // namespace baton::sidecar
