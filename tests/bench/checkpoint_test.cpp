#include <gtest/gtest.h>

#include "bench/bench.h"
#include "tests/formats/support.h"

namespace fcm::bench {
namespace {

class CheckpointBench : public formats::TemporaryFolderTest {};

TEST_F(CheckpointBench, LeavesNothingBehind) {
  SilentReporter silence;
  const nlohmann::json times = bench_checkpoint(1 << 20, folder_ / "bench", silence);
  EXPECT_GT(times.at("read").at("pth").at("ratio"), 0);
  EXPECT_GT(times.at("write").at("native").at("ratio"), 0);
  EXPECT_FALSE(formats::fs::exists(folder_ / "bench"));
}

}  // namespace
}  // namespace fcm::bench
