// RELIABILITY.md, G8 and G27: a run on a full disk, with limited file sizes or with too little
// memory ends with the documented status. The same command, repeated later, ends with the same
// bits.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>

#include "tests/support/series.h"
#include "tests/tasks/short_run.h"

namespace fcm {
namespace {

using namespace tests;  // NOLINT

constexpr int kNoCheckpoint = static_cast<int>(ExitCode::kCheckpoint);
constexpr int kNoMemory = static_cast<int>(ExitCode::kDevice);

struct Baseline {
  Undisturbed left;
  uint64_t largest_file = 0, bytes = 0;
};

Baseline baseline_of(const ShortRun& run) {
  const Scratch scratch;
  const fs::path out = scratch / "run";
  EXPECT_EQ(wait_for(start(run.in(out))), 0);
  Baseline whole{{final_bits(out, run.steps), log_of(out)}};
  for (const auto& entry : fs::recursive_directory_iterator(out)) {
    if (!entry.is_regular_file()) continue;
    whole.largest_file = std::max<uint64_t>(whole.largest_file, entry.file_size());
    whole.bytes += entry.file_size();
  }
  return whole;
}

TEST(FullDiskSlow, FileSizeLimits) {
  const test::Series series(40);
  const ShortRun run = pretraining(24, 3);
  const Baseline whole = baseline_of(run);
  int64_t refused = 0;
  for (int64_t number = 0; number < series.cases(); ++number) {
    SCOPED_TRACE(series.place(number));
    const Scratch scratch;
    const fs::path out = scratch / "run";
    const uint64_t limit = 1 + series.random_of(number).below(whole.largest_file);
    const int status = wait_for(start(run.in(out), limit));
    ASSERT_EQ(status, kNoCheckpoint) << "with files of at most " << limit << " bytes";
    ++refused;
    ASSERT_EQ(wait_for(start(run.in(out))), 0);
    ASSERT_EQ(difference(out, run, whole.left), "");
  }
  test::Series::note("refused", refused);
}

// The shell script that mounts a small disk in its own mount namespace, runs the program there,
// enlarges the disk, and runs the program again.
constexpr const char* kScript = R"(
set -u
mount -t tmpfs -o size="$SIZE" none "$DISK" || exit 77
"$@" --out "$DISK/run" >/dev/null 2>"$DISK.messages"; echo $? > "$DISK.first"
find "$DISK" -name '*.tmp*' > "$DISK.temporaries"
mount -o remount,size=1g none "$DISK" || exit 77
"$@" --out "$DISK/run" >/dev/null 2>&1; echo $? > "$DISK.second"
cp -a "$DISK/run" "$DISK.copy"
)";

TEST(FullDiskSlow, ADiskOfAnySize) {
  const test::Series series(30);
  const ShortRun run = pretraining(24, 3);
  const Baseline whole = baseline_of(run);
  int64_t refused = 0;
  for (int64_t number = 0; number < series.cases(); ++number) {
    SCOPED_TRACE(series.place(number));
    const Scratch scratch;
    const fs::path disk = scratch / "disk";
    fs::create_directory(disk);
    const uint64_t size = 4096 * (1 + series.random_of(number).below(whole.bytes / 4096));
    std::ofstream(scratch / "script.sh") << kScript;
    std::string command = "SIZE=" + std::to_string(size) + " DISK='" + disk.string() +
                          "' unshare -m sh '" + (scratch / "script.sh").string() +
                          "' '" FCM_PROGRAM "'";
    for (const std::string& word : run.words) command += " '" + word + "'";
    const int status = std::system(command.c_str());
    if (WEXITSTATUS(status) == 77 || !fs::exists(disk.string() + ".second")) {
      GTEST_SKIP() << "cannot mount a disk: root is required";
    }
    const int first = std::stoi(read_file(disk.string() + ".first", ExitCode::kUsage));
    ASSERT_TRUE(first == 0 || first == kNoCheckpoint)
        << first << " on a disk of " << size
        << " bytes: " << read_file(disk.string() + ".messages", ExitCode::kUsage);
    ASSERT_EQ(read_file(disk.string() + ".temporaries", ExitCode::kUsage), "") << size;
    ASSERT_EQ(std::stoi(read_file(disk.string() + ".second", ExitCode::kUsage)), 0) << size;
    refused += first != 0 ? 1 : 0;
    ASSERT_EQ(difference(disk.string() + ".copy", run, whole.left), "");
  }
  test::Series::note("refused", refused);
}

// The peak address space of a process, as the kernel reports it.
uint64_t peak_addresses(const std::vector<std::string>& words) {
  const pid_t child = start(words, 0, "/dev/null", "/dev/null");
  uint64_t peak = 0;
  while (!has_ended(child)) {
    std::ifstream status("/proc/" + std::to_string(child) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmPeak:")) {
        peak = std::max<uint64_t>(peak, std::strtoull(line.c_str() + 7, nullptr, 10) * 1024);
      }
    }
  }
  EXPECT_EQ(wait_for(child), 0);
  return peak;
}

int wait_with_address_limit(const std::vector<std::string>& words, uint64_t limit,
                            const fs::path& messages) {
  const rlimit before = [] {
    rlimit found{};
    ::getrlimit(RLIMIT_AS, &found);
    return found;
  }();
  const pid_t child = start(words, 0, "/dev/null", messages);
  const rlimit wanted{limit, before.rlim_max};
  ::prlimit(child, RLIMIT_AS, &wanted, nullptr);
  return wait_for(child);
}

// Each limit is drawn between the peak address space of `--version` and that of the whole run.
TEST(LittleMemorySlow, ExitsWithStatusAndMessage) {
  const test::Series series(40);
  const ShortRun run = pretraining(24, 3);
  const Scratch whole;
  const uint64_t most = peak_addresses(run.in(whole / "run"));
  const uint64_t least = peak_addresses({"--version"});
  const Undisturbed left{final_bits(whole / "run", run.steps), log_of(whole / "run")};
  ASSERT_GT(most, least);
  int64_t refused = 0;
  for (int64_t number = 0; number < series.cases(); ++number) {
    SCOPED_TRACE(series.place(number));
    const Scratch scratch;
    const fs::path out = scratch / "run";
    const uint64_t limit = least + series.random_of(number).below(most - least + 1);
    const int status = wait_with_address_limit(run.in(out), limit, scratch / "messages");
    const std::string said = read_file(scratch / "messages", ExitCode::kUsage);
    ASSERT_TRUE(status == 0 || status == kNoMemory)
        << status << " with " << limit << " bytes of addresses (" << least << " to " << most
        << "): " << said;
    if (status != 0) {
      ASSERT_NE(said.find("memory"), std::string::npos) << said;
    }
    refused += status != 0 ? 1 : 0;
    ASSERT_EQ(wait_for(start(run.in(out))), 0);
    ASSERT_EQ(difference(out, run, left), "");
  }
  test::Series::note("refused", refused);
}

}  // namespace
}  // namespace fcm
