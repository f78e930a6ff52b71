// Limits on cores, threads, memory, files and folders, as clusters and containers set them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/program.h"

namespace fcm::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDryRun =
    "pretrain --recipe smoke_pretrain --data synthetic --out /nowhere/x --dry-run --json";

// Runs the program in a shell, after the shell commands `before`.
Outcome run_after(const std::string& before, const std::string& arguments) {
  const Scratch scratch;
  const std::string line = fmt::format("{}; {} {} >{}/out 2>{}/err", before, FCM_PROGRAM, arguments,
                                       scratch.string(), scratch.string());
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          content_of(scratch / "out"), content_of(scratch / "err")};
}

TEST(Limits, ThreadsAreAsManyAsTheEnvironmentSays) {
  const auto facts = [](const std::string& before, const std::string& more = "") {
    const Outcome outcome = run_after(before, kDryRun + more);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  };
  const std::string none = "unset OMP_NUM_THREADS SLURM_CPUS_PER_TASK";
  const auto one = facts(none + "; export OMP_NUM_THREADS=1");
  EXPECT_EQ(one.at("threads"), 1);
  EXPECT_GT(one.at("memory_bytes"), 1e6);
  const int64_t cores = facts(none).at("threads");
  EXPECT_EQ(one.at("threads_set_by"),
            cores == 1 ? facts(none).at("threads_set_by") : nlohmann::json("OMP_NUM_THREADS"));
  EXPECT_EQ(facts(none + "; export SLURM_CPUS_PER_TASK=1").at("threads"), 1);
  const auto asked = facts(none + "; export OMP_NUM_THREADS=1", " --threads 3");
  EXPECT_EQ(asked.at("threads"), 3);
  EXPECT_EQ(asked.at("threads_set_by"), "--threads");
}

// OpenMP silently starts fewer threads than requested; the program must report the real number.
TEST(Limits, ThreadsAreNotMoreThanOpenMPMayStart) {
  const std::string none = "unset OMP_NUM_THREADS SLURM_CPUS_PER_TASK";
  const Outcome one = run_after(none + "; export OMP_THREAD_LIMIT=1", kDryRun);
  ASSERT_EQ(one.status, 0) << one.err;
  EXPECT_EQ(nlohmann::json::parse(one.out).at("threads"), 1);
  const Outcome more = run_after(none + "; export OMP_THREAD_LIMIT=2",
                                 "pretrain --recipe smoke_pretrain --data synthetic --out "
                                 "/nowhere/x --threads 3");
  EXPECT_EQ(more.status, 6);
  EXPECT_EQ(more.err,
            "error: 3 threads (--threads) are more than OMP_THREAD_LIMIT = 2 lets OpenMP start; "
            "give --threads 2, or raise it\n");
}

TEST(Limits, ThreadsAreNotMoreThanTheCoresThatTheProcessIsBoundTo) {
  const Outcome outcome = run_after(
      "unset OMP_NUM_THREADS; taskset -p -c $(taskset -c -p $$ | sed s/.*:.// | sed s/[-,].*//) $$ "
      ">/dev/null || exit 77",
      kDryRun);
  if (outcome.status == 77) GTEST_SKIP() << "taskset is not installed";
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("threads"), 1);
}

// Limits on address space, from too little for two processes to enough: the program neither aborts
// nor hangs.
TEST(Limits, LittleAddressSpaceIsASentenceOfLaunch) {
  const Scratch scratch;
  for (const int kilobytes : {500'000, 600'000, 800'000}) {
    const Outcome outcome = run_after(
        fmt::format("ulimit -v {}", kilobytes),
        fmt::format("launch --processes 2 pretrain --recipe smoke_pretrain --data synthetic --set "
                    "run.max_steps=1 --out {}/{}",
                    scratch.path().string(), kilobytes));
    // Status 6 is that of the rank without memory, 7 that of the other rank, which has lost it.
    // 127: the program could not be loaded.
    const bool sentence = (outcome.status == 6 || outcome.status == 7) &&
                          outcome.err.find("error: ") != outcome.err.npos;
    EXPECT_TRUE(outcome.status == 0 || outcome.status == 127 || sentence)
        << kilobytes << ": " << outcome.status << ", " << outcome.err;
    EXPECT_EQ(outcome.err.find("terminate called"), outcome.err.npos) << outcome.err;
  }
}

// A control group (version 1) for one test, if the test may create one.
class ControlGroup {
 public:
  explicit ControlGroup(const std::string& controller)
      : folder_(fmt::format("/sys/fs/cgroup/{}/fcm-test-{}", controller, ::getpid())) {
    std::error_code error;
    made_ = fs::create_directory(folder_, error) && !error && fs::exists(folder_ / "cgroup.procs");
  }
  ~ControlGroup() {
    if (made_) ::rmdir(folder_.c_str());
  }
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;
  bool made() const { return made_; }
  bool set(const std::string& name, const std::string& value) const {
    return bool(std::ofstream(folder_ / name) << value << std::flush);
  }
  std::string enter() const { return fmt::format("echo $$ >{}/cgroup.procs", folder_.string()); }

 private:
  fs::path folder_;
  bool made_ = false;
};

constexpr const char* kNoGroup = "no control group of version 1 can be made here";

TEST(Limits, TheQuotaOfAControlGroupIsHeeded) {
  const ControlGroup group("cpu");
  if (!group.made() || !group.set("cpu.cfs_quota_us", "70000")) GTEST_SKIP() << kNoGroup;
  const Outcome outcome = run_after("unset OMP_NUM_THREADS; " + group.enter(), kDryRun);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("threads"), 1);
}

TEST(Limits, TheMemoryOfAControlGroupIsWhatThereIs) {
  const ControlGroup group("memory");
  if (!group.made() || !group.set("memory.limit_in_bytes", "800M")) GTEST_SKIP() << kNoGroup;
  const Outcome outcome = run_after(
      group.enter(),
      kDryRun + std::string(" --set data.image_size=[384,384] --set optim.batch_size=64"));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto facts = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(facts.at("memory_bytes"), 800 << 20);
  // Each image of a micro-batch takes 40 MB at the peak; the program and its batches take 400 MB.
  EXPECT_LE(facts.at("micro_batch"), 8);
}

TEST(Limits, MoreThreadsThanThereMayBeAreASentence) {
  const ControlGroup group("pids");
  if (!group.made() || !group.set("pids.max", "6")) GTEST_SKIP() << kNoGroup;
  for (const char* threads : {"4", "64"}) {
    const Outcome outcome = run_after(
        group.enter(), fmt::format("pretrain --recipe smoke_pretrain --data synthetic --out "
                                   "/nowhere/x --threads {}",
                                   threads));
    EXPECT_EQ(outcome.status, 6);
    EXPECT_TRUE(
        outcome.err.starts_with(fmt::format("error: with {} threads (--threads) ", threads)))
        << outcome.err;
    EXPECT_NE(outcome.err.find("pids.max is 6"), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

TEST(Limits, FoldersOfTheEnvironmentAreNotNeeded) {
  const Scratch scratch;
  EXPECT_EQ(run_after("unset HOME XDG_CACHE_HOME; export TMPDIR=/nowhere", kDryRun).status, 0);
  const Outcome bench =
      run_after("export TMPDIR=/nowhere/at/all", "bench checkpoint --bytes 1000000");
  EXPECT_EQ(bench.status, 2);
  EXPECT_NE(bench.err.find("set TMPDIR, or give --out DIR"), std::string::npos) << bench.err;
}

TEST(Limits, NamesThatCannotBeNamesOfFilesAreUsersMistakes) {
  const std::string name(300, 'a');
  const auto status = [&](const std::string& arguments) {
    const Outcome outcome = run_here(arguments);
    EXPECT_EQ(outcome.err.find("internal"), std::string::npos) << outcome.err;
    return outcome.status;
  };
  EXPECT_EQ(status("data verify " + name), 3);
  EXPECT_EQ(status("checkpoint show " + name), 4);
  EXPECT_EQ(status("checkpoint verify " + name), 4);
  EXPECT_EQ(status("report " + name), 2);
  EXPECT_EQ(status("recipe check " + name + ".toml"), 2);
  EXPECT_EQ(status("checkpoint convert " + name + " out.pth"), 4);
  EXPECT_EQ(status("checkpoint convert x " + name + ".pth"), 2);
  EXPECT_EQ(status("features --data synthetic --checkpoint x --out " + name + ".npy"), 2);
  EXPECT_EQ(status("demo --out " + name), 2);
  EXPECT_EQ(status("pretrain --recipe smoke_pretrain --data synthetic --threads 1 --out " + name),
            2);
}

TEST(Limits, EndingsOfFilesThatAreWrittenSayWhatTheyAre) {
  struct Case {
    const char *arguments, *message;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"features --data synthetic --checkpoint x --out f.txt",
            "f.txt does not end in .npy or "},
           {"visualize --checkpoint x --images a.png --out sheet.jpg", "does not end in .png"},
           {"data pack synthetic --out d.tar",
            "d.tar ends in .tar, but a packed file is written; "
            "choose a name like d.pack"},
           {"checkpoint convert x y.txt", "y.txt ends in neither .pth nor .safetensors"},
           {"checkpoint convert x y.safetensors --to pth", "does not end in .pth or "},
           {"checkpoint convert x y.pth --to safetensors", "does not end in .safetensors"},
           {"checkpoint convert x y.pth --to hf",
            "y.pth ends in .pth, and --to hf writes a folder"}}) {
    const Outcome outcome = run_here(one.arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(one.message), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace fcm::apps
