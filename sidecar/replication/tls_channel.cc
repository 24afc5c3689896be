#include "sidecar/replication/tls_channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>

#include "engine/base/ensure.h"

namespace baton::replication {

TlsChannel::TlsChannel(const TlsContext& context)
    : tls_(SSL_new(context.get()), &SSL_free), incoming_(BIO_new(BIO_s_mem())), outgoing_(BIO_new(BIO_s_mem())) {
  ENSURE(tls_ != nullptr && incoming_ != nullptr && outgoing_ != nullptr);
  SSL_set_bio(tls_.get(), incoming_, outgoing_);
  SSL_set_accept_state(tls_.get());
}

void TlsChannel::feed(std::span<const std::byte> ciphertext) {
  if (ciphertext.empty()) return;
  std::size_t written = 0;
  ENSURE(BIO_write_ex(incoming_, ciphertext.data(), ciphertext.size(), &written) == 1 && written == ciphertext.size());
}

Result<bool> TlsChannel::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  if (result == 1) return true;
  if (SSL_get_error(tls_.get(), result) == SSL_ERROR_WANT_READ) return false;
  return std::unexpected(last_tls_error("TLS handshake"));
}

Result<void> TlsChannel::decrypt(std::vector<std::byte>& plaintext) {
  std::array<std::byte, 16 << 10> record{};
  for (;;) {
    ERR_clear_error();
    const int count = SSL_read(tls_.get(), record.data(), static_cast<int>(record.size()));
    if (count <= 0) {
      const int error = SSL_get_error(tls_.get(), count);
      if (error == SSL_ERROR_WANT_READ) return {};
      if (error == SSL_ERROR_ZERO_RETURN) return fail(ErrorKind::kGone, "the client ended the connection");
      return std::unexpected(last_tls_error("TLS"));
    }
    plaintext.insert(plaintext.end(), record.begin(), record.begin() + count);
  }
}

Result<void> TlsChannel::encrypt(std::span<const std::byte> plaintext) {
  constexpr std::size_t kMost = std::size_t{1} << 30;  // OpenSSL counts in int.
  while (!plaintext.empty()) {
    ERR_clear_error();
    const int count = SSL_write(tls_.get(), plaintext.data(), static_cast<int>(std::min(plaintext.size(), kMost)));
    // Memory is never full, and a server of TLS 1.3 or without renegotiation never has to read before it writes.
    if (count <= 0) return std::unexpected(last_tls_error("TLS"));
    plaintext = plaintext.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

void TlsChannel::close() {
  ERR_clear_error();
  SSL_shutdown(tls_.get());
}

std::span<const std::byte> TlsChannel::pending() const {
  char* data = nullptr;
  const long size = BIO_get_mem_data(outgoing_, &data);
  return std::as_bytes(std::span(data, static_cast<std::size_t>(std::max(size, 0L))));
}

void TlsChannel::sent() { static_cast<void>(BIO_reset(outgoing_)); }

}  // namespace baton::replication
