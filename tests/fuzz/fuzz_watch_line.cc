// Lines of a watch and pages of a list, as anything between us and the API server could make them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/ensure.h"
#include "operator/kube/object_store.h"
#include "operator/kube/watch_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace baton::kube;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  WatchState state;
  ObjectStore store;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const auto before = state.next_request();
    if (std::holds_alternative<ListRequest>(before)) {
      auto json = Json::parse(line, nullptr, false);
      if (!json.is_object()) continue;
      if (auto page = parse_list_page(std::move(json))) {
        if (auto delta = state.on_page(std::move(*page))) (void)store.apply(std::move(*delta));
      }
      continue;
    }
    auto delta = state.on_line(line);
    if (!delta) {
      // An error either sends us back to the list, or leaves the version where it was.
      const auto after = state.next_request();
      ENSURE(delta.error().kind == baton::ErrorKind::kGone ? std::holds_alternative<ListRequest>(after)
                                                           : after == before);
    } else if (*delta) {
      (void)store.apply(std::move(**delta));
    }
  }
  return 0;
}
