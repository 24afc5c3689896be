#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <format>
#include <span>
#include <stop_token>
#include <string>

#include "operator/base/acceptor.h"
#include "operator/base/sockets.h"

namespace baton::test {

/// Stands between a source and its receiver, which must use neither TLS nor acks, and breaks in the middle of a
/// transaction, as a connection does whose source dies. Thread-safe.
class CutRelay {
 public:
  /// Statements that make the account at the source.
  static constexpr std::array kAccount{"CREATE USER IF NOT EXISTS plain IDENTIFIED BY 'plain'",
                                       "GRANT REPLICATION SLAVE ON *.* TO plain"};
  /// For the receiver's channel, which must be stopped.
  [[nodiscard]] std::string change_statement() const {
    return std::format(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={}, SOURCE_USER='plain',"
        " SOURCE_PASSWORD='plain', SOURCE_SSL=0, GET_SOURCE_PUBLIC_KEY=1, SOURCE_AUTO_POSITION=1,"
        " SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=1000",
        port());
  }

  explicit CutRelay(std::uint16_t source_port)
      : source_port_(source_port),
        acceptor_(
            open_port("127.0.0.1", 0).value(), 8,
            [this](Fd receiver, const WakeEvent& wake, const std::stop_token& stop) { serve(receiver, wake, stop); },
            Logger()) {}

  [[nodiscard]] std::uint16_t port() const { return acceptor_.port(); }
  /// From now on, the first event of this type (sql/binlog_event.h, Log_event_type) is the last that arrives.
  void cut_behind(std::uint8_t event_type) { last_ = event_type; }
  [[nodiscard]] bool is_cut() const { return is_cut_; }

 private:
  void serve(const Fd& receiver, const WakeEvent& wake, const std::stop_token& stop) {
    const Fd source(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(source_port_), .sin_addr = {}, .sin_zero = {}};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* const plain = reinterpret_cast<const sockaddr*>(&address);
    if (is_cut_ || ::connect(source.get(), plain, sizeof address) != 0) return;
    while (!stop.stop_requested()) {
      std::array<pollfd, 3> ready{{{receiver.get(), POLLIN, 0}, {source.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}}};
      if (::poll(ready.data(), ready.size(), -1) < 0) return;
      if (ready[0].revents != 0 && !pass_some(receiver, source)) return;
      if (ready[1].revents != 0 && !pass_packet(source, receiver)) return;
    }
  }

  static bool read_all(const Fd& from, std::span<std::byte> bytes) {
    return ::recv(from.get(), bytes.data(), bytes.size(), MSG_WAITALL) == static_cast<ssize_t>(bytes.size());
  }
  static bool write_all(const Fd& to, std::span<const std::byte> bytes) {
    return ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  static bool pass_some(const Fd& from, const Fd& to) {
    std::array<std::byte, 4096> bytes;
    const auto count = ::recv(from.get(), bytes.data(), bytes.size(), 0);
    return count > 0 && write_all(to, std::span(bytes).first(static_cast<std::size_t>(count)));
  }
  /// A packet: three bytes of length, one of sequence; then for an event a zero, four bytes of time, one of type.
  bool pass_packet(const Fd& from, const Fd& to) {
    std::array<std::byte, 4> head;
    if (!read_all(from, head)) return false;
    std::vector<std::byte> packet(std::to_integer<std::size_t>(head[0]) | std::to_integer<std::size_t>(head[1]) << 8 |
                                  std::to_integer<std::size_t>(head[2]) << 16);
    if (!read_all(from, packet) || !write_all(to, head) || !write_all(to, packet)) return false;
    const bool is_last = last_ != 0 && packet.size() > 5 && std::to_integer<std::uint8_t>(packet[5]) == last_;
    if (is_last) is_cut_ = true;
    return !is_last;
  }

  const std::uint16_t source_port_;
  std::atomic<std::uint8_t> last_{0};
  std::atomic<bool> is_cut_{false};
  Acceptor acceptor_;  // Last: its threads use the rest.
};

}  // namespace baton::test
