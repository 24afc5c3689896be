#include "sidecar/replication/binlog_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "operator/base/sockets.h"
#include "tests/kube/certificates.h"
#include "tests/replication/client.h"
#include "tests/replication/memory_logs.h"

namespace baton::replication {
namespace {

using test::text_of;
using namespace std::chrono_literals;

/// Until it holds, at most 10 s.
template <class Condition>
bool eventually(const Condition& condition) {
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A receiver on a blocking socket.
class Client {
 public:
  explicit Client(std::uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (receive_buffer > 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    EXPECT_TRUE(connected_);
  }

  void send(std::span<const std::byte> bytes) const {
    EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// Some bytes; none at the end of the connection.
  std::vector<std::byte> receive() const {
    std::vector<std::byte> bytes(1 << 16);
    const auto count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }
  /// The next message; "end" when the connection ends first.
  std::string message() {
    for (;;) {
      const auto message = reader_.next();
      EXPECT_TRUE(message) << message.error().what;
      if (!message) return "error";
      if (*message) return text_of(**message);
      const auto bytes = receive();
      if (bytes.empty()) return "end";
      reader_.feed(bytes);
    }
  }
  Nonce read_greeting() {
    const std::string greeting = message();
    Nonce nonce{};
    const std::size_t begin = greeting.find('\0') + 5;
    for (std::size_t i = 0; i < 8; ++i) nonce[i] = static_cast<std::byte>(greeting.at(begin + i));
    for (std::size_t i = 0; i < 12; ++i) nonce[8 + i] = static_cast<std::byte>(greeting.at(begin + 27 + i));
    return nonce;
  }
  void log_in() {
    const Nonce nonce = read_greeting();
    send(test::packets_of(test::login({.tls = false}, nonce), 1));
    reader_.expect(2);
    EXPECT_EQ(message(), "\1\3");
    EXPECT_EQ(message().size(), 7U);
  }
  void ask(std::span<const std::byte> command) {
    send(test::packets_of(command, 0));
    reader_.expect(1);
  }
  void dump(std::string_view uuid, std::uint32_t server_id = 99) {
    ask(test::query(std::format("SET @replica_uuid = '{}', @source_binlog_checksum = 'CRC32'", uuid)));
    EXPECT_EQ(message().size(), 7U);
    ask(test::dump_command(0, 2, server_id));
  }

 private:
  Fd fd_;
  bool connected_ = false;
  PacketReader reader_{std::size_t{1} << 26};
};

class Server : public ::testing::Test {
 protected:
  void start(BinlogServerOptions options = {}) {
    options.address = "127.0.0.1";
    auto started =
        BinlogServer::start(options,
                            [this] -> Result<Served> {
                              if (!ready_) return fail(ErrorKind::kRetry, "not yet");
                              return Served{.identity = {.server_id = 1, .server_uuid = "u", .version = "9.7.4"},
                                            .accounts = {{"repl", password_digest("secret")}}};
                            },
                            logs_, {});
    ASSERT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
  }

  std::atomic<bool> ready_ = true;
  test::MemoryLogs logs_;
  std::unique_ptr<BinlogServer> server_;
};

TEST_F(Server, StreamsWhatIsThereAndWhatComesLater) {
  for (const bool has_word : {true, false}) {
    logs_.has_word = has_word;
    start();
    logs_.script->add(test::log_begin("b.1"));
    Client client(server_->port());
    client.log_in();
    client.dump("me");
    EXPECT_EQ(client.message()[5], 4);
    EXPECT_EQ(client.message()[5], 15);
    for (int i = 0; i < 5; ++i) {
      logs_.script->add(test::event_of(16, "12345678"));
      logs_.wake_all();
      EXPECT_EQ(client.message()[5], 16);
    }
    EXPECT_EQ(server_->counters().receivers, 1U);
    EXPECT_GT(server_->counters().bytes_sent, 200U);
    // The end of the server is the end of the connection.
    server_.reset();
    EXPECT_EQ(client.message(), "end");
  }
}

TEST_F(Server, AClientThatLeavesIsForgotten) {
  start();
  logs_.script->add(test::log_begin("b.1"));
  {
    Client client(server_->port());
    client.log_in();
    client.dump("me");
    EXPECT_EQ(client.message()[5], 4);
    EXPECT_EQ(server_->counters().receivers, 1U);
  }
  EXPECT_TRUE(eventually([&] { return server_->counters().receivers == 0 && server_->counters().connections == 0; }));
}

TEST_F(Server, ASecondDumpReplacesTheFirst) {
  start();
  Client first(server_->port());
  first.log_in();
  logs_.script->add(test::log_begin("b.1"));
  first.dump("me");
  EXPECT_EQ(first.message()[5], 4);
  EXPECT_EQ(first.message()[5], 15);
  Client other(server_->port());
  other.log_in();
  other.dump("you");
  Client second(server_->port());
  second.log_in();
  second.dump("me");
  EXPECT_NE(first.message().find("same server_uuid"), std::string::npos);
  EXPECT_EQ(first.message(), "end");
  EXPECT_TRUE(eventually([&] { return server_->counters().receivers == 2; }));
}

TEST_F(Server, ReceiversWithoutAUuidAreToldApartByTheirServerId) {
  start();
  Client first(server_->port());
  Client other(server_->port());
  Client second(server_->port());
  for (Client* client : {&first, &other, &second}) client->log_in();
  first.dump("", 1);
  other.dump("", 2);
  EXPECT_TRUE(eventually([&] { return server_->counters().receivers == 2; }));
  second.dump("", 1);
  EXPECT_NE(first.message().find("same server_uuid"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return server_->counters().receivers == 2; }));
}

TEST_F(Server, AClientThatTakesNothingIsDropped) {
  start({.send_timeout = Duration(200)});
  logs_.script->add(test::log_begin("b.1"));
  logs_.script->add(test::event_of(30, std::string(60'000'000, 'r')));
  Client client(server_->port(), 4096);
  client.log_in();
  client.dump("me");
  EXPECT_TRUE(eventually([&] { return server_->counters().receivers == 1; }));
  EXPECT_TRUE(eventually([&] { return server_->counters().receivers == 0; }));
}

TEST_F(Server, AStuckClientDoesNotHoldUpTheEnd) {
  start();
  logs_.script->add(test::log_begin("b.1"));
  logs_.script->add(test::event_of(30, std::string(60'000'000, 'r')));
  Client client(server_->port(), 4096);
  client.log_in();
  client.dump("me");
  EXPECT_TRUE(eventually([&] { return server_->counters().receivers == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  server_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_F(Server, ConnectionsAreBoundedAndTheLoginToo) {
  start({.max_connections = 2, .limits = {.login = Duration(300)}});
  Client one(server_->port());
  Client two(server_->port());
  static_cast<void>(one.read_greeting());
  static_cast<void>(two.read_greeting());
  Client three(server_->port());
  EXPECT_EQ(three.message(), "end");
  // Who does not log in makes place.
  EXPECT_EQ(one.message(), "end");
  EXPECT_EQ(two.message(), "end");
  EXPECT_TRUE(eventually([&] {
    Client again(server_->port());
    return again.message() != "end";
  }));
}

TEST_F(Server, WhoIsNotReadyCloses) {
  ready_ = false;
  start();
  EXPECT_EQ(Client(server_->port()).message(), "end");
  ready_ = true;
  EXPECT_NE(Client(server_->port()).message(), "end");
}

/// The client side of TLS without a socket.
class TlsClient {
 public:
  TlsClient()
      : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free),
        tls_(SSL_new(context_.get()), &SSL_free),
        in_(BIO_new(BIO_s_mem())),
        out_(BIO_new(BIO_s_mem())) {
    SSL_set_bio(tls_.get(), in_, out_);
    SSL_set_connect_state(tls_.get());
  }
  [[nodiscard]] bool handshake() { return SSL_do_handshake(tls_.get()) == 1; }
  void feed(std::span<const std::byte> bytes) { BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())); }
  void write(std::span<const std::byte> bytes) {
    EXPECT_EQ(SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())), static_cast<int>(bytes.size()));
  }
  [[nodiscard]] std::string read() {
    std::string text(1 << 16, '\0');
    const int count = SSL_read(tls_.get(), text.data(), static_cast<int>(text.size()));
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
  [[nodiscard]] std::vector<std::byte> take_output() {
    std::vector<std::byte> bytes(1 << 16);
    const int count = BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
  BIO* in_;
  BIO* out_;
};

/// The request for TLS, the hello behind it and later the login, each in one segment with what comes before.
void log_in_over_tls(std::uint16_t port) {
  Client client(port);
  const Nonce nonce = client.read_greeting();
  TlsClient tls;
  EXPECT_FALSE(tls.handshake());
  auto bytes = test::packets_of(test::tls_request(), 1);
  const auto hello = tls.take_output();
  bytes.insert(bytes.end(), hello.begin(), hello.end());
  client.send(bytes);
  while (!tls.handshake()) {
    const auto received = client.receive();
    ASSERT_FALSE(received.empty());
    tls.feed(received);
  }
  tls.write(test::packets_of(test::login({}, nonce), 2));
  client.send(tls.take_output());
  std::string said;
  while (said.size() < 4 + 2 + 4 + 7) {
    const auto received = client.receive();
    ASSERT_FALSE(received.empty());
    tls.feed(received);
    for (std::string more = tls.read(); !more.empty(); more = tls.read()) said += more;
  }
  EXPECT_EQ(said.substr(0, 6), std::string("\2\0\0\3\1\3", 6));
}

TEST_F(Server, TlsMayBeginInTheSamePiece) {
  const baton::testing::Authority authority;
  const baton::testing::TemporaryFolder folder;
  const auto certificate = authority.issue("member");
  const auto certificate_file = folder.write("server.crt", certificate.certificate);
  const auto key_file = folder.write("server.key", certificate.key);
  start({.certificate_file = certificate_file, .key_file = key_file});
  log_in_over_tls(server_->port());
  // A new certificate is taken for the next connection; an unusable one is not.
  const auto renewed = authority.issue("member");
  static_cast<void>(folder.write("server.crt", renewed.certificate));
  static_cast<void>(folder.write("server.key", renewed.key));
  log_in_over_tls(server_->port());
  static_cast<void>(folder.write("server.key", "rubbish"));
  log_in_over_tls(server_->port());
}

TEST_F(Server, UnusableCertificatesAreToldAtTheStart) {
  const auto started = BinlogServer::start({.certificate_file = "/nowhere", .key_file = "/nowhere"}, {}, logs_, {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::kTerminal);
}

}  // namespace
}  // namespace baton::replication
