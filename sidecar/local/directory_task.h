#pragma once

#include <stop_token>

#include "operator/base/log.h"
#include "sidecar/local/member.h"
#include "sidecar/mysql/server_admin.h"
#include "sidecar/wire/order.h"

namespace baton::sidecar {

/// Gives an Empty data directory its value, step after step. Both run after MemberMachine::begin_task and end the task,
/// well or not: after a failure the directory is Empty as before, mysqld is killed, `start_error` has the sentence, and
/// the order may be given again. They never touch a directory that has a value.
class DirectoryTask {
 public:
  DirectoryTask(Member& member, ServerAdmin& admin, Logger log)
      : member_(member), admin_(admin), log_(std::move(log)) {}

  /// --initialize-insecure, auto.cnf, start, Baton's accounts. About 3 s.
  Result<void> initialize(const std::stop_token& stop);
  /// A scratch server, CLONE into it, its restart (mysqld ends with status 16 for that). Waits for its turn at the
  /// donor, and then as long as copying takes.
  Result<void> clone(const std::stop_token& stop, const wire::CloneFrom& donor);

 private:
  Result<void> make_scratch(const std::stop_token& stop);
  Result<void> start(const std::stop_token& stop, Duration limit);
  Result<void> wait_down(const std::stop_token& stop, Duration limit, int wanted_status);
  Result<void> fill_from(const std::stop_token& stop, const wire::CloneFrom& donor);
  Result<void> finish(Result<void> result, wire::Directory directory, std::string_view what);

  Member& member_;
  ServerAdmin& admin_;
  Logger log_;
};

}  // namespace baton::sidecar
