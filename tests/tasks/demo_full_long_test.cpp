// `demo --full` and `eval --latency` on few images.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;
using tests::Scratch;

class FullDemo : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists("/usr/share/datasets/fashion-mnist")) {
      GTEST_SKIP() << "the Debian package dataset-fashion-mnist is not installed";
    }
  }
  int run(std::vector<std::string> words) {
    words.insert(words.end(), {"--json", "--quiet"});
    return tests::wait_for(tests::start(words, 0, scratch_ / "output"));
  }
  std::vector<std::string> demo(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"demo", "--images", "512", "--out",
                                      (scratch_ / "demo").string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  json output() { return json::parse(read_file(scratch_ / "output", ExitCode::kUsage)); }

  Scratch scratch_;
};

TEST_F(FullDemo, GoesOnFromADemoThatIsDoneAndReportsBothStarts) {
  ASSERT_EQ(run(demo({})), 0);
  EXPECT_FALSE(output().contains("finetune"));
  const fs::path weights = scratch_ / "demo" / "checkpoints" / "step-16" / "model.safetensors";
  const auto written = fs::last_write_time(weights);
  ASSERT_EQ(run(demo({"--full"})), 0);
  EXPECT_EQ(fs::last_write_time(weights), written)
      << "the finished pretraining must not be repeated";
  const json result = output(), finetune = result.at("finetune");
  for (const char* start : {"pretrained", "scratch"}) {
    // All 8 steps are warm-up, so the accuracy stays near chance, which is 10 %.
    EXPECT_GT(finetune.at(start).get<double>(), 4) << start;
    EXPECT_LT(finetune.at(start).get<double>(), 95) << start;
  }
  EXPECT_NE(finetune.at("pretrained"), finetune.at("scratch"));
  EXPECT_EQ(finetune.at("steps"), 8);
  EXPECT_GT(result.at("images_per_second").get<double>(), 0);  // measured in the first launch
  const std::string page = read_file(result.at("report").get<std::string>(), ExitCode::kUsage);
  EXPECT_NE(page.find("from scratch"), std::string::npos);

  // The demo is now complete, so the same command starts over.
  ASSERT_EQ(run(demo({"--full"})), 0);
  EXPECT_NE(fs::last_write_time(weights), written);

  // `eval` accepts the demo's classifier.
  const std::string tuned = (scratch_ / "demo" / "finetuned").string();
  ASSERT_EQ(run({"eval", "--checkpoint", tuned, "--latency", "--batch", "4"}), 0);
  const json latency = output().at("latency");
  ASSERT_EQ(latency.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(latency[i].at("precision"), i < 2 ? "fp32" : "bf16");
    EXPECT_EQ(latency[i].at("batch"), i % 2 == 0 ? 1 : 4);
    const double speed = latency[i].at("images_per_second"),
                 milliseconds = latency[i].at("median_ms");
    EXPECT_NEAR(speed * milliseconds, 1000.0 * (i % 2 == 0 ? 1 : 4), 1e-6);
    EXPECT_GT(latency[i].at("memory_bytes").get<double>(), 1e6);
  }
  EXPECT_EQ(run({"eval", "--checkpoint", tuned}), static_cast<int>(ExitCode::kUsage));
  EXPECT_EQ(run({"eval", "--checkpoint", (scratch_ / "demo").string(), "--latency"}),
            static_cast<int>(ExitCode::kCheckpoint));
}

}  // namespace
}  // namespace fcm
