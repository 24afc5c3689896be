// A session of the binlog server from its first byte, commands and dump included, since the nonce is fixed and a right
// login is among the seeds. The first byte says in which pieces the rest comes. The session must end or wait, and say
// little to much noise.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/base/ensure.h"
#include "sidecar/replication/source_session.h"

namespace {

using baton::Instant;
using baton::replication::LogSource;
using baton::replication::OutputBuffer;
using baton::replication::SourceSession;
using Kind = SourceSession::Next::Kind;

class NothingMore final : public baton::binlog::TransactionStream {
 public:
  baton::Result<Item> next() override { return Item(baton::binlog::CaughtUp{}); }
};

class NoLogs final : public LogSource {
 public:
  baton::Result<Opened> open(const baton::replication::Receiver& receiver) override {
    if (receiver.have.size() % 2 == 1) {
      return Opened(baton::replication::Refusal{baton::replication::Refusal::Reason::kPurged, receiver.have});
    }
    return Opened(std::make_unique<NothingMore>());
  }
  Sets sets() override { return {}; }
};

void run(std::span<const std::byte> bytes, std::size_t piece, bool tls) {
  static const baton::replication::Digest digest = baton::replication::password_digest("secret");
  NoLogs logs;
  SourceSession::Setup setup{.identity = {.server_id = 1, .server_uuid = "u", .version = "9.7.4"},
                             .accounts = {{"repl", digest}},
                             .connection_id = 1,
                             .peer = "p",
                             .tls = tls};
  setup.nonce.fill(std::byte{'n'});
  SourceSession session(std::move(setup), logs, Instant{});
  std::size_t commands = bytes.size() + 16;  // No message is shorter than a byte.
  while (true) {
    OutputBuffer out(4096);
    const auto next = session.produce(out, {.now = Instant{}, .unix_seconds = 1});
    ENSURE(out.size() < 100'000);
    if (next.kind == Kind::kClose) return;
    if (next.kind == Kind::kStartTls) {
      session.feed(session.start_tls());  // As if it had been encrypted.
      continue;
    }
    if (next.kind == Kind::kProduce) {
      ENSURE(commands-- > 0);
      continue;
    }
    if (bytes.empty()) return;
    const auto part = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(part.size());
    session.feed(part);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  run(bytes, std::size_t{data[0]} + 1, true);
  run(bytes, std::size_t{data[0]} + 1, false);
  return 0;
}
