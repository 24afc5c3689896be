#pragma once

#include <string>
#include <string_view>

#include "sidecar/bytes/byte_writer.h"
#include "sidecar/replication/handshake.h"
#include "sidecar/replication/packet.h"
#include "tests/binlog/log_writer.h"
#include "tests/replication/bytes.h"

namespace baton::test {

/// What a receiver says, message by message.

/// A mysqld holds the login to what was said in the request for TLS, so both say the same.
inline constexpr std::uint32_t kClaimed = replication::kOffered & ~replication::kConnectWithDatabase;

[[nodiscard]] inline std::vector<std::byte> tls_request() {
  return ByteWriter().write_u32(kClaimed | replication::kTls).write_u32(1 << 24).write_u8(255).write_zeros(23).take();
}

struct LoginForm {
  std::string_view user = "repl";
  std::string_view password = "secret";
  std::string_view plugin = replication::kPlugin;
  bool tls = true;
};
[[nodiscard]] inline std::vector<std::byte> login(const LoginForm& form, const replication::Nonce& nonce) {
  const auto scramble = replication::scramble_of(form.password, nonce);
  const std::string_view answer(reinterpret_cast<const char*>(scramble.data()), scramble.size());
  return ByteWriter()
      .write_u32(kClaimed | (form.tls ? replication::kTls : 0U))
      .write_u32(1 << 24)
      .write_u8(255)
      .write_zeros(23)
      .write_string_nul(form.user)
      .write_lenenc_string(answer)
      .write_string_nul(form.plugin)
      .take();
}

[[nodiscard]] inline std::vector<std::byte> command(std::uint8_t number, std::string_view rest = "") {
  return ByteWriter().write_u8(number).write_string(rest).take();
}
[[nodiscard]] inline std::vector<std::byte> query(std::string_view text) { return command(3, text); }

/// COM_BINLOG_DUMP_GTID with the set aaaa…:1-`have`, an empty one for 0.
[[nodiscard]] inline std::vector<std::byte> dump_command(int have = 0, std::uint16_t flags = 2,
                                                         std::uint32_t server_id = 99) {
  const auto number = [](std::uint64_t value, int bytes) { return LogWriter::number(value, bytes); };
  const auto upto = static_cast<std::uint64_t>(have) + 1;
  const std::string set = have == 0 ? number(0, 8)
                                    : number(1, 8) + LogWriter::uuid_bytes(std::string(32, 'a')) + number(1, 8) +
                                          number(1, 8) + number(upto, 8);
  return command(0x1E,
                 number(flags, 2) + number(server_id, 4) + number(0, 4) + number(4, 8) + number(set.size(), 4) + set);
}

/// Puts a message into packets that begin with this sequence number.
[[nodiscard]] inline std::vector<std::byte> packets_of(std::span<const std::byte> message, std::uint8_t sequence) {
  replication::PacketWriter writer;
  replication::OutputBuffer out(64);
  writer.restart(sequence);
  writer.write(message, out);
  return {out.bytes().begin(), out.bytes().end()};
}

}  // namespace baton::test
