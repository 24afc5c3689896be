#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/ids.h"

namespace baton {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

/// One key and its value in a log line. Takes whatever nlohmann::json takes, and Tagged values.
struct LogField {
  LogField(std::string_view name, nlohmann::json content) : key(name), value(std::move(content)) {}
  template <class Tag, class Value>
  LogField(std::string_view name, const Tagged<Tag, Value>& content) : key(name), value(content.get()) {}

  std::string key;
  nlohmann::json value;
};

/// Prints one JSON object a line: time (UTC), level, message, the bound fields, the call's fields.
///
///   log.info("failover started", {{"cluster", key}, {"from", old_primary}});
///
/// Messages are constant sentences, so that they can be searched for; what varies goes into fields. A failure is
/// logged once, by the outermost caller that handles it. Copies are cheap and share sink and level. Thread-safe, throws
/// nothing; a line that cannot be written is dropped. A Logger made by the default constructor prints nothing.
class Logger {
 public:
  Logger() = default;

  [[nodiscard]] static Logger to_stdout(LogLevel level = LogLevel::kInfo);
  /// For tests: gets each line, without line end, under the sink's lock.
  [[nodiscard]] static Logger to_function(std::function<void(std::string_view line)> sink,
                                          LogLevel level = LogLevel::kDebug);

  /// A logger that adds these fields to each of its lines.
  [[nodiscard]] Logger with(std::initializer_list<LogField> fields) const;
  /// Holds for all copies and children of one to_stdout or to_function.
  void set_level(LogLevel level) const noexcept;

  void debug(std::string_view message, std::initializer_list<LogField> fields = {}) const noexcept;
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) const noexcept;
  void warn(std::string_view message, std::initializer_list<LogField> fields = {}) const noexcept;
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) const noexcept;

 private:
  struct Sink;
  void print(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) const noexcept;

  std::shared_ptr<Sink> sink_;
  std::shared_ptr<const std::vector<LogField>> bound_;
};

}  // namespace baton
