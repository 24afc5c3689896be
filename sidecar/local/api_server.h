#pragma once

#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "operator/base/http_listener.h"
#include "sidecar/local/api_token.h"
#include "sidecar/local/log_keeper.h"
#include "sidecar/local/member.h"
#include "sidecar/local/metrics.h"
#include "sidecar/local/orders.h"

namespace baton::sidecar {

/// What others see of this sidecar:
///
///   :8443 HTTPS, bearer token   GET /v1/state    a MemberState a line: at once, at each change, every 500 ms
///                               POST /v1/orders  an Order; answers an OrderResult
///   :9104 plain HTTP            GET /healthz     200 while the sidecar lives
///                               GET /readyz      200 while mysqld answers SQL, else 503
///                               GET /metrics     Prometheus' text form
class ApiServer {
 public:
  /// Errors: those of HttpListener::start.
  [[nodiscard]] static Result<std::unique_ptr<ApiServer>> start(Member& member, Orders& orders, Metrics& metrics,
                                                                const LogKeeper& logs, const Logger& log);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  /// Sends the newest state to every stream now. Gives how many there are.
  std::size_t broadcast();
  [[nodiscard]] std::uint16_t api_port() const { return api_->port(); }
  [[nodiscard]] std::uint16_t metrics_port() const { return plain_->port(); }

 private:
  ApiServer(Member& member, Orders& orders, Metrics& metrics, const LogKeeper& logs)
      : member_(member), orders_(orders), metrics_(metrics), logs_(logs), token_(member.config()) {}

  HttpReply answer_api(const std::stop_token& stop, const HttpRequest& request);
  HttpReply answer_plain(const HttpRequest& request);
  HttpReply open_stream();
  HttpReply take_order(const std::stop_token& stop, const HttpRequest& request);

  Member& member_;
  Orders& orders_;
  Metrics& metrics_;
  const LogKeeper& logs_;
  ApiToken token_;
  std::mutex mutex_;
  std::vector<LineStream> streams_;
  std::unique_ptr<HttpListener> api_;
  std::unique_ptr<HttpListener> plain_;
  std::jthread broadcaster_;
};

}  // namespace baton::sidecar
