#include "sidecar/mysql/pinned.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <format>
#include <set>
#include <utility>
#include <vector>

namespace baton::mysql {
namespace {

/// 10^15 ms are 31,000 years. The server computes with seconds and nanoseconds from it, so the largest number that the
/// variable takes would be at risk of overflow.
constexpr std::string_view kNeverMilliseconds = "1000000000000000";

using enum Compare;

constexpr auto kPinned = std::to_array<PinnedSetting>({
    // Transactions and their identity.
    {"gtid_mode", "ON", kSwitch, "every position is a GTID set"},
    {"enforce_gtid_consistency", "ON", kSwitch, "every position is a GTID set"},
    {"log_bin", "binlog", kNotShown, "the sidecar serves the binlog files by this name"},
    {"log_replica_updates", "ON", kSwitch, "every member must be able to serve what it has applied"},
    {"binlog_format", "ROW", kText, "statements may give other rows on a replica"},
    {"binlog_encryption", "OFF", kSwitch, "the sidecar must be able to read a dead server's logs"},
    {"binlog_gtid_simple_recovery", "ON", kSwitch, "start-up time must not grow with the number of binlog files"},
    {"sync_binlog", "1", kNumber, "a committed transaction must survive a power loss"},
    {"innodb_flush_log_at_trx_commit", "1", kNumber, "a committed transaction must survive a power loss"},
    {"binlog_error_action", "ABORT_SERVER", kText,
     "a server that cannot write its binlog must end: else it commits on without one, and no replica gets any of it"},
    {"innodb_doublewrite", "ON", kSwitch, "tables must survive a power loss"},
    {"default_storage_engine", "InnoDB", kText, "only transactional tables survive a failover"},
    {"disabled_storage_engines", "MyISAM,MRG_MYISAM,MEMORY,BLACKHOLE,ARCHIVE,CSV,FEDERATED,EXAMPLE", kList,
     "only transactional tables survive a failover"},
    // Replication channel.
    {"relay_log", "relay", kNotShown, "the sidecar reads relay log files by this name"},
    {"relay_log_recovery", "OFF", kSwitch,
     "received transactions that are not yet applied would be thrown away at a restart"},
    {"relay_log_purge", "ON", kSwitch, "relay logs would fill the volume"},
    {"relay_log_space_limit", "0", kNumber, "a receiver that waits for space sends no acks"},
    {"skip_replica_start", "ON", kSwitch, "replication starts only when its source is known to be the primary"},
    {"read_only", "ON", kNotShown, "a server opens for writes only by Baton's order"},
    {"super_read_only", "ON", kNotShown, "a server opens for writes only by Baton's order"},
    {"replica_net_timeout", "4", kNumber, "a lost source must be noticed in seconds"},
    {"replica_preserve_commit_order", "ON", kSwitch, "a replica must never show states that the primary never had"},
    {"replica_skip_errors", "OFF", kText, "skipped errors are silent differences"},
    {"replica_exec_mode", "STRICT", kText, "skipped errors are silent differences"},
    // Semi-sync.
    {"rpl_semi_sync_source_enabled", "OFF", kNotShown, "Baton switches semi-sync at run time, by what is connected"},
    {"rpl_semi_sync_replica_enabled", "OFF", kNotShown, "Baton switches semi-sync at run time, by what is connected"},
    {"rpl_semi_sync_source_wait_point", "AFTER_SYNC", kText, "others would see rows that a failover removes"},
    {"rpl_semi_sync_source_timeout", kNeverMilliseconds, kNumber, "acknowledged transactions could be lost in silence"},
    {"rpl_semi_sync_source_wait_no_replica", "ON", kSwitch, "acknowledged transactions could be lost in silence"},
    // Server.
    {"persisted_globals_load", "OFF", kSwitch, "settings come from this file alone"},
    {"performance_schema", "ON", kSwitch, "the sidecar reads the server's state from it"},
    {"skip_name_resolve", "ON", kSwitch, "no address from outside may match root@localhost, and DNS may be away"},
    {"mysqlx", "OFF", kNotShown, "a second protocol is a second door"},
    {"local_infile", "OFF", kSwitch, "a server must not be able to read its clients' files"},
    {"secure_file_priv", "NULL", kText, "SQL must not read or write files of the volume"},
});

struct RefusedSetting {
  std::string_view name;
  std::string_view reason;
};

constexpr std::string_view kOwnPlaces = "Baton gives mysqld its places";
constexpr std::string_view kOwnCertificates = "Baton makes the certificates";
constexpr std::string_view kOwnPlugins = "Baton loads the plugins that it needs; install others with INSTALL PLUGIN";
constexpr std::string_view kOwnIdentity = "each data directory has its own, given by Baton";
constexpr std::string_view kNoFilters = "a filtered replica cannot become primary";
constexpr std::string_view kRunByGate = "mysqld is started by Baton's gate";
constexpr std::string_view kBySpec = "it is part of the cluster's spec";

constexpr auto kRefused = std::to_array<RefusedSetting>({
    {"server_id", kOwnIdentity},
    {"server_id_bits", kOwnIdentity},
    {"server_uuid", kOwnIdentity},
    {"datadir", kOwnPlaces},
    {"basedir", kOwnPlaces},
    {"socket", kOwnPlaces},
    {"port", kOwnPlaces},
    {"bind_address", kOwnPlaces},
    {"networking", "replicas and clients could not connect"},
    {"pid_file", kOwnPlaces},
    {"chroot", kOwnPlaces},
    {"user", kOwnPlaces},
    {"log_error", "the log goes to the container's output"},
    {"log_bin_index", "the sidecar serves the binlog files by this name"},
    {"relay_log_index", "the sidecar reads relay log files by this name"},
    {"log_bin_basename", "the sidecar serves the binlog files by this name"},
    {"relay_log_info_file", kOwnPlaces},
    {"innodb_data_home_dir", kOwnPlaces},
    {"innodb_log_group_home_dir", kOwnPlaces},
    {"innodb_undo_directory", kOwnPlaces},
    {"innodb_directories", kOwnPlaces},
    {"innodb_doublewrite_dir", kOwnPlaces},
    {"innodb_force_recovery", "it makes a server that cannot be trusted look healthy"},
    {"innodb_read_only", "a server opens for writes only by Baton's order"},
    {"offline_mode", "clients and replicas could not connect"},
    {"plugin_dir", kOwnPlugins},
    {"plugin_load", kOwnPlugins},
    {"plugin_load_add", kOwnPlugins},
    {"early_plugin_load", kOwnPlugins},
    {"ssl", kOwnCertificates},
    {"ssl_ca", kOwnCertificates},
    {"ssl_capath", kOwnCertificates},
    {"ssl_cert", kOwnCertificates},
    {"ssl_key", kOwnCertificates},
    {"ssl_crl", kOwnCertificates},
    {"ssl_crlpath", kOwnCertificates},
    {"auto_generate_certs", kOwnCertificates},
    {"grant_tables", "everybody could do everything"},
    {"init_file", "it may write, which makes errant transactions"},
    {"init_replica", "it may write, which makes errant transactions"},
    {"initialize", kRunByGate},
    {"initialize_insecure", kRunByGate},
    {"daemonize", kRunByGate},
    {"console", kRunByGate},
    {"defaults_file", kRunByGate},
    {"defaults_extra_file", kRunByGate},
    {"defaults_group_suffix", kRunByGate},
    {"no_defaults", kRunByGate},
    {"upgrade", kRunByGate},
    {"binlog_do_db", kNoFilters},
    {"binlog_ignore_db", kNoFilters},
    {"rpl_semi_sync_source_wait_for_replica_count", "it is spec.replication.semiSync.acks, sized by what is connected"},
    {"sync_relay_log", "it is spec.replication.relayLogDurability"},
    {"group_replication_start_on_boot", "this is not a cluster of Group Replication"},
    {"help", kBySpec},
    {"version", kBySpec},
});

/// Settings of which a user may choose between some values. Numbers, which mysqld takes for the names, are not among
/// them.
struct ChoiceSetting {
  std::string_view name;
  std::string_view values;
  std::string_view reason;
};

constexpr auto kChoices = std::to_array<ChoiceSetting>({
    // O_DIRECT_NO_FSYNC leaves out syncs that matter only where redo log and tables lie on different devices.
    {"innodb_flush_method", "fsync,O_DSYNC,O_DIRECT,O_DIRECT_NO_FSYNC", "tables must survive a power loss"},
});

/// Settings that a user may override.
struct DefaultSetting {
  std::string_view name;
  std::string_view value;
};
constexpr auto kDefaults = std::to_array<DefaultSetting>({
    {"replica_parallel_workers", "8"},  // A replica that lags holds up a failover.
    {"replica_pending_jobs_size_max", "256M"},
    {"binlog_expire_logs_seconds", "604800"},
    {"max_binlog_size", "256M"},  // The unit in which old logs can be purged and a dead server's be read.
    {"innodb_redo_log_capacity", "512M"},
    {"innodb_buffer_pool_size", "256M"},
    {"innodb_buffer_pool_in_core_file", "OFF"},
    {"max_connections", "500"},
    {"lock_wait_timeout", "3600"},  // The default of a year lets one forgotten session stop all DDL.
});

bool is_name_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

void replace_word(std::string& name, std::string_view old_word, std::string_view new_word) {
  for (auto at = name.find(old_word); at != std::string::npos; at = name.find(old_word, at + new_word.size())) {
    name.replace(at, old_word.size(), new_word);
  }
}

/// Lower case, underscores, the words of today, without `loose_`.
std::string normalised(std::string_view name) {
  std::string result = lower(name);
  std::ranges::replace(result, '-', '_');
  while (result.starts_with("loose_")) result.erase(0, 6);
  replace_word(result, "slave", "replica");
  replace_word(result, "master", "source");
  return result;
}

/// A name and the ones that it may stand for: skip_x, enable_x, disable_x and maximum_x set x
/// (mysys/my_getopt.cc, special_opt_prefix).
std::vector<std::string> meanings(std::string_view name) {
  std::vector<std::string> result{normalised(name)};
  for (const std::string_view prefix : {"skip_", "enable_", "disable_", "maximum_"}) {
    if (result.front().starts_with(prefix)) result.push_back(result.front().substr(prefix.size()));
  }
  return result;
}

std::string upper_trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  std::string result(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
  for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

/// "ON", "OFF", or the text itself.
std::string switch_of(std::string_view text) {
  std::string value = upper_trimmed(text);
  if (value == "1" || value == "YES" || value == "TRUE" || value == "ON") return "ON";
  if (value == "0" || value == "NO" || value == "FALSE" || value == "OFF") return "OFF";
  return value;
}

std::set<std::string> list_of(std::string_view text) {
  std::set<std::string> result;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    if (auto item = upper_trimmed(text.substr(0, comma)); !item.empty()) result.insert(std::move(item));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return result;
}

const PinnedSetting* find_pinned(std::string_view name) {
  const auto it = std::ranges::find(kPinned, name, &PinnedSetting::name);
  return it == kPinned.end() ? nullptr : &*it;
}

const ChoiceSetting* find_choice(std::string_view name) {
  const auto it = std::ranges::find(kChoices, name, &ChoiceSetting::name);
  return it == kChoices.end() ? nullptr : &*it;
}

std::optional<std::string_view> refusal_of(std::string_view name) {
  if (const auto it = std::ranges::find(kRefused, name, &RefusedSetting::name); it != kRefused.end()) return it->reason;
  if (name.starts_with("replicate_")) return kNoFilters;
  if (name.starts_with("mysqlx_")) return "a second protocol is a second door";
  return std::nullopt;
}

std::optional<std::string> malformed(std::string_view shown, std::string_view name, std::string_view value) {
  if (name.empty() || !std::ranges::all_of(name, is_name_character)) {
    return std::format("'{}' is not the name of a setting", shown);
  }
  const bool control =
      std::ranges::any_of(value, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (control || (value.contains('"') && value.contains('\''))) {
    return std::format(
        "the value of {} cannot be written into my.cnf: line ends, control characters and both kinds of "
        "quotation marks at once are refused",
        shown);
  }
  return std::nullopt;
}

/// A value in the quotation marks of option files (mysys/my_default.cc): # begins no comment there, \ is doubled.
std::string quoted(std::string_view value) {
  const char mark = value.contains('"') ? '\'' : '"';
  std::string result(1, mark);
  for (const char c : value) {
    if (c == '\\') result += '\\';
    result += c;
  }
  return result + mark;
}

std::string line_of(std::string_view name, std::string_view value) {
  return std::format("{} = {}\n", name, quoted(value));
}

/// Variables of plugins are unknown while --initialize runs, since it loads none. In running servers drift shows it.
std::string line_of(const PinnedSetting& setting) {
  return (setting.name.starts_with("rpl_semi_sync_") ? "loose_" : "") + line_of(setting.name, setting.value);
}

}  // namespace

bool is_durability_setting(std::string_view name) {
  return name == "sync_binlog" || name == "innodb_flush_log_at_trx_commit";
}

std::span<const PinnedSetting> pinned_settings() { return kPinned; }

bool agrees(const PinnedSetting& setting, const std::optional<std::string>& actual) {
  const std::string value = actual.value_or("NULL");
  switch (setting.compare) {
    case kSwitch: return switch_of(value) == switch_of(setting.value);
    case kText: return upper_trimmed(value) == upper_trimmed(setting.value);
    case kNumber: return upper_trimmed(value) == setting.value;
    case kList: return list_of(value) == list_of(setting.value);
    case kNotShown: return true;
  }
  std::unreachable();
}

std::string drift_sentence(const PinnedSetting& setting, const std::optional<std::string>& actual) {
  std::string value = actual.value_or("NULL");
  if (setting.compare == kSwitch) value = switch_of(value);
  return std::format("{} is {}, not {}", setting.name, value.empty() ? "empty" : value, setting.value);
}

std::optional<std::string> why_refused(std::string_view name, std::string_view value) {
  const auto names = meanings(name);
  if (auto sentence = malformed(name, names.front(), value)) return sentence;
  // Of names that begin with skip_ and the like, the whole one comes first: skip_replica_start is a setting of its own.
  for (const auto& meaning : names) {
    if (const PinnedSetting* pinned = find_pinned(meaning)) {
      const bool as_is = &meaning == &names.front();
      const bool same = pinned->compare == kNotShown ? switch_of(value) == switch_of(pinned->value)
                                                     : agrees(*pinned, std::string(value));
      if (as_is && same) return std::nullopt;
      return std::format("{} must be {}: {}", name, pinned->value, pinned->reason);
    }
    if (const ChoiceSetting* choice = find_choice(meaning)) {
      if (list_of(choice->values).contains(upper_trimmed(value))) return std::nullopt;
      return std::format("{} must be one of {}: {}", name, choice->values, choice->reason);
    }
    if (const auto reason = refusal_of(meaning)) return std::format("{} cannot be set: {}", name, *reason);
  }
  return std::nullopt;
}

Result<std::string> render_my_cnf(const std::map<std::string, std::string>& user, const MyCnf& options) {
  std::string refusals;
  std::set<std::string> given;
  for (const auto& [name, value] : user) {
    if (const auto sentence = why_refused(name, value)) refusals += (refusals.empty() ? "" : "; ") + *sentence;
    if (!given.insert(normalised(name)).second) {
      refusals += std::format("{}{} is set twice, in two spellings", refusals.empty() ? "" : "; ", name);
    }
  }
  if (!refusals.empty()) return fail(ErrorKind::kTerminal, "{}", refusals);

  std::string text = "# Made by Baton from spec.mysql.config. The last of several values holds.\n[mysqld]\n";
  text += "# Defaults\n";
  for (const auto& [name, value] : kDefaults) {
    if (!given.contains(std::string(name))) text += line_of(name, value);
  }
  text += "# spec.mysql.config\n";
  for (const auto& [name, value] : user) {
    if (find_pinned(normalised(name)) == nullptr) text += line_of(name, value);
  }
  text += "# Pinned\n";
  for (const auto& setting : kPinned) text += line_of(setting);
  text += line_of("sync_relay_log", options.strict_relay_log ? "1" : "10000");
  for (const std::string_view plugin : {"semisync_source.so", "semisync_replica.so", "mysql_clone.so"}) {
    text += line_of("plugin_load_add", plugin);
  }
  text += line_of("bind_address", "*") + line_of("port", std::to_string(options.port));
  text += line_of("ssl_ca", options.ca.string()) + line_of("ssl_cert", options.certificate.string()) +
          line_of("ssl_key", options.key.string());
  return text;
}

}  // namespace baton::mysql
