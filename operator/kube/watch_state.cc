#include "operator/kube/watch_state.h"

#include <iterator>

namespace baton::kube {

Result<ListPage> parse_list_page(Json list) {
  const auto items = list.find("items");
  if (items == list.end() || !(items->is_array() || items->is_null())) {
    return fail(ErrorKind::kCorrupt, "a list of the API server has no items");
  }
  ListPage page;
  page.resource_version = metadata_text(list, "resourceVersion");
  page.continue_token = metadata_text(list, "continue");
  if (page.resource_version.empty()) return fail(ErrorKind::kCorrupt, "a list of the API server has no version");
  if (items->is_null()) return page;  // What Go prints for an empty slice.
  for (auto& item : *items) {
    TRY_VOID(key_of(item));
    page.items.push_back(std::move(item));
  }
  return page;
}

WatchStep WatchState::next_request() const {
  if (const auto* listing = std::get_if<Listing>(&state_)) return ListRequest{listing->continue_token};
  return WatchRequest{std::get<Watching>(state_).resource_version};
}

std::optional<Delta> WatchState::on_page(ListPage page) {
  auto* listing = std::get_if<Listing>(&state_);
  if (listing == nullptr) return std::nullopt;
  std::ranges::move(page.items, std::back_inserter(listing->objects));
  listing->continue_token = std::move(page.continue_token);
  if (!listing->continue_token.empty()) return std::nullopt;
  Delta all = Replace{std::move(listing->objects)};
  state_ = Watching{std::move(page.resource_version)};
  return all;
}

Result<std::optional<Delta>> WatchState::on_line(std::string_view line) {
  auto* watching = std::get_if<Watching>(&state_);
  if (watching == nullptr) return fail(ErrorKind::kGone, "a watch line came while listing");
  auto event = Json::parse(line, nullptr, false);
  const auto type = event.is_object() ? event.find("type") : event.end();
  const auto object = event.is_object() ? event.find("object") : event.end();
  if (!event.is_object() || type == event.end() || !type->is_string() || object == event.end() ||
      !object->is_object()) {
    return fail(ErrorKind::kCorrupt, "a watch line is no event");
  }
  const auto& name = type->get_ref<const std::string&>();
  if (name == "ERROR") return on_error_event(*object);
  auto version = metadata_text(*object, "resourceVersion");
  if (version.empty()) return fail(ErrorKind::kCorrupt, "a watch event {} has no version", name);
  if (name == "BOOKMARK") {
    watching->resource_version = std::move(version);
    return std::nullopt;
  }
  const bool removed = name == "DELETED";
  if (!removed && name != "ADDED" && name != "MODIFIED") {
    return fail(ErrorKind::kCorrupt, "unknown watch event {}", name);
  }
  TRY_VOID(key_of(*object));
  watching->resource_version = std::move(version);
  if (removed) return Delta(Remove{std::move(*object)});
  return Delta(Upsert{std::move(*object)});
}

Result<std::optional<Delta>> WatchState::on_error_event(const Json& status) {
  const auto code = status.find("code");
  const auto message = status.find("message");
  const std::string text = message != status.end() && message->is_string() ? message->get<std::string>() : "no reason";
  constexpr int kGoneStatus = 410;
  if (code != status.end() && code->is_number_integer() && *code == kGoneStatus) {
    on_gone();
    return fail(ErrorKind::kGone, "the watch fell behind: {}", text);
  }
  return fail(ErrorKind::kRetry, "the API server ended the watch: {}", text);
}

void WatchState::on_gone() { state_ = Listing{}; }

}  // namespace baton::kube
