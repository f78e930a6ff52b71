// checkpoint convert --to onnx: the ONNX model computes the outputs of the checkpoint's model, at
// the trained image size and (except for a probe) at another size. Also the file's metadata, and
// refusals.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/interop/load_any.h"
#include "fcm/nn/positions.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/image_set.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_classifier.h"
#include "fcm/tasks/trained_detector.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/tasks/trained_segmenter.h"
#include "fcm/train/learners/probe.h"
#include "fcm/train/state.h"
#include "tests/support/compare.h"
#include "tests/support/error_of.h"
#include "tests/support/model_outputs.h"
#include "tests/support/onnx_interpreter.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::error_of;
using test::ReadModel;
using Settings = std::vector<std::string>;

const fs::path kRecipes = fs::path(FCM_SOURCE_DIR) / "recipes";
constexpr int64_t kClasses = 5;
constexpr double kTolerance = 2e-5;  // for float32

// Untrained checkpoints of each kind, from smoke recipes, with random weights so that every tensor
// affects the outputs.
class Checkpoints {
 public:
  fs::path fresh(const char* ending) {
    return scratch_ / fmt::format("out-{}{}", ++fresh_, ending).c_str();
  }

  fs::path pretrained(const std::string& recipe) {
    const recipe::Recipe of = recipe::load_pretraining_recipe(recipe, {kRecipes}, {});
    models::MaskedAutoencoder model(recipe::autoencoder_options(of), 1);
    test::shake(model.parameters());
    return saved(of, train::model_tensors(model.parameters()));
  }
  fs::path tuned(const std::string& recipe, const std::string& start) {
    const recipe::Recipe of = supervised(recipe, start, {});
    models::Classifier model(recipe::classifier_options(of, kClasses), 1);
    test::shake(model.parameters());
    if (of.classify().classifier.learns != "head") {
      return saved(of, train::model_tensors(model.parameters()));
    }
    return saved(of, train::ProbeLearner(std::move(model), of).model_state());
  }
  fs::path segmented(const std::string& start, const Settings& set = {}) {
    const recipe::Recipe of = supervised("smoke_segment", start, set);
    models::Segmenter model(recipe::segmenter_options(of, kClasses), 1);
    test::shake(model.parameters());
    return saved(of, train::model_tensors(model.parameters()));
  }
  fs::path detected(const std::string& start, const Settings& set) {
    const recipe::Recipe of = supervised("smoke_detect", start, set);
    models::Detector model(recipe::detector_options(of, kClasses), 1);
    test::shake(model.parameters());
    return saved(of, train::model_tensors(model.parameters()));
  }

 private:
  // `name` with the encoder of the pretraining recipe `start`.
  static recipe::Recipe supervised(const std::string& name, const std::string& start,
                                   const Settings& set) {
    Settings all = set;
    all.emplace_back("encoder.size=custom");
    recipe::Recipe of = recipe::load_supervised_recipe(name, {kRecipes}, all);
    const recipe::Recipe from = recipe::load_pretraining_recipe(start, {kRecipes}, {});
    of.model.kind = from.model.kind;
    of.encoder = from.encoder;
    return of;
  }
  fs::path saved(const recipe::Recipe& of, const train::PublishedTensors& tensors) {
    tasks::ImageSet images;
    for (int64_t i = 0; i < kClasses; ++i) images.classes.push_back(fmt::format("kind {}", i));
    const fs::path folder = fresh("");
    checkpoint::save(
        folder, 3, tensors.views, {},
        {{"recipe", recipe::print_recipe(of)}, {tasks::kTrainedOn, tasks::to_json(images)}},
        {.keep_last = 1});
    return folder;
  }

  test::OneThread one_thread_;  // small products are faster on one thread
  tests::Scratch scratch_;
  int fresh_ = 0;
};

tasks::ConvertRequest request_of(Checkpoints& checkpoints, const fs::path& checkpoint,
                                 const std::string& what = "", int64_t size = 0) {
  tasks::ConvertRequest request;
  request.checkpoint.path = checkpoint;
  request.out = checkpoints.fresh(".onnx");
  request.what = what;
  request.size = size;
  request.version = "1.2.3";
  request.revision = "abc";
  return request;
}

struct Converted {
  json result;
  ReadModel model;
};

Converted converted(const tasks::ConvertRequest& request) {
  SilentReporter silence;
  const json result = tasks::convert_checkpoint(request, silence);
  Converted both{result, test::read_onnx(request.out)};
  test::check_onnx(both.model);
  return both;
}

Settings settings(int64_t size) {
  if (size == 0) return {};
  return {fmt::format("data.image_size=[{0},{0}]", size)};
}

template <class Trained>
void expect_same(const ReadModel& model, const Trained& trained) {
  const loader::DataOptions& data = trained.recipe.data;
  at::manual_seed(5);
  const at::Tensor pixels = at::rand({2, 3, data.image_size[0], data.image_size[1]}, at::kFloat);
  const test::OnnxValues got = test::run_onnx(model, {{"pixels", pixels}}, at::kFloat);
  const test::Outputs wanted =
      test::outputs_of(*trained.model, test::normalised(pixels, data.mean, data.stddev));
  ASSERT_EQ(got.size(), wanted.size());
  for (const auto& [name, value] : wanted) {
    if (name == "map") {  // a pixel may differ if its two best logits are equal up to rounding
      EXPECT_LT(got.at(name).ne(value).to(at::kDouble).mean().template item<double>(), 1e-3);
      continue;
    }
    const test::Difference difference = test::compare(got.at(name), value, kTolerance);
    EXPECT_TRUE(difference.description.empty()) << name << ": " << difference.description;
  }
}

checkpoint::Checkpoint loaded(const fs::path& checkpoint) {
  SilentReporter silence;
  return interop::load_any(checkpoint, false, silence);
}

constexpr std::array kPretrainings = {"smoke_pretrain", "smoke_mae_pretrain", "smoke_simmim"};

TEST(Onnx, FeaturesOfEveryEncoderAtAnySize) {
  Checkpoints checkpoints;
  SilentReporter silence;
  std::vector<fs::path> all;
  for (const char* recipe : kPretrainings) all.push_back(checkpoints.pretrained(recipe));
  all.push_back(checkpoints.tuned("smoke_finetune", "smoke_pretrain"));
  for (const fs::path& checkpoint : all) {
    for (const int64_t size : {0, 48}) {
      const Converted made = converted(request_of(checkpoints, checkpoint, "features", size));
      expect_same(made.model, tasks::load_trained_model({checkpoint, settings(size), {}},
                                                        tasks::ModelUse::kFeatures, silence));
    }
  }
}

TEST(Onnx, ClassesOfAClassifier) {
  Checkpoints checkpoints;
  SilentReporter silence;
  for (const char* recipe : kPretrainings) {
    const fs::path checkpoint = checkpoints.tuned("smoke_finetune", recipe);
    for (const int64_t size : {0, 64}) {
      SCOPED_TRACE(fmt::format("{} {}", recipe, size));
      const Converted made = converted(request_of(checkpoints, checkpoint, "", size));
      EXPECT_EQ(made.result.at("what"), "classes");
      expect_same(made.model, tasks::load_classifier(loaded(checkpoint), settings(size), silence));
    }
  }
}

// The ONNX model equals the probe's own predictions. Its input pixels are in 0..1, as for all
// models.
TEST(Onnx, ClassesOfAProbe) {
  Checkpoints checkpoints;
  SilentReporter silence;
  const fs::path checkpoint = checkpoints.tuned("smoke_linprobe", "smoke_mae_pretrain");
  const Converted made = converted(request_of(checkpoints, checkpoint));
  const tasks::TrainedClassifier trained =
      tasks::load_classifier(loaded(checkpoint), {"model.precision=fp32"}, silence);
  loader::Batch batch;
  batch.batch = batch.global_batch = 2;
  batch.rows = batch.cols = trained.recipe.data.image_size[0];
  batch.channels = 3;
  batch.sample_ids = {0, 1};
  for (int64_t i = 0; i < 2 * batch.rows * batch.cols * 3; ++i) {
    batch.pixels_BHWC.push_back(static_cast<uint8_t>(i * 37 % 251));
  }
  const at::Tensor pixels =
      at::from_blob(batch.pixels_BHWC.data(), {2, batch.rows, batch.cols, 3}, at::kByte)
          .permute({0, 3, 1, 2})
          .to(at::kFloat) /
      255;
  const test::OnnxValues got = test::run_onnx(made.model, {{"pixels", pixels}}, at::kFloat);
  const test::Difference difference =
      test::compare(got.at("logits"), trained.predict(batch), kTolerance);
  EXPECT_TRUE(difference.description.empty()) << difference.description;
}

TEST(Onnx, MapOfASegmenter) {
  Checkpoints checkpoints;
  SilentReporter silence;
  const fs::path checkpoint = checkpoints.segmented("smoke_pretrain");
  for (const int64_t size : {0, 96}) {
    const Converted made = converted(request_of(checkpoints, checkpoint, "", size));
    EXPECT_EQ(made.result.at("what"), "map");
    expect_same(made.model, tasks::load_segmenter(loaded(checkpoint), settings(size), silence));
  }
}

TEST(Onnx, TrunkOfADetector) {
  Checkpoints checkpoints;
  SilentReporter silence;
  const fs::path checkpoint = checkpoints.detected("smoke_pretrain", {"data.image_size=[64,64]"});
  for (const int64_t size : {0, 96}) {
    const Converted made = converted(request_of(checkpoints, checkpoint, "", size));
    EXPECT_EQ(made.result.at("what"), "detections");
    expect_same(made.model, tasks::load_detector(loaded(checkpoint), settings(size), silence));
  }
}

TEST(Onnx, PositionsAreResizedAsEverywhere) {
  Checkpoints checkpoints;
  const fs::path checkpoint = checkpoints.pretrained("smoke_mae_pretrain");
  const Converted made = converted(request_of(checkpoints, checkpoint, "features", 64));
  const checkpoint::Checkpoint before = loaded(checkpoint);
  const at::Tensor table = train::to_tensor(*before.model.find("pos_embed"));
  const at::Tensor wanted = nn::resize_positions(table, 4, 4, 8, 8);
  const at::Tensor got = test::onnx::tensor_of(made.model.tensors.at("pos_embed"), at::kFloat);
  EXPECT_TRUE(got.equal(wanted));
}

TEST(Onnx, SaysWhatAUserNeeds) {
  Checkpoints checkpoints;
  const Converted made =
      converted(request_of(checkpoints, checkpoints.tuned("smoke_finetune", "smoke_pretrain")));
  const ReadModel& model = made.model;
  EXPECT_EQ(model.producer, "fastconvmae");
  EXPECT_EQ(model.version, "1.2.3");
  EXPECT_EQ(model.metadata.at("revision"), "abc");
  EXPECT_EQ(model.metadata.at("recipe"), "smoke_finetune");
  EXPECT_EQ(model.metadata.at("step"), "3");
  EXPECT_EQ(json::parse(model.metadata.at("mean")).size(), 3U);
  EXPECT_EQ(json::parse(model.metadata.at("std")).size(), 3U);
  EXPECT_EQ(json::parse(model.metadata.at("classes")).at(4), "kind 4");
  EXPECT_EQ(json::parse(model.metadata.at("image_size")), json({32, 32}));
  EXPECT_NE(model.description.find("values from 0 to 1"), std::string::npos);
  EXPECT_EQ(made.result.at("inputs").at("pixels"), "N x 3 x 32 x 32");
  EXPECT_EQ(made.result.at("outputs").at("logits"), "N x 5");
}

TEST(Onnx, ReplacesOnlyItsOwnFiles) {
  Checkpoints checkpoints;
  SilentReporter silence;
  tasks::ConvertRequest request =
      request_of(checkpoints, checkpoints.pretrained("smoke_mae_pretrain"));
  const auto refused = [&] {
    return error_of(ExitCode::kUsage, [&] { tasks::convert_checkpoint(request, silence); });
  };
  EXPECT_EQ(refused(), "");
  EXPECT_NE(refused().find("exists; choose another name, or pass --overwrite"), std::string::npos);
  request.overwrite = true;
  EXPECT_EQ(refused(), "");
  // A file of another program: the same first field, but another producer.
  std::ofstream(request.out, std::ios::binary) << "\x08\x08\x12\x07pytorch";
  EXPECT_NE(refused().find("is not a model that this program exported to ONNX"), std::string::npos);
  EXPECT_EQ(fs::file_size(request.out), 11U);
}

TEST(Onnx, RefusesWhatTheCheckpointIsNot) {
  Checkpoints checkpoints;
  SilentReporter silence;
  const auto refused = [&](const fs::path& checkpoint, const char* what) {
    return error_of(ExitCode::kCheckpoint, [&] {
      tasks::convert_checkpoint(request_of(checkpoints, checkpoint, what), silence);
    });
  };
  const fs::path pretrained = checkpoints.pretrained("smoke_pretrain"),
                 tuned = checkpoints.tuned("smoke_finetune", "smoke_pretrain"),
                 segmented = checkpoints.segmented("smoke_pretrain"),
                 detected = checkpoints.detected("smoke_pretrain", {"data.image_size=[64,64]"});
  EXPECT_NE(refused(pretrained, "classes").find("holds no classifier"), std::string::npos);
  EXPECT_NE(refused(pretrained, "map").find("is not a segmenter"), std::string::npos);
  EXPECT_NE(refused(tuned, "detections").find("is not a detector"), std::string::npos);
  EXPECT_NE(refused(segmented, "features").find("is a segmenter"), std::string::npos);
  EXPECT_NE(refused(detected, "classes").find("is a detector"), std::string::npos);
}

TEST(Onnx, RefusesFlagsThatDoNotGoTogether) {
  Checkpoints checkpoints;
  SilentReporter silence;
  tasks::ConvertRequest request =
      request_of(checkpoints, checkpoints.pretrained("smoke_mae_pretrain"));
  const auto refused = [&] {
    return error_of(ExitCode::kUsage, [&] { tasks::convert_checkpoint(request, silence); });
  };
  request.size = 30;
  EXPECT_NE(refused().find("must be divisible by 8"), std::string::npos);
  request.out.replace_extension(".pth");
  EXPECT_NE(refused().find("--size 30 is only for --to onnx"), std::string::npos);
  request.size = 0;
  request.what = "map";
  EXPECT_NE(refused().find("--what map is only for --to onnx"), std::string::npos);
  request.to = "onnx";
  EXPECT_NE(refused().find("does not end in .onnx"), std::string::npos);
  EXPECT_FALSE(fs::exists(request.out));
}

}  // namespace
}  // namespace fcm
