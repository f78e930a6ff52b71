#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "tests/apps/program.h"

namespace fcm::apps {
namespace {

using nlohmann::json;

class DataPack : public testing::Test {
 protected:
  DataPack() {
    for (const char* name : {"train/ant/a.png", "train/bee/b.png", "val/ant/c.png"}) {
      std::filesystem::create_directories((scratch_ / name).parent_path());
      image::Image image{12, 9, 3, std::vector<uint8_t>(12 * 9 * 3, 77)};
      image::write_png(scratch_ / name, image);
    }
  }
  Outcome pack(const std::string& more) const {
    return run_here("data pack --json --data " + data_ + " --out " + out_ + " " + more);
  }

  Scratch scratch_;
  const std::string data_ = (scratch_ / "").string(), out_ = (scratch_ / "all.pack").string();
};

TEST_F(DataPack, BothSplitsInOneFileThatDataTakes) {
  const Outcome outcome = pack("--side 6 --format raw");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result.at("images"), 3);
  EXPECT_EQ(result.at("bytes"), std::filesystem::file_size(out_));
  const auto train = loader::open_dataset(out_, loader::Split::kTrain);
  EXPECT_EQ(train->classes(), (std::vector<std::string>{"ant", "bee"}));
  EXPECT_EQ(train->name(1), out_ + ":train/bee/b.png");
  EXPECT_EQ(train->label(1), 1);
  EXPECT_EQ(train->get(0, 3).rows, 8);
  EXPECT_EQ(loader::open_dataset(out_, loader::Split::kVal)->size(), 1);
  const json verified = json::parse(run_here("data verify --json " + out_).out);
  EXPECT_EQ(verified.at("images"), 3);
  EXPECT_EQ(verified.at("val").at("images"), 1);
}

TEST_F(DataPack, BadImagesAreNamedAndLeftOut) {
  std::ofstream(scratch_ / "train/ant/0.jpg") << "no picture";
  const Outcome outcome = pack("");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_NE(outcome.err.find("train/ant/0.jpg: not a JPEG, PNG"), std::string::npos);
  const json bad = json::parse(outcome.out).at("train").at("bad_images");
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_EQ(bad[0].at("name"), (scratch_ / "train/ant/0.jpg").string());
  EXPECT_EQ(loader::open_dataset(out_, loader::Split::kTrain)->size(), 2);
}

TEST_F(DataPack, ASplitWithoutAnyImageLeavesNoFile) {
  std::ofstream(scratch_ / "val/ant/c.png") << "no picture";
  const Outcome outcome = pack("");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_NE(outcome.err.find("no val image"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(out_));
  EXPECT_FALSE(std::filesystem::exists(out_ + ".tmp"));
}

TEST_F(DataPack, TheSameBytesWithAnyThreadsAndOnlyOverwrittenWhenAsked) {
  ASSERT_EQ(pack("").status, 0);
  const std::string first = content_of(out_);
  EXPECT_EQ(pack("").status, 2);
  ASSERT_EQ(pack("--overwrite --threads 1").status, 0);
  EXPECT_EQ(content_of(out_), first);
  ASSERT_EQ(pack("--overwrite --quality 50").status, 0);
  EXPECT_NE(content_of(out_), first);
}

// `data verify` and `data pack` report an image as bad exactly if Pillow does not open it. They
// list each bad image with a reason, in the order of the data set.
TEST(DataCommands, TheBrokenImages) {
  const std::filesystem::path broken = FCM_SOURCE_DIR "/../shared/data/broken";
  if (!std::filesystem::is_directory(broken)) GTEST_SKIP() << "sample data are absent";
  const json expected = json::parse(content_of(broken / "expected.json")).at("files");
  std::vector<std::string> bad;
  for (const auto& [name, facts] : expected.items()) {  // in alphabetical order
    if (name.starts_with("images/") && !facts.at("pil").at("accepted").get<bool>()) {
      bad.push_back((broken / name).string());
    }
  }
  ASSERT_EQ(bad.size(), 7u);
  const Scratch scratch;
  const std::string images = (broken / "images").string(), out = (scratch / "pack").string();
  for (const std::string& command :
       {"verify " + images + " --threads 1", "verify " + images + " --threads 2",
        "pack " + images + " --side 32 --out " + out}) {
    const Outcome outcome = run_here("data " + command + " --json");
    EXPECT_EQ(outcome.status, 3) << outcome.err;
    const json split = json::parse(outcome.out).at("train");
    EXPECT_EQ(split.at("images"), 20);
    std::vector<std::string> named;
    for (const json& one : split.at("bad_images")) {
      named.push_back(one.at("name"));
      EXPECT_TRUE(one.at("reason").get<std::string>().starts_with(named.back() + ": ")) << one;
    }
    EXPECT_EQ(named, bad);
  }
  EXPECT_EQ(loader::open_dataset(out, loader::Split::kVal)->size(), 13);
}

}  // namespace
}  // namespace fcm::apps
