// What a command line says, as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fcm::apps {

struct Options {
  std::string command;  // "pretrain", "recipe show", ...; empty: none, as with --version

  // Flags that every command takes.
  std::vector<std::string> set;
  std::string device = "auto";
  bool cuda_graph = true;
  int64_t threads = 0;
  std::optional<int64_t> seed;
  std::string resume = "auto";
  bool overwrite = false;
  bool dry_run = false;
  bool json = false;
  bool quiet = false;
  bool version = false;

  // Arguments of single commands.
  std::string recipe;
  std::string data;
  std::string out;
  std::string checkpoint;
  bool from_scratch = false;               // finetune: without a checkpoint
  bool fast = false;                       // linprobe: on cached features
  std::vector<std::string> allow_missing;  // commands that use a checkpoint's weights
  std::vector<std::string> teachers;       // pretrain, visualize: NAME=FILE
  std::string other;                       // checkpoint diff: the second one
  std::string to;                          // checkpoint convert; empty: by the ending of out
  std::string run_dir;
  int64_t side = 256;                   // data pack
  std::string format = "jpeg";          // data pack
  int64_t quality = 95;                 // data pack
  std::vector<std::string> images;      // visualize
  std::optional<int64_t> image_count;   // demo
  std::vector<std::string> recipes;     // recipe show, recipe check
  int64_t k = 20;                       // knn, bench knn
  std::string tokens = "mean";          // features
  std::string split = "train";          // features
  bool latency = false;                 // eval
  bool full = false;                    // demo
  int64_t bank = 50'000;                // bench knn
  int64_t queries = 10'000;             // bench knn
  int64_t width = 768;                  // bench knn
  std::string filter;                   // bench ops; empty: all
  int64_t bytes = 1 << 26;              // bench checkpoint
  double seconds = 10;                  // bench loader
  int64_t batch = 8;                    // bench step
  int64_t eval_batch = 64;              // eval
  int64_t steps = 5;                    // bench step
  bool profile = false;                 // bench step
  std::string precision;                // bench step; empty: the recipe's
  std::string implementation = "both";  // bench step
};

}  // namespace fcm::apps
