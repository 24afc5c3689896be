#pragma once

#include "tests/binlog/log_writer.h"

namespace baton::test {

/// One transaction of each kind, GTIDs `first` and up, tagged ones `first` and up too.
inline LogWriter& write_every_kind(LogWriter& writer, std::uint64_t first) {
  writer.rows_transaction(first);
  writer.gtid(first + 1).query("CREATE TABLE t (a INT)").end();
  writer.tagged_gtid(first, "batch").query("BEGIN").other(31, 40).other(16, 8).end();
  writer.gtid(first + 2).other(40, 64).end();
  writer.gtid(first + 3).query("XA START x").other(30, 12).query("XA END x").other(38, 20).end();
  writer.gtid(first + 4).query("XA COMMIT x").end();
  writer.gtid(first + 5).query("BEGIN").query("SAVEPOINT `a`").other(32, 9).query("ROLLBACK TO `a`").query("COMMIT");
  writer.end();
  writer.rows_transaction(first + 6, 5'000);
  writer.gtid(first + 7).query("XA ROLLBACK 'y'").end();
  writer.gtid(first, LogWriter::kOtherUuid).other(5, 9).query("INSERT INTO t VALUES (1)").end();
  return writer;
}

/// The same with an unknown but ignorable event between two transactions. `first`: 1, or 10 for the log behind that.
inline LogWriter every_kind_binlog(bool in_use, std::uint64_t first, bool checksum = true) {
  LogWriter writer(in_use, checksum);
  if (first > 1) {
    writer.previous_gtids({{LogWriter::kOtherUuid, "", {{1, 1}}},
                           {LogWriter::kUuid, "", {{1, first - 1}}},
                           {LogWriter::kUuid, "batch", {{1, 1}}}},
                          true);
  } else {
    writer.previous_gtids({});
  }
  write_every_kind(writer, first);
  writer.other(77, 6, 0x80).rest();
  writer.rows_transaction(first + 8);
  return writer;
}

/// A relay log: a connection, every kind, a source that is lost within a transaction, which comes again; then a source
/// without checksums, and again one with.
inline LogWriter every_kind_relay(std::uint64_t first) {
  LogWriter writer = LogWriter::relay();
  writer.previous_gtids({});
  writer.connection(4);
  write_every_kind(writer, first);
  writer.gtid(first + 8).query("BEGIN").other(19, 20).other(30, 700);
  writer.connection(987'654'321);
  writer.rows_transaction(first + 8, 700);
  writer.tagged_gtid(first + 1, "batch").query("BEGIN");
  writer.tagged_gtid(first + 1, "batch").query("BEGIN").other(30, 8).other(16, 8).end();
  writer.connection(4'294'967'000, false);
  writer.rows_transaction(first + 9).gtid(first + 10).query("DROP TABLE t").end();
  writer.gtid(first + 11).query("BEGIN");
  writer.connection(200, true);
  writer.rows_transaction(first + 11).other(4, 21, 0x20).rest();
  writer.rows_transaction(first + 12);
  return writer;
}

}  // namespace baton::test
