// Makes logs to be measured with, if they are not there: see made_logs.h.

#include "tests/bench/made_logs.h"
#include "tests/bench/values.h"

int main(int argc, char** argv) {
  using namespace baton;
  return bench::run_bench(argc, argv, 3, "small|large MB FOLDER", [](const bench::Words& words) -> Result<void> {
    TRY(content, bench::content_of(words[0]));
    TRY(megabytes, bench::number_of(words[1]));
    return bench::make_logs(words[2], content, megabytes * 1'000'000);
  });
}
