#include "operator/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/callback_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace baton {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  std::unreachable();
}

// spdlog knows the time and the level of a line; the payload is the rest of the object.
std::unique_ptr<spdlog::formatter> line_formatter(std::string line_end) {
  return std::make_unique<spdlog::pattern_formatter>(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v)",
                                                     spdlog::pattern_time_type::utc, std::move(line_end));
}

void append(std::string& line, std::string_view key, const nlohmann::json& value) {
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;  // Bytes of others need not be UTF-8.
  line += nlohmann::json(key).dump(-1, ' ', false, kReplace);
  line += ':';
  line += value.dump(-1, ' ', false, kReplace);
}

}  // namespace

struct Logger::Sink {
  explicit Sink(std::shared_ptr<spdlog::sinks::sink> sink, LogLevel level) : logger("baton", std::move(sink)) {
    logger.set_level(spdlog_level(level));
    logger.flush_on(spdlog::level::trace);
    logger.set_error_handler([](const std::string&) {});  // A log that cannot be written must not stop the work.
  }
  spdlog::logger logger;
};

Logger Logger::to_stdout(LogLevel level) {
  auto sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  sink->set_formatter(line_formatter("\n"));
  Logger logger;
  logger.sink_ = std::make_shared<Sink>(std::move(sink), level);
  return logger;
}

Logger Logger::to_function(std::function<void(std::string_view)> sink, LogLevel level) {
  auto formatter = std::shared_ptr<spdlog::formatter>(line_formatter(""));
  auto callback = std::make_shared<spdlog::sinks::callback_sink_mt>(
      [formatter, function = std::move(sink)](const spdlog::details::log_msg& message) {
        spdlog::memory_buf_t line;
        formatter->format(message, line);
        function({line.data(), line.size()});
      });
  Logger logger;
  logger.sink_ = std::make_shared<Sink>(std::move(callback), level);
  return logger;
}

Logger Logger::with(std::initializer_list<LogField> fields) const {
  auto all = bound_ ? std::make_shared<std::vector<LogField>>(*bound_) : std::make_shared<std::vector<LogField>>();
  all->insert(all->end(), fields.begin(), fields.end());
  Logger child = *this;
  child.bound_ = std::move(all);
  return child;
}

void Logger::set_level(LogLevel level) const noexcept {
  if (sink_) sink_->logger.set_level(spdlog_level(level));
}

void Logger::debug(std::string_view message, std::initializer_list<LogField> fields) const noexcept {
  print(LogLevel::kDebug, message, fields);
}
void Logger::info(std::string_view message, std::initializer_list<LogField> fields) const noexcept {
  print(LogLevel::kInfo, message, fields);
}
void Logger::warn(std::string_view message, std::initializer_list<LogField> fields) const noexcept {
  print(LogLevel::kWarn, message, fields);
}
void Logger::error(std::string_view message, std::initializer_list<LogField> fields) const noexcept {
  print(LogLevel::kError, message, fields);
}

void Logger::print(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) const noexcept {
  if (!sink_ || !sink_->logger.should_log(spdlog_level(level))) return;
  try {
    std::string line;
    append(line, "message", message);
    const auto add = [&](const LogField& field) {
      line += ',';
      append(line, field.key, field.value);
    };
    if (bound_) std::ranges::for_each(*bound_, add);
    std::ranges::for_each(fields, add);
    line += '}';
    sink_->logger.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  } catch (...) {  // Out of memory for a line of text: the work goes on without it.
  }
}

}  // namespace baton
