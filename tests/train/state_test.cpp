#include "fcm/train/state.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/learners/pretrain.h"
#include "tests/train/small_model.h"

namespace fcm::train {
namespace {

// The tensors as if written to a file and read back.
formats::TensorFile file_of_tensors(const PublishedTensors& tensors) {
  formats::TensorFile file;
  file.tensors = tensors.views;
  return file;
}

TEST(State, WeightsAndMomentsComeBackToTheBit) {
  const recipe::Recipe recipe = small_recipe();
  PretrainLearner learner({recipe::autoencoder_options(recipe), 3}, recipe);
  const models::MaskedAutoencoder& model = learner.model();
  const optim::AdamW& optimizer = learner.optimizer();
  models::MaskedAutoencoder other(recipe::autoencoder_options(recipe), 4);
  optim::AdamW fresh(other.parameters(), recipe.optim);
  learner.update(random_batch(recipe), {1e-3, 6});
  const PublishedTensors weights = model_tensors(model.parameters());
  const PublishedTensors moments = optimizer_tensors(model.parameters(), optimizer);
  load_model(other.parameters(), file_of_tensors(weights), "test");
  load_optimizer(other.parameters(), fresh, file_of_tensors(moments), "test");
  EXPECT_TRUE(other.parameters().flat_values().equal(model.parameters().flat_values()));
  EXPECT_TRUE(fresh.first_moments().equal(optimizer.first_moments()));
  EXPECT_TRUE(fresh.second_moments().equal(optimizer.second_moments()));
}

TEST(State, TensorsOnDiskHaveThePublishedShapes) {
  const recipe::Recipe recipe = small_recipe();
  const models::MaskedAutoencoder model(recipe::autoencoder_options(recipe), 3);
  const formats::TensorFile file = file_of_tensors(model_tensors(model.parameters()));
  const auto find = [&](const std::string& name) {
    for (const auto& view : file.tensors) {
      if (view.name == name) return view.shape;
    }
    return std::vector<int64_t>{};
  };
  EXPECT_EQ(find("patch_embed2.proj.weight"), (std::vector<int64_t>{12, 8, 2, 2}));
  EXPECT_EQ(find("blocks1.0.attn.weight"), (std::vector<int64_t>{8, 1, 5, 5}));
  EXPECT_EQ(find("pos_embed"), (std::vector<int64_t>{1, 16, 16}));
}

TEST(State, EverythingThatDoesNotFitIsListedAtOnce) {
  const recipe::Recipe recipe = small_recipe();
  models::MaskedAutoencoder model(recipe::autoencoder_options(recipe), 3);
  PublishedTensors tensors = model_tensors(model.parameters());
  formats::TensorFile file = file_of_tensors(tensors);
  file.tensors[0].name = "not_a_parameter";
  file.tensors[1].shape = {1, 2, 8};
  const at::Tensor before = model.parameters().flat_values().clone();
  try {
    load_model(model.parameters(), file, "some/file");
    FAIL() << "a file that does not fit the model was loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kCheckpoint);
    const std::string text = error.what();
    for (const char* part :
         {"some/file", "not_a_parameter", "pos_embed", "mask_token", "[1, 2, 8]"}) {
      EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in " << text;
    }
  }
  EXPECT_TRUE(model.parameters().flat_values().equal(before));
}

TEST(Counters, SurviveJson) {
  Counters counters;
  counters.step = 7;
  counters.window_loss = 0.1 + 0.2;
  counters.epoch_loss = 1e300 / 3;
  const auto text = counters.to_json().dump();
  const Counters back = Counters::from_json(nlohmann::json::parse(text));
  EXPECT_EQ(back.step, 7);
  EXPECT_EQ(back.window_loss, counters.window_loss);
  EXPECT_EQ(back.epoch_loss, counters.epoch_loss);
}

}  // namespace
}  // namespace fcm::train
