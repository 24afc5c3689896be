#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "engine/base/result.h"
#include "operator/base/log.h"

namespace baton {

using TlsContext = std::shared_ptr<SSL_CTX>;

/// A server's certificate and key, from PEM files that may be replaced at any time. Thread-safe.
class ServerTls {
 public:
  ServerTls(std::string certificate_file, std::string key_file, Logger log)
      : certificate_file_(std::move(certificate_file)), key_file_(std::move(key_file)), log_(std::move(log)) {}

  /// Reads the files now: the server side of TLS 1.2 and up. What is in use stays when they are unusable. Fails with
  /// kTerminal.
  Result<void> reload();
  /// For the next connection; files that changed are read anew. Null before the first reload() that succeeded.
  [[nodiscard]] TlsContext current();

 private:
  /// What changes when a file is replaced, also by the symbolic link switch of a mounted Secret.
  struct Stamp {
    ino_t inode = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  using Stamps = std::array<Stamp, 2>;
  [[nodiscard]] static Stamp stamp_of(const std::string& path);
  [[nodiscard]] Stamps current_stamps() const { return {stamp_of(certificate_file_), stamp_of(key_file_)}; }

  const std::string certificate_file_;
  const std::string key_file_;
  const Logger log_;
  std::mutex mutex_;  // Guards what is below.
  TlsContext context_;
  Stamps stamps_;
};

/// The oldest failure in OpenSSL's queue of this thread, as kTerminal; the queue is empty afterwards.
[[nodiscard]] Error last_tls_error(std::string_view what);

}  // namespace baton
