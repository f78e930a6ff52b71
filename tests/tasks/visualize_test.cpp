// The sheets of `visualize` except reconstructions: PCA of features, attention, neighbours. Also
// `predict`, which leaves no files if no image can be read.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/failpoint.h"
#include "fcm/base/file.h"
#include "fcm/formats/safetensors.h"
#include "fcm/image/image.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/tasks.h"
#include "tests/support/error_of.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using tests::Scratch;

const tasks::MachineOptions kTwoThreads{"cpu", 2, {}, true};

// Two runs of a few steps (Fast ConvMAE and MAE) and images in two splits, created once.
class VisualizeSheets : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new Scratch;
    for (const auto& [split, name, count] : {std::tuple{loader::Split::kTrain, "train", 40},
                                             std::tuple{loader::Split::kVal, "val", 12}}) {
      const auto drawn = loader::open_dataset("synthetic", split, {});
      for (int i = 0; i < count; ++i) {
        const fs::path folder =
            *scratch_ / "pictures" / name / drawn->classes()[static_cast<size_t>(drawn->label(i))];
        fs::create_directories(folder);
        image::write_png(folder / fmt::format("{:03}.png", i), drawn->get(i, 3));
      }
    }
    for (const auto& [recipe, name] :
         {std::pair{"smoke_pretrain", "run"}, std::pair{"smoke_mae_pretrain", "mae"}}) {
      ASSERT_EQ(tests::wait_for(tests::start({"pretrain", "--recipe", recipe, "--data", "synthetic",
                                              "--out", (*scratch_ / name).string(), "--set",
                                              "run.max_steps=4", "--quiet"})),
                0);
    }
  }
  static void TearDownTestSuite() {
    delete scratch_;
    scratch_ = nullptr;
  }

  static fs::path images() { return *scratch_ / "pictures"; }

  static std::vector<std::string> some_files() {
    std::vector<std::string> files;
    for (const auto& one : fs::recursive_directory_iterator(images() / "val")) {
      if (one.is_regular_file()) files.push_back(one.path());
    }
    std::ranges::sort(files);
    files.resize(3);
    return files;
  }

  static tasks::VisualizeRequest request(const char* what, const std::string& out,
                                         const char* run = "run") {
    tasks::VisualizeRequest wanted;
    wanted.checkpoint.path = *scratch_ / run;
    wanted.what = what;
    wanted.images = some_files();
    wanted.out = *scratch_ / out;
    wanted.machine = kTwoThreads;
    return wanted;
  }

  static std::string sheet_of(const tasks::VisualizeRequest& wanted) {
    SilentReporter silence;
    tasks::visualize(wanted, silence);
    std::string bytes = read_file(wanted.out, ExitCode::kData);
    fs::remove(wanted.out);
    return bytes;
  }

  static Scratch* scratch_;
};
Scratch* VisualizeSheets::scratch_ = nullptr;

TEST_F(VisualizeSheets, PcaColoursAreDeterministicAndShared) {
  const tasks::VisualizeRequest wanted = request("pca", "pca.png");
  const std::string bytes = sheet_of(wanted);
  EXPECT_EQ(sheet_of(wanted), bytes);
  tasks::VisualizeRequest other = wanted;
  other.machine.threads = 1;
  EXPECT_EQ(sheet_of(other), bytes);
  // The PCA is over all images of a sheet. Only whole sheets are compared here: with another third
  // image the sheet differs.
  std::swap(other.images[2], other.images.emplace_back(some_files()[0]));
  other.images.pop_back();
  EXPECT_NE(sheet_of(other), bytes);
}

TEST_F(VisualizeSheets, AttentionIsOfThePatchesThatAreNamed) {
  tasks::VisualizeRequest wanted = request("attention", "attention.png");
  const std::string by_default = sheet_of(wanted);
  wanted.patches = {{2, 2}, {1, 1}, {3, 3}};  // of a grid of 4 x 4
  EXPECT_EQ(sheet_of(wanted), by_default);
  wanted.patches[1] = {0, 3};
  EXPECT_NE(sheet_of(wanted), by_default);
  EXPECT_EQ(sheet_of(request("attention", "mae.png", "mae")).substr(1, 3), "PNG");
  wanted.patches.push_back({1, 4});
  SilentReporter silence;
  const std::string error =
      test::error_of(ExitCode::kUsage, [&] { tasks::visualize(wanted, silence); });
  EXPECT_NE(error.find("--patch 1,4 is outside the 4 x 4 patches"), std::string::npos) << error;
  EXPECT_FALSE(fs::exists(wanted.out));
}

// For each image name the mean of its tokens, read from the file that `features` writes.
std::map<std::string, std::vector<double>> mean_features_by_name(const fs::path& data,
                                                                 const fs::path& run,
                                                                 const std::string& split,
                                                                 const fs::path& out) {
  SilentReporter silence;
  tasks::write_features({data, {run, {}, {}}, out, "mean", split, true, kTwoThreads}, silence);
  const formats::TensorFile file = formats::read_safetensors(out);
  const formats::TensorView& view = *file.find("features");
  std::vector<float> values(static_cast<size_t>(view.shape[0] * view.shape[1]));
  std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
  std::map<std::string, std::vector<double>> by_name;
  fs::path list = out;
  std::ifstream lines(list.replace_extension(".pictures.tsv"));
  std::string line;
  std::getline(lines, line);
  for (auto row = values.begin(); std::getline(lines, line); row += view.shape[1]) {
    by_name[line.substr(line.rfind('\t') + 1)] = {row, row + view.shape[1]};
  }
  return by_name;
}

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

TEST_F(VisualizeSheets, NeighboursAreThoseOfTheLargestCosine) {
  tasks::VisualizeRequest wanted = request("neighbours", "nearest.png");
  wanted.images.clear();
  wanted.data = images();
  wanted.k = 3;
  SilentReporter silence;
  const json found = tasks::visualize(wanted, silence);
  const auto bank =
      mean_features_by_name(images(), wanted.checkpoint.path, "train", *scratch_ / "t.safetensors");
  const auto asked =
      mean_features_by_name(images(), wanted.checkpoint.path, "val", *scratch_ / "v.safetensors");
  EXPECT_EQ(found.at("images"), 40);
  ASSERT_EQ(found.at("queries").size(), 8u);
  for (const json& query : found.at("queries")) {
    const std::string name = query.at("picture");
    EXPECT_NE(name.find(query.at("class").get<std::string>()), std::string::npos);
    std::vector<std::pair<double, std::string>> nearest;
    for (const auto& [other, features] : bank) {
      nearest.emplace_back(-cosine(asked.at(name), features), other);
    }
    std::ranges::sort(nearest);
    ASSERT_EQ(query.at("neighbours").size(), 3u);
    for (size_t i = 0; i < 3; ++i) {
      const json& one = query.at("neighbours")[i];
      EXPECT_EQ(one.at("picture"), nearest[i].second);
      EXPECT_NEAR(one.at("similarity").get<double>(), -nearest[i].first, 1e-5);
      EXPECT_NE(nearest[i].second.find(one.at("class").get<std::string>()), std::string::npos);
    }
  }
}

TEST_F(VisualizeSheets, AnImageIsNotItsOwnNeighbourButACopyOfItIs) {
  // The same folder serves as both splits.
  const fs::path same = *scratch_ / "same";
  for (const auto& one : fs::directory_iterator(images() / "train")) {
    fs::create_directories(same / "all");
    for (const auto& file : fs::directory_iterator(one.path())) {
      fs::copy_file(file.path(), same / "all" / file.path().filename(),
                    fs::copy_options::skip_existing);
    }
  }
  tasks::VisualizeRequest wanted = request("neighbours", "same.png");
  wanted.images.clear();
  wanted.data = same;
  SilentReporter silence;
  for (const json& query : tasks::visualize(wanted, silence).at("queries")) {
    EXPECT_EQ(query.at("neighbours").size(), 5u);
    for (const json& one : query.at("neighbours")) {
      EXPECT_NE(one.at("picture"), query.at("picture"));
    }
  }
  wanted.overwrite = true;
  wanted.images = {fs::directory_iterator(same / "all")->path()};
  wanted.data = images();
  const json of_file = tasks::visualize(wanted, silence).at("queries")[0];
  EXPECT_TRUE(of_file.at("class").is_null());
  EXPECT_NEAR(of_file.at("neighbours")[0].at("similarity").get<double>(), 1, 1e-6);
}

TEST_F(VisualizeSheets, LeavesOutWhatCannotBeRead) {
  const fs::path damaged = *scratch_ / "damaged";
  fs::copy(images(), damaged, fs::copy_options::recursive);
  std::vector<fs::path> files;
  for (const auto& one : fs::recursive_directory_iterator(damaged)) {
    if (one.is_regular_file()) files.push_back(one.path());
  }
  std::ranges::sort(files);
  for (size_t i = 0; i < files.size(); i += 3) std::ofstream(files[i]) << "no picture";
  tasks::VisualizeRequest wanted = request("neighbours", "damaged.png");
  wanted.images.clear();
  wanted.data = damaged;
  SilentReporter silence;
  const json found = tasks::visualize(wanted, silence);
  EXPECT_LT(found.at("images"), 40);
  EXPECT_GT(found.at("images"), 20);
  EXPECT_LT(found.at("queries").size(), 8u);
  EXPECT_GT(found.at("queries").size(), 3u);
  for (const fs::path& one : files) std::ofstream(one) << "no picture";
  wanted.overwrite = true;
  EXPECT_NE(test::error_of(ExitCode::kData, [&] { tasks::visualize(wanted, silence); })
                .find("none of the"),
            std::string::npos);
}

TEST_F(VisualizeSheets, SaysWhatIsMissing) {
  SilentReporter silence;
  const auto refused = [&](const tasks::VisualizeRequest& wanted) {
    return test::error_of(ExitCode::kUsage, [&] { tasks::visualize(wanted, silence); });
  };
  EXPECT_NE(refused(request("neighbours", "x.png")).find("name it with --data"), std::string::npos);
  tasks::VisualizeRequest none = request("pca", "x.png");
  none.images.clear();
  EXPECT_NE(refused(none).find("--images: expected at least one image"), std::string::npos);
  EXPECT_NE(refused(request("faces", "x.png")).find("--what faces"), std::string::npos);
}

TEST_F(VisualizeSheets, FlagsOfOtherSheetsAreRefused) {
  const auto status = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"visualize",
                                      "--checkpoint",
                                      (*scratch_ / "run").string(),
                                      "--out",
                                      (*scratch_ / "y.png").string(),
                                      "--quiet",
                                      "--images",
                                      some_files()[0]};
    words.insert(words.end(), more.begin(), more.end());
    return tests::wait_for(tests::start(words));
  };
  constexpr int kRefused = static_cast<int>(ExitCode::kUsage);
  EXPECT_EQ(status({"--what", "pca", "--seed", "3"}), kRefused);
  EXPECT_EQ(status({"--patch", "1,1"}), kRefused);
  EXPECT_EQ(status({"--what", "attention", "--k", "3"}), kRefused);
  EXPECT_EQ(status({"--what", "attention", "--patch", "1"}), kRefused);
  EXPECT_EQ(status({"--what", "attention", "--patch", "1,-1"}), kRefused);
  EXPECT_EQ(status({"--what", "attention", "--patch", "1,1", "--patch", "0,2"}), 0);
}

TEST(Predict, LeavesNoFolderWhereNoImageCanBeRead) {
  const Scratch scratch;
  ASSERT_EQ(tests::wait_for(tests::start(
                {"finetune", "--recipe", "smoke_finetune", "--from-scratch", "--data", "synthetic",
                 "--out", (scratch / "run").string(), "--set", "run.max_steps=1", "--quiet"})),
            0);
  std::ofstream(scratch / "bad.png") << "no picture";
  const auto predict = [&](const std::string& image) {
    return tests::wait_for(
        tests::start({"predict", "--checkpoint", (scratch / "run").string(), "--images", image,
                      "--out", (scratch / "deep/answers").string(), "--quiet"}));
  };
  EXPECT_EQ(predict((scratch / "bad.png").string()), static_cast<int>(ExitCode::kData));
  EXPECT_FALSE(fs::exists(scratch / "deep"));
  image::write_png(scratch / "good.png",
                   loader::open_dataset("synthetic", loader::Split::kVal, {})->get(0, 3));
  EXPECT_EQ(predict((scratch / "good.png").string()), 0);
  EXPECT_TRUE(fs::exists(scratch / "deep/answers/results.json"));
  // A failure to write a prediction is not reported as an unreadable image.
  tasks::PredictRequest request;
  request.checkpoint.path = scratch / "run";
  request.images = {(scratch / "good.png").string()};
  request.out = scratch / "full";
  SilentReporter silence;
  failpoint::arm("file.write.before:1+:ENOSPC");
  const std::string why =
      test::error_of(ExitCode::kUsage, [&] { tasks::predict(request, silence); });
  failpoint::disarm();
  EXPECT_NE(why.find("No space left"), std::string::npos) << why;
}

}  // namespace
}  // namespace fcm
