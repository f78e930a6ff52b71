// `launch` and other launchers: the built program as several processes.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/apps/program.h"
#include "tests/tasks/child.h"

namespace fcm::apps {
namespace {

namespace fs = std::filesystem;

using std::chrono::milliseconds;

std::vector<std::string> training(const fs::path& out, int64_t processes, int64_t steps) {
  return {"launch",
          "--processes",
          std::to_string(processes),
          "--",
          "pretrain",
          "--recipe",
          "smoke_pretrain",
          "--data",
          "synthetic",
          "--threads",
          "1",
          "--quiet",
          "--set",
          "run.max_steps=" + std::to_string(steps),
          "--set",
          "run.save_every_steps=2",
          "--set",
          "run.log_every_steps=1",
          "--set",
          "optim.epochs=100000",
          "--out",
          out.string()};
}

int run(const std::vector<std::string>& words) { return tests::wait_for(tests::start(words)); }

std::vector<pid_t> children_of(pid_t parent) {
  std::istringstream list(content_of(fmt::format("/proc/{}/task/{}/children", parent, parent)));
  return {std::istream_iterator<pid_t>(list), {}};
}

bool is_alive(pid_t pid) {
  const std::string stat = content_of(fmt::format("/proc/{}/stat", pid));
  return !stat.empty() && stat.find(") Z ") == stat.npos;
}

// The processes of the ranks. Waits until the first step is logged.
std::vector<pid_t> ranks_at_work(pid_t launcher, const fs::path& out) {
  for (int i = 0; i < 600 && content_of(out / "log.jsonl").empty(); ++i) {
    std::this_thread::sleep_for(milliseconds(50));
  }
  return children_of(launcher);
}

bool all_end(const std::vector<pid_t>& pids) {
  for (int i = 0; i < 200; ++i) {
    if (std::none_of(pids.begin(), pids.end(), is_alive)) return true;
    std::this_thread::sleep_for(milliseconds(50));
  }
  return false;
}

std::string weights(const fs::path& out, int64_t step) {
  const fs::path folder = out / "checkpoints" / fmt::format("step-{}", step);
  return content_of(folder / "model.safetensors") + content_of(folder / "optimizer.safetensors");
}

constexpr int64_t kSteps = 6;

TEST(Launch, TrainsAsOneRun) {
  const Scratch scratch;
  ASSERT_EQ(run(training(scratch / "a", 2, kSteps)), 0);
  ASSERT_EQ(run(training(scratch / "b", 2, kSteps)), 0);
  EXPECT_FALSE(weights(scratch / "a", kSteps).empty());
  EXPECT_TRUE(weights(scratch / "a", kSteps) == weights(scratch / "b", kSteps));
  EXPECT_TRUE(fs::exists(scratch / "a" / "report.html"));
}

TEST(Launch, PrintsOnceWhatSeveralDo) {
  const Outcome list = run_built("launch --processes 3 -- recipe list --json");
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_TRUE(nlohmann::json::parse(list.out).is_array());
  const Outcome help = run_built("launch --processes 3 pretrain --help");
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.out, run_built("pretrain --help").out);
}

TEST(Launch, RefusesWhatIsNoCommandBeforeItStartsAny) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"launch --processes 2", "needs a command to run"},
      {"launch pretrain --recipe demo", "--processes"},
      {"launch --processes 0 pretrain", "from 1 to"},
      {"launch --processes 2 pretrian", "did you mean pretrain?"},
      {"launch --processes 2 -- pretrain --recip demo", "did you mean --recipe?"},
      {"launch --process 2 pretrain", "did you mean --processes?"},
      {"launch --processes 2 launch --processes 2 pretrain", "cannot launch itself"}};
  for (const auto& [arguments, words] : wrong) {
    const Outcome outcome = run_here(arguments);
    EXPECT_EQ(outcome.status, 2) << arguments;
    EXPECT_NE(outcome.err.find(words), outcome.err.npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
}

TEST(Launch, EndsWithTheErrorOfTheRanks) {
  const Outcome outcome = run_built(
      "launch --processes 2 pretrain --recipe smoke_pretrain --data /nowhere --out /tmp/never");
  EXPECT_EQ(outcome.status, 3) << outcome.err;
}

TEST(Launch, ADryRunIsThatOfOneOfItsProcesses) {
  const std::string dry_run =
      "pretrain --recipe smoke_pretrain --data synthetic --out /nowhere/x --dry-run --json --set "
      "optim.micro_batch=0";
  const auto alone = nlohmann::json::parse(run_built(dry_run).out);
  const auto shared = nlohmann::json::parse(run_built("launch --processes 2 " + dry_run).out);
  EXPECT_EQ(2 * shared.at("micro_batch").get<int64_t>(), alone.at("micro_batch"));
  EXPECT_LT(shared.at("memory_needed_bytes"), alone.at("memory_needed_bytes"));
  if (std::getenv("OMP_NUM_THREADS") == nullptr && alone.at("threads") > 1) {
    EXPECT_EQ(shared.at("threads_set_by"), "launch, which divides the cores among its processes");
  }
}

// The shell has RANK and WORLD_SIZE from another job.
TEST(Ranks, OtherThanTheFirstSayWhyTheyDoNothing) {
  const Scratch scratch;
  const std::string command = fmt::format(
      "RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 {} recipe list >{} 2>&1",
      FCM_PROGRAM, (scratch / "said").string());
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 0);
  EXPECT_EQ(content_of(scratch / "said"),
            "recipe list is done by rank 0 alone; this process is rank 1 of 2 (RANK and "
            "WORLD_SIZE)\n");
}

TEST(Launch, FewOpenFilesAreASentence) {
  const Scratch scratch;
  const std::string command = fmt::format(
      "ulimit -n 12; {} launch --processes 2 pretrain --recipe smoke_pretrain --data synthetic "
      "--out {} 2>{}",
      FCM_PROGRAM, (scratch / "out").string(), (scratch / "err").string());
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 6);
  EXPECT_NE(content_of(scratch / "err").find("open files"), std::string::npos)
      << content_of(scratch / "err");
}

TEST(Launch, ABatchThatCannotBeDividedLeavesNoFolder) {
  const Scratch scratch;
  const std::string out = (scratch / "out").string();
  const Outcome few = run_built(
      "launch --processes 4 pretrain --recipe smoke_pretrain --data synthetic --set "
      "optim.batch_size=3 --out " +
      out);
  EXPECT_EQ(few.status, 2);
  EXPECT_NE(few.err.find("at most 3 processes"), few.err.npos) << few.err;
  const Outcome odd = run_built(
      "launch --processes 3 finetune --recipe smoke_finetune --data synthetic --from-scratch "
      "--set augment.mixup=0.8 --out " +
      out);
  EXPECT_EQ(odd.status, 2);
  EXPECT_NE(odd.err.find("a multiple of 6"), odd.err.npos) << odd.err;
  EXPECT_FALSE(fs::exists(out));
}

TEST(Launch, EndsAsOneProcessDoesWithoutAReader) {
  const Scratch scratch;
  const std::string command = fmt::format(
      "bash -c '{} launch --processes 2 pretrain --recipe smoke_pretrain --data synthetic --set "
      "run.max_steps=2 --quiet --out {} 2>{} | true; exit ${{PIPESTATUS[0]}}'",
      FCM_PROGRAM, (scratch / "out").string(), (scratch / "err").string());
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 128 + SIGPIPE);
  EXPECT_EQ(content_of(scratch / "err").find("was ended"), std::string::npos);
}

TEST(Launch, ItsJsonAndQuietAreTheCommands) {
  const Scratch scratch;
  const Outcome outcome = run_built(
      "launch --processes 2 --json --quiet pretrain --recipe smoke_pretrain --data synthetic "
      "--set run.max_steps=2 --out " +
      (scratch / "out").string());
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("steps"), 2);
  EXPECT_EQ(outcome.err, "");
}

TEST(Launch, ARankThatIsKilledEndsTheOthersAndTheSameCommandGoesOn) {
  const Scratch scratch;
  const fs::path out = scratch / "killed", messages = scratch / "stderr";
  ASSERT_EQ(run(training(scratch / "whole", 2, 60)), 0);
  const pid_t launcher = tests::start(training(out, 2, 60));
  const std::vector<pid_t> ranks = ranks_at_work(launcher, out);
  ASSERT_EQ(ranks.size(), 2U);
  ::kill(ranks[1], SIGKILL);
  EXPECT_EQ(tests::wait_for(launcher), 7);
  EXPECT_TRUE(all_end(ranks));
  ASSERT_EQ(run(training(out, 2, 60)), 0);
  EXPECT_TRUE(weights(out, 60) == weights(scratch / "whole", 60));
}

TEST(Launch, HandsSignalsOnAndTheRunStopsWithACheckpoint) {
  const Scratch scratch;
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    const fs::path out = scratch / std::to_string(signal);
    const pid_t launcher = tests::start(training(out, 2, 100'000));
    const std::vector<pid_t> ranks = ranks_at_work(launcher, out);
    ::kill(launcher, signal);
    EXPECT_EQ(tests::wait_for(launcher), 75) << signal;
    EXPECT_TRUE(all_end(ranks));
    EXPECT_TRUE(fs::exists(out / "checkpoints" / "latest"));
  }
}

TEST(Launch, AStopSignalToOneRankStopsAll) {
  const Scratch scratch;
  const pid_t launcher = tests::start(training(scratch / "a", 2, 100'000));
  const std::vector<pid_t> ranks = ranks_at_work(launcher, scratch / "a");
  ASSERT_EQ(ranks.size(), 2U);
  ::kill(ranks[1], SIGTERM);
  EXPECT_EQ(tests::wait_for(launcher), 75);
}

TEST(Launch, LeavesNoProcessBehindWhenItIsKilled) {
  const Scratch scratch;
  const pid_t launcher = tests::start(training(scratch / "a", 2, 100'000));
  const std::vector<pid_t> ranks = ranks_at_work(launcher, scratch / "a");
  ASSERT_EQ(ranks.size(), 2U);
  ::kill(launcher, SIGKILL);
  EXPECT_EQ(tests::wait_for(launcher), 128 + SIGKILL);
  EXPECT_TRUE(all_end(ranks));
}

// A Python with torch: FASTCONVMAE_PYTHON or python3; empty if there is none.
std::string python_with_torch() {
  const char* chosen = std::getenv("FASTCONVMAE_PYTHON");
  const std::string python = chosen != nullptr ? chosen : "python3";
  const std::string test = python + " -c 'import torch.distributed.run' >/dev/null 2>&1";
  return std::system(test.c_str()) == 0 ? python : "";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}

TEST(Launch, TorchrunStartsTheSameRun) {
  const std::string python = python_with_torch();
  if (python.empty()) {
    GTEST_SKIP() << "no Python with torch; set FASTCONVMAE_PYTHON to one";
  }
  const Scratch scratch;
  ASSERT_EQ(run(training(scratch / "a", 2, kSteps)), 0);
  std::vector<std::string> words = training(scratch / "b", 2, kSteps);
  words.erase(words.begin(), words.begin() + 4);  // removes "launch --processes 2 --"
  const std::string command =
      fmt::format("{} -m torch.distributed.run --no-python --standalone --nproc-per-node=2 {} {}",
                  python, FCM_PROGRAM, joined(words));
  ASSERT_EQ(std::system((command + " 2>" + (scratch / "err").string()).c_str()), 0)
      << content_of(scratch / "err");
  EXPECT_TRUE(weights(scratch / "a", kSteps) == weights(scratch / "b", kSteps));
}

// The variables that srun sets. The first host of the list is this machine.
TEST(Launch, SlurmsVariablesStartTheSameRun) {
  const Scratch scratch;
  ASSERT_EQ(run(training(scratch / "a", 2, kSteps)), 0);
  std::vector<std::string> words = training(scratch / "b", 2, kSteps);
  words.erase(words.begin(), words.begin() + 4);
  const auto rank = [&](int number) {
    return fmt::format(
        "env SLURM_PROCID={0} SLURM_LOCALID={0} SLURM_NTASKS=2 SLURM_TASKS_PER_NODE=2 "
        "SLURM_NODEID=0 SLURM_JOB_NODELIST=localhost SLURM_JOB_ID={1} {2} {3}",
        number, ::getpid(), FCM_PROGRAM, joined(words));
  };
  const std::string command =
      fmt::format("{} & {}; first=$?; wait $! && exit $first", rank(1), rank(0));
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_TRUE(weights(scratch / "a", kSteps) == weights(scratch / "b", kSteps));
}

TEST(Launch, TellsTorchrunWhatWasWrong) {
  const Scratch scratch;
  const fs::path file = scratch / "error.json";
  const std::string command = fmt::format(
      "env TORCHELASTIC_ERROR_FILE={} {} pretrain --recipe smoke_pretrain --data "
      "/nowhere --out {} 2>/dev/null",
      file.string(), FCM_PROGRAM, (scratch / "out").string());
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 3);
  const nlohmann::json error = nlohmann::json::parse(content_of(file)).at("message");
  EXPECT_NE(error.at("message").get<std::string>().find("/nowhere"), std::string::npos);
  EXPECT_GT(std::stoll(error.at("extraInfo").at("timestamp").get<std::string>()), 0);
}

TEST(Launch, VariablesThatContradictEachOtherAreOneSentence) {
  for (const char* variables : {"RANK=0", "WORLD_SIZE=2", "RANK=2 WORLD_SIZE=2",
                                "RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1"}) {
    const Scratch scratch;
    const std::string command =
        fmt::format("env {} {} pretrain --recipe smoke_pretrain --data synthetic --out {} 2>{}",
                    variables, FCM_PROGRAM, (scratch / "out").string(), (scratch / "err").string());
    const int status = std::system(command.c_str());
    EXPECT_EQ(WEXITSTATUS(status), 2) << variables;
    const std::string said = content_of(scratch / "err");
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    EXPECT_FALSE(fs::exists(scratch / "out"));
  }
}

// torchrun and srun start every rank with the same command line. Therefore only the first rank of
// each machine prints an error in full, and the other ranks print a line that refers to it. Every
// rank writes its error to torchrun's error file.
TEST(Ranks, TheFirstOfAMachineSpeaksOfTheCommandLine) {
  struct Rank {
    const char* variables;
    bool speaks;
  };
  for (const auto& [variables, speaks] :
       {Rank{"RANK=0 LOCAL_RANK=0", true}, Rank{"RANK=1 LOCAL_RANK=1", false},
        Rank{"RANK=2 LOCAL_RANK=0", true}, Rank{"RANK=3 LOCAL_RANK=1", false}}) {
    const Scratch scratch;
    for (const char* words : {"knn --data x --checkpoint y --k many", "pretrian", "knn --help"}) {
      const fs::path file = scratch / "error.json";
      const std::string command = fmt::format(
          "env {} WORLD_SIZE=4 LOCAL_WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29999 "
          "TORCHELASTIC_ERROR_FILE={} {} {} >{} 2>&1",
          variables, file.string(), FCM_PROGRAM, words, (scratch / "said").string());
      const bool help = std::string(words).ends_with("help");
      EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), help ? 0 : 2) << words;
      const std::string said = content_of(scratch / "said");
      const bool refers = said.find("the first rank of this machine prints") != std::string::npos;
      EXPECT_EQ(refers, !speaks && !help) << variables << " " << words << ": " << said;
      EXPECT_FALSE(said.empty()) << variables << " " << words;
      EXPECT_EQ(content_of(file).empty(), help) << words;
      fs::remove(file);
    }
  }
}

}  // namespace
}  // namespace fcm::apps
