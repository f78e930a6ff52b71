// What the program's commands do, as functions: apps/ parses the command line and prints results.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/train/recipe.h"

namespace fcm::tasks {

// Facts of the machine: flags, never recipe keys.
struct Machine {
  std::string device = "auto";
  int64_t threads = 0;  // 0: one for each core
};

struct RunRequest {
  train::Recipe recipe;
  std::string data;             // as --data names it
  std::filesystem::path out;    // the run folder
  std::string resume = "auto";  // auto, never or a checkpoint
  bool overwrite = false;
  bool dry_run = false;
  Machine machine;
  const std::atomic<bool>* stop = nullptr;  // set from outside: save at the next step and return
};

// The result holds "stopped": true where `stop` ended the run early with a checkpoint.
nlohmann::json pretrain(const RunRequest& request, Reporter& reporter);

// `images`: train on so many pictures only.
nlohmann::json demo(const std::filesystem::path& out, bool overwrite, std::optional<int64_t> images,
                    train::Recipe recipe, Machine machine, const std::atomic<bool>* stop,
                    Reporter& reporter);

// Accuracy of the k nearest neighbours on frozen features, in percent.
nlohmann::json knn(const std::string& data, const std::filesystem::path& checkpoint, int64_t k,
                   Machine machine, Reporter& reporter);

nlohmann::json linprobe(const RunRequest& request, const std::filesystem::path& checkpoint,
                        Reporter& reporter);

// A sheet of pictures: what each view saw and what was made of it. Written to `out` as PNG.
void visualize(const std::filesystem::path& checkpoint, const std::vector<std::string>& images,
               const std::filesystem::path& out, uint64_t seed, Machine machine,
               Reporter& reporter);

// Writes run_dir/report.html.
void report(const std::filesystem::path& run_dir, Reporter& reporter);

struct BenchStepRequest {
  train::Recipe recipe;
  int64_t batch = 8;
  std::string precision;                // empty: the recipe's
  std::string implementation = "both";  // fast, reference or both
  int64_t steps = 5;
  Machine machine;
};
nlohmann::json bench_step(const BenchStepRequest& request, Reporter& reporter);

// Operators whose name contains `filter`.
nlohmann::json bench_ops(const std::string& filter, Machine machine, Reporter& reporter);

}  // namespace fcm::tasks
