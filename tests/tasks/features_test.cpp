// The files that `features` writes for other programs.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/formats/safetensors.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using tests::Scratch;

int run(std::vector<std::string> words) {
  words.push_back("--quiet");
  return tests::wait_for(tests::start(words));
}

void train(const fs::path& out, const char* recipe) {
  ASSERT_EQ(run({"pretrain", "--recipe", recipe, "--data", "synthetic", "--out", out.string(),
                 "--set", "run.max_steps=2"}),
            0);
}

std::vector<std::string> features_of(const fs::path& checkpoint, const fs::path& out,
                                     const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {
      "features", "--data",     "synthetic", "--checkpoint", checkpoint.string(),
      "--out",    out.string(), "--split",   "val"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<float> floats(const std::string& bytes, size_t from) {
  std::vector<float> values((bytes.size() - from) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + from, values.size() * sizeof(float));
  return values;
}

TEST(Features, BothFormatsHoldTheSameAndTheMeanIsThatOfTheFlatTokens) {
  const Scratch scratch;
  train(scratch / "run", "smoke_pretrain");
  ASSERT_EQ(run(features_of(scratch / "run", scratch / "f.npy")), 0);
  ASSERT_EQ(run(features_of(scratch / "run", scratch / "g.safetensors")), 0);
  ASSERT_EQ(run(features_of(scratch / "run", scratch / "flat.npy", {"--tokens", "flat"})), 0);
  const std::vector<float> mean =
      // The values follow a header of 128 bytes.
      floats(read_file(scratch / "f.npy", ExitCode::kUsage), 128);
  ASSERT_EQ(mean.size(), 512u * 32);
  const formats::TensorFile file = formats::read_safetensors(scratch / "g.safetensors");
  ASSERT_EQ(file.find("features")->bytes.size(), mean.size() * sizeof(float));
  EXPECT_EQ(
      std::memcmp(file.find("features")->bytes.data(), mean.data(), mean.size() * sizeof(float)),
      0);
  EXPECT_EQ(nlohmann::json::parse(file.metadata.at("classes")).size(), 10u);
  const std::string labels = read_file(scratch / "f.labels.npy", ExitCode::kUsage);
  EXPECT_EQ(std::memcmp(file.find("labels")->bytes.data(), labels.data() + 128, 512 * 8), 0);

  const std::vector<float> flat =
      floats(read_file(scratch / "flat.npy", ExitCode::kUsage), 128);  // 16 tokens of 32 elements
  ASSERT_EQ(flat.size(), 512u * 16 * 32);
  for (size_t row = 0; row < 512; row += 101) {
    for (size_t i = 0; i < 32; ++i) {
      double sum = 0;
      for (size_t token = 0; token < 16; ++token) sum += flat[(row * 16 + token) * 32 + i];
      EXPECT_NEAR(mean[row * 32 + i], sum / 16, 1e-5);
    }
  }
  EXPECT_NE(mean[0], mean[32]);  // two images have different features
}

TEST(Features, NamesOfClassesAndImagesStandBeside) {
  const Scratch scratch;
  train(scratch / "run", "smoke_pretrain");
  ASSERT_EQ(run(features_of(scratch / "run", scratch / "f.npy")), 0);
  std::ifstream lines(scratch / "f.pictures.tsv");
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "label\tclass\tpicture");
  std::getline(lines, line);
  EXPECT_EQ(line, "0\trows\tsynthetic val 0");
  int64_t rows = 1;
  while (std::getline(lines, line)) ++rows;
  EXPECT_EQ(rows, 512);
}

TEST(Features, NothingIsOverwrittenUnasked) {
  const Scratch scratch;
  constexpr int kUsage = static_cast<int>(ExitCode::kUsage);
  train(scratch / "run", "smoke_pretrain");
  for (const char* taken : {"f.npy", "f.labels.npy", "f.pictures.tsv"}) {
    std::ofstream(scratch / taken) << "mine";
    EXPECT_EQ(run(features_of(scratch / "run", scratch / "f.npy")), kUsage) << taken;
    EXPECT_EQ(read_file(scratch / taken, ExitCode::kUsage), "mine");
    // --overwrite does not replace a file that this command did not write.
    EXPECT_EQ(run(features_of(scratch / "run", scratch / "f.npy", {"--overwrite"})), kUsage)
        << taken;
    EXPECT_EQ(read_file(scratch / taken, ExitCode::kUsage), "mine");
    fs::remove(scratch / taken);
    EXPECT_EQ(run(features_of(scratch / "run", scratch / "f.npy")), 0) << taken;
    EXPECT_EQ(run(features_of(scratch / "run", scratch / "f.npy")), kUsage) << taken;
    EXPECT_EQ(run(features_of(scratch / "run", scratch / "f.npy", {"--overwrite"})), 0) << taken;
    for (const char* made : {"f.npy", "f.labels.npy", "f.pictures.tsv"}) {
      fs::remove(scratch / made);
    }
  }
  EXPECT_EQ(run(features_of(scratch / "run", scratch / "f.txt")), kUsage);
  EXPECT_EQ(run(features_of(scratch / "run", scratch / "nowhere" / "f.npy")), kUsage);
  EXPECT_EQ(run(features_of(scratch / "run", scratch / "f.npy", {"--tokens", "class"})), kUsage);
  EXPECT_FALSE(fs::exists(scratch / "f.npy"));
}

TEST(Features, OfTheClassTokenOfAVit) {
  const Scratch scratch;
  train(scratch / "run", "smoke_mae_pretrain");
  ASSERT_EQ(run(features_of(scratch / "run", scratch / "class.npy", {"--tokens", "class"})), 0);
  ASSERT_EQ(run(features_of(scratch / "run", scratch / "mean.npy")), 0);
  const std::string one = read_file(scratch / "class.npy", ExitCode::kUsage);
  EXPECT_EQ(one.size(), read_file(scratch / "mean.npy", ExitCode::kUsage).size());
  EXPECT_NE(one, read_file(scratch / "mean.npy", ExitCode::kUsage));
}

// On a full disk no partial file remains, and the exit status reports the failure.
TEST(Features, AFullDiskLeavesNoHalfFile) {
  const Scratch scratch;
  train(scratch / "run", "smoke_pretrain");
  auto words = features_of(scratch / "run", scratch / "f.npy");
  words.push_back("--quiet");
  EXPECT_EQ(tests::wait_for(tests::start(words, 10'000)), static_cast<int>(ExitCode::kUsage));
  for (const fs::directory_entry& entry : fs::directory_iterator(scratch / ".")) {
    EXPECT_EQ(entry.path().filename(), "run");
  }
}

}  // namespace
}  // namespace fcm
