#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace baton::test {

inline void wait_for_ever() {
  while (true) ::pause();
}

/// Keeps InnoDB's lock on a file, as mysqld does.
inline void hold_lock(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(file, F_SETLK, &lock) != 0) ::_exit(1);
  wait_for_ever();
}

/// A process that runs `body`, which must not return, and is gone with this object.
class Child {
 public:
  explicit Child(void (*body)()) : pid_(::fork()) {
    if (pid_ != 0) return;
    body();
    ::_exit(0);
  }
  ~Child() {
    kill();
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] int pid() const { return pid_; }
  void kill() const { ::kill(pid_, SIGKILL); }
  /// Waits until it is a zombie, and leaves it one.
  void wait_for_zombie() const {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  /// Whether nobody has killed it, be it only a moment ago: who got a SIGKILL does not stop any more.
  [[nodiscard]] bool lives() const {
    ::kill(pid_, SIGSTOP);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT);
    ::kill(pid_, SIGCONT);
    return info.si_code == CLD_STOPPED;
  }

 private:
  pid_t pid_;
};

}  // namespace baton::test
