#include "operator/sidecars/sidecar_book.h"

#include <algorithm>
#include <utility>

namespace baton {

bool SidecarBook::outdated(const Member& member, const wire::MemberState& state) {
  if (std::ranges::contains(member.retired, state.sidecar_id)) return true;
  return member.sidecar_id == state.sidecar_id && member.sequence >= state.sequence;
}

void SidecarBook::take_sidecar(Member& member, const wire::MemberState& state) {
  member.sequence = state.sequence;
  if (member.sidecar_id == state.sidecar_id) return;
  if (!member.sidecar_id.empty()) member.retired.push_back(member.sidecar_id);
  if (member.retired.size() > kMaxIncarnations) member.retired.pop_front();
  member.sidecar_id = state.sidecar_id;
}

void SidecarBook::drop_oldest(Member& member) {
  while (member.incarnations.size() > kMaxIncarnations) {
    member.incarnations.erase(
        std::ranges::min_element(member.incarnations, {}, [](const auto& item) { return item.second.heard_at; }));
  }
}

Result<SidecarBook::News> SidecarBook::hear(const ClusterKey& key, wire::MemberState state, Instant now) {
  const std::scoped_lock lock(mutex_);
  Member& member = clusters_[key][state.member];
  if (outdated(member, state)) return News::kNothing;

  const auto known = member.incarnations.find(state.uuid);
  const std::shared_ptr<const HeardLine> before = known == member.incarnations.end() ? nullptr : known->second.line;
  const bool was_silent = member.silent;
  if (before != nullptr && same_content(before->state, state)) {
    // The common case, twice a second: only the number and the time move.
    take_sidecar(member, state);
    known->second.heard_at = member.heard_at = now;
    member.silent = false;
    return was_silent ? News::kChange : News::kNothing;
  }
  TRY(line, heard_line(std::move(state), before.get()));
  const bool only_progress = before != nullptr && same_apart_from_progress(before->state, line.state);
  take_sidecar(member, line.state);
  if (!line.state.uuid.empty()) member.incarnations.erase("");

  Incarnation& incarnation = member.incarnations[line.state.uuid];
  // A server that starts again and does not answer yet is still down: its grace does not begin anew.
  const bool down = line.state.process == wire::Process::kNotRunning ||
                    (line.state.process == wire::Process::kStarting && incarnation.down_since);
  incarnation.down_since = down ? incarnation.down_since.value_or(now) : std::optional<Instant>();
  // A silence in between counts from the last line that was heard before it.
  const bool acked_until_silence = before != nullptr && !incarnation.not_acking_since && was_silent;
  const Instant since = acked_until_silence ? incarnation.heard_at : now;
  incarnation.not_acking_since =
      acking(line.state) ? std::optional<Instant>() : incarnation.not_acking_since.value_or(since);
  const bool answers = line.state.sql.has_value();
  const bool moved = before == nullptr || !same_progress(before->state, line.state);
  const bool turned = before == nullptr || !same_source(before->state, line.state);
  const bool grew = before == nullptr || !same_sets(before->state, line.state);
  incarnation.unmoved_since = !answers ? std::nullopt : grew ? std::optional(now) : incarnation.unmoved_since;
  incarnation.idle_since = !answers ? std::nullopt : moved ? std::optional(now) : incarnation.idle_since;
  const bool waits = answers && line.state.sql->semi_sync.waiting_sessions > 0;
  incarnation.waiting_since = waits ? incarnation.waiting_since.value_or(now) : std::optional<Instant>();
  incarnation.turned_since = !answers ? std::nullopt : turned ? std::optional(now) : incarnation.turned_since;
  incarnation.line = std::make_shared<const HeardLine>(std::move(line));
  incarnation.heard_at = member.heard_at = now;
  member.silent = false;
  drop_oldest(member);
  return only_progress && !was_silent ? News::kProgress : News::kChange;
}

void SidecarBook::expect(const ClusterKey& key, const std::string& pod, Instant now) {
  const std::scoped_lock lock(mutex_);
  Member& member = clusters_[key][pod];
  if (!member.expected_since) member.expected_since = now;
}

bool SidecarBook::note_refusal(const ClusterKey& key, const std::string& pod, std::string refusal, Instant now) {
  const std::scoped_lock lock(mutex_);
  Member& member = clusters_[key][pod];
  const bool stood = !member.refusal.empty() && now - member.refused_at <= kRefusalLasts;
  const bool news = stood != !refusal.empty();
  while (refusal.ends_with('\n')) refusal.pop_back();
  member.refusal = std::move(refusal);
  member.refused_at = now;
  return news;
}

std::string SidecarBook::refusal(const ClusterKey& key, const std::string& pod, Instant now) const {
  const std::scoped_lock lock(mutex_);
  const auto cluster = clusters_.find(key);
  if (cluster == clusters_.end()) return {};
  const auto member = cluster->second.find(pod);
  const bool stands = member != cluster->second.end() && now - member->second.refused_at <= kRefusalLasts;
  return stands ? member->second.refusal : std::string();
}

std::vector<SidecarBook::Entry> SidecarBook::entries(const ClusterKey& key, Instant now) const {
  const std::scoped_lock lock(mutex_);
  std::vector<Entry> result;
  const auto cluster = clusters_.find(key);
  if (cluster == clusters_.end()) return result;
  for (const auto& [pod, member] : cluster->second) {
    for (const auto& [uuid, incarnation] : member.incarnations) {
      Entry entry{.pod = pod,
                  .line = incarnation.line,
                  .heard_at = incarnation.heard_at,
                  .down_since = incarnation.down_since,
                  .not_acking_since = incarnation.not_acking_since,
                  .waiting_since = incarnation.waiting_since,
                  .turned_since = incarnation.turned_since,
                  .idle_since = incarnation.idle_since,
                  .unmoved_since = incarnation.unmoved_since};
      if (!entry.not_acking_since && now - entry.heard_at > kSilence) entry.not_acking_since = entry.heard_at;
      result.push_back(std::move(entry));
    }
  }
  return result;
}

std::optional<Instant> SidecarBook::expected_since(const ClusterKey& key, const std::string& pod) const {
  const std::scoped_lock lock(mutex_);
  const auto cluster = clusters_.find(key);
  if (cluster == clusters_.end()) return std::nullopt;
  const auto member = cluster->second.find(pod);
  return member == cluster->second.end() ? std::nullopt : member->second.expected_since;
}

std::vector<ClusterKey> SidecarBook::grown_silent(Instant now) {
  const std::scoped_lock lock(mutex_);
  std::vector<ClusterKey> result;
  for (auto& [key, members] : clusters_) {
    bool any = false;
    for (auto& [pod, member] : members) {
      if (member.silent || now - member.heard_at <= kSilence) continue;
      member.silent = true;
      any = true;
    }
    if (any) result.push_back(key);
  }
  return result;
}

void SidecarBook::forget(const ClusterKey& key) {
  const std::scoped_lock lock(mutex_);
  clusters_.erase(key);
}

}  // namespace baton
