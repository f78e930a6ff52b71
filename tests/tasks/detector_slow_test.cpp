// A detector overfits eight images.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/base/file.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/tasks/tasks.h"
#include "tests/support/scratch.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kSample = fs::path(FCM_SOURCE_DIR) / "../shared/data/coco-sample";

// The first eight images with one to four objects and neither small objects nor crowds, written as
// both splits of a COCO folder.
void write_eight(const fs::path& folder) {
  constexpr size_t kImagesLearnt = 8, kMostObjects = 4;
  constexpr double kLeastArea = 3000;
  json file =
      json::parse(read_file(kSample / "annotations/instances_train2017.json", ExitCode::kData));
  std::map<int64_t, std::vector<json>> objects;
  for (const json& one : file.at("annotations")) objects[one.at("image_id")].push_back(one);
  json images = json::array(), annotations = json::array();
  for (const json& image : file.at("images")) {
    const std::vector<json>& of_it = objects[image.at("id")];
    const bool clear = std::all_of(of_it.begin(), of_it.end(), [](const json& one) {
      return one.at("iscrowd") == 0 && one.at("area").get<double>() > kLeastArea;
    });
    if (of_it.empty() || of_it.size() > kMostObjects || !clear) continue;
    images.push_back(image);
    for (const json& one : of_it) annotations.push_back(one);
    if (images.size() == kImagesLearnt) break;
  }
  ASSERT_EQ(images.size(), kImagesLearnt);
  file["images"] = images;
  file["annotations"] = annotations;
  fs::create_directories(folder / "annotations");
  for (const std::string split : {"train2017", "val2017"}) {
    std::ofstream(folder / "annotations" / ("instances_" + split + ".json")) << file;
    fs::create_directories(folder / split);
    for (const json& image : images) {
      const auto name = image.at("file_name").get<std::string>();
      fs::copy_file(kSample / "train2017" / name, folder / split / name);
    }
  }
}

TEST(DetectorLearnsByHeart, EightImagesIn300Steps) {
  if (!fs::exists(kSample)) GTEST_SKIP() << "no sample images at " << kSample;
  const test::Scratch scratch;
  write_eight(scratch / "eight");
  const std::vector<std::string> set{"model.precision=fp32",
                                     "encoder.dims=[32,48,64]",
                                     "encoder.depths=[1,1,4]",
                                     "encoder.strides=[4,2,2]",
                                     "encoder.heads=4",
                                     "detector.window=4",
                                     "detector.global_blocks=[1,3]",
                                     "detector.channels=48",
                                     "detector.box_features=96",
                                     "detector.drop_path=0",
                                     "detector.sampled_anchors=128",
                                     "detector.sampled_regions=96",
                                     "detector.proposals_before_nms=[400,400]",
                                     "detector.proposals=[150,150]",
                                     "jitter.scale_range=[1,1]",
                                     "data.flip=0",
                                     "optim.batch_size=8",
                                     "optim.micro_batch=8",
                                     "optim.steps=300",
                                     "optim.warmup_steps=20",
                                     "optim.warmup_lr=1e-4",
                                     "optim.base_lr=0.16",
                                     "run.measure_every_steps=300"};
  tasks::FinetuneRequest request;
  request.recipe =
      recipe::load_supervised_recipe("smoke_detect", {fs::path(FCM_SOURCE_DIR) / "recipes"}, set);
  request.data = scratch / "eight";
  request.out = scratch / "run";
  request.machine.threads = 2;
  SilentReporter silence;
  const json result = tasks::finetune(request, silence);
  EXPECT_GT(result.at("mask").at("AP50").get<double>(), 80);
  EXPECT_GT(result.at("box").at("AP50").get<double>(), 80);
}

}  // namespace
}  // namespace fcm
