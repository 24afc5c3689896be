#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.h"

/// mysqld's settings that Baton's promise rests on. For the sidecar (drift) and the operator (my.cnf); standard library
/// alone.
namespace baton::mysql {

/// How a running server's value is held against the pinned one.
enum class Compare : std::uint8_t {
  kSwitch,    ///< ON, 1, YES or TRUE against OFF, 0, NO, FALSE.
  kText,      ///< Without regard to case; a NULL reads as "NULL".
  kNumber,    ///< Equal whole numbers.
  kList,      ///< Commas; the order does not matter.
  kNotShown,  ///< Holds at boot only (read_only, which Open lifts), or is no variable: not compared.
};

struct PinnedSetting {
  std::string_view name;  ///< As the server shows it: lower case, underscores.
  std::string_view value;
  Compare compare = Compare::kText;
  std::string_view reason;  ///< Half a sentence: why another value is refused.
};

/// Whether each commit is synced; what an order may relax for a while.
[[nodiscard]] bool is_durability_setting(std::string_view name);

/// In the order of my.cnf.
[[nodiscard]] std::span<const PinnedSetting> pinned_settings();

/// Whether a running server's value (nullopt: NULL) is the pinned one.
[[nodiscard]] bool agrees(const PinnedSetting& setting, const std::optional<std::string>& actual);

/// "sync_binlog is 0, not 1".
[[nodiscard]] std::string drift_sentence(const PinnedSetting& setting, const std::optional<std::string>& actual);

/// A sentence why a user may not set this, or nothing if he may. Sees through the server's ways to write a name: `-`
/// for
/// `_`, case, `loose_`, `skip_`, `enable_`, `disable_`, `maximum_`, the old words slave and master.
/// (Abbreviations it refuses by itself.)
/// A pinned setting may be given with its pinned value.
[[nodiscard]] std::optional<std::string> why_refused(std::string_view name, std::string_view value);

/// What my.cnf needs to know beyond the user's settings. Data directory, socket, pid file and server_id are no part of
/// it: they are mysqld's arguments.
struct MyCnf {
  std::filesystem::path ca;
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::uint16_t port = 3306;
  bool strict_relay_log = false;  ///< relayLogDurability: Strict, that is sync_relay_log=1.
};

/// The text of my.cnf: Baton's defaults, the user's settings over them, the pinned ones last.
/// Errors: kTerminal with every refused setting's sentence.
[[nodiscard]] Result<std::string> render_my_cnf(const std::map<std::string, std::string>& user, const MyCnf& options);

}  // namespace baton::mysql
