#include "operator/desired/volume_claims.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <system_error>
#include <utility>

namespace baton::desired {
namespace {

using api::Json;

struct Suffix {
  std::string_view text;
  long double factor;
};

constexpr long double kKibi = 1024.0L;
constexpr std::array<Suffix, 16> kSuffixes = {{
    {"", 1.0L},
    {"n", 1e-9L},
    {"u", 1e-6L},
    {"m", 1e-3L},
    {"k", 1e3L},
    {"M", 1e6L},
    {"G", 1e9L},
    {"T", 1e12L},
    {"P", 1e15L},
    {"E", 1e18L},
    {"Ki", kKibi},
    {"Mi", kKibi* kKibi},
    {"Gi", kKibi * kKibi * kKibi},
    {"Ti", kKibi * kKibi * kKibi* kKibi},
    {"Pi", kKibi * kKibi * kKibi * kKibi * kKibi},
    {"Ei", kKibi * kKibi * kKibi * kKibi * kKibi* kKibi},
}};

}  // namespace

std::optional<long double> parse_quantity(std::string_view text) {
  // from_chars would take "inf" and "nan".
  if (text.empty() || std::string_view("+-.0123456789").find(text.front()) == std::string_view::npos)
    return std::nullopt;
  if (text.front() == '+') text.remove_prefix(1);
  long double number = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number, std::chars_format::general);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view rest(end, text.end());
  const auto* const suffix = std::ranges::find(kSuffixes, rest, &Suffix::text);
  if (suffix == kSuffixes.end()) return std::nullopt;
  return number * suffix->factor;
}

std::optional<Json> claim_growth(const api::Cluster& cluster, const Json& claim) {
  const Json::json_pointer path("/spec/resources/requests/storage");
  if (!claim.contains(path) || !claim.at(path).is_string()) return std::nullopt;
  const auto present = parse_quantity(claim.at(path).get<std::string>());
  const auto wanted = parse_quantity(cluster.spec.storage.size);
  if (!present || !wanted || *wanted <= *present) return std::nullopt;
  Json patch;
  patch[path] = cluster.spec.storage.size;
  return std::optional<Json>(std::in_place, std::move(patch));
}

}  // namespace baton::desired
