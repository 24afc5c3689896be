#include "sidecar/local/api_server.h"

namespace baton::sidecar {
namespace {

constexpr Duration kLongestSilence{500};
/// An order's longest part is a GTID set.
constexpr std::size_t kMaxBody = std::size_t{1} << 20;

HttpResponse text_response(int status, std::string text) {
  return {.status = status, .headers = {}, .body = std::move(text), .content_type = "text/plain; charset=utf-8"};
}

/// 200, or the status by which a client that knows nothing of Baton can tell what to do.
int status_of(const wire::OrderResult& result) {
  const auto is = [&](ErrorKind kind) { return result.error_kind == name_of(kind); };
  if (result.error_kind.empty()) return 200;
  if (is(ErrorKind::kUnsafe) || is(ErrorKind::kConflict)) return 409;
  if (is(ErrorKind::kTerminal) || is(ErrorKind::kCorrupt)) return 400;
  if (is(ErrorKind::kNotFound)) return 404;
  return 503;
}

}  // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::start(Member& member, Orders& orders, Metrics& metrics,
                                                    const LogKeeper& logs, const Logger& log) {
  const Config& config = member.config();
  std::unique_ptr<ApiServer> server(new ApiServer(member, orders, metrics, logs));
  ApiServer* const self = server.get();
  HttpListenerOptions api{.address = config.address,
                          .port = config.api_port,
                          .certificate_file = config.secret(config.member + ".crt").string(),
                          .key_file = config.secret(config.member + ".key").string(),
                          .max_body = kMaxBody};
  TRY(listener,
      HttpListener::start(
          std::move(api),
          [self](const std::stop_token& stop, const HttpRequest& request) { return self->answer_api(stop, request); },
          log));
  server->api_ = std::move(listener);
  HttpListenerOptions plain{.address = config.address, .port = config.metrics_port};
  TRY(plain_listener,
      HttpListener::start(
          std::move(plain),
          [self](const std::stop_token&, const HttpRequest& request) { return self->answer_plain(request); }, log));
  server->plain_ = std::move(plain_listener);
  server->broadcaster_ = std::jthread([self](const std::stop_token& stop) {
    auto& board = self->member_.board();
    while (!stop.stop_requested()) {
      const auto version = board.version();
      self->broadcast();
      self->token_.look(self->member_.now());
      board.wait_past(stop, version, kLongestSilence);
    }
  });
  return server;
}

ApiServer::~ApiServer() {
  broadcaster_ = {};
  // Handlers use this object: their threads end before it does.
  api_.reset();
  plain_.reset();
}

std::size_t ApiServer::broadcast() {
  const std::scoped_lock lock(mutex_);
  if (streams_.empty()) return 0;
  const auto line = to_line(member_.state());
  std::erase_if(streams_, [&](const LineStream& stream) { return !stream.write_line(line); });
  return streams_.size();
}

HttpReply ApiServer::answer_api(const std::stop_token& stop, const HttpRequest& request) {
  const auto authorization = request.headers.find("authorization");
  const bool allowed = authorization != request.headers.end() && token_.accepts(authorization->second, member_.now());
  if (!allowed) return text_response(401, "a bearer token is needed\n");
  if (request.method == "GET" && request.path_and_query == "/v1/state") return open_stream();
  if (request.method == "POST" && request.path_and_query == "/v1/orders") return take_order(stop, request);
  return text_response(404, "GET /v1/state or POST /v1/orders\n");
}

HttpReply ApiServer::open_stream() {
  LineStream stream;
  const std::scoped_lock lock(mutex_);
  stream.write_line(to_line(member_.state()));
  streams_.push_back(stream);
  return stream;
}

HttpReply ApiServer::take_order(const std::stop_token& stop, const HttpRequest& request) {
  const auto order = wire::parse_order(request.body);
  const auto result = order ? orders_.carry_out(stop, *order)
                            : wire::OrderResult{.error_kind = std::string(name_of(order.error().kind)),
                                                .error = order.error().what,
                                                .state = member_.state()};
  return HttpResponse{.status = status_of(result), .headers = {}, .body = to_json_text(result), .content_type = {}};
}

HttpReply ApiServer::answer_plain(const HttpRequest& request) {
  const auto state = member_.state();
  if (request.path_and_query == "/healthz") return text_response(200, "ok\n");
  if (request.path_and_query == "/metrics") return text_response(200, metrics_.text_of(state, logs_.figures()));
  if (request.path_and_query != "/readyz") return text_response(404, "/healthz, /readyz or /metrics\n");
  if (!state.sql) return text_response(503, "mysqld does not run\n");
  if (!state.sql_error.empty()) return text_response(503, state.sql_error + "\n");
  return text_response(200, "ok\n");
}

}  // namespace baton::sidecar
