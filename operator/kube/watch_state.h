#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/result.h"
#include "operator/kube/resource.h"

namespace baton::kube {

/// Ask for the next page of a list; continue_token empty for the first.
struct ListRequest {
  std::string continue_token;
  friend bool operator==(const ListRequest&, const ListRequest&) = default;
};
/// Ask for what happened after this version.
struct WatchRequest {
  std::string resource_version;
  friend bool operator==(const WatchRequest&, const WatchRequest&) = default;
};
using WatchStep = std::variant<ListRequest, WatchRequest>;

struct ListPage {
  std::vector<Json> items;
  std::string resource_version;
  std::string continue_token;  ///< Empty on the last page.
};
/// Takes a List object apart; kCorrupt when it is not one.
[[nodiscard]] Result<ListPage> parse_list_page(Json list);

/// These are all objects there are.
struct Replace {
  std::vector<Json> objects;
};
/// This object is new or changed.
struct Upsert {
  Json object;
};
/// This object, here in its last state, is gone.
struct Remove {
  Json object;
};
using Delta = std::variant<Replace, Upsert, Remove>;

/// The protocol of list and watch, without its I/O.
///
///            on_page (last)                    on_line: object      -> Upsert or Remove, version moves
///   Listing ----------------> Watching         on_line: BOOKMARK    -> version moves
///      ^                         |             on_line: other ERROR -> kRetry, watch again from the same version
///      +-------------------------+
///        on_line: ERROR 410, on_gone
///
/// A list is handed out whole, after its last page: what it replaces stays visible until then.
/// The server's side is described at kubernetes.io/docs/reference/using-api/api-concepts.
class WatchState {
 public:
  [[nodiscard]] WatchStep next_request() const;
  /// A page that was asked for by ListRequest. The last one yields Replace.
  std::optional<Delta> on_page(ListPage page);
  /// A line of a watch. kCorrupt: not a watch event; kGone: list again; kRetry: the server ended the watch for a reason
  /// of its own. After any error the connection is to be closed and next_request() asked.
  Result<std::optional<Delta>> on_line(std::string_view line);
  /// The server no longer has the history (status 410): list anew, from the first page.
  void on_gone();

 private:
  struct Listing {
    std::vector<Json> objects;
    std::string continue_token;
  };
  struct Watching {
    std::string resource_version;
  };
  Result<std::optional<Delta>> on_error_event(const Json& status);

  std::variant<Listing, Watching> state_;
};

}  // namespace baton::kube
