// RELIABILITY.md, G15: the program refuses each bomb, or reads it if its image is valid, within 1 s
// of CPU time and 256 MB of memory, both in addition to what the same command takes for a file that
// does not exist.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "fcm/base/error.h"
#include "fcm/base/stopwatch.h"
#include "tests/support/series.h"
#include "tests/tasks/bombs.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {

using namespace tests;  // NOLINT
namespace fs = std::filesystem;

struct Cost {
  int status = 0;
  double seconds = 0, megabytes = 0;
};

Cost cost_of(std::vector<std::string> words, const std::string& path) {
  words.insert(words.end(), {path, "--quiet"});
  const Stopwatch watch;
  const pid_t child = start(words, 0, "/dev/null", "/dev/null");
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          // CPU time, because other programs on the machine do not change it.
          static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
              static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
          static_cast<double>(usage.ru_maxrss) / 1024};
}

// A bomb that is on disk and no longer in memory. A child's peak memory includes that of this
// process at the fork.
struct BombOnDisk {
  std::string name;
  std::vector<std::string> command;
  int status;
  fs::path data;
};

std::vector<BombOnDisk> write_bombs(const Scratch& scratch) {
  std::vector<BombOnDisk> all;
  for (const auto& kind : {image_bombs, data_bombs, checkpoint_bombs, recipe_bombs}) {
    for (const Bomb& bomb : kind()) {
      const std::string folder = std::to_string(all.size()) + "/";
      const fs::path file = scratch.write(folder + bomb.file, bomb.bytes);
      if (!bomb.other_file.empty()) scratch.write(folder + bomb.other_file, bomb.other_bytes);
      const bool whole_folder = bomb.file.starts_with("train/");
      all.push_back({bomb.name, bomb.command, bomb.status, whole_folder ? scratch / folder : file});
    }
  }
  ::malloc_trim(0);
  return all;
}

TEST(BombsSlow, AreRefusedInASecondAndLittleMemory) {
  const Scratch scratch;
  const std::vector<BombOnDisk> bombs = write_bombs(scratch);
  double slowest = 0, largest = 0;
  for (const BombOnDisk& bomb : bombs) {
    SCOPED_TRACE(bomb.name);
    const Cost idle = cost_of(bomb.command, scratch / "no such file");
    const Cost cost = cost_of(bomb.command, bomb.data);
    const double seconds = cost.seconds - idle.seconds;
    const double megabytes = cost.megabytes - idle.megabytes;
    std::printf("%-42s status %d %6.2f s %7.1f MB\n", bomb.name.c_str(), cost.status, seconds,
                megabytes);
    std::fflush(stdout);
    EXPECT_EQ(cost.status, bomb.status);
    EXPECT_LT(seconds, 1);
    EXPECT_LT(megabytes, 256);
    slowest = std::max(slowest, seconds);
    largest = std::max(largest, megabytes);
  }
  test::Series::note("bombs", bombs.size());
  test::Series::note("slowest_seconds", slowest);
  test::Series::note("largest_megabytes", largest);
}

}  // namespace
}  // namespace fcm
