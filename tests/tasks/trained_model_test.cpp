// Loads the weights of other programs to compute features: which tensors may be missing, and the
// messages about them.
#include "fcm/tasks/trained_model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include "fcm/base/error.h"
#include "fcm/formats/safetensors.h"
#include "fcm/interop/load_any.h"
#include "tests/support/error_of.h"
#include "tests/support/recording_reporter.h"
#include "tests/tasks/child.h"

namespace fcm::tasks {
namespace {

using formats::TensorView;

const std::filesystem::path kStoredCheckpoint =
    std::filesystem::path(FCM_SOURCE_DIR) / "../shared/fixtures/checkpoints/checkpoint-0.pth";

class Weights : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kStoredCheckpoint)) GTEST_SKIP() << "../shared/fixtures is absent";
    whole_ = interop::load_any(kStoredCheckpoint, false, reporter_);
  }

  // Writes a file with the tensors whose names satisfy `keeps`, and with a classifier's head if
  // `with_head`. All names begin with "module.", as DistributedDataParallel saves them.
  template <typename Keeps>
  std::string file_of(Keeps&& keeps, bool with_head) {
    std::vector<TensorView> tensors;
    for (TensorView tensor : whole_.model.tensors) {
      if (!keeps(tensor.name)) continue;
      tensor.name = "module." + tensor.name;
      tensors.push_back(tensor);
    }
    static const std::vector<float> zeros(640);
    const auto bytes = std::as_bytes(std::span(zeros));
    if (with_head) {
      tensors.push_back({"module.head.weight", "F32", {10, 64}, bytes});
      tensors.push_back({"module.head.bias", "F32", {10}, bytes.first(40)});
      tensors.push_back({"module.fc_norm.weight", "F32", {64}, bytes.first(256)});
      tensors.push_back({"module.fc_norm.bias", "F32", {64}, bytes.first(256)});
    }
    const std::filesystem::path path = scratch_ / "weights.safetensors";
    formats::write_safetensors(path, tensors, {});
    return path;
  }

  TrainedModel load(const std::string& path, ModelUse use,
                    const std::vector<std::string>& allow_missing = {}) {
    return load_trained_model({path, {"encoder.heads=4"}, allow_missing}, use, reporter_);
  }

  tests::Scratch scratch_;
  test::RecordingReporter reporter_;
  checkpoint::Checkpoint whole_;
};

bool of_encoder(const std::string& name) {
  return !name.starts_with("decoder") && name != "mask_token";
}

bool of_classifier(const std::string& name) {
  return of_encoder(name) && !name.starts_with("stage") && !name.starts_with("norm.");
}

TEST_F(Weights, AnEncoderAloneGivesFeaturesWithoutAWord) {
  const TrainedModel trained = load(file_of(of_encoder, false), ModelUse::kFeatures);
  EXPECT_TRUE(reporter_.warnings.empty());
  EXPECT_EQ(trained.recipe.encoder.dims, (std::vector<int64_t>{32, 48, 64}));
}

TEST_F(Weights, MissingFuseLayersAreZero) {
  const TrainedModel trained = load(file_of(of_classifier, true), ModelUse::kFeatures);
  const nn::Parameters& parameters = trained.model->parameters();
  for (const char* name : {"stage1_output_decode.weight", "stage2_output_decode.bias"}) {
    EXPECT_EQ(parameters.find(name).value.abs().sum().item<double>(), 0) << name;
  }
  EXPECT_TRUE(parameters.find("norm.weight").value.eq(1).all().item<bool>());
  ASSERT_EQ(reporter_.warnings.size(), 1U);
  EXPECT_NE(reporter_.warnings[0].find("stage1_output_decode.weight"), std::string::npos);
}

std::string error_of(const std::function<void()>& action) {
  return test::error_of(ExitCode::kCheckpoint, action);
}

TEST_F(Weights, AllThatIsMissingIsListedUnlessItIsAllowed) {
  const auto without_two = [](const std::string& name) {
    return of_encoder(name) && name != "blocks3.0.norm1.bias" && name != "patch_embed4.weight";
  };
  const std::string file = file_of(without_two, false);
  const std::string error = error_of([&] { load(file, ModelUse::kFeatures); });
  for (const char* name : {"blocks3.0.norm1.bias", "patch_embed4.weight"}) {
    EXPECT_NE(error.find(name), std::string::npos) << error;
  }
  EXPECT_EQ(error.find("decoder"), std::string::npos) << error;
  EXPECT_NE(error_of([&] { load(file, ModelUse::kFeatures, {"blocks3.*"}); }), "");
  EXPECT_EQ(error_of([&] {
              load(file, ModelUse::kFeatures, {"blocks3.*", "patch_embed4.*"});
            }),
            "");
}

TEST_F(Weights, ImagesNeedAllOfIt) {
  const std::string error =
      error_of([&] { load(file_of(of_encoder, false), ModelUse::kReconstruction); });
  EXPECT_NE(error.find("mask_token"), std::string::npos) << error;
}

}  // namespace
}  // namespace fcm::tasks
