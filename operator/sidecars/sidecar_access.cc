#include "operator/sidecars/sidecar_access.h"

#include <format>

#include "operator/base/http_cpprest.h"

namespace baton {
namespace {

/// A member's answer to an order is the longest that is read (sidecar/wire/order.cc). What a member that went mad sends
/// must not cost the other clusters their operator.
constexpr std::size_t kLongestAnswer = std::size_t{5} << 20;
constexpr int kUnauthorized = 401;

/// A sidecar looks at the token before anything else, so that a denied request had no effect and may be repeated.
class TwoTokens final : public HttpPort {
 public:
  TwoTokens(std::unique_ptr<HttpPort> newest, std::unique_ptr<HttpPort> earlier)
      : newest_(std::move(newest)), earlier_(std::move(earlier)) {}

  Result<HttpResponse> send(const Context& context, HttpRequest request) override {
    auto response = newest_->send(context, request);
    if (!response || response->status != kUnauthorized) return response;
    auto second = earlier_->send(context, std::move(request));
    return second && second->status == kUnauthorized ? std::move(response) : std::move(second);
  }

  Result<void> stream_lines(const Context& context, HttpRequest request,
                            std::function<bool(std::string_view line)> on_line) override {
    auto result = newest_->stream_lines(context, request, on_line);
    if (result || result.error().kind != ErrorKind::kDenied) return result;
    return earlier_->stream_lines(context, std::move(request), std::move(on_line));
  }

 private:
  std::unique_ptr<HttpPort> newest_;
  std::unique_ptr<HttpPort> earlier_;
};

}  // namespace

std::string sidecar_url(const std::string& address, int port) {
  const bool version6 = address.contains(':');
  return std::format("https://{}{}{}:{}", version6 ? "[" : "", address, version6 ? "]" : "", port);
}

ConnectSidecar connect_by_https(const Clock& clock, int port, Duration connect_timeout) {
  return [&clock, port, connect_timeout](const SidecarAddress& to, const SidecarCredentials& credentials,
                                         Duration idle) {
    const auto client = [&](const std::string& token) {
      HttpClientOptions options{.base_url = sidecar_url(to.address, port)};
      options.ca_pem = credentials.authority_pem;
      options.verify_name = to.pod;
      options.token = [token] { return token; };
      options.connect_timeout = connect_timeout;
      options.idle_timeout = idle;
      options.max_size = kLongestAnswer;
      return std::unique_ptr<HttpPort>(std::make_unique<HttpCpprest>(std::move(options), clock));
    };
    auto newest = client(credentials.token);
    if (credentials.earlier_token.empty()) return newest;
    return std::unique_ptr<HttpPort>(std::make_unique<TwoTokens>(std::move(newest), client(credentials.earlier_token)));
  };
}

}  // namespace baton
