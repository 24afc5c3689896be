#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"
#include "engine/gtid/gtid_set.h"
#include "sidecar/replication/dump.h"
#include "sidecar/replication/dump_request.h"
#include "sidecar/replication/handshake.h"
#include "sidecar/replication/log_source.h"
#include "sidecar/replication/output_buffer.h"
#include "sidecar/replication/packet.h"
#include "sidecar/replication/query.h"
#include "sidecar/replication/scramble.h"

namespace baton::replication {

/// Whom the session says that it is: the mysqld whose logs are served.
struct Identity {
  std::uint32_t server_id = 0;  ///< Must differ from each receiver's.
  std::string server_uuid;      ///< Must differ from each receiver's.
  /// @@version, to the letter: receivers leave out tagged GTIDs for a source before 8.3, and refuse a newer series.
  std::string version;
  std::string gtid_mode = "ON";
  binlog::ChecksumAlgorithm checksum = binlog::ChecksumAlgorithm::kCrc32;  ///< @@binlog_checksum.
};

/// Who may log in. Each incarnation of a data directory has an account of its own.
struct Account {
  std::string user;
  Digest digest{};  ///< password_digest() of its password.
};

/// When something happens.
struct Moment {
  Instant now;
  std::int64_t unix_seconds = 0;
};

/// One connection of the binlog server, without sockets, threads or a clock: bytes in, bytes out. States:
///
///   greeting → login → [ TLS → login ] → [ auth switch ] → commands → dump → closed
///
/// The caller's loop: produce(), send what it wrote, do what it says, feed() what came in. Not synchronised.
class SourceSession {
 public:
  struct Limits {
    Duration login = std::chrono::seconds(5);           ///< From the connection to the end of the login.
    Duration command = std::chrono::seconds(60);        ///< Silence between two commands.
    std::size_t login_message = std::size_t{64} << 10;  ///< Bytes of a message before the login.
    std::size_t message = std::size_t{64} << 20;        ///< After it: a dump request has a whole GTID set.
    std::size_t output = std::size_t{1} << 20;          ///< About how much produce() writes at once.
  };
  struct Setup {
    Identity identity;
    std::vector<Account> accounts;
    Nonce nonce{};
    std::uint32_t connection_id = 0;
    std::string peer;  ///< Address, for texts.
    bool tls = true;   ///< Offered, and demanded before a login. False only where no certificate is.
    Limits limits{};
  };
  /// What the caller is to do after it has sent what produce() wrote.
  struct Next {
    enum class Kind {
      kProduce,   ///< Call produce() again; it need not wait for anything.
      kWait,      ///< For input, until `until`; with `or_data` also for more in the log source.
      kStartTls,  ///< Call start_tls(), do the handshake until `until`, feed what is decrypted from then on.
      kClose,
    };
    Kind kind = Kind::kProduce;
    Instant until = Instant::max();
    bool or_data = false;
  };

  /// `source` must outlive the session.
  SourceSession(Setup setup, LogSource& source, Instant now);

  /// Takes what came in (after start_tls: what was decrypted).
  void feed(std::span<const std::byte> bytes) { reader_.feed(bytes); }
  [[nodiscard]] Next produce(OutputBuffer& out, Moment moment);
  /// Gives the bytes that came behind the client's request for TLS: the beginning of its TLS hello, often empty.
  [[nodiscard]] std::vector<std::byte> start_tls();

  /// Set as soon as there is a valid dump request, one produce() before the first byte of the dump.
  [[nodiscard]] const std::optional<Receiver>& receiver() const { return receiver_; }
  /// Ends the dump for good, because the same receiver has connected anew.
  void replace() { replaced_ = true; }
  /// Why the session closed, for the log; empty for a client that took its leave.
  [[nodiscard]] const std::string& why_closed() const { return why_closed_; }
  /// The dump, for tests and metrics; null outside of one.
  [[nodiscard]] const Dump* dump() const { return dump_.get(); }

 private:
  enum class State : std::uint8_t { kGreeting, kLogin, kStartTls, kAuthSwitch, kCommands, kDump, kClosed };

  void greet(OutputBuffer& out);
  void handle(std::span<const std::byte> message, OutputBuffer& out, Moment moment);
  void handle_login(std::span<const std::byte> message, OutputBuffer& out, Moment moment);
  void check_answer(std::span<const std::byte> answer, OutputBuffer& out, Moment moment);
  void handle_command(std::span<const std::byte> message, OutputBuffer& out, Moment moment);
  void handle_query(std::string_view text, OutputBuffer& out, Moment moment);
  void handle_dump_request(std::span<const std::byte> message, OutputBuffer& out);
  [[nodiscard]] std::optional<std::string> system_variable(std::string_view name) const;
  [[nodiscard]] std::string user_variable(std::string_view new_name, std::string_view old_name) const;

  [[nodiscard]] Next produce_dump(OutputBuffer& out, Moment moment);
  void open_dump(OutputBuffer& out, Instant now);
  [[nodiscard]] Dump::Terms dump_terms() const;
  void fail_dump(const Error& error, OutputBuffer& out);
  void drain_input();

  void write(std::span<const std::byte> message, OutputBuffer& out) { writer_.write(message, out); }
  void write_rows(const Rows& rows, OutputBuffer& out);
  /// Answers the command with an error; the session goes on.
  void write_error(std::uint16_t number, std::string_view state, std::string_view text, OutputBuffer& out);
  /// An error and the end.
  void refuse(std::uint16_t number, std::string_view state, std::string_view text, OutputBuffer& out);
  void close(std::string_view why);

  Setup setup_;
  LogSource& source_;
  State state_ = State::kGreeting;
  Instant deadline_;
  bool tls_started_ = false;
  PacketReader reader_;
  PacketWriter writer_;
  std::string user_;
  UserVariables variables_;
  std::optional<DumpRequest> request_;
  std::optional<Receiver> receiver_;
  std::unique_ptr<Dump> dump_;
  bool replaced_ = false;
  std::string why_closed_;
};

}  // namespace baton::replication
