#include "tests/replication/file_logs.h"

#include <zlib.h>

#include <algorithm>
#include <fstream>

#include "engine/base/ensure.h"
#include "sidecar/binlog/event.h"

namespace baton::test {

using binlog::EventHeader;
using binlog::EventType;

namespace {

constexpr std::uint64_t kPieceLength = 1 << 20;
constexpr std::uint64_t kQueryPrefix = 64 << 10;

/// The files that an index lists; names are relative to its folder.
std::vector<std::filesystem::path> list_of(const std::filesystem::path& index_file) {
  std::ifstream index(index_file);
  std::vector<std::filesystem::path> files;
  for (std::string line; std::getline(index, line);) files.push_back(index_file.parent_path() / line);
  return files;
}

/// PREVIOUS_GTIDS, the second event of a log.
Result<GtidSet> previous_gtids(const std::filesystem::path& log) {
  std::ifstream file(log, std::ios::binary);
  std::string text(1 << 20, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  const auto bytes = std::as_bytes(std::span(text)).subspan(binlog::kMagic.size());
  const auto format = bytes.first(binlog::read_header(bytes.first(EventHeader::kLength)).length);
  const auto previous = bytes.subspan(format.size());
  const std::size_t length = binlog::read_header(previous.first(EventHeader::kLength)).length;
  const bool with_checksum = format[format.size() - 5] == std::byte{1};
  return binlog::read_previous_gtids(previous.first(length - (with_checksum ? 4 : 0)).subspan(EventHeader::kLength));
}

}  // namespace

FileStream::FileStream(std::filesystem::path index_file, GtidSet have)
    : index_file_(std::move(index_file)), have_(std::move(have)) {}

Result<binlog::TransactionStream::Item> FileStream::next() {
  if (!pieces_.empty() && announced_) {
    TRY(bytes, read(pieces_.front().offset, pieces_.front().length));
    pieces_.pop_front();
    chunk_ = std::move(bytes);
    return Item(binlog::Chunk{chunk_});
  }
  if (!pieces_.empty()) {
    TRY(begin, begin_log());
    return Item(std::move(begin));
  }
  if (!source_) TRY_VOID(open_file());
  TRY(found, walk());
  if (found == Found::kNothing) return Item(binlog::Chunk{});
  if (found == Found::kWanted) return next();
  if (file_ + 1 == files_.size()) files_ = list_of(index_file_);
  if (file_ + 1 == files_.size() && announced_) return Item(binlog::CaughtUp{});
  if (file_ + 1 == files_.size()) {
    TRY(begin, begin_log());
    return Item(std::move(begin));
  }
  if (std::exchange(looked_again_, !looked_again_)) {
    ++file_;
    source_.reset();
  }
  return Item(binlog::Chunk{});
}

Result<void> FileStream::open_file() {
  if (files_.empty()) files_ = list_of(index_file_);
  TRY(source, binlog::FileSource::open(files_[file_]));
  source_ = std::move(source);
  at_ = binlog::kMagic.size();
  announced_ = false;
  tracker_ = {};
  return {};
}

Result<FileStream::Found> FileStream::walk() {
  TRY(size, source_->size());
  std::uint64_t begin = at_;
  binlog::TransactionTracker tracker = tracker_;
  bool wanted = false;
  std::vector<Piece> transaction;
  for (std::uint64_t at = at_; at + EventHeader::kLength <= size;) {
    TRY(head, read(at, std::min(size - at, kQueryPrefix)));
    const EventHeader header = binlog::read_header(std::span(head).first(EventHeader::kLength));
    if (header.length < EventHeader::kLength || at + header.length > size) break;
    const auto end_of_body = header.length - (checksum_ == binlog::ChecksumAlgorithm::kCrc32 ? 4U : 0U);
    const auto body =
        std::span(head).first(std::min<std::size_t>(end_of_body, head.size())).subspan(EventHeader::kLength);
    if (header.type == EventType::kFormatDescription) {
      TRY(description, binlog::read_format_description(std::span(head).subspan(19, header.length - 19 - 4)));
      checksum_ = description.checksum;
      format_ = {at, header.length};
    }
    std::string_view query;
    if (header.type == EventType::kQuery) {
      TRY(event, binlog::read_query(body));
      query = event.text;
    }
    TRY(effect, tracker.feed(header, query));
    using Effect = binlog::TransactionTracker::Effect;
    if (effect == Effect::kBegan) {
      begin = at;
      const bool tagged = header.type == EventType::kGtidTagged;
      TRY(gtid, tagged ? binlog::read_gtid_tagged(body) : binlog::read_gtid(body));
      wanted = !have_.contains(gtid.source, gtid.number);
    }
    at += header.length;
    if (effect == Effect::kComplete || !tracker.is_open()) {
      at_ = at;
      tracker_ = tracker;
    }
    if (effect != Effect::kComplete) continue;
    if (!wanted) return Found::kNothing;
    // An event that is larger than a piece is cut behind its header, and a small rest goes with what is before it.
    for (std::uint64_t from = begin; from < at;) {
      TRY(first, read(from, EventHeader::kLength));
      const std::uint64_t length = binlog::read_header(first).length;
      for (std::uint64_t done = 0; done < length;) {
        const std::uint64_t piece = std::min(kPieceLength, length - done);
        pieces_.push_back({from + done, piece});
        done += piece;
      }
      from += length;
    }
    return Found::kWanted;
  }
  return Found::kEnd;
}

Result<binlog::LogBegin> FileStream::begin_log() {
  TRY(format, read(format_.offset, format_.length));
  format[EventHeader::kFlagsOffset] &= ~std::byte{binlog::kFlagInUse};
  // `created` stands behind version (2) and server version (50); anything but zero drops temporary tables.
  constexpr std::size_t kCreated = EventHeader::kLength + 2 + 50;
  if (file_ > 0 || !have_.empty()) std::fill_n(format.begin() + kCreated, 4, std::byte{0});
  const auto crc = ::crc32_z(0, reinterpret_cast<const unsigned char*>(format.data()), format.size() - 4);
  for (std::size_t i = 0; i < 4; ++i) format[format.size() - 4 + i] = static_cast<std::byte>((crc >> (8 * i)) & 0xFF);
  announced_ = true;
  return binlog::LogBegin{
      .name = files_[file_].filename().string(), .format_description = std::move(format), .checksum = checksum_};
}

Result<std::vector<std::byte>> FileStream::read(std::uint64_t offset, std::uint64_t length) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(length));
  TRY(count, source_->read(offset, bytes));
  if (count != bytes.size()) return fail(ErrorKind::kRetry, "{} is shorter than it was", files_[file_].string());
  return bytes;
}

Result<replication::LogSource::Opened> FileLogs::open(const replication::Receiver& receiver) {
  TRY(previous, previous_gtids(list_of(index_file_).front()));
  if (GtidSet missing = previous.minus(receiver.have); !missing.empty()) {
    return Opened(replication::Refusal{replication::Refusal::Reason::kPurged, std::move(missing)});
  }
  return Opened(std::make_unique<FileStream>(index_file_, receiver.have));
}

}  // namespace baton::test
