#include "sidecar/local/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>

#include "engine/gtid/gtid_set.h"

namespace baton::sidecar {
namespace {

/// Transactions received and not applied; 0 when a set cannot be read.
double unapplied(const wire::Sql& sql) {
  const auto retrieved = GtidSet::parse(sql.channel.retrieved);
  const auto executed = GtidSet::parse(sql.gtid_executed);
  return retrieved && executed ? static_cast<double>(retrieved->minus(*executed).size()) : 0;
}

}  // namespace

struct Metrics::Series {
  explicit Series(const std::string& member) : labels{{"member", member}} {}

  prometheus::Gauge& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Labels(labels).Register(registry).Add({});
  }

  prometheus::Counter& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Labels(labels).Register(registry).Add({});
  }

  std::mutex mutex;
  prometheus::Labels labels;
  prometheus::Registry registry;
  prometheus::Gauge& up = gauge("baton_member_up", "1 while mysqld answers SQL.");
  prometheus::Gauge& held = gauge("baton_member_held", "1 while mysqld may only be started by an order.");
  prometheus::Gauge& open = gauge("baton_member_open", "1 while the server takes writes (read_only is off).");
  prometheus::Gauge& epoch = gauge("baton_member_epoch", "Highest epoch seen.");
  prometheus::Gauge& revision = gauge("baton_member_revision", "Highest revision seen.");
  prometheus::Gauge& clients = gauge("baton_semi_sync_clients", "Semi-sync replicas connected to this server.");
  prometheus::Gauge& waits = gauge("baton_semi_sync_waiting_sessions", "Commits that wait for acks now.");
  prometheus::Gauge& receiver = gauge("baton_receiver_running", "1 while the receiver is connected to its source.");
  prometheus::Gauge& applier = gauge("baton_applier_running", "1 while the applier runs.");
  prometheus::Gauge& backlog = gauge("baton_unapplied_transactions", "Transactions received and not applied yet.");
  prometheus::Gauge& drift = gauge("baton_pinned_settings_drifted", "Pinned settings with another value.");
  prometheus::Gauge& receivers = gauge("baton_log_receivers", "Receivers that fetch from the binlog server now.");
  prometheus::Gauge& indexed = gauge("baton_logs_indexed", "1 if every binary log and relay log was read.");
  prometheus::Gauge& damaged = gauge("baton_logs_damaged_files", "Log files of which something cannot be read.");
  prometheus::Counter& bytes = counter("baton_log_sent_bytes_total", "Bytes that the binlog server has sent.");
  prometheus::Counter& sent = counter("baton_log_sent_transactions_total",
                                      "Transactions sent by the binlog server to receivers that got all they asked.");
  prometheus::Family<prometheus::Counter>& orders = prometheus::BuildCounter()
                                                        .Name("baton_orders_total")
                                                        .Help("Orders by name and result.")
                                                        .Labels(labels)
                                                        .Register(registry);
};

Metrics::Metrics(const std::string& member) : series_(std::make_unique<Series>(member)) {}
Metrics::~Metrics() = default;

void Metrics::count_order(std::string_view order, std::string_view result) {
  series_->orders.Add({{"order", std::string(order)}, {"result", std::string(result)}}).Increment();
}

std::string Metrics::text_of(const wire::MemberState& state, const LogFigures& logs) {
  const std::scoped_lock lock(series_->mutex);
  const auto sql = state.sql.value_or(wire::Sql{});
  const auto running = [](wire::Thread thread) { return thread == wire::Thread::kRunning ? 1.0 : 0.0; };
  series_->up.Set(state.sql && state.sql_error.empty() ? 1 : 0);
  series_->held.Set(state.hold == wire::Hold::kNone ? 0 : 1);
  series_->open.Set(state.sql && !sql.read_only ? 1 : 0);
  series_->epoch.Set(static_cast<double>(state.epoch));
  series_->revision.Set(static_cast<double>(state.revision));
  series_->clients.Set(static_cast<double>(sql.semi_sync.clients));
  series_->waits.Set(static_cast<double>(sql.semi_sync.waiting_sessions));
  series_->receiver.Set(running(sql.channel.receiver));
  series_->applier.Set(running(sql.channel.applier));
  series_->backlog.Set(unapplied(sql));
  series_->drift.Set(static_cast<double>(sql.drift.size()));
  series_->receivers.Set(static_cast<double>(logs.receivers));
  series_->indexed.Set(logs.is_indexed ? 1 : 0);
  series_->damaged.Set(static_cast<double>(logs.problems));
  series_->bytes.Increment(static_cast<double>(logs.bytes_sent) - series_->bytes.Value());
  series_->sent.Increment(static_cast<double>(logs.transactions_sent) - series_->sent.Value());
  return prometheus::TextSerializer().Serialize(series_->registry.Collect());
}

}  // namespace baton::sidecar
