#include "fcm/dist/launch.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/base/threads.h"
#include "fcm/dist/network.h"
#include "fcm/dist/process_group.h"

namespace fcm::dist {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array kForwardedSignals = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
// Time from the first failure to SIGKILL; longer if that rank was stopped by the user, because the
// others may still be saving a checkpoint.
constexpr std::chrono::seconds kGrace{5}, kGraceOfStopped{60};

// While an object exists, the signals are blocked in this thread and in the threads that it starts;
// next() receives them.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigemptyset(&taken_);
    for (const int signal : kForwardedSignals) sigaddset(&taken_, signal);
    sigaddset(&taken_, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &taken_, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

  const sigset_t& before() const { return before_; }
  // The next signal; nullopt on timeout.
  std::optional<int> next(std::chrono::milliseconds patience) const {
    const timespec time{patience.count() / 1000, patience.count() % 1000 * 1000000};
    const int signal = sigtimedwait(&taken_, nullptr, &time);
    return signal > 0 ? std::optional(signal) : std::nullopt;
  }

 private:
  sigset_t taken_{}, before_{};
};

// Texts in the form of argv and environ: pointers to the texts, then a null pointer.
class Texts {
 public:
  explicit Texts(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (std::string& text : texts_) pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  Texts(const Texts&) = delete;
  Texts& operator=(const Texts&) = delete;
  char** get() { return pointers_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

// This process's environment, with the variables of rank and group replaced.
std::vector<std::string> environment_of(int64_t rank, int64_t ranks, int64_t port) {
  std::map<std::string, std::string> own = {{"RANK", std::to_string(rank)},
                                            {"WORLD_SIZE", std::to_string(ranks)},
                                            {"LOCAL_RANK", std::to_string(rank)},
                                            {"LOCAL_WORLD_SIZE", std::to_string(ranks)},
                                            {"MASTER_ADDR", "127.0.0.1"},
                                            {"MASTER_PORT", std::to_string(port)},
                                            {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                            {"TORCHELASTIC_RESTART_COUNT", "0"}};
  if (std::getenv("OMP_NUM_THREADS") == nullptr) {
    own[kLaunchThreads] = std::to_string(std::max<int64_t>(usable_cores().count / ranks, 1));
  }
  std::vector<std::string> variables;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string variable = *one;
    const std::string name = variable.substr(0, variable.find('='));
    if (!own.contains(name) && name != "TORCHELASTIC_RUN_ID") variables.push_back(variable);
  }
  for (const auto& [name, value] : own) variables.push_back(name + "=" + value);
  return variables;
}

class Ranks {
 public:
  Ranks() = default;
  ~Ranks() {
    send(SIGKILL);
    for (const pid_t pid : pids_) {
      if (pid > 0) ::waitpid(pid, nullptr, 0);
    }
  }
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  void start(const LaunchRequest& request, const BlockedSignals& signals, int64_t port) {
    std::vector<std::string> words = request.command;
    words.insert(words.begin(), request.program);
    Texts arguments(words);
    for (int64_t rank = 0; rank < request.processes; ++rank) {
      Texts environment(environment_of(rank, request.processes, port));
      pids_.push_back(start_one(request.program, arguments, environment, signals));
    }
  }

  bool any_left() const {
    return std::any_of(pids_.begin(), pids_.end(), [](pid_t pid) { return pid > 0; });
  }
  void send(int signal) const {
    for (const pid_t pid : pids_) {
      if (pid > 0) ::kill(pid, signal);
    }
  }

  struct End {
    size_t rank = 0;
    pid_t pid = 0;
    int status = 0;  // as waitpid returns it
  };
  // The ranks that have ended since the last call.
  std::vector<End> ended() {
    std::vector<End> ends;
    for (size_t rank = 0; rank < pids_.size(); ++rank) {
      int status = 0;
      if (pids_[rank] <= 0 || ::waitpid(pids_[rank], &status, WNOHANG) != pids_[rank]) continue;
      ends.push_back({rank, pids_[rank], status});
      pids_[rank] = 0;
    }
    return ends;
  }

 private:
  static pid_t start_one(const std::string& program, Texts& arguments, Texts& environment,
                         const BlockedSignals& signals) {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
      fail(ExitCode::kDevice, "cannot start another process: {}", std::strerror(errno));
    }
    if (child > 0) return child;
    // Only async-signal-safe calls between fork and exec, since the parent has threads.
    ::setpgid(0, 0);  // else Ctrl-C would reach a rank twice: from the terminal and from launch
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(static_cast<int>(ExitCode::kPeerLost));
    pthread_sigmask(SIG_SETMASK, &signals.before(), nullptr);
    ::execve(program.c_str(), arguments.get(), environment.get());
    ::_exit(127);
  }

  std::vector<pid_t> pids_;  // by rank; 0: ended
};

// Raises the limit of open files if needed. With too few descriptors the store accepts no
// connection, and all ranks hang.
void allow_descriptors(int64_t processes) {
  constexpr rlim_t kOfOneProcess = 24, kOfEachRank = 4;
  const rlim_t wanted = kOfOneProcess + kOfEachRank * static_cast<rlim_t>(processes);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == wanted) return;
  fail(ExitCode::kDevice,
       "{} processes need {} open files, and the limit is {}; raise it (ulimit -n {})", processes,
       wanted, limit.rlim_max, wanted);
}

// Fails if there is too little memory or too few threads for the store. LibTorch's threads run the
// store; without this check they would abort the process or leave all ranks waiting.
void expect_room_for_store() {
  constexpr size_t kBytes = size_t{128} << 20;
  constexpr int64_t kThreads = 4;
  void* const room =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room != MAP_FAILED) ::munmap(room, kBytes);
  if (room != MAP_FAILED && startable_threads(kThreads) == kThreads) return;
  fail(ExitCode::kDevice,
       "the store where the processes meet needs {} MB and {} threads, more than is left ({}); "
       "raise that limit",
       kBytes >> 20, kThreads, limits_of_threads());
}

// The exit status of the run, from the first rank that failed.
int status_of(const Ranks::End& end, const std::vector<int>& forwarded, int64_t ranks) {
  if (WIFEXITED(end.status)) return WEXITSTATUS(end.status);
  const int signal = WTERMSIG(end.status);
  // A single process also ends with this status when the reader of its pipe has closed it.
  if (signal == SIGPIPE) return 128 + signal;
  if (std::find(forwarded.begin(), forwarded.end(), signal) != forwarded.end()) return 128 + signal;
  fail(
      ExitCode::kPeerLost,
      "rank {} of {} on host {} (process {}) was killed by signal {} ({}), and the others with it; "
      "the same command resumes from the newest checkpoint, if there is one",
      end.rank, ranks, host_name(), end.pid, signal, ::strsignal(signal));
}

}  // namespace

int launch(const LaunchRequest& request, Reporter& reporter) {
  allow_descriptors(request.processes);
  expect_room_for_store();
  const BlockedSignals signals;
  const StoreHost store;
  Ranks ranks;
  ranks.start(request, signals, store.port());
  std::vector<int> forwarded;
  std::optional<Ranks::End> first;
  Clock::time_point deadline = Clock::time_point::max();
  while (ranks.any_left()) {
    const auto signal = signals.next(std::chrono::milliseconds(200));
    if (signal && *signal != SIGCHLD) {
      forwarded.push_back(*signal);
      ranks.send(*signal);
    }
    for (const Ranks::End& end : ranks.ended()) {
      if (first || end.status == 0) continue;
      first = end;
      const bool stopped =
          WIFEXITED(end.status) && WEXITSTATUS(end.status) == static_cast<int>(ExitCode::kStopped);
      deadline = Clock::now() + (stopped ? kGraceOfStopped : kGrace);
      if (stopped) continue;
      if (ranks.any_left())
        reporter.info(fmt::format("rank {} ended; ending the others", end.rank));
      ranks.send(SIGTERM);
    }
    if (Clock::now() >= deadline) ranks.send(SIGKILL);
  }
  return first ? status_of(*first, forwarded, request.processes) : 0;
}

}  // namespace fcm::dist
