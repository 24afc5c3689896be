#pragma once

namespace baton::sidecar {

/// Starts libmysqlclient, and ends it with the object. One per process, made first in main, before any other thread,
/// and destroyed after all of them: an argument of everything that connects, so that it cannot be forgotten.
class MysqlLibrary {
 public:
  /// Ends the process if the library cannot start (out of memory).
  MysqlLibrary();
  ~MysqlLibrary();
  MysqlLibrary(const MysqlLibrary&) = delete;
  MysqlLibrary& operator=(const MysqlLibrary&) = delete;
};

}  // namespace baton::sidecar
