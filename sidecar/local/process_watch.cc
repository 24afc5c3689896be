#include "sidecar/local/process_watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sidecar/local/epoch_file.h"

namespace baton::sidecar {
namespace {

constexpr std::size_t kMaxCommandLine = 256 * 1024;

// The system calls themselves: glibc's <sys/pidfd.h> is not made for C++ yet.
int open_process(int pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
bool signal_process(int process, int signal) {
  return ::syscall(SYS_pidfd_send_signal, process, signal, nullptr, 0) == 0;
}

/// A command line is NUL-separated, its first part the program.
bool is_mysqld_of(std::string_view command_line, std::string_view data_argument) {
  const auto program = command_line.substr(0, command_line.find('\0'));
  if (!program.substr(program.rfind('/') + 1).starts_with("mysqld")) return false;
  const std::string part = '\0' + std::string(data_argument) + '\0';
  return command_line.contains(part);
}

}  // namespace

Result<std::optional<int>> find_mysqld(const std::filesystem::path& data_directory) {
  const std::string argument = "--datadir=" + data_directory.string();
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    int pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{}) continue;
    // Processes come and go while this looks; a zombie's command line is empty.
    const auto command_line = read_small_file(entry->path() / "cmdline", kMaxCommandLine);
    if (command_line && is_mysqld_of(*command_line, argument)) return pid;
  }
  if (error) return fail(ErrorKind::kRetry, "the process list cannot be read: {}", error.message());
  return std::nullopt;
}

ProcessWatch::ProcessWatch(std::function<void(int)> on_end)
    : on_end_(std::move(on_end)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

ProcessWatch::~ProcessWatch() {
  thread_.request_stop();
  wake();
  thread_.join();
}

void ProcessWatch::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof(one));
}

void ProcessWatch::watch(int pid) {
  {
    const std::scoped_lock lock(mutex_);
    process_ = Descriptor(open_process(pid));
    pid_ = pid;
    gone_ = !process_;
  }
  wake();
}

bool ProcessWatch::send_signal(int signal) {
  const std::scoped_lock lock(mutex_);
  return process_ && signal_process(process_.get(), signal);
}

void ProcessWatch::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Descriptor process;
    int pid = 0;
    bool gone = false;
    {
      const std::scoped_lock lock(mutex_);
      // A copy of its own: watch() may replace the other one while this polls.
      process = Descriptor(process_ ? ::dup(process_.get()) : -1);
      pid = pid_;
      gone = gone_;
    }
    std::array<pollfd, 2> fds = {pollfd{wake_.get(), POLLIN, 0}, pollfd{process.get(), POLLIN, 0}};
    if (!gone) ::poll(fds.data(), fds.size(), -1);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto drained = ::read(wake_.get(), &count, sizeof(count));
    if (!gone && fds[1].revents == 0) continue;
    {
      const std::scoped_lock lock(mutex_);
      if (pid_ != pid) continue;
      process_.reset();
      pid_ = 0;
      gone_ = false;
    }
    on_end_(pid);
  }
}

}  // namespace baton::sidecar
