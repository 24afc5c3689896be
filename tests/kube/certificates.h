#pragma once

#include <filesystem>
#include <string>

namespace baton::testing {

/// A certificate with its key, both PEM.
struct Certificate {
  std::string certificate;
  std::string key;
};

/// An authority made for one test.
class Authority {
 public:
  Authority();
  [[nodiscard]] const std::string& pem() const { return own_.certificate; }
  /// A server certificate for one DNS name.
  [[nodiscard]] Certificate issue(const std::string& dns_name) const;

 private:
  Certificate own_;
};

/// A folder that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  /// Writes a file and gives its path.
  [[nodiscard]] std::string write(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
};

}  // namespace baton::testing
