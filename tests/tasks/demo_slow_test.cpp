// The demo is killed halfway and started again with the same command.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;

std::string weights(const fs::path& out) {
  return read_file(out / "checkpoints" / "step-3750" / "model.safetensors", ExitCode::kCheckpoint);
}

TEST(Demo, KilledAndStartedAgainEndsWithTheSameWeights) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
  }
  const tests::Scratch scratch;
  const auto demo = [&](const char* out) {
    std::vector<std::string> words = {"demo", "--images", "120000", "--quiet", "--out"};
    words.push_back((scratch / out).string());
    return tests::start(words);
  };
  ASSERT_EQ(tests::wait_for(demo("whole")), 0);
  const pid_t child = demo("killed");
  while (!fs::exists(scratch / "killed" / "checkpoints" / "step-1875")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  std::this_thread::sleep_for(std::chrono::seconds(5));
  ::kill(child, SIGKILL);
  ASSERT_EQ(tests::wait_for(child), 128 + SIGKILL);
  ASSERT_EQ(tests::wait_for(demo("killed")), 0);
  EXPECT_EQ(weights(scratch / "whole"), weights(scratch / "killed"));
}

}  // namespace
}  // namespace fcm
