#pragma once

#include <memory>
#include <stop_token>

#include "operator/base/clock.h"
#include "operator/config/config.h"
#include "operator/kube/kube_config.h"

namespace baton {

/// All parts of the operator, put together.
class OperatorProcess {
 public:
  /// Clock must outlive the process.
  OperatorProcess(Config config, const kube::KubeConfig& kube, const Clock& clock, Logger log);
  ~OperatorProcess();
  OperatorProcess(const OperatorProcess&) = delete;
  OperatorProcess& operator=(const OperatorProcess&) = delete;

  /// Works until stopped: lists what it watches, applies for the lease, reconciles. The lease is released at the end.
  /// Fails with kRetry or kTerminal when a port cannot be listened on.
  Result<void> run(const std::stop_token& stop);

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace baton
