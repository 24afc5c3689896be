#include "tests/bench/null_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tests/replication/client.h"

namespace baton::bench {
namespace {

constexpr std::string_view kPassword = "secret";
/// A source that sends nothing for so long has failed.
constexpr timeval kPatience{.tv_sec = 20, .tv_usec = 0};

/// Where HandshakeV10 has its nonce: behind version and connection id, and again behind what tells of capabilities.
Result<replication::Nonce> nonce_of(std::string_view greeting) {
  constexpr std::size_t kFirst = 8;
  constexpr std::size_t kBetween = 19;
  const std::size_t begin = greeting.find('\0') + 5;
  replication::Nonce nonce{};
  if (greeting.size() < begin + kBetween + nonce.size()) return fail(ErrorKind::kRetry, "no greeting");
  for (std::size_t i = 0; i < nonce.size(); ++i) {
    nonce[i] = static_cast<std::byte>(greeting[begin + i + (i < kFirst ? 0 : kBetween)]);
  }
  return nonce;
}

}  // namespace

Result<NullClient> NullClient::log_in(std::uint16_t port, bool with_tls) {
  NullClient client;
  TRY_VOID(client.connect(port));
  TRY(greeting, client.message());
  TRY(nonce, nonce_of(greeting));
  if (with_tls) TRY_VOID(client.begin_tls());
  TRY_VOID(client.authenticate(nonce));
  TRY_VOID(client.ask("SET @source_binlog_checksum='CRC32', @master_binlog_checksum='CRC32'"));
  TRY_VOID(
      client.ask("SET @replica_uuid='bbbbbbbb-0000-4000-8000-000000000000', "
                 "@slave_uuid='bbbbbbbb-0000-4000-8000-000000000000'"));
  return client;
}

Result<std::uint64_t> NullClient::drain() {
  constexpr std::uint16_t kNonBlocking = 1;
  TRY_VOID(send(test::packets_of(test::dump_command(0, kNonBlocking), 0)));
  std::vector<char> unused(std::size_t{4} << 20);
  for (std::uint64_t bytes = 0;;) {
    const auto count = ::recv(socket_.get(), unused.data(), unused.size(), MSG_TRUNC);
    if (count == 0) return bytes;
    if (count < 0) return fail(ErrorKind::kRetry, "after {} bytes: {}", bytes, std::strerror(errno));
    bytes += static_cast<std::uint64_t>(count);
  }
}

Result<void> NullClient::connect(std::uint16_t port) {
  socket_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
  return fail(ErrorKind::kRetry, "connect to port {}: {}", port, std::strerror(errno));
}

Result<void> NullClient::begin_tls() {
  TRY_VOID(send(test::packets_of(test::tls_request(), 1)));
  context_.reset(SSL_CTX_new(TLS_client_method()));
  tls_.reset(SSL_new(context_.get()));
  SSL_set_fd(tls_.get(), socket_.get());
  if (SSL_connect(tls_.get()) == 1) return {};
  tls_.reset();
  return fail(ErrorKind::kRetry, "the TLS handshake failed");
}

/// caching_sha2_password: a server that does not know the password yet wants it as it is, inside of TLS.
Result<void> NullClient::authenticate(const replication::Nonce& nonce) {
  std::uint8_t sequence = tls_ ? 2 : 1;
  auto login = test::login({.password = kPassword, .tls = tls_ != nullptr}, nonce);
  login.push_back({});  // No connection attributes.
  TRY_VOID(send(test::packets_of(login, sequence++)));
  reader_.expect(sequence++);
  TRY(answer, message());
  if (answer == "\1\4" && tls_ != nullptr) {
    TRY_VOID(send(test::packets_of(test::bytes_of(std::string(kPassword) + '\0'), sequence++)));
    reader_.expect(sequence);
  }
  if (!answer.starts_with('\1')) return fail(ErrorKind::kDenied, "no login: {}", answer);
  TRY(done, message());
  if (done.starts_with('\0')) return {};
  return fail(ErrorKind::kDenied, "no login: {}", done);
}

Result<void> NullClient::send(std::span<const std::byte> bytes) {
  const auto length = static_cast<int>(bytes.size());
  const auto sent = tls_ ? SSL_write(tls_.get(), bytes.data(), length)
                         : static_cast<int>(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
  if (sent == length) return {};
  return fail(ErrorKind::kRetry, "send: {}", std::strerror(errno));
}

Result<std::string> NullClient::message() {
  for (;;) {
    TRY(message, reader_.next());
    if (message) return test::text_of(*message);
    std::array<std::byte, 4096> bytes{};
    const auto count = tls_ ? SSL_read(tls_.get(), bytes.data(), bytes.size())
                            : static_cast<int>(::recv(socket_.get(), bytes.data(), bytes.size(), 0));
    if (count <= 0) return fail(ErrorKind::kRetry, "the source ended the connection: {}", std::strerror(errno));
    reader_.feed(std::span(bytes).first(static_cast<std::size_t>(count)));
  }
}

Result<void> NullClient::ask(const std::string& statement) {
  TRY_VOID(send(test::packets_of(test::query(statement), 0)));
  reader_.expect(1);
  TRY(answer, message());
  if (answer.starts_with('\0')) return {};
  return fail(ErrorKind::kTerminal, "{}: {}", statement, answer);
}

}  // namespace baton::bench
