#include "operator/base/server_tls.h"

#include <openssl/err.h>
#include <sys/stat.h>

#include <format>

namespace baton {
namespace {

Result<TlsContext> load(const std::string& certificate_file, const std::string& key_file) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return std::unexpected(last_tls_error("TLS cannot be set up"));
  }
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
    return std::unexpected(last_tls_error(std::format("certificate {} cannot be used", certificate_file)));
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return std::unexpected(last_tls_error(std::format("key {} cannot be used", key_file)));
  }
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

}  // namespace

Error last_tls_error(std::string_view what) {
  std::array<char, 200> text{};
  const auto code = ERR_get_error();
  ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return {ErrorKind::kTerminal, std::format("{}: {}", what, text.data())};
}

ServerTls::Stamp ServerTls::stamp_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

Result<void> ServerTls::reload() {
  const auto stamps = current_stamps();
  TRY(context, load(certificate_file_, key_file_));
  const std::scoped_lock lock(mutex_);
  context_ = std::move(context);
  stamps_ = stamps;
  return {};
}

TlsContext ServerTls::current() {
  const auto stamps = current_stamps();
  std::unique_lock lock(mutex_);
  if (stamps != stamps_) {
    lock.unlock();
    // Files that do not match are replaced one after the other; the next connection looks again.
    if (auto loaded = reload(); !loaded) {
      log_.warn("changed certificate is not usable, the former stays", {{"error", loaded.error().what}});
    }
    lock.lock();
  }
  return context_;
}

}  // namespace baton
