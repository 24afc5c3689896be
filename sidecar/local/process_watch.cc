#include "sidecar/local/process_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <format>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "sidecar/local/epoch_file.h"

namespace baton::sidecar {
namespace {

constexpr std::size_t kMaxCommandLine = 8 * 1024 * 1024;  ///< More than the kernel lets a process have.
constexpr std::size_t kMaxStat = 4096;

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

/// PF_EXITING in a thread's line of /proc.
bool says_exiting(std::string_view stat) {
  constexpr std::uint32_t kExiting = 0x4;
  // The name stands in parentheses and may hold some of its own. Behind it: state and five numbers, then the flags.
  std::string_view rest = stat;
  rest.remove_prefix(std::min(rest.rfind(')') + 1, rest.size()));
  for (int field = 0; field < 7; ++field) rest.remove_prefix(std::min(rest.find(' ') + 1, rest.size()));
  std::uint32_t flags = 0;
  const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), flags);
  return read.ec == std::errc{} && (flags & kExiting) != 0;
}

bool is_thread_ending(const std::filesystem::path& task) {
  const auto stat = read_small_file(task / "stat", kMaxStat);
  // A thread that is gone has ended.
  return stat ? says_exiting(*stat) : stat.error().kind == ErrorKind::kNotFound;
}

bool is_gone(const std::filesystem::path& process) {
  std::error_code error;
  return !std::filesystem::exists(process, error) && !error;
}

std::string first_thread(int pid) { return std::format("/proc/{0}/task/{0}/stat", pid); }

/// The same of an open line. It is the usual answer, many times a second.
bool first_thread_is_ending(const Fd& stat) {
  std::array<char, kMaxStat> line;
  const auto count = ::pread(stat.get(), line.data(), line.size(), 0);
  return count > 0 && says_exiting({line.data(), static_cast<std::size_t>(count)});
}

}  // namespace

bool is_ending(int pid) {
  const std::filesystem::path tasks = std::filesystem::path("/proc") / std::to_string(pid) / "task";
  std::error_code error;
  std::size_t seen = 0;
  for (std::filesystem::directory_iterator entry(tasks, error), end; !error && entry != end; entry.increment(error)) {
    if (!is_thread_ending(entry->path())) return false;
    ++seen;
  }
  return !error && seen > 0;
}

Result<std::optional<int>> find_mysqld(const std::filesystem::path& data_directory) {
  const std::string argument = "--datadir=" + data_directory.string();
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    int pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{}) continue;
    // A zombie's command line is empty.
    const auto command_line = read_small_file(entry->path() / "cmdline", kMaxCommandLine);
    if (command_line && is_mysqld_of(*command_line, argument)) return pid;
    // Processes come and go while this looks, but one that stays may be mysqld.
    if (!command_line && !is_gone(entry->path())) return fail(ErrorKind::kRetry, "{}", command_line.error().what);
  }
  if (error) return fail(ErrorKind::kRetry, "the process list cannot be read: {}", error.message());
  return std::nullopt;
}

Result<bool> is_data_locked(const std::filesystem::path& data_directory) {
  const auto path = data_directory / "ibdata1";
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(ErrorKind::kRetry, "open {}: {}", path.string(), std::strerror(errno));
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(file.get(), F_GETLK, &lock) != 0) {
    return fail(ErrorKind::kRetry, "ask for the lock on {}: {}", path.string(), std::strerror(errno));
  }
  return lock.l_type != F_UNLCK;
}

std::optional<int> ending_signal(int pid) {
  constexpr int kSignalBits = 0x7f;
  const auto stat = read_small_file(first_thread(pid), kMaxStat);
  if (!stat) return std::nullopt;
  std::string_view last(*stat);
  while (last.ends_with('\n')) last.remove_suffix(1);
  last.remove_prefix(std::min(last.rfind(' ') + 1, last.size()));
  int status = 0;
  const auto read = std::from_chars(last.data(), last.data() + last.size(), status);
  const int signal = read.ec == std::errc{} ? status & kSignalBits : 0;
  return signal != 0 ? std::optional(signal) : std::nullopt;
}

ProcessWatch::ProcessWatch(OnEnd on_end) : on_end_(std::move(on_end)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
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
    process_.reset();
    pid_ = pid;
    gone_ = false;
    open();
  }
  wake();
}

/// Opens the process that is watched, if it is not open yet. Only ESRCH says that there is none: any other failure is
/// that of the attempt. Needs mutex_ held.
void ProcessWatch::open() {
  if (pid_ == 0 || process_ != nullptr || gone_) return;
  const int process = open_process(pid_);
  gone_ = process < 0 && errno == ESRCH;
  if (process >= 0) process_ = std::make_shared<const Fd>(process);
}

bool ProcessWatch::send_signal(int signal) {
  const std::scoped_lock lock(mutex_);
  return process_ != nullptr && signal_process(process_->get(), signal);
}

/// Waits for the end of the process, or until it is woken; true for the end. Of one that could not be opened it waits
/// for the time of the next attempt.
bool ProcessWatch::wait_for_end(const Fd* process, int pid) const {
  std::array<pollfd, 2> fds = {pollfd{wake_.get(), POLLIN, 0},
                               pollfd{process == nullptr ? -1 : process->get(), POLLIN, 0}};
  constexpr int kPause = static_cast<int>(kGlance.count());
  if (process == nullptr) {
    ::poll(fds.data(), fds.size(), pid == 0 ? -1 : kPause);
    return false;
  }
  const Fd stat(::open(first_thread(pid).c_str(), O_RDONLY | O_CLOEXEC));
  // The flags are read while the pidfd is silent: then the number is still this process's.
  while (::poll(fds.data(), fds.size(), kPause) == 0) {
    if (first_thread_is_ending(stat) && is_ending(pid)) return true;
  }
  return fds[1].revents != 0;
}

void ProcessWatch::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::shared_ptr<const Fd> process;  // Its own: watch() may replace the other one while this polls.
    int pid = 0;
    bool gone = false;
    {
      const std::scoped_lock lock(mutex_);
      open();
      process = process_;
      pid = pid_;
      gone = gone_;
    }
    const bool ended = gone || wait_for_end(process.get(), pid);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto drained = ::read(wake_.get(), &count, sizeof(count));
    if (!ended) continue;
    {
      const std::scoped_lock lock(mutex_);
      if (pid_ != pid) continue;
      process_.reset();
      pid_ = 0;
      gone_ = false;
    }
    on_end_(pid, gone ? std::nullopt : ending_signal(pid));
  }
}

}  // namespace baton::sidecar
