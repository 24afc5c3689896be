#include "operator/operator_process.h"

#include <condition_variable>
#include <format>
#include <mutex>
#include <optional>
#include <random>

#include "operator/base/http_cpprest.h"
#include "operator/base/http_listener.h"
#include "operator/kube/controller.h"
#include "operator/kube/event_recorder.h"
#include "operator/kube/lease.h"
#include "operator/metrics/metrics.h"
#include "operator/reconcile/reconcile.h"
#include "operator/reconcile/watches.h"
#include "operator/sidecars/sidecar_client.h"

namespace baton {
namespace {

using kube::WorkQueue;

/// Longer than a watch that says nothing lasts (kube::InformerOptions::watch_timeout).
constexpr Duration kWatchIdle = std::chrono::seconds(40);
constexpr Duration kReconcileLimit = std::chrono::seconds(30);
/// Steps in flight in all clusters together; each cluster has at most a few per member.
constexpr std::size_t kStepThreads = 128;
constexpr WorkQueue<ClusterKey>::Limits kRetries = {.first = std::chrono::milliseconds(50),
                                                    .longest = std::chrono::seconds(2)};

HttpClientOptions with_idle(HttpClientOptions options, Duration idle) {
  options.idle_timeout = idle;
  return options;
}

class KubeEvents final : public EventPort {
 public:
  KubeEvents(kube::EventRecorder& recorder, reconcile::Lookup clusters)
      : recorder_(recorder), clusters_(std::move(clusters)) {}

  void tell(const ClusterKey& key, bool warning, std::string_view reason, std::string_view message) override {
    const auto cluster = clusters_(key);
    if (cluster == nullptr) return;
    recorder_.record(kube::subject_of(*cluster, reconcile::cluster_type()),
                     warning ? kube::EventType::kWarning : kube::EventType::kNormal, reason, message);
  }

 private:
  kube::EventRecorder& recorder_;
  reconcile::Lookup clusters_;
};

class KubeLease final : public LeasePort {
 public:
  explicit KubeLease(const kube::LeaderLease& lease) : lease_(lease) {}
  [[nodiscard]] bool held() const override { return lease_.is_leader(); }
  [[nodiscard]] std::int64_t term() const override { return lease_.term(); }

 private:
  const kube::LeaderLease& lease_;
};

/// Unique to this process: a container that is restarted bears the same name.
std::string unique_identity(const std::string& name) {
  std::random_device random;
  return std::format("{}_{:08x}", name.empty() ? "baton-operator" : name, random());
}

HttpReply plain(int status, std::string text) {
  HttpResponse response{.status = status, .body = std::move(text)};
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return response;
}

}  // namespace

/// In the order in which they need each other; they go in the opposite one, so that the lease is released when nothing
/// is done any more.
class OperatorProcess::Parts {
 public:
  Parts(Config settings, const kube::KubeConfig& kube, const Clock& system_clock, Logger logger)
      : config(std::move(settings)),
        space(kube.space),
        clock(system_clock),
        log(std::move(logger)),
        identity(unique_identity(config.identity)),
        requests(kube.http, clock),
        watch_requests(with_idle(kube.http, kWatchIdle), clock),
        client(requests, watch_requests),
        queue(clock, kRetries),
        watches(client, clock, log, config.namespaces, ended, [this](const ClusterKey& key) { queue.add(key); }),
        recorder(client, clock, log, "baton-operator", identity),
        events(recorder, watches.clusters()),
        metrics(book, clock) {}

  void look_at(const ClusterKey& key, Duration after) {
    if (after > Duration::zero()) {
      queue.add_after(key, after);
    } else {
      queue.add(key);
    }
  }

  const Config config;
  const std::string space;
  const Clock& clock;
  Logger log;
  const std::string identity;
  HttpCpprest requests;
  HttpCpprest watch_requests;
  kube::KubeClient client;
  WorkQueue<ClusterKey> queue;
  SidecarBook book;
  reconcile::EndedPods ended;
  reconcile::Timelines timelines;
  reconcile::Watches watches;
  kube::EventRecorder recorder;
  KubeEvents events;
  Metrics metrics;
};

OperatorProcess::OperatorProcess(Config config, const kube::KubeConfig& kube, const Clock& clock, Logger log)
    : parts_(std::make_unique<Parts>(std::move(config), kube, clock, std::move(log))) {}

OperatorProcess::~OperatorProcess() = default;

namespace {

/// /healthz: the process answers. /readyz: it has listed what it watches and could lead.
HttpHandler health_of(const reconcile::Watches& watches) {
  return [&watches](const std::stop_token&, const HttpRequest& request) -> HttpReply {
    if (request.path_and_query == "/healthz") return plain(200, "ok\n");
    if (request.path_and_query != "/readyz") return plain(404, "not found\n");
    return watches.synced() ? plain(200, "ok\n") : plain(503, "lists are not complete yet\n");
  };
}

HttpHandler metrics_of(Metrics& metrics) {
  return [&metrics](const std::stop_token&, const HttpRequest& request) -> HttpReply {
    return request.path_and_query == "/metrics" ? plain(200, metrics.text()) : plain(404, "not found\n");
  };
}

void wait_for(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, stop, [] { return false; });
}

}  // namespace

Result<void> OperatorProcess::run(const std::stop_token& stop) {
  Parts& p = *parts_;
  TRY(health, HttpListener::start({.port = p.config.http_port}, health_of(p.watches), p.log));
  TRY(scrape, HttpListener::start({.port = p.config.metrics_port}, metrics_of(p.metrics), p.log));
  if (!p.watches.wait_synced({.stop = stop, .log = p.log})) return {};

  const std::string lease_space = p.config.lease_namespace.empty() ? p.space : p.config.lease_namespace;
  kube::LeaderLease leader(p.client, p.clock, p.log,
                           {.key = {.space = lease_space, .name = p.config.lease_name}, .identity = p.identity},
                           [&p](bool leads) {
                             p.metrics.leading(leads);
                             for (const ClusterKey& key : p.watches.all()) p.queue.add(key);
                           });
  const KubeLease lease(leader);
  reconcile::KubeClusterPort cluster(p.client, p.watches.services());
  reconcile::Applier objects(
      p.client, p.clock, p.events, {p.config.sidecar_image, p.config.sidecar_pull_policy},
      {.pods = p.watches.pods(), .services = p.watches.services(), .stateful_sets = p.watches.stateful_sets()});
  const CredentialsOf credentials = [&objects](const ClusterKey& key) { return objects.credentials(key); };
  const auto look_at = [&p](const ClusterKey& key, Duration after) { p.look_at(key, after); };
  reconcile::Reactor reactor({p.book, p.timelines, p.events, p.metrics, p.clock, p.log, look_at});
  SidecarClient sidecars(connect_by_https(p.clock), credentials);
  Executor executor({sidecars, cluster, lease, p.clock}, reactor, p.log, kStepThreads);
  SidecarLinks links(p.book, p.clock, connect_by_https(p.clock), credentials, look_at, p.log);
  reconcile::Reconciler reconciler({.clusters = p.watches.clusters(),
                                    .pods = p.watches.pods(),
                                    .services = p.watches.services(),
                                    .book = p.book,
                                    .ended = p.ended,
                                    .links = links,
                                    .steps = executor,
                                    .cluster = cluster,
                                    .objects = objects,
                                    .events = p.events,
                                    .lease = lease,
                                    .timelines = p.timelines,
                                    .metrics = p.metrics,
                                    .clock = p.clock,
                                    .closed = [&sidecars](const ClusterKey& key) { sidecars.forget(key); }});
  kube::Controller<ClusterKey> controller(
      p.queue, p.clock, p.log, p.config.workers, {.reconcile = kReconcileLimit, .resync = reconcile::kResync},
      [&reconciler](const Context& context, const ClusterKey& key) { return reconciler.reconcile(context, key); });
  p.log.info("operator runs", {{"version", BATON_VERSION}, {"identity", p.identity}});
  wait_for(stop);
  p.log.info("operator stops");
  return {};
}

}  // namespace baton
