/// baton-gate: the entry point of mysqld's container. It starts mysqld when the sidecar says so, tells the sidecar how
/// it ended, stays for the next start, and takes the kubelet's SIGTERM in mysqld's place. README.md has the grammar.
///
/// Usage: baton-gate [SOCKET]     (default /run/baton/gate.sock)
///
/// One thread, one poll loop, linked statically: it runs in any image that has mysqld on PATH.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/base/fd.h"
#include "sidecar/local/gate_protocol.h"

namespace baton::sidecar {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* kDefaultSocket = "/run/baton/gate.sock";
constexpr std::size_t kTailBytes = 2048;
/// How often a lost sidecar is dialled: a unix socket costs nothing.
constexpr milliseconds kRedial{20};
/// How long the sidecar may think about a shutdown. SIGKILL after that loses nothing that was acknowledged.
constexpr milliseconds kAnswerLimit{500};
/// Exit status for a program that is not there, as shells have it.
constexpr int kNotFoundExit = 127;

void say(std::string_view text) {
  const std::string line = "baton-gate: " + std::string(text) + "\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

/// mysqld, as long as it runs, and what it wrote.
struct Child {
  pid_t pid = 0;
  bool initialize = false;
  Fd out;
  Fd err;
  std::string tail;

  [[nodiscard]] std::string role() const { return initialize ? "initialize" : "server"; }
};

class Gate {
 public:
  Gate(std::string socket_path, Fd signals) : socket_path_(std::move(socket_path)), signals_(std::move(signals)) {}

  int run() {
    dial();
    while (!finished()) {
      std::array<pollfd, 4> fds = {pollfd{signals_.get(), POLLIN, 0}, pollfd{link_.get(), POLLIN, 0},
                                   pollfd{child_.out.get(), POLLIN, 0}, pollfd{child_.err.get(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), wait_milliseconds()) < 0 && errno != EINTR) return 1;
      if (fds[2].revents != 0) pass_on(child_.out, STDOUT_FILENO);
      if (fds[3].revents != 0) pass_on(child_.err, STDERR_FILENO);
      if (fds[0].revents != 0) on_signal();
      if (fds[1].revents != 0) on_link();
      if (!link_) dial();
      if (answer_due_ && SteadyClock::now() >= *answer_due_) give_up_waiting();
    }
    return 0;
  }

 private:
  [[nodiscard]] bool finished() const { return terminating_ && child_.pid == 0; }

  [[nodiscard]] int wait_milliseconds() const {
    if (!link_) return static_cast<int>(kRedial.count());
    if (!answer_due_) return -1;
    const auto left = std::chrono::duration_cast<milliseconds>(*answer_due_ - SteadyClock::now()).count();
    return static_cast<int>(std::clamp<long long>(left + 1, 0, kAnswerLimit.count()));
  }

  // ---- the link to the sidecar

  void dial() {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    // connect() wants the general type; this cast is how the socket interface is made.
    if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return;
    const timeval limit{.tv_sec = 0, .tv_usec = 200'000};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    link_ = std::move(socket);
    reader_ = {};
    // The last exit first: "idle" is then never heard without it.
    if (last_exit_) send(*last_exit_);
    if (child_.pid != 0) {
      send({std::string(kGateHello), "running", std::to_string(child_.pid), child_.role()});
    } else {
      send({std::string(kGateHello), "idle"});
    }
    if (terminating_) send({std::string(kGateTerminating)});
  }

  void send(const GateMessage& message) {
    const auto bytes = encode(message);
    std::size_t sent = 0;
    while (link_ && sent < bytes.size()) {
      const auto count = ::send(link_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count > 0) sent += static_cast<std::size_t>(count);
      // Half a message cannot be taken back: the sidecar hears all of it again after the next dial.
      else if (count < 0 && errno != EINTR)
        link_.reset();
    }
  }

  void on_link() {
    std::array<char, 4096> bytes;
    const auto count = ::recv(link_.get(), bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EINTR) return;
    if (count <= 0) return link_.reset();
    reader_.feed({bytes.data(), static_cast<std::size_t>(count)});
    while (link_) {
      const auto message = reader_.next();
      if (!message) {
        say(message.error().what);
        return link_.reset();
      }
      if (!*message) return;
      on_command(**message);
    }
  }

  void on_command(const GateMessage& message) {
    const std::string& name = message.front();
    if (name == kGateStart || name == kGateInitialize) return start(message, name == kGateInitialize);
    if (name == kGateKill || name == kGateTerminate) return end_child(name == kGateKill ? SIGKILL : SIGTERM);
    send({std::string(kGateRefused), "this gate does not know the command '" + name + "'"});
  }

  // ---- mysqld

  void end_child(int signal) {
    answer_due_.reset();
    if (child_.pid != 0) ::kill(child_.pid, signal);
  }

  void start(const GateMessage& message, bool initialize) {
    if (terminating_) return send({std::string(kGateRefused), "the pod is being ended"});
    if (child_.pid != 0) return send({std::string(kGateRefused), "mysqld runs as " + std::to_string(child_.pid)});
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (::pipe2(out.data(), O_CLOEXEC) != 0) return send({std::string(kGateRefused), "no pipe: out of descriptors"});
    Fd out_read(out[0]);
    const Fd out_write(out[1]);
    if (::pipe2(err.data(), O_CLOEXEC) != 0) return send({std::string(kGateRefused), "no pipe: out of descriptors"});
    Fd err_read(err[0]);
    const Fd err_write(err[1]);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return send({std::string(kGateRefused), std::string("fork: ") + std::strerror(errno)});
    if (pid == 0) become_mysqld(message, parent, out_write.get(), err_write.get());
    child_ =
        Child{.pid = pid, .initialize = initialize, .out = std::move(out_read), .err = std::move(err_read), .tail = {}};
    send({std::string(kGateStarted), std::to_string(pid), child_.role()});
  }

  [[noreturn]] static void become_mysqld(const GateMessage& message, pid_t parent, int out, int err) {
    // mysqld never outlives its gate: a container that ends (also by SIGKILL or out of memory) takes mysqld along.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    // mysqld ends with 16 instead of starting itself anew only if this is its parent (sql/mysqld.cc,
    // is_mysqld_managed).
    ::setenv("MYSQLD_PARENT_PID", std::to_string(parent).c_str(), 1);
    std::vector<std::string> arguments = message;
    arguments.front() = "mysqld";
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ::execvp("mysqld", pointers.data());
    say(std::string("this image has no mysqld on its PATH that can be run: ") + std::strerror(errno));
    ::_exit(kNotFoundExit);
  }

  /// Copies what mysqld wrote. False at its end.
  bool pass_on(Fd& from, int to) {
    std::array<char, 4096> bytes;
    const auto count = ::read(from.get(), bytes.data(), bytes.size());
    if (count <= 0) {
      if (count == 0 || errno != EINTR) from.reset();
      return false;
    }
    const std::string_view text(bytes.data(), static_cast<std::size_t>(count));
    if (to == STDERR_FILENO) {
      child_.tail += text;
      if (child_.tail.size() > kTailBytes) child_.tail.erase(0, child_.tail.size() - kTailBytes);
    }
    // A log reader that stands still must not stand in the way of a kill: then lines are dropped.
    pollfd ready{to, POLLOUT, 0};
    if (::poll(&ready, 1, 0) > 0) [[maybe_unused]]
      const auto written = ::write(to, text.data(), text.size());
    return true;
  }

  void reap() {
    int state = 0;
    if (child_.pid == 0 || ::waitpid(child_.pid, &state, WNOHANG) != child_.pid) return;
    // Its last words are in the pipes. A grandchild may hold them open: no waiting for an end.
    for (auto* const stream : {&child_.out, &child_.err}) {
      const int to = stream == &child_.out ? STDOUT_FILENO : STDERR_FILENO;
      if (*stream) ::fcntl(stream->get(), F_SETFL, O_NONBLOCK);
      while (*stream && pass_on(*stream, to)) {
      }
    }
    const bool signalled = WIFSIGNALED(state);
    last_exit_ = GateMessage{std::string(kGateExited), std::to_string(child_.pid), signalled ? "signal" : "status",
                             std::to_string(signalled ? WTERMSIG(state) : WEXITSTATUS(state)), child_.tail};
    child_ = Child{};
    send(*last_exit_);
  }

  // ---- signals

  void on_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof(info)) != sizeof(info)) return;
    if (info.ssi_signo == SIGCHLD) return reap();
    if (terminating_) return;
    terminating_ = true;
    send({std::string(kGateTerminating)});
    if (child_.pid == 0) return;
    if (!link_) return give_up_waiting();
    answer_due_ = SteadyClock::now() + kAnswerLimit;
  }

  /// SIGKILL, not SIGTERM: a primary that shuts down in order tells waiting clients OK for rows that no replica has.
  void give_up_waiting() {
    say("no answer from the sidecar within the limit: mysqld is killed");
    end_child(SIGKILL);
  }

  std::string socket_path_;
  Fd signals_;
  Fd link_;
  GateMessageReader reader_;
  Child child_;
  std::optional<GateMessage> last_exit_;
  bool terminating_ = false;
  std::optional<SteadyClock::time_point> answer_due_;
};

}  // namespace
}  // namespace baton::sidecar

int main(int argc, char** argv) {
  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) ::sigaddset(&handled, signal);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  baton::Fd signals(::signalfd(-1, &handled, SFD_CLOEXEC));
  if (!signals) return 1;
  return baton::sidecar::Gate(argc > 1 ? argv[1] : baton::sidecar::kDefaultSocket, std::move(signals)).run();
}
