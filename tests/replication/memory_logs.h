#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/replication/log_source.h"
#include "tests/binlog/log_writer.h"
#include "tests/replication/bytes.h"

namespace baton::test {

/// One event, raw, by LogWriter.
[[nodiscard]] inline std::vector<std::byte> event_of(int type, const std::string& body, bool checksum = true) {
  LogWriter writer(false, checksum);
  const std::size_t before = writer.bytes().size();
  writer.event(type, body);
  return bytes_of(std::string_view(writer.bytes()).substr(before));
}

[[nodiscard]] inline binlog::LogBegin log_begin(const std::string& name, bool checksum = true) {
  const LogWriter writer(false, checksum);
  return {.name = name,
          .format_description = bytes_of(std::string_view(writer.bytes()).substr(4)),
          .checksum = checksum ? binlog::ChecksumAlgorithm::kCrc32 : binlog::ChecksumAlgorithm::kNone};
}

/// What a stream gives, in order; CaughtUp when there is nothing left. Thread-safe.
struct Script {
  struct Step {
    std::optional<binlog::LogBegin> log;
    std::vector<std::byte> chunk;
    std::optional<Error> error;
  };
  std::mutex mutex;
  std::deque<Step> steps;

  void add(binlog::LogBegin log) { push({.log = std::move(log), .chunk = {}, .error = {}}); }
  void add(std::vector<std::byte> chunk) { push({.log = {}, .chunk = std::move(chunk), .error = {}}); }
  void add(Error error) { push({.log = {}, .chunk = {}, .error = std::move(error)}); }

 private:
  void push(Step step) {
    const std::scoped_lock lock(mutex);
    steps.push_back(std::move(step));
  }
};

class MemoryStream final : public binlog::TransactionStream {
 public:
  explicit MemoryStream(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  Result<Item> next() override {
    const std::scoped_lock lock(script_->mutex);
    if (script_->steps.empty()) return Item(binlog::CaughtUp{});
    Script::Step step = std::move(script_->steps.front());
    script_->steps.pop_front();
    if (step.error) return std::unexpected(*std::move(step.error));
    if (step.log) return Item(*std::move(step.log));
    chunk_ = std::move(step.chunk);
    return Item(binlog::Chunk{chunk_});
  }

 private:
  std::shared_ptr<Script> script_;
  std::vector<std::byte> chunk_;
};

/// Serves one script, or a refusal, or a failure to everybody who asks.
class MemoryLogs final : public replication::LogSource {
 public:
  Result<Opened> open(const replication::Receiver& receiver) override {
    const std::scoped_lock lock(mutex_);
    asked.push_back(receiver.have.to_string());
    if (failure) return std::unexpected(*failure);
    if (refusal) return Opened(*refusal);
    return Opened(std::make_unique<MemoryStream>(script));
  }
  Sets sets() override {
    return {.executed = GtidSet::parse("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:1-9").value(), .purged = {}};
  }

  std::unique_ptr<Subscription> subscribe(std::function<void()> wake) override {
    if (!has_word) return nullptr;
    const std::scoped_lock lock(mutex_);
    wakes_.push_back(std::make_shared<std::function<void()>>(std::move(wake)));
    return std::make_unique<Entry>(*this, wakes_.back());
  }
  void wake_all() {
    const std::scoped_lock lock(mutex_);
    for (const auto& wake : wakes_) (*wake)();
  }
  [[nodiscard]] std::size_t times_asked() {
    const std::scoped_lock lock(mutex_);
    return asked.size();
  }

  std::shared_ptr<Script> script = std::make_shared<Script>();
  std::optional<replication::Refusal> refusal;
  std::optional<Error> failure;
  bool has_word = false;
  std::vector<std::string> asked;

 private:
  class Entry final : public Subscription {
   public:
    Entry(MemoryLogs& logs, std::shared_ptr<std::function<void()>> wake) : logs_(logs), wake_(std::move(wake)) {}
    ~Entry() override {
      const std::scoped_lock lock(logs_.mutex_);
      std::erase(logs_.wakes_, wake_);
    }

   private:
    MemoryLogs& logs_;
    std::shared_ptr<std::function<void()>> wake_;
  };

  std::mutex mutex_;
  std::vector<std::shared_ptr<std::function<void()>>> wakes_;
};

}  // namespace baton::test
