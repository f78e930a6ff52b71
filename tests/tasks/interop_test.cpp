// This program resumes a run that PyTorch began and saved, and PyTorch reads the result.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using tests::Scratch;
using tests::start;
using tests::wait_for;

// A Python with torch: FASTCONVMAE_PYTHON or python3; empty if there is none.
std::string python_with_torch() {
  const char* chosen = std::getenv("FASTCONVMAE_PYTHON");
  const std::string python = chosen != nullptr ? chosen : "python3";
  const std::string trial = python + " -c 'import torch' >/dev/null 2>&1";
  return std::system(trial.c_str()) == 0 ? python : "";
}

std::string script(const std::string& python, const char* name, const std::string& arguments) {
  return fmt::format("{} '{}/tests/interop/{}' {}", python, FCM_SOURCE_DIR, name, arguments);
}

TEST(Interop, ThreeStepsOfAPublishedRun) {
  const std::string python = python_with_torch();
  if (python.empty()) {
    GTEST_SKIP() << "no Python with torch; set FASTCONVMAE_PYTHON to one";
  }
  const Scratch scratch;
  const fs::path before = scratch / "checkpoint-0.pth", after = scratch / "back.pth";
  ASSERT_EQ(std::system(script(python, "published_run.py", before.string()).c_str()), 0);

  const auto pretrain = [&](const fs::path& out, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"pretrain",  "--recipe", "smoke_pretrain", "--data",
                                      "synthetic", "--quiet",  "--out",          out.string()};
    for (const char* setting :
         {"encoder.size=custom", "encoder.strides=[2,2,2]", "encoder.dims=[8,12,16]",
          "encoder.depths=[1,1,1]", "encoder.mlp_ratios=[2,2,2]", "encoder.heads=2",
          "decoder.dim=16", "decoder.depth=1", "decoder.heads=2", "decoder.mlp_ratio=2",
          "data.image_size=[32,32]", "data.channels=3", "data.pad=0",
          "data.mean=[0.485,0.456,0.406]", "data.deviation=[0.229,0.224,0.225]",
          "optim.batch_size=64", "optim.epochs=50"}) {
      words.insert(words.end(), {"--set", setting});
    }
    words.insert(words.end(), more.begin(), more.end());
    return wait_for(start(words, 0, scratch / "output"));
  };
  ASSERT_EQ(pretrain(scratch / "dry", {"--dry-run", "--json"}), 0);
  const auto dry = nlohmann::json::parse(read_file(scratch / "output", ExitCode::kUsage));
  const int64_t last = dry.at("images").get<int64_t>() / 64 + 3;  // PyTorch finished epoch 0
  ASSERT_EQ(pretrain(scratch / "run",
                     {"--resume", before.string(), "--set", fmt::format("run.max_steps={}", last)}),
            0);
  ASSERT_EQ(wait_for(start({"checkpoint", "convert", (scratch / "run").string(), after.string()})),
            0);

  const fs::path step = scratch / "run" / "checkpoints" / fmt::format("step-{}", last).c_str();
  const std::string arguments = fmt::format("'{}' '{}' 6 0", after.string(), step.string());
  EXPECT_EQ(std::system(script(python, "compare.py", arguments).c_str()), 0);
  // Negative control: compare.py detects a wrong number of optimizer steps (5 instead of 6).
  const std::string wrong = fmt::format("'{}' '{}' 5 0 2>/dev/null", after.string(), step.string());
  EXPECT_NE(std::system(script(python, "compare.py", wrong).c_str()), 0);
}

}  // namespace
}  // namespace fcm
