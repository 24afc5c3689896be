#include "sidecar/replication/source_session.h"

#include <algorithm>
#include <charconv>
#include <format>
#include <utility>

#include "sidecar/bytes/byte_reader.h"
#include "sidecar/bytes/byte_writer.h"

namespace baton::replication {
namespace {

using binlog::ChecksumAlgorithm;
using Next = SourceSession::Next;

/// The numbers of include/mysqld_error.h that are used here.
constexpr std::uint16_t kHandshakeError = 1043;
constexpr std::uint16_t kAccessDenied = 1045;
constexpr std::uint16_t kUnknownCommand = 1047;
constexpr std::uint16_t kUnknownError = 1105;
constexpr std::uint16_t kPacketsOutOfOrder = 1156;
constexpr std::uint16_t kFatalReadingBinlog = 1236;  // Receivers stop for good at this one and retry after others.
constexpr std::uint16_t kMalformedPacket = 1835;
constexpr std::uint16_t kSecureTransportRequired = 3159;
constexpr std::string_view kGeneral = "HY000";
constexpr std::string_view kConnection = "08S01";

/// The commands of include/my_command.h that are answered.
enum class Command : std::uint8_t {
  kQuit = 0x01,
  kInitDatabase = 0x02,
  kQuery = 0x03,
  kPing = 0x0E,
  kBinlogDump = 0x12,
  kRegisterReplica = 0x15,
  kSetOption = 0x1B,
  kBinlogDumpGtid = 0x1E,
  kResetConnection = 0x1F,
};

constexpr std::size_t kQueryLengthMost = std::size_t{64} << 10;

std::string_view name_of(ChecksumAlgorithm checksum) {
  return checksum == ChecksumAlgorithm::kCrc32 ? "CRC32" : "NONE";
}

/// A set that fits into an error's text, of which clients keep 511 bytes and show less.
std::string shortened(const GtidSet& set) {
  constexpr std::size_t kMost = 280;
  std::string text = set.to_string();
  if (text.size() <= kMost) return text;
  return std::format("{}... ({} transactions)", text.substr(0, kMost), set.size());
}

std::string sentence(const Refusal& refusal) {
  switch (refusal.reason) {
    case Refusal::Reason::kPurged:
      return std::format(
          "Cannot replicate because required binary logs were purged here. The missing transactions are '{}'. Get them "
          "from another member, or rebuild the replica",
          shortened(refusal.transactions));
    case Refusal::Reason::kReceiverAhead:
      return std::format(
          "The replica has transactions of this source's server_uuid that no log here has: '{}'. The end of a log was "
          "lost here",
          shortened(refusal.transactions));
  }
  std::unreachable();
}

bool is_final(ErrorKind kind) {
  return kind == ErrorKind::kCorrupt || kind == ErrorKind::kUnsafe || kind == ErrorKind::kTerminal;
}

std::vector<std::byte> encode_column(std::string_view name) {
  constexpr std::uint8_t kFixedLength = 12;
  constexpr std::uint16_t kUtf8mb4 = 255;
  constexpr std::uint32_t kLongest = 1U << 24;
  constexpr std::uint8_t kVarString = 253;
  ByteWriter writer;
  writer.write_lenenc_string("def").write_lenenc_string("").write_lenenc_string("").write_lenenc_string("");
  writer.write_lenenc_string(name).write_lenenc_string("").write_u8(kFixedLength).write_u16(kUtf8mb4);
  writer.write_u32(kLongest).write_u8(kVarString).write_u16(0).write_u8(0).write_zeros(2);
  return writer.take();
}

std::vector<std::byte> encode_row(const std::vector<std::optional<std::string>>& row) {
  constexpr std::uint8_t kNull = 0xFB;
  ByteWriter writer;
  for (const auto& value : row) {
    if (value) {
      writer.write_lenenc_string(*value);
    } else {
      writer.write_u8(kNull);
    }
  }
  return writer.take();
}

}  // namespace

SourceSession::SourceSession(Setup setup, LogSource& source, Instant now)
    : setup_(std::move(setup)),
      source_(source),
      deadline_(now + setup_.limits.login),
      reader_(setup_.limits.login_message) {}

Next SourceSession::produce(OutputBuffer& out, Moment moment) {
  const std::size_t before = out.size();
  if (state_ == State::kGreeting) greet(out);
  if (state_ == State::kDump) return produce_dump(out, moment);
  // One message at a time, so that what is answered is bounded by what is sent.
  while (out.size() == before &&
         (state_ == State::kLogin || state_ == State::kAuthSwitch || state_ == State::kCommands)) {
    const auto message = reader_.next();
    if (!message) {
      writer_.restart(static_cast<std::uint8_t>(reader_.next_sequence() + 1));  // As if it had been the right one.
      refuse(kPacketsOutOfOrder, kConnection, message.error().what, out);
    } else if (*message) {
      handle(**message, out, moment);
    } else if (moment.now >= deadline_) {
      close(state_ == State::kCommands ? "no command for too long" : "the login took too long");
    } else {
      return {.kind = Next::Kind::kWait, .until = deadline_};
    }
  }
  if (state_ == State::kStartTls) return {.kind = Next::Kind::kStartTls, .until = deadline_};
  if (state_ == State::kClosed) return {.kind = Next::Kind::kClose};
  return {};
}

std::vector<std::byte> SourceSession::start_tls() {
  tls_started_ = true;
  state_ = State::kLogin;
  return reader_.take_rest();
}

void SourceSession::greet(OutputBuffer& out) {
  writer_.restart(0);
  write(encode_greeting({.version = setup_.identity.version,
                         .connection_id = setup_.connection_id,
                         .nonce = setup_.nonce,
                         .offers_tls = setup_.tls}),
        out);
  reader_.expect(1);
  state_ = State::kLogin;
}

void SourceSession::handle(std::span<const std::byte> message, OutputBuffer& out, Moment moment) {
  writer_.restart(reader_.next_sequence());
  switch (state_) {
    case State::kLogin: return handle_login(message, out, moment);
    case State::kAuthSwitch: return check_answer(message, out, moment);
    default: break;
  }
  deadline_ = moment.now + setup_.limits.command;
  reader_.expect(0);
  handle_command(message, out, moment);
}

void SourceSession::handle_login(std::span<const std::byte> message, OutputBuffer& out, Moment moment) {
  auto read = read_login(message);
  if (!read) return refuse(kHandshakeError, kConnection, read.error().what, out);
  if (std::holds_alternative<TlsRequest>(*read)) {
    if (tls_started_ || !setup_.tls) return refuse(kHandshakeError, kConnection, "TLS cannot begin here", out);
    state_ = State::kStartTls;
    return;
  }
  auto& login = std::get<Login>(*read);
  user_ = std::move(login.user);
  if (setup_.tls && !tls_started_) {
    return refuse(kSecureTransportRequired, kGeneral, "Connections to Baton's binlog server must use TLS: SOURCE_SSL=1",
                  out);
  }
  if (login.plugin == kPlugin) return check_answer(login.answer, out, moment);
  write(encode_auth_switch(setup_.nonce), out);
  reader_.expect(writer_.next_sequence());
  state_ = State::kAuthSwitch;
}

void SourceSession::check_answer(std::span<const std::byte> answer, OutputBuffer& out, Moment moment) {
  // An unknown user costs the same time as a wrong password: what there is to guess is not told.
  static constexpr Digest kNobody{};
  const auto account = std::ranges::find(setup_.accounts, user_, &Account::user);
  const bool known = account != setup_.accounts.end();
  const bool proven = proves(answer, known ? account->digest : kNobody, setup_.nonce);
  if (!known || !proven) {
    return refuse(kAccessDenied, "28000",
                  std::format("Access denied for user '{}'@'{}' (using password: {})", user_, setup_.peer,
                              answer.size() <= 1 ? "NO" : "YES"),
                  out);
  }
  write(encode_fast_auth_success(), out);
  write(encode_ok(), out);
  state_ = State::kCommands;
  deadline_ = moment.now + setup_.limits.command;
  reader_.set_limit(setup_.limits.message);
  reader_.expect(0);
}

void SourceSession::handle_command(std::span<const std::byte> message, OutputBuffer& out, Moment moment) {
  if (message.empty()) return refuse(kMalformedPacket, kGeneral, "an empty command", out);
  const auto arguments = message.subspan(1);
  switch (static_cast<Command>(message[0])) {
    case Command::kQuit: return close("");
    case Command::kInitDatabase:
    case Command::kPing: return write(encode_ok(), out);
    case Command::kSetOption: return write(encode_eof(), out);
    case Command::kResetConnection: variables_.clear(); return write(encode_ok(), out);
    case Command::kQuery: return handle_query(ByteReader::as_text(arguments), out, moment);
    case Command::kRegisterReplica:
      if (const auto read = read_registration(arguments); !read) {
        return write_error(kMalformedPacket, kGeneral, read.error().what, out);
      }
      return write(encode_ok(), out);
    case Command::kBinlogDumpGtid: return handle_dump_request(arguments, out);
    case Command::kBinlogDump:
      return refuse(kFatalReadingBinlog, kGeneral,
                    "Baton's binlog server serves by GTID only: CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=1",
                    out);
  }
  write_error(kUnknownCommand, kConnection, "Unknown command", out);
}

void SourceSession::handle_query(std::string_view text, OutputBuffer& out, Moment moment) {
  if (text.size() > kQueryLengthMost) return write_error(kUnknownError, kGeneral, "The statement is too long", out);
  const std::string user = std::format("{}@{}", user_, setup_.peer);
  const QueryFacts facts{
      .system_variable = [this](std::string_view name) { return system_variable(name); },
      .functions = {{"unix_timestamp", std::to_string(moment.unix_seconds)},
                    {"version", setup_.identity.version},
                    {"database", std::nullopt},
                    {"connection_id", std::to_string(setup_.connection_id)},
                    {"user", user},
                    {"current_user", user}},
  };
  const QueryAnswer answer = answer_query(text, facts, variables_);
  if (const auto* error = std::get_if<QueryError>(&answer)) {
    return write_error(error->number, error->state, error->text, out);
  }
  if (const auto* rows = std::get_if<Rows>(&answer)) return write_rows(*rows, out);
  write(encode_ok(), out);
}

std::optional<std::string> SourceSession::system_variable(std::string_view name) const {
  if (name == "server_id") return std::to_string(setup_.identity.server_id);
  if (name == "server_uuid") return setup_.identity.server_uuid;
  if (name == "version") return setup_.identity.version;
  if (name == "version_comment") return "Baton's binlog server";
  if (name == "gtid_mode") return setup_.identity.gtid_mode;
  if (name == "binlog_checksum") return std::string(name_of(setup_.identity.checksum));
  if (name == "gtid_executed") return source_.sets().executed.to_string();
  if (name == "gtid_purged") return source_.sets().purged.to_string();
  if (name == "read_only" || name == "super_read_only") return "1";
  return std::nullopt;
}

std::string SourceSession::user_variable(std::string_view new_name, std::string_view old_name) const {
  for (const std::string_view name : {new_name, old_name}) {
    const auto found = variables_.find(std::string(name));
    if (found != variables_.end() && found->second) return *found->second;
  }
  return "";
}

void SourceSession::handle_dump_request(std::span<const std::byte> message, OutputBuffer& out) {
  auto request = read_dump_request(message);
  if (!request) return refuse(kFatalReadingBinlog, kGeneral, request.error().what, out);
  request_ = *std::move(request);
  receiver_ = Receiver{.user = user_,
                       .uuid = user_variable("replica_uuid", "slave_uuid"),
                       .server_id = request_->server_id,
                       .have = request_->have};
  state_ = State::kDump;
}

Dump::Terms SourceSession::dump_terms() const {
  Dump::Terms terms{.server_id = setup_.identity.server_id,
                    .heartbeat_period = std::nullopt,
                    .heartbeat_v2 = request_->heartbeat_v2,
                    .checksum = std::nullopt,
                    .non_blocking = request_->non_blocking};
  const std::string period = user_variable("source_heartbeat_period", "master_heartbeat_period");
  std::uint64_t nanoseconds = 0;
  std::from_chars(period.data(), period.data() + period.size(), nanoseconds);
  constexpr std::uint64_t kLongest = std::uint64_t{4'294'967} * 1'000'000'000;  // SOURCE_HEARTBEAT_PERIOD's own limit.
  if (nanoseconds > 0) {
    const auto milliseconds = std::min(nanoseconds, kLongest) / 1'000'000;
    terms.heartbeat_period = Duration(std::max<std::uint64_t>(milliseconds, 1));
  }
  const std::string checksum = user_variable("source_binlog_checksum", "master_binlog_checksum");
  if (checksum == "CRC32") terms.checksum = ChecksumAlgorithm::kCrc32;
  if (checksum == "NONE") terms.checksum = ChecksumAlgorithm::kNone;
  return terms;
}

void SourceSession::open_dump(OutputBuffer& out, Instant now) {
  writer_.restart(1);
  auto opened = source_.open(*receiver_);
  if (!opened) return fail_dump(opened.error(), out);
  if (const auto* refusal = std::get_if<Refusal>(&*opened)) {
    return refuse(kFatalReadingBinlog, kGeneral, sentence(*refusal), out);
  }
  using Stream = std::unique_ptr<binlog::TransactionStream>;
  dump_ = std::make_unique<Dump>(dump_terms(), std::get<Stream>(*std::move(opened)), now);
}

Next SourceSession::produce_dump(OutputBuffer& out, Moment moment) {
  drain_input();
  if (state_ == State::kDump && replaced_) {
    fail_dump({ErrorKind::kTerminal, "A replica with the same server_uuid as this replica has connected to the source"},
              out);
  }
  if (state_ == State::kDump && !dump_) open_dump(out, moment.now);
  if (state_ == State::kDump) {
    const auto state = dump_->produce(writer_, out, setup_.limits.output, moment.now);
    if (!state) {
      fail_dump(state.error(), out);
    } else if (*state == Dump::State::kWaiting) {
      return {.kind = Next::Kind::kWait, .until = dump_->next_heartbeat(), .or_data = true};
    } else if (*state == Dump::State::kFinished) {
      dump_.reset();
      close("all was sent, and the client does not want to wait");
    }
  }
  return {.kind = state_ == State::kClosed ? Next::Kind::kClose : Next::Kind::kProduce};
}

void SourceSession::fail_dump(const Error& error, OutputBuffer& out) {
  // Within an event a message would be taken for a part of it: then the connection just ends, and the receiver asks
  // again.
  if (dump_ && dump_->inside_event()) return close(error.what);
  refuse(is_final(error.kind) ? kFatalReadingBinlog : kUnknownError, kGeneral, error.what, out);
}

/// Receivers say nothing during a dump but that they leave. (Only semi-sync would have them say more.)
void SourceSession::drain_input() {
  for (;;) {
    const auto message = reader_.next();
    if (!message) return close(message.error().what);
    if (!*message) return;
    reader_.expect(0);
    if (!(*message)->empty() && static_cast<Command>((**message)[0]) == Command::kQuit) return close("");
  }
}

void SourceSession::write_rows(const Rows& rows, OutputBuffer& out) {
  write(ByteWriter().write_lenenc(rows.columns.size()).take(), out);
  for (const auto& column : rows.columns) write(encode_column(column), out);
  write(encode_eof(), out);
  for (const auto& row : rows.rows) write(encode_row(row), out);
  write(encode_eof(), out);
}

void SourceSession::write_error(std::uint16_t number, std::string_view state, std::string_view text,
                                OutputBuffer& out) {
  write(encode_error(number, state, text), out);
}

void SourceSession::refuse(std::uint16_t number, std::string_view state, std::string_view text, OutputBuffer& out) {
  write_error(number, state, text, out);
  close(std::format("error {}: {}", number, text));
}

void SourceSession::close(std::string_view why) {
  state_ = State::kClosed;
  why_closed_ = why;
}

}  // namespace baton::replication
