// debug.reference_ops: training with the reference operators gives the same losses up to rounding.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using tests::Scratch;

// Losses of four steps of a smoke recipe in float32.
std::vector<double> losses_of_steps(const fs::path& out, std::vector<std::string> words) {
  words.insert(words.end(), {"--data", "synthetic", "--out", out.string(), "--quiet", "--set",
                             "model.precision=fp32", "--set", "run.max_steps=4", "--set",
                             "run.log_every_steps=1"});
  EXPECT_EQ(tests::wait_for(tests::start(words)), 0);
  std::vector<double> found;
  std::istringstream lines(read_file(out / "log.jsonl", ExitCode::kUsage));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json object = nlohmann::json::parse(line);
    if (object.contains("loss")) found.push_back(object.at("loss").get<double>());
  }
  return found;
}

std::string weights_of_step_4(const fs::path& out) {
  return read_file(out / "checkpoints" / "step-4" / "model.safetensors", ExitCode::kCheckpoint);
}

TEST(Debug, ReferenceOperatorsTrainTheSameUpToRounding) {
  const std::vector<std::vector<std::string>> kinds = {
      {"pretrain", "--recipe", "smoke_pretrain"},
      {"pretrain", "--recipe", "smoke_mae_pretrain"},
      {"finetune", "--recipe", "smoke_finetune", "--from-scratch"}};
  for (const std::vector<std::string>& words : kinds) {
    const Scratch scratch;
    std::vector<std::string> with = words;
    with.insert(with.end(), {"--set", "debug.reference_ops=true"});
    const std::vector<double> kernels = losses_of_steps(scratch / "kernels", words);
    const std::vector<double> references = losses_of_steps(scratch / "references", with);
    ASSERT_EQ(kernels.size(), 4u);
    ASSERT_EQ(references.size(), 4u);
    for (size_t step = 0; step < 4; ++step) {
      EXPECT_NEAR(references[step], kernels[step], 1e-3 * std::abs(kernels[step]))
          << words[2] << ", step " << step + 1;
    }
    // Kernels and references sum in different orders, so equal bits would mean that the switch does
    // nothing.
    EXPECT_NE(weights_of_step_4(scratch / "references"), weights_of_step_4(scratch / "kernels"))
        << words[2];
  }
}

}  // namespace
}  // namespace fcm
