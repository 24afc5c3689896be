#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The few statements that receivers and tools send before a dump. Text in, answer out:
///
///   statement = "SELECT" item { "," item } [ "FROM" "DUAL" ] [ "LIMIT" number ]
///             | "SET" assignment { "," assignment }  |  "SET" ( "NAMES" | "CHARACTER" | "TRANSACTION" ) …
///             | "SHOW" [ "GLOBAL" | "SESSION" ] "VARIABLES" "LIKE" string  |  "SHOW" "WARNINGS"
///   item      = value [ [ "AS" ] name ]
///   value     = "@@" [ "GLOBAL." | "SESSION." ] name  |  "@" name  |  number  |  string  |  "NULL"  |  name "(" ")"
///   assignment = "@" name ( "=" | ":=" ) value  |  a session variable, which is accepted and means nothing
///
/// in any case and spacing, comments anywhere. What a receiver of 8.4 and 9.x sends: sql/rpl_replica.cc
/// get_master_version_and_clock, get_master_uuid, register_slave_on_master; plugin/semisync/semisync_replica.cc.
namespace baton::replication {

struct Rows {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;  ///< As many values each as columns; nullopt: NULL.
};
struct Done {};
/// An error of the statement; the session goes on.
struct QueryError {
  std::uint16_t number = 0;
  std::string_view state;  ///< SQLSTATE, a literal.
  std::string text;
};
using QueryAnswer = std::variant<Rows, Done, QueryError>;

/// "@name" of this session, by name in lower case without "@". Bounded by what answer_query lets in.
using UserVariables = std::map<std::string, std::optional<std::string>>;

struct QueryFacts {
  /// Of a system variable, by name in lower case without scope; nullopt: there is no such variable.
  std::function<std::optional<std::string>(std::string_view name)> system_variable;
  /// Of a function without arguments, by name in lower case.
  std::map<std::string, std::optional<std::string>, std::less<>> functions;
};

/// Answers one statement. A system variable that is not known gives error 1193, which is how receivers are told that
/// there is no semi-sync here: any row, even a zero, would switch it on (semisync_replica.cc does not look at the
/// value), and they would demand a header before each event. What is not in the grammar gives error 1235.
[[nodiscard]] QueryAnswer answer_query(std::string_view text, const QueryFacts& facts, UserVariables& variables);

}  // namespace baton::replication
