#include "sidecar/mysql/mysql_session.h"

#include <errmsg.h>
#include <fcntl.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "engine/base/ensure.h"

namespace baton::sidecar {
namespace {

/// Gives back what the library keeps for a thread when the thread ends.
struct ThreadEnd {
  ~ThreadEnd() { mysql_thread_end(); }
};

void register_thread() {
  static_cast<void>(mysql_thread_init());
  thread_local const ThreadEnd end;
  static_cast<void>(end);
}

bool lost_connection(unsigned number) {
  switch (number) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_COMMANDS_OUT_OF_SYNC:
    case CR_MALFORMED_PACKET:
    case ER_CLIENT_INTERACTION_TIMEOUT: return true;
    default: return false;
  }
}

ErrorKind kind_of(unsigned number) {
  switch (number) {
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR: return ErrorKind::kNotFound;
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_SERVER_SHUTDOWN:
    case ER_QUERY_INTERRUPTED:
    case ER_QUERY_TIMEOUT:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK:
    case ER_OUT_OF_RESOURCES:
    case ER_OUTOFMEMORY:
    case ER_NET_READ_INTERRUPTED:
    case ER_CLIENT_INTERACTION_TIMEOUT: return ErrorKind::kRetry;
    default: break;
  }
  return number >= CR_MIN_ERROR && number <= CR_MAX_ERROR ? ErrorKind::kRetry : ErrorKind::kTerminal;
}

bool same_name(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

void set_seconds(MYSQL* handle, mysql_option option, std::chrono::seconds value) {
  const auto seconds = static_cast<unsigned>(std::max<std::int64_t>(1, value.count()));
  mysql_options(handle, option, &seconds);
}

void set_options(MYSQL* handle, const Endpoint& endpoint, SessionLimits limits) {
  set_seconds(handle, MYSQL_OPT_CONNECT_TIMEOUT, limits.connect);
  set_seconds(handle, MYSQL_OPT_READ_TIMEOUT, limits.answer);
  set_seconds(handle, MYSQL_OPT_WRITE_TIMEOUT, limits.answer);
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_options4(handle, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "baton");
  unsigned protocol = endpoint.socket.empty() ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
  mysql_options(handle, MYSQL_OPT_PROTOCOL, &protocol);
  unsigned mode = SSL_MODE_DISABLED;
  if (endpoint.socket.empty()) {
    mode = endpoint.ca.empty() ? SSL_MODE_REQUIRED : SSL_MODE_VERIFY_CA;
    if (!endpoint.ca.empty()) mysql_options(handle, MYSQL_OPT_SSL_CA, endpoint.ca.c_str());
  }
  mysql_options(handle, MYSQL_OPT_SSL_MODE, &mode);
}

}  // namespace

MysqlLibrary::MysqlLibrary() { ENSURE(mysql_library_init(0, nullptr, nullptr) == 0); }
MysqlLibrary::~MysqlLibrary() { mysql_library_end(); }

std::optional<std::string> Rows::Row::find(std::string_view column) const {
  for (std::size_t place = 0; place < rows_.columns_.size(); ++place) {
    if (same_name(rows_.columns_[place], column)) return rows_.values_[index_][place];
  }
  return std::nullopt;
}

std::int64_t Rows::Row::number(std::string_view column) const {
  const std::string text = this->text(column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : 0;
}

bool Rows::Row::flag(std::string_view column) const {
  const std::string text = this->text(column);
  return same_name(text, "ON") || same_name(text, "YES") || same_name(text, "TRUE") || text == "1";
}

const std::optional<std::string>& Rows::Row::at(std::size_t place) const {
  ENSURE(place < rows_.columns_.size());
  return rows_.values_[index_][place];
}

std::string sql_quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    if (c == '\0') {
      result += "\\0";
    } else {
      result += c;
    }
  }
  return result + "'";
}

std::string sql_name(std::string_view name) {
  std::string result = "`";
  for (const char c : name) result += c == '`' ? "``" : std::string(1, c);
  return result + "`";
}

void Session::Closer::operator()(MYSQL* handle) const { mysql_close(handle); }

SqlResult<Session> Session::connect(const MysqlLibrary& /*started*/, const Endpoint& endpoint, SessionLimits limits,
                                    const std::stop_token& stop) {
  register_thread();
  Session session(std::unique_ptr<MYSQL, Closer>(mysql_init(nullptr)));
  MYSQL* const handle = session.handle_.get();
  ENSURE(handle != nullptr);
  set_options(handle, endpoint, limits);
  const bool local = !endpoint.socket.empty();
  if (mysql_real_connect(handle, local ? nullptr : endpoint.host.c_str(), endpoint.user.c_str(),
                         endpoint.password.c_str(), nullptr, local ? 0 : endpoint.port,
                         local ? endpoint.socket.c_str() : nullptr, 0) == nullptr) {
    return std::unexpected(session.failure(stop));
  }
  session.cancel_ = Fd(::fcntl(handle->net.fd, F_DUPFD_CLOEXEC, 0));
  if (!session.cancel_)
    return std::unexpected(SqlFailure{ErrorKind::kRetry, CR_OUT_OF_MEMORY, "no file descriptor left"});
  if (auto done =
          session.run(stop, "SET SESSION autocommit=1, sql_mode='', max_execution_time=0, transaction_read_only=0");
      !done) {
    return std::unexpected(std::move(done).error());
  }
  return session;
}

SqlResult<Rows> Session::query(const std::stop_token& stop, const std::string& statement) {
  if (lost_)
    return std::unexpected(SqlFailure{ErrorKind::kRetry, CR_SERVER_GONE_ERROR, "the connection was lost before"});
  register_thread();
  MYSQL* const handle = handle_.get();
  const std::stop_callback cancel(stop, [fd = cancel_.get()] { ::shutdown(fd, SHUT_RDWR); });
  if (mysql_real_query(handle, statement.data(), statement.size()) != 0) return std::unexpected(failure(stop));
  const std::unique_ptr<MYSQL_RES, decltype([](MYSQL_RES* result) { mysql_free_result(result); })> result(
      mysql_store_result(handle));
  Rows rows;
  if (result == nullptr) {
    if (mysql_field_count(handle) != 0) return std::unexpected(failure(stop));
    return rows;
  }
  const std::size_t columns = mysql_num_fields(result.get());
  const std::span fields(mysql_fetch_fields(result.get()), columns);
  for (const auto& field : fields) rows.columns_.emplace_back(field.name, field.name_length);
  while (const MYSQL_ROW row = mysql_fetch_row(result.get())) {
    const unsigned long* const lengths = mysql_fetch_lengths(result.get());
    auto& values = rows.values_.emplace_back();
    for (std::size_t place = 0; place < columns; ++place) {
      values.push_back(row[place] == nullptr ? std::nullopt : std::optional(std::string(row[place], lengths[place])));
    }
  }
  return rows;
}

SqlResult<void> Session::run(const std::stop_token& stop, const std::string& statement) {
  return query(stop, statement).transform([](const Rows&) {});
}

SqlResult<std::string> Session::value(const std::stop_token& stop, const std::string& statement) {
  return query(stop, statement).transform([](const Rows& rows) {
    return rows.empty() ? std::string() : rows[0].at(0).value_or("");
  });
}

bool Session::lost() const {
  if (lost_) return true;
  // A server that closes an idle connection may send an error packet first; nothing else comes without being asked.
  pollfd watched{.fd = cancel_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 0) != 0;
}

std::uint64_t Session::connection_id() const { return mysql_thread_id(handle_.get()); }

SqlFailure Session::failure(const std::stop_token& stop) {
  const unsigned number = mysql_errno(handle_.get());
  SqlFailure failed{kind_of(number), number, mysql_error(handle_.get())};
  // This message alone quotes the statement.
  if (number == ER_PARSE_ERROR) failed.text = "the server does not understand the statement";
  if (lost_connection(number)) {
    lost_ = true;
    if (stop.stop_requested()) failed.kind = ErrorKind::kCancelled;
  }
  return failed;
}

}  // namespace baton::sidecar
