// Loads pretrained weights into a classifier: missing tensors, ignored tensors, refusals.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/nn/positions.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/trained_classifier.h"
#include "fcm/train/state.h"
#include "tests/support/error_of.h"
#include "tests/support/recording_reporter.h"

namespace fcm::tasks {
namespace {

using test::RecordingReporter;

recipe::Recipe small(int64_t side) {
  recipe::Recipe recipe;
  recipe.task = recipe::Classify{};
  recipe.encoder = {"custom", {2, 2, 2}, {8, 12, 16}, {1, 1, 2}, 2, {2, 2, 2}};
  recipe.data.image_size = {side, side};
  return recipe;
}

class LoadEncoder : public testing::Test {
 protected:
  LoadEncoder() {
    recipe::Recipe recipe = recipe::pretraining_of(small(32));
    recipe.pretrain().decoder = {16, 1, 2, 2.0};
    const models::MaskedAutoencoder pretrained(recipe::autoencoder_options(recipe), 5);
    tensors_ = train::model_tensors(pretrained.parameters());
  }

  checkpoint::Checkpoint pretrained() const {
    checkpoint::Checkpoint checkpoint;
    checkpoint.path = "pretrained";
    checkpoint.model.tensors = tensors_.views;
    return checkpoint;
  }
  at::Tensor stored(const std::string& name) const {
    return train::to_tensor(*pretrained().model.find(name));
  }
  static models::Classifier fresh(int64_t side, int64_t classes = 10) {
    return models::Classifier(recipe::classifier_options(small(side), classes), 1);
  }
  static at::Tensor held(const models::Classifier& model, const char* name) {
    return model.parameters().published(model.parameters().find(name));
  }
  // The message of an Error(kCheckpoint); empty if loading succeeded.
  std::string fault(checkpoint::Checkpoint checkpoint) {
    models::Classifier model = fresh(32);
    return test::error_of(ExitCode::kCheckpoint,
                          [&] { load_encoder(model, std::move(checkpoint), {}, reporter_); });
  }

  train::PublishedTensors tensors_;
  RecordingReporter reporter_;
};

TEST_F(LoadEncoder, TakesTheEncoderAndKeepsANewHead) {
  models::Classifier model = fresh(32);
  const at::Tensor head = held(model, "head.weight").clone();
  load_encoder(model, pretrained(), {}, reporter_);
  for (const char* name : {"pos_embed", "patch_embed1.proj.weight", "blocks3.1.mlp.fc2.bias"}) {
    EXPECT_TRUE(at::equal(held(model, name), stored(name))) << name;
  }
  EXPECT_TRUE(at::equal(held(model, "head.weight"), head));
  EXPECT_TRUE(reporter_.warnings.empty());
}

TEST_F(LoadEncoder, ListsWhatIsMissingAndSurplus) {
  EXPECT_EQ(fault(pretrained()), "");
  checkpoint::Checkpoint lacking = pretrained();
  std::erase_if(lacking.model.tensors,
                [](const auto& view) { return view.name == "blocks3.0.attn.proj.weight"; });
  EXPECT_NE(fault(std::move(lacking)).find("missing: blocks3.0.attn.proj.weight"),
            std::string::npos);
  checkpoint::Checkpoint surplus = pretrained();
  surplus.model.tensors.push_back(surplus.model.tensors.back());
  surplus.model.tensors.back().name = "blocks3.2.norm1.weight";
  EXPECT_NE(fault(std::move(surplus)).find("unexpected: blocks3.2.norm1.weight"),
            std::string::npos);
}

TEST_F(LoadEncoder, PositionsAreResizedToLargerImages) {
  models::Classifier model = fresh(48);
  load_encoder(model, pretrained(), {}, reporter_);
  EXPECT_TRUE(
      at::equal(held(model, "pos_embed"), nn::resize_positions(stored("pos_embed"), 4, 4, 6, 6)));
}

// Files of other programs have no recipe: sizes and number of classes follow from the tensors.
TEST_F(LoadEncoder, AClassifierWithoutARecipeIsMeasured) {
  for (const bool mean : {true, false}) {
    recipe::Recipe recipe = small(32);
    recipe.classify().classifier.pool = mean ? "mean" : "token";
    models::Classifier model(recipe::classifier_options(recipe, 7), 3);
    const train::PublishedTensors tensors = train::model_tensors(model.parameters());
    checkpoint::Checkpoint foreign;
    foreign.path = "foreign.pth";
    foreign.model.tensors = tensors.views;
    const TrainedClassifier trained = load_classifier(
        std::move(foreign), {"encoder.heads=2", "data.image_size=[32,32]"}, reporter_);
    EXPECT_EQ(trained.classes, 7);
    EXPECT_EQ(trained.recipe.classify().classifier.pool, mean ? "mean" : "token");
    EXPECT_TRUE(held(*trained.model, "head.weight").equal(held(model, "head.weight")));
  }
}

TEST_F(LoadEncoder, AHeadForOtherClassesIsLeftOut) {
  models::Classifier other = fresh(32, 7);
  const train::PublishedTensors views = train::model_tensors(other.parameters());
  checkpoint::Checkpoint checkpoint;
  checkpoint.path = "other";
  checkpoint.model.tensors = views.views;
  models::Classifier model = fresh(32, 10);
  const at::Tensor head = held(model, "head.weight").clone();
  load_encoder(model, std::move(checkpoint), {}, reporter_);
  EXPECT_TRUE(at::equal(held(model, "head.weight"), head));
  ASSERT_EQ(reporter_.warnings.size(), 1u);
  EXPECT_NE(reporter_.warnings[0].find("7 classes"), std::string::npos);
}

}  // namespace
}  // namespace fcm::tasks
