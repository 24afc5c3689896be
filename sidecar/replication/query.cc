#include "sidecar/replication/query.h"

#include <algorithm>
#include <format>
#include <utility>

namespace baton::replication {
namespace {

constexpr std::size_t kItemsMost = 64;
constexpr std::size_t kVariablesMost = 64;
constexpr std::size_t kVariableLengthMost = 4096;

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         c == '.' || c == '@';
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

struct Token {
  enum class Kind : std::uint8_t { kEnd, kWord, kString, kSymbol };
  Kind kind = Kind::kEnd;
  std::string text;  ///< A word in lower case, a string without quotes, a symbol.
  std::size_t begin = 0;
  std::size_t end = 0;
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next() {
    skip_space();
    const std::size_t begin = at_;
    if (at_ == text_.size()) return {.kind = Token::Kind::kEnd, .text = {}, .begin = begin, .end = begin};
    const char first = text_[at_];
    if (first == '\'' || first == '"' || first == '`') return quoted(first);
    if (is_word(first)) {
      while (at_ < text_.size() && is_word(text_[at_])) ++at_;
      return {Token::Kind::kWord, lower(text_.substr(begin, at_ - begin)), begin, at_};
    }
    ++at_;
    if (first == ':' && at_ < text_.size() && text_[at_] == '=') ++at_;
    return {Token::Kind::kSymbol, std::string(text_.substr(begin, at_ - begin)), begin, at_};
  }

 private:
  void skip_space() {
    for (;;) {
      while (at_ < text_.size() && is_space(text_[at_])) ++at_;
      const std::string_view rest = text_.substr(at_);
      std::size_t length = 0;
      if (rest.starts_with("/*")) {
        const auto end = rest.find("*/");
        length = end == std::string_view::npos ? rest.size() : end + 2;
      } else if (rest.starts_with("-- ") || rest.starts_with('#')) {
        length = std::min(rest.find('\n'), rest.size());
      }
      if (length == 0) return;
      at_ += length;
    }
  }

  Token quoted(char quote) {
    Token token{.kind = quote == '`' ? Token::Kind::kWord : Token::Kind::kString, .text = {}, .begin = at_, .end = 0};
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == quote) {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != quote) break;
        ++at_;
      } else if (c == '\\' && quote != '`' && at_ + 1 < text_.size()) {
        ++at_;
      }
      token.text.push_back(text_[at_]);
    }
    at_ = std::min(at_ + 1, text_.size());
    token.end = at_;
    return token;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// A value, or why there is none.
using Value = std::variant<std::optional<std::string>, QueryError>;

class Parser {
 public:
  Parser(std::string_view text, const QueryFacts& facts, UserVariables& variables)
      : text_(text), lexer_(text), facts_(facts), variables_(variables) {
    advance();
  }

  QueryAnswer statement() {
    if (take_word("select")) return select();
    if (take_word("set")) return set();
    if (take_word("show")) return show();
    return not_understood();
  }

 private:
  QueryAnswer select() {
    Rows rows;
    auto& row = rows.rows.emplace_back();
    do {
      const std::size_t begin = token_.begin;
      Value value = read_value();
      if (auto* error = std::get_if<QueryError>(&value)) return std::move(*error);
      std::string name(text_.substr(begin, behind_ - begin));
      if (!read_alias(name) || row.size() == kItemsMost) return not_understood();
      rows.columns.push_back(std::move(name));
      row.push_back(std::get<0>(std::move(value)));
    } while (take_symbol(","));
    if (take_word("from") && !take_word("dual")) return not_understood();
    if (take_word("limit")) {
      if (token_.kind != Token::Kind::kWord) return not_understood();
      if (token_.text == "0") rows.rows.clear();
      advance();
    }
    if (!at_end()) return not_understood();
    return rows;
  }

  QueryAnswer set() {
    for (const std::string_view word : {"names", "character", "transaction"}) {
      if (token_.kind == Token::Kind::kWord && token_.text == word) return Done{};
    }
    // Assigned together or not at all, as the server does it.
    UserVariables assigned = variables_;
    do {
      if (auto error = assignment(assigned)) return *std::move(error);
    } while (take_symbol(","));
    if (!at_end()) return not_understood();
    variables_ = std::move(assigned);
    return Done{};
  }

  std::optional<QueryError> assignment(UserVariables& assigned) {
    if (token_.kind != Token::Kind::kWord) return not_understood();
    std::string target = std::exchange(token_.text, {});
    advance();
    if (target == "session" || target == "local") {
      target = std::exchange(token_.text, {});
      advance();
    }
    if (!take_symbol("=") && !take_symbol(":=")) {
      if (target != "global" && !target.starts_with("persist")) return not_understood();
      return read_only();
    }
    if (target.starts_with("@@global.") || target.starts_with("@@persist")) return read_only();
    if (!target.starts_with('@') || target.starts_with("@@")) return skip_value();
    Value value = read_value();
    if (auto* error = std::get_if<QueryError>(&value)) return std::move(*error);
    auto& text = std::get<0>(value);
    if (target.size() > kVariableLengthMost || (text && text->size() > kVariableLengthMost)) return not_understood();
    if (assigned.size() >= kVariablesMost && !assigned.contains(target.substr(1))) return not_understood();
    assigned[target.substr(1)] = std::move(text);
    return std::nullopt;
  }

  QueryAnswer show() {
    if (take_word("warnings")) return Rows{.columns = {"Level", "Code", "Message"}, .rows = {}};
    if (!take_word("global")) static_cast<void>(take_word("session"));
    if (!take_word("variables") || !take_word("like") || token_.kind != Token::Kind::kString) return not_understood();
    Rows rows{.columns = {"Variable_name", "Value"}, .rows = {}};
    const std::string name = lower(token_.text);
    advance();
    if (!at_end()) return not_understood();
    if (auto value = facts_.system_variable(name)) rows.rows.push_back({name, std::move(value)});
    return rows;
  }

  Value read_value() {
    const Token token = token_;
    if (token.kind == Token::Kind::kEnd || token.kind == Token::Kind::kSymbol) return not_understood();
    advance();
    if (token.kind == Token::Kind::kString) return token.text;
    if (token.text.starts_with("@@")) return system_variable(token.text.substr(2));
    if (token.text.starts_with('@')) {
      const auto found = variables_.find(token.text.substr(1));
      return found == variables_.end() ? std::nullopt : found->second;
    }
    if (token.text.find_first_not_of("0123456789.") == std::string::npos) return token.text;
    if (take_symbol("(")) {
      const auto found = facts_.functions.find(token.text);
      if (found == facts_.functions.end() || !take_symbol(")")) return not_understood();
      return found->second;
    }
    if (token.text == "null") return std::nullopt;
    return not_understood();
  }

  Value system_variable(std::string name) const {
    for (const std::string_view scope : {"global.", "session.", "local."}) {
      if (name.starts_with(scope)) {
        name.erase(0, scope.size());
        break;
      }
    }
    if (auto value = facts_.system_variable(name)) return value;
    return QueryError{1193, "HY000", std::format("Unknown system variable '{}'", name.substr(0, 64))};
  }

  /// Passes what a session variable is set to.
  std::optional<QueryError> skip_value() {
    int depth = 0;
    for (; token_.kind != Token::Kind::kEnd; advance()) {
      if (token_.kind != Token::Kind::kSymbol) continue;
      if (token_.text == "(") ++depth;
      if (token_.text == ")") --depth;
      if (depth == 0 && (token_.text == "," || token_.text == ";")) break;
    }
    return std::nullopt;
  }

  /// `[AS] name`; false when something else stands here.
  bool read_alias(std::string& name) {
    if (token_.kind == Token::Kind::kEnd || token_.kind == Token::Kind::kSymbol) return true;
    if (!take_word("as") && (token_.text == "from" || token_.text == "limit")) return true;
    if (token_.kind == Token::Kind::kEnd || token_.kind == Token::Kind::kSymbol) return false;
    name = text_.substr(token_.begin, token_.end - token_.begin);
    std::erase_if(name, [](char c) { return c == '`' || c == '\'' || c == '"'; });
    advance();
    return true;
  }

  bool take_word(std::string_view word) { return take(Token::Kind::kWord, word); }
  bool take_symbol(std::string_view symbol) { return take(Token::Kind::kSymbol, symbol); }
  bool take(Token::Kind kind, std::string_view text) {
    if (token_.kind != kind || token_.text != text) return false;
    advance();
    return true;
  }
  bool at_end() {
    while (take_symbol(";")) continue;
    return token_.kind == Token::Kind::kEnd;
  }
  void advance() {
    behind_ = token_.end;
    token_ = lexer_.next();
  }

  [[nodiscard]] QueryError not_understood() const {
    constexpr std::size_t kShown = 80;
    return {1235, "42000",
            std::format("Baton's binlog server answers what receivers ask, no more; not: {}", text_.substr(0, kShown))};
  }
  [[nodiscard]] static QueryError read_only() {
    return {1227, "42000", "Access denied; Baton's binlog server has no settings that can be changed"};
  }

  std::string_view text_;
  Lexer lexer_;
  const QueryFacts& facts_;
  UserVariables& variables_;
  Token token_;
  std::size_t behind_ = 0;  // The offset behind the token before this one.
};

}  // namespace

QueryAnswer answer_query(std::string_view text, const QueryFacts& facts, UserVariables& variables) {
  return Parser(text, facts, variables).statement();
}

}  // namespace baton::replication
