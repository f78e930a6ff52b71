// RELIABILITY.md, G13, G22 and G28: runs of many steps report no spike falsely, do not leak memory
// or files, and come to their end although they are killed again and again.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

#include "fcm/base/stopwatch.h"
#include "tests/support/series.h"
#include "tests/tasks/short_run.h"

namespace fcm {
namespace {

using namespace tests;  // NOLINT

// The last step in the log of a run that may still be writing it.
int64_t last_step(const fs::path& out) {
  if (!fs::exists(out / "log.jsonl")) return 0;
  const std::vector<nlohmann::json> lines = train::read_log(out / "log.jsonl");
  return lines.empty() ? 0 : lines.back().value("step", int64_t{0});
}

double resident_megabytes(pid_t child) {
  std::ifstream status("/proc/" + std::to_string(child) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return 0;
}

int64_t descriptors(pid_t child) {
  std::error_code none;
  fs::directory_iterator entry("/proc/" + std::to_string(child) + "/fd", none);
  return none ? 0 : std::distance(entry, {});
}

TEST(LongRunsSlow, ThousandsOfStepsLeakNeitherMemoryNorFiles) {
  const test::Series series(10'000);
  const int64_t steps = series.cases();
  const ShortRun run =
      pretraining(steps, steps / 20, {"run.pictures_every_steps=" + std::to_string(steps / 10)});
  const Scratch scratch;
  const pid_t child = start(run.in(scratch / "run"));
  struct Seen {
    int64_t step, files;
    double megabytes;
  };
  std::vector<Seen> seen;
  while (!has_ended(child)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const int64_t step = last_step(scratch / "run");
    if (step < steps / 5 || (!seen.empty() && step < seen.back().step + steps / 20)) continue;
    const Seen now{step, descriptors(child), resident_megabytes(child)};
    if (now.megabytes > 0) seen.push_back(now);
  }
  ASSERT_EQ(wait_for(child), 0);
  ASSERT_GT(seen.size(), 8U);
  // The growth is the difference between the medians of the two halves. A median hides the memory
  // of a save in progress.
  const auto median = [](std::vector<Seen> part) {
    std::sort(part.begin(), part.end(),
              [](const Seen& one, const Seen& two) { return one.megabytes < two.megabytes; });
    return part[part.size() / 2].megabytes;
  };
  const auto middle = seen.begin() + std::ssize(seen) / 2;
  const double grown = median({middle, seen.end()}) - median({seen.begin(), middle});
  const double slope = grown / (static_cast<double>(seen.back().step - seen.front().step) / 2000);
  test::Series::note("megabytes", seen.back().megabytes);
  test::Series::note("megabytes_per_1000_steps", slope);
  EXPECT_LT(slope, 1);
  const auto [fewest, most] =
      std::minmax_element(seen.begin(), seen.end(),
                          [](const Seen& one, const Seen& two) { return one.files < two.files; });
  test::Series::note("descriptors_most", most->files);
  EXPECT_LE(most->files - fewest->files, 3);  // a save or a reader of the log may have files open
}

TEST(LongRunsSlow, CleanRunsGiveNoFalseAlarmOfASpike) {
  const test::Series series(1000);
  const std::string steps = std::to_string(series.cases());
  int64_t alarms = 0;
  for (const int64_t seed : {0, 1, 2}) {
    const Scratch scratch;
    ShortRun run = pretraining(series.cases(), 500, {"run.log_every_steps=20"});
    run.words.insert(run.words.end(), {"--seed", std::to_string(seed)});
    ASSERT_EQ(wait_for(start(run.in(scratch / "run"))), 0);
    const auto lines = train::read_log(scratch / "run" / "log.jsonl");
    ASSERT_EQ(lines.back().at("step"), series.cases());
    alarms += std::count_if(lines.begin(), lines.end(),
                            [](const nlohmann::json& line) { return line.contains("spike"); });
  }
  test::Series::note("runs", 3);
  test::Series::note("false_alarms", alarms);
  EXPECT_EQ(alarms, 0);
}

// A run is killed every 20 s on average (FASTCONVMAE_KILL_EVERY) and restarted with the same
// command. Undisturbed, it would train for FASTCONVMAE_CASES seconds.
TEST(LongRunsSlow, UnattendedUnderKillsComesToItsEnd) {
  const test::Series series(120);
  const char* text = std::getenv("FASTCONVMAE_KILL_EVERY");
  const double mean_seconds = text == nullptr ? 20 : std::strtod(text, nullptr);
  // The number of steps follows from the measured duration of 1000 steps.
  const Scratch scratch;
  const Stopwatch watch;
  ASSERT_EQ(wait_for(start(pretraining(1000, 1000).in(scratch / "rate"))), 0);
  const double rate = 1000 / watch.seconds();
  const auto steps = static_cast<int64_t>(rate * static_cast<double>(series.cases()));
  const ShortRun run = pretraining(steps, std::max<int64_t>(1, static_cast<int64_t>(rate)),
                                   {"run.log_every_steps=10"});
  const fs::path out = scratch / "run", plain = scratch / "whole";
  KeyedRandom random = series.random_of(0);
  int64_t kills = 0, made = 0;
  const Stopwatch all;
  for (int status = -1; status != 0;) {
    const int64_t before =
        fs::exists(out / "checkpoints" / "latest")
            ? std::stoll(read_file(out / "checkpoints" / "latest", ExitCode::kCheckpoint).substr(5))
            : 0;
    const double until = all.seconds() - mean_seconds * std::log(1 - random.uniform_double());
    const pid_t child = start(run.in(out));
    while (!has_ended(child) && all.seconds() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ::kill(child, SIGKILL);
    status = wait_for(child);
    ASSERT_TRUE(status == 0 || status == 128 + SIGKILL) << status;
    kills += status != 0 ? 1 : 0;
    made += std::max<int64_t>(0, last_step(out) - before);
  }
  const double useful = static_cast<double>(steps) / static_cast<double>(made);
  test::Series::note("kills", kills);
  test::Series::note("steps", steps);
  test::Series::note("seconds", all.seconds());
  test::Series::note("useful_share_of_steps", useful);
  EXPECT_GE(useful, 0.9);
  ASSERT_EQ(wait_for(start(run.in(plain))), 0);
  EXPECT_EQ(difference(out, run, {final_bits(plain, steps), log_of(plain)}), "");
}

}  // namespace
}  // namespace fcm
