#include "sidecar/local/secrets.h"

#include <cstddef>

#include "sidecar/local/epoch_file.h"

namespace baton::sidecar {

Result<std::string> read_secret(const Config& config, std::string_view name) {
  auto text = read_small_file(config.secret(name), 64 * 1024);
  if (!text) return fail(ErrorKind::kRetry, "{}", text.error().what);
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (text->empty()) return fail(ErrorKind::kRetry, "{} is empty", config.secret(name).string());
  return text;
}

Result<Passwords> read_passwords(const Config& config) {
  TRY(replication, read_secret(config, "replication-password"));
  TRY(clone, read_secret(config, "clone-password"));
  TRY(application, read_secret(config, "app-password"));
  return Passwords{
      .replication = std::move(replication), .clone = std::move(clone), .application = std::move(application)};
}

Result<std::string> read_server_certificate(const Config& config) {
  std::string all;
  for (const char* name : {"ca.crt", "mysqld.crt", "mysqld.key"}) {
    TRY(text, read_secret(config, name));
    all += text;
  }
  return all;
}

bool equal_in_constant_time(std::string_view one, std::string_view other) {
  // The length of a token is no secret.
  if (one.size() != other.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(one[i]) ^ static_cast<unsigned char>(other[i]));
  }
  return difference == 0;
}

}  // namespace baton::sidecar
