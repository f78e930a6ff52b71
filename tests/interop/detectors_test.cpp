// Detector files without a recipe: how they are recognised, their sizes, the derived recipe, and
// the tensors that are omitted.
#include "fcm/interop/detectors.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "fcm/interop/batch_counts.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/downstream_recipe.h"
#include "fcm/models/detector.h"
#include "fcm/recipe/check.h"
#include "fcm/recipe/setup.h"
#include "fcm/train/state.h"
#include "tests/support/error_of.h"

namespace fcm::interop {
namespace {

recipe::Recipe recipe_of_small(const std::string& kind, const std::string& form) {
  recipe::Recipe recipe;
  recipe.task = recipe::Detect{};
  recipe.model.kind = kind;
  recipe.encoder = {"custom", {4, 2, 2}, {8, 12, 16}, {1, 1, 4}, 2, {2, 2, 2}, 1e-5};
  recipe.detect().detector.window = 2;
  recipe.detect().detector.global_blocks = {0, 1, 2, 3};
  if (kind == "vit") recipe.encoder = {"custom", {16}, {32}, {4}, 2, {4}, 1e-6};
  if (kind == "swin") {
    recipe.encoder = {"custom", {4, 2, 2, 2}, {8, 16, 32, 64}, {1, 1, 1, 1}, 2, {2, 2, 2, 2}};
    recipe.encoder.heads = std::vector<int64_t>{1, 2, 4, 8};
    recipe.encoder.window = 4;
    recipe.detect().detector.window = 0;
    recipe.detect().detector.global_blocks = {};
  }
  recipe.detect().detector.form = form;
  if (form == "decomposed") recipe.detect().detector.window = 14;
  recipe.detect().detector.channels = 8;
  recipe.detect().detector.box_features = 24;
  recipe.data.image_size = {64, 64};
  recipe::check(recipe);
  return recipe;
}

// The checkpoint of a small detector, as read from a file without a recipe.
struct StoredDetector {
  explicit StoredDetector(const std::string& kind = "conv_vit",
                          const std::string& form = "shared_tables")
      : recipe(recipe_of_small(kind, form)),
        model(recipe::detector_options(recipe, 5), 0),
        tensors(train::model_tensors(model.parameters())) {
    checkpoint.path = "file.pth";
    checkpoint.model.tensors = tensors.views;
  }

  recipe::Recipe recipe;
  models::Detector model;
  train::PublishedTensors tensors;
  checkpoint::Checkpoint checkpoint;
};

TEST(Detectors, AreToldByTheirNames) {
  const StoredDetector stored;
  EXPECT_EQ(downstream_of(stored.checkpoint), Downstream::kDetector);
  std::vector<formats::TensorView> wrapped = stored.checkpoint.model.tensors;
  for (formats::TensorView& view : wrapped) view.name.insert(0, "module.model.");
  EXPECT_TRUE(are_of_detector(wrapped));
  std::erase_if(wrapped, [](const formats::TensorView& view) {
    return view.name.find("cls_score") != view.name.npos;
  });
  EXPECT_FALSE(are_of_detector(wrapped));
}

TEST(Detectors, SayTheirSizes) {
  const StoredDetector stored;
  const recipe::Recipe found = detector_recipe(stored.checkpoint, {});
  EXPECT_EQ(found.model.kind, "conv_vit");
  EXPECT_EQ(found.encoder.dims, stored.recipe.encoder.dims);
  EXPECT_EQ(found.encoder.depths, stored.recipe.encoder.depths);
  EXPECT_EQ(found.encoder.heads.last(), 2);
  const recipe::DetectorSection& section = found.detect().detector;
  EXPECT_EQ(section.classes, 5);
  EXPECT_EQ(section.window, 2);
  EXPECT_EQ(section.channels, 8);
  EXPECT_EQ(section.box_features, 24);
  EXPECT_EQ(section.form, "shared_tables");
  EXPECT_EQ(found.data.image_size, (std::vector<int64_t>{64, 64}));
  recipe::check(found);
  // The recipe gives a model of the same size.
  const models::Detector again(recipe::detector_options(found, 5), 0);
  EXPECT_EQ(again.parameters().all().size(), stored.model.parameters().all().size());
}

TEST(Detectors, OfOtherKindsSayThem) {
  for (const auto& [kind, form] :
       {std::pair{"vit", "shared_tables"}, {"swin", "shared_tables"}, {"conv_vit", "decomposed"}}) {
    const StoredDetector stored(kind, form);
    const recipe::Recipe found = detector_recipe(stored.checkpoint, {"data.image_size=[64,64]"});
    EXPECT_EQ(found.model.kind, kind);
    EXPECT_EQ(found.detect().detector.form, form);
    EXPECT_EQ(found.encoder.dims, stored.recipe.encoder.dims);
    EXPECT_EQ(found.encoder.heads.values, stored.recipe.encoder.heads.values);
    EXPECT_EQ(found.detect().detector.window, stored.recipe.detect().detector.window);
  }
}

TEST(Detectors, SayWhatHadToBeAssumed) {
  const StoredDetector stored;
  EXPECT_EQ(detector_assumptions(stored.checkpoint, {}).size(), 2u);
  EXPECT_EQ(detector_assumptions(stored.checkpoint,
                                 {"detector.global_blocks=[1]", "data.image_size=[64,64]"})
                .size(),
            0u);
  EXPECT_EQ(detector_recipe(stored.checkpoint, {"detector.global_blocks=[1]"})
                .detect()
                .detector.global_blocks,
            std::vector<int64_t>{1});
}

TEST(Detectors, LoseWrappersAndWhatIsComputed) {
  const StoredDetector stored;
  std::vector<formats::TensorView> tensors = stored.checkpoint.model.tensors;
  const size_t before = tensors.size();
  const int64_t seven = 7;
  const auto count = std::find_if(tensors.begin(), tensors.end(), [](const auto& view) {
    return view.name.ends_with(kBatchesSeen);
  });
  ASSERT_NE(count, tensors.end());
  const std::string counted = count->name;
  *count = {counted, "I64", {}, std::as_bytes(std::span(&seven, 1))};
  for (formats::TensorView& view : tensors) view.name.insert(0, "module.");
  for (const char* computed : {"pixel_mean", "proposal_generator.anchor_generator.cell_anchors.0",
                               "backbone.bottom_up.global_rel_pos_bias.relative_position_index"}) {
    tensors.push_back({computed, "F32", {0}, {}});
  }
  const formats::Buffer kept = from_detectron2(tensors, "file.pth");
  EXPECT_EQ(tensors.size(), before);
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const auto& view) { return view.name == counted; });
  ASSERT_NE(found, tensors.end());
  EXPECT_EQ(found->dtype, "F32");
  EXPECT_EQ(whole_count(*found, "file.pth"), 7);
  tensors.push_back(tensors.front());
  tensors.back().name.insert(0, "module.");
  test::error_of(ExitCode::kCheckpoint, [&] { from_detectron2(tensors, "file.pth"); });
}

TEST(Detectors, AreRefusedWhereAnEncoderIsWanted) {
  const StoredDetector stored;
  const std::string said =
      test::error_of(ExitCode::kCheckpoint, [&] { refuse_downstream(stored.checkpoint); });
  EXPECT_NE(said.find("is a detector"), std::string::npos) << said;
  EXPECT_NO_THROW(refuse_downstream(stored.checkpoint, Downstream::kDetector));
  EXPECT_EQ(downstream_encoder(stored.checkpoint).classes, 5);
}

}  // namespace
}  // namespace fcm::interop
