// Runs of the program that last about a second, and the results that kills must not change.
#pragma once

#include <sys/wait.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/train/run_log.h"
#include "tests/support/event_records.h"
#include "tests/tasks/child.h"

namespace fcm::tests {

namespace fs = std::filesystem;

struct ShortRun {
  std::vector<std::string> words;  // arguments of the program, without --out
  int64_t steps = 0;

  std::vector<std::string> in(const fs::path& out) const {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--out", out.string()});
    return all;
  }
};

inline std::vector<std::string> with_settings(std::vector<std::string> words,
                                              const std::vector<std::string>& settings) {
  for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
  return words;
}

inline ShortRun pretraining(int64_t steps, int64_t save_every,
                            const std::vector<std::string>& more = {}) {
  const std::vector<std::string> words =
      with_settings({"pretrain", "--recipe", "smoke_pretrain", "--data", "synthetic", "--threads",
                     "1", "--quiet"},
                    {"run.max_steps=" + std::to_string(steps),
                     "run.save_every_steps=" + std::to_string(save_every), "run.log_every_steps=2",
                     "optim.epochs=" + std::to_string(1 + steps / 256)});
  return {with_settings(words, more), steps};
}

// A run with a moving average of the weights.
inline ShortRun finetuning(int64_t steps, int64_t save_every) {
  return {with_settings(
              {"finetune", "--recipe", "smoke_finetune", "--from-scratch", "--data", "synthetic",
               "--threads", "1", "--quiet"},
              {"run.max_steps=" + std::to_string(steps),
               "run.save_every_steps=" + std::to_string(save_every), "run.log_every_steps=2"}),
          steps};
}

// Sets FASTCONVMAE_FAILPOINT for the programs that are started during its lifetime.
class Failpoint {
 public:
  explicit Failpoint(const std::string& spec) {
    ::setenv("FASTCONVMAE_FAILPOINT", spec.c_str(), /*overwrite=*/1);
  }
  ~Failpoint() { ::unsetenv("FASTCONVMAE_FAILPOINT"); }
  Failpoint(const Failpoint&) = delete;
  Failpoint& operator=(const Failpoint&) = delete;
};

// Whether a child has ended; does not wait.
inline bool has_ended(pid_t child) {
  siginfo_t facts{};
  ::waitid(P_PID, static_cast<id_t>(child), &facts, WEXITED | WNOHANG | WNOWAIT);
  return facts.si_pid == child;
}

// Weights and moments after the last step, and the moving average if there is one.
inline std::string final_bits(const fs::path& out, int64_t steps) {
  const fs::path last = out / "checkpoints" / ("step-" + std::to_string(steps));
  return read_file(last / "model.safetensors", ExitCode::kCheckpoint) +
         read_file(last / "optimizer.safetensors", ExitCode::kCheckpoint);
}

// log.jsonl without fields that depend on time and memory. Throws if a line before the last is
// torn.
inline std::vector<nlohmann::json> log_of(const fs::path& out) {
  std::vector<nlohmann::json> lines = train::read_log(out / "log.jsonl");
  for (nlohmann::json& line : lines) {
    for (const char* key : {"images_per_second", "data_wait", "utilisation", "memory_bytes",
                            "eta_seconds", "train_seconds", "test_seconds"}) {
      line.erase(key);
    }
  }
  return lines;
}

// A fault in the log or the event files of a run; empty if there is none. No step may be in the log
// twice, and only the last record of an event file may be torn.
inline std::string fault_of_records(const fs::path& out) {
  std::set<int64_t> steps;
  for (const nlohmann::json& line : log_of(out)) {
    if (line.contains("lr") && !steps.insert(line.at("step").get<int64_t>()).second) {
      return "the log has step " + line.at("step").dump() + " twice";
    }
  }
  for (const auto& entry : fs::directory_iterator(out / "events")) {
    const std::string bytes = read_file(entry.path(), ExitCode::kUsage);
    std::string_view rest = bytes;
    try {
      while (!rest.empty()) test::take_record(rest);
    } catch (const std::exception& error) {
      if (std::string(error.what()) != "too short") {
        return entry.path().string() + ": " + error.what();
      }
    }
  }
  return {};
}

// The final bits and the log of an undisturbed run.
struct Undisturbed {
  std::string bits;
  std::vector<nlohmann::json> log;
};

// How a run differs from the undisturbed run; empty if it does not differ.
inline std::string difference(const fs::path& out, const ShortRun& run, const Undisturbed& whole) {
  if (final_bits(out, run.steps) != whole.bits) return "weights or moments differ";
  if (log_of(out) != whole.log) return "the logs differ";
  return fault_of_records(out);
}

}  // namespace fcm::tests
