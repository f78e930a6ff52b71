// Ranks as child processes that communicate through Gloo or shared memory.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/dist/process_group.h"
#include "tests/support/scratch.h"

namespace fcm::dist::test {

inline Placement placement_here(int64_t rank, int64_t size, int64_t port) {
  Placement placement;
  placement.rank = placement.local_rank = rank;
  placement.size = placement.local_size = size;
  placement.address = "127.0.0.1";
  placement.port = port;
  placement.hosted = true;
  placement.source = "a test";
  return placement;
}

// Options with which a lost rank is detected quickly.
inline JoinOptions quick_options() {
  JoinOptions options;
  options.program = "test";
  options.patience = std::chrono::seconds(20);
  options.heartbeat = std::chrono::milliseconds(100);
  options.lost_after = std::chrono::seconds(2);
  options.on_lost = [](const std::string& cause) {
    std::fprintf(stderr, "%s\n", cause.c_str());
    std::fflush(stderr);
    ::_exit(static_cast<int>(ExitCode::kPeerLost));
  };
  return options;
}

// Places each rank on a machine of its own, so that the ranks communicate through the network.
inline void as_on_several_machines(Placement& placement, JoinOptions&) {
  placement.local_rank = 0;
  placement.local_size = 1;
}

// The ranks of a group as child processes, each with its stderr in a file. They are forked before
// the store starts its thread, because that thread could hold a lock of the C library during a
// fork. They get the store's port through a pipe.
class Processes {
 public:
  using Work = std::function<void(const std::shared_ptr<Group>&)>;
  using ChangePlacement = std::function<void(Placement&, JoinOptions&)>;

  // Each rank joins the group, runs `work` and leaves. An Error becomes the exit status, and its
  // text goes to stderr. `change` modifies a rank's placement and options.
  Processes(int64_t ranks, const Work& work, const ChangePlacement& change = {}) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    const Descriptor read_end(ends[0]), write_end(ends[1]);
    for (int64_t rank = 0; rank < ranks; ++rank) {
      const pid_t child = ::fork();
      if (child == 0) run(rank, ranks, read_end, work, change);
      pids_.push_back(child);
    }
    const StoreHost& store = store_.emplace();
    const std::vector<int64_t> ports(static_cast<size_t>(ranks), store.port());
    const auto bytes = static_cast<ssize_t>(ports.size() * sizeof(int64_t));
    if (::write(write_end.get(), ports.data(), static_cast<size_t>(bytes)) != bytes) {
      throw std::runtime_error("write failed");
    }
  }
  ~Processes() {
    for (const pid_t pid : pids_) {
      if (pid <= 0) continue;
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  pid_t pid(int64_t rank) const { return pids_[static_cast<size_t>(rank)]; }

  // The exit status; 128 + signal if a signal ended the process.
  int wait_for(int64_t rank) {
    int status = 0;
    ::waitpid(pid(rank), &status, 0);
    pids_[static_cast<size_t>(rank)] = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::vector<int> wait_for_all() {
    std::vector<int> statuses;
    for (size_t rank = 0; rank < pids_.size(); ++rank) {
      statuses.push_back(wait_for(static_cast<int64_t>(rank)));
    }
    return statuses;
  }

  std::string said(int64_t rank) const {
    std::ifstream stream(file(rank), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

 private:
  std::filesystem::path file(int64_t rank) const { return scratch_ / std::to_string(rank); }

  [[noreturn]] void run(int64_t rank, int64_t ranks, const Descriptor& read_end, const Work& work,
                        const ChangePlacement& change) const {
    // The program ignores SIGPIPE too: writing to the socket of a lost rank then fails with EPIPE.
    ::signal(SIGPIPE, SIG_IGN);
    int64_t port = 0;
    if (::read(read_end.get(), &port, sizeof port) != sizeof port) ::_exit(125);
    if (std::freopen(file(rank).c_str(), "w", stderr) == nullptr) ::_exit(126);
    int status = 0;
    Placement placement = placement_here(rank, ranks, port);
    JoinOptions options = quick_options();
    if (change) change(placement, options);
    std::shared_ptr<Process> process;
    const auto end_with = [&](int code, const char* text) {
      std::fprintf(stderr, "%s\n", text);
      std::fflush(stderr);
      status = code;
    };
    try {
      SilentReporter silence;
      process = join(placement, options, silence);
      work(process);
      process->leave();
    } catch (const SharedError& error) {
      end_with(static_cast<int>(error.code()), error.what());
      if (process) process->leave();
    } catch (const Error& error) {
      end_with(static_cast<int>(error.code()), error.what());
      if (process) process->give_up(error.what());
    } catch (const std::exception& error) {
      end_with(1, error.what());
      if (process) process->give_up(error.what());
    }
    ::_exit(status);
  }

  const fcm::test::Scratch scratch_;
  std::optional<StoreHost> store_;
  std::vector<pid_t> pids_;  // 0: already waited for
};

}  // namespace fcm::dist::test
