#include "fcm/recipe/setup.h"

#include <algorithm>

#include "fcm/encoder/registry.h"
#include "fcm/masks/view_plan.h"
#include "fcm/ops/isa.h"
#include "fcm/targets/teacher.h"

namespace fcm::recipe {
namespace {

// A plan that has only the grid and the sizes of the views, without order and edges.
masks::ViewPlan views_of(masks::Grid grid, const masks::MaskOptions& options) {
  masks::ViewPlan plan;
  plan.grid = grid;
  plan.sizes = masks::view_sizes(grid.patches(), options);
  plan.kept = masks::kept_views(plan.sizes, options);
  return plan;
}

// Cost of one image: for pretraining encoder and decoder, for a segmenter or detector encoder and
// heads, for a classifier the encoder on every patch.
nn::Cost cost_of(const Recipe& recipe) {
  const masks::Grid grid = student_of(recipe).grid;
  if (recipe.is<Pretrain>()) {
    return models::cost(autoencoder_options(recipe), views_of(grid, recipe.pretrain().masks));
  }
  if (recipe.is<Segment>()) {
    constexpr int64_t kClassesOfAde20k = 150;  // used until the data's number of classes is known
    const int64_t classes = recipe.segment().segmenter.classes;
    return models::cost(segmenter_options(recipe, classes == 0 ? kClassesOfAde20k : classes));
  }
  if (recipe.is<Detect>()) {
    constexpr int64_t kClassesOfCoco = 80;  // used until the data's number of classes is known
    const int64_t classes = recipe.detect().detector.classes;
    return models::cost(detector_options(recipe, classes == 0 ? kClassesOfCoco : classes));
  }
  // The encoder of a classifier, counted as in pretraining, with the norm and the fuse layers.
  return encoder::family(recipe.model.kind)
      .cost(recipe.encoder, recipe.data.channels, views_of(grid, {0, {}}),
            {.norm = true, .fuse = true});
}

}  // namespace

models::ClassifierOptions classifier_options(const Recipe& recipe, int64_t classes) {
  models::ClassifierOptions options;
  options.kind = recipe.model.kind;
  options.encoder = recipe.encoder;
  options.rows = recipe.data.image_size[0];
  options.cols = recipe.data.image_size[1];
  options.channels = recipe.data.channels;
  options.classes = classes;
  options.mean_pool = recipe.classify().classifier.pool == "mean";
  options.drop_path = recipe.classify().classifier.drop_path;
  return options;
}

models::SegmenterOptions segmenter_options(const Recipe& recipe, int64_t classes) {
  const SegmenterSection& section = recipe.segment().segmenter;
  models::SegmenterOptions options;
  options.kind = recipe.model.kind;
  options.encoder = recipe.encoder;
  options.rows = recipe.data.image_size[0];
  options.cols = recipe.data.image_size[1];
  options.channels = recipe.data.channels;
  options.classes = classes;
  options.head_channels = section.channels;
  options.aux_channels = section.aux_channels;
  options.taps = section.taps;
  options.drop_path = section.drop_path;
  options.dropout = section.dropout;
  return options;
}

models::DetectorOptions detector_options(const Recipe& recipe, int64_t classes) {
  const DetectorSection& section = recipe.detect().detector;
  models::DetectorOptions options;
  options.backbone.kind = recipe.model.kind;
  options.backbone.encoder = recipe.encoder;
  options.backbone.rows = recipe.data.image_size[0];
  options.backbone.cols = recipe.data.image_size[1];
  options.backbone.channels = recipe.data.channels;
  options.backbone.form = section.form == "decomposed" ? models::BackboneForm::kDecomposed
                                                       : models::BackboneForm::kSharedTables;
  options.backbone.window = section.window;
  options.backbone.global_blocks = section.global_blocks;
  options.backbone.drop_path = section.drop_path;
  options.classes = classes;
  options.channels = section.channels;
  options.box_features = section.box_features;
  options.sampled_anchors = section.sampled_anchors;
  options.sampled_regions = section.sampled_regions;
  options.training_proposals = {section.proposals_before_nms[0], section.proposals[0]};
  options.testing_proposals = {section.proposals_before_nms[1], section.proposals[1]};
  options.least_score = section.score;
  options.detections = section.detections;
  return options;
}

models::AutoencoderOptions autoencoder_options(const Recipe& recipe) {
  return {recipe.model.kind,         recipe.encoder,
          recipe.pretrain().decoder, recipe.pretrain().targets,
          recipe.data.image_size[0], recipe.data.image_size[1],
          recipe.data.channels};
}

targets::Student student_of(const Recipe& recipe) {
  const int64_t side = recipe.encoder.patch_side();
  return {recipe.model.kind,
          recipe.encoder,
          recipe.data.channels,
          {recipe.data.image_size[0] / side, recipe.data.image_size[1] / side}};
}

at::ScalarType compute_type(const std::string& precision, at::Device device) {
  if (precision == "bf16") return at::kBFloat16;
  if (precision == "fp32") return at::kFloat;
  return device.is_cuda() || ops::has_bf16_instructions() ? at::kBFloat16 : at::kFloat;
}

const char* compute_name(at::ScalarType compute) {
  return compute == at::kBFloat16 ? "bf16" : "fp32";
}

double activation_bytes_per_image(const Recipe& recipe, at::ScalarType compute) {
  return cost_of(recipe).kept * (compute == at::kBFloat16 ? 2.0 : 4.0);
}

int64_t choose_micro_batch(const Recipe& recipe, at::ScalarType compute, double memory_bytes) {
  const int64_t batch = recipe.optim.batch_size;
  int64_t most = recipe.optim.micro_batch;
  const bool chooses = most == 0;
  if (chooses) {
    const double of_image = activation_bytes_per_image(recipe, compute);
    const double fits = 0.5 * memory_bytes / of_image;
    most = static_cast<int64_t>(std::clamp(fits, 1.0, static_cast<double>(batch)));
  }
  int64_t micro_batches = (batch + most - 1) / most;
  // Batch normalisation needs at least two images for its statistics.
  if (chooses && recipe.is<Segment>())
    micro_batches = std::clamp<int64_t>(batch / 2, 1, micro_batches);
  return (batch + micro_batches - 1) / micro_batches;
}

double forward_multiply_adds(const Recipe& recipe) { return cost_of(recipe).multiply_adds; }

double teacher_multiply_adds(const Recipe& recipe) {
  double sum = 0;
  for (const std::string& name : recipe.pretrain().targets.features()) {
    if (name == "ema") {  // the EMA teacher: the encoder on one view of all patches
      Recipe whole = recipe;
      whole.pretrain().masks = {0, {}};
      whole.pretrain().decoder.depth = 0;
      sum += forward_multiply_adds(whole);
      continue;
    }
    const masks::Grid grid = student_of(recipe).grid;
    sum += targets::multiply_adds(
        targets::tower_options(recipe.pretrain().targets, name, grid.rows, grid.cols));
  }
  return sum;
}

double training_flops(const Recipe& recipe) {
  if (recipe.is<Classify>()) {  // a frozen encoder has no backward pass
    const bool frozen = recipe.classify().classifier.learns == "head";
    return (frozen ? 2 : 6) * forward_multiply_adds(recipe);
  }
  if (!recipe.is<Pretrain>()) return 6 * forward_multiply_adds(recipe);
  return 6 * forward_multiply_adds(recipe) + 2 * teacher_multiply_adds(recipe);
}

}  // namespace fcm::recipe
