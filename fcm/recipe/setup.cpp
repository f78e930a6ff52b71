#include "fcm/recipe/setup.h"

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/masks/view_plan.h"
#include "fcm/ops/isa.h"

namespace fcm::recipe {
namespace {

// Counts of one picture that costs are made of.
struct Counts {
  std::vector<double> cells;  // of the kept patches, at each stage
  double patches, kept, views;
  double class_tokens;  // of one sequence
  std::vector<masks::ViewRun> runs;
};

Counts count(const Recipe& recipe) {
  const ops::PatchGeometry geometry{recipe.encoder.strides};
  const int64_t side = geometry.patch_side();
  const int64_t patches = (recipe.data.image_size[0] / side) * (recipe.data.image_size[1] / side);
  masks::ViewPlan plan;
  plan.sizes = masks::view_sizes(patches, recipe.pretrain().masks);
  plan.kept = masks::kept_views(plan.sizes, recipe.pretrain().masks);
  const auto kept = static_cast<double>(plan.kept_slots());
  Counts counts;
  for (int64_t stage = 0; stage < static_cast<int64_t>(geometry.strides.size()); ++stage) {
    counts.cells.push_back(kept * static_cast<double>(geometry.cells(stage).count()));
  }
  counts.patches = static_cast<double>(patches);
  counts.kept = kept;
  counts.views = static_cast<double>(plan.kept);
  counts.class_tokens =
      static_cast<double>(encoder::class_tokens(encoder::kind_named(recipe.model.kind)));
  counts.runs = plan.kept_runs();
  return counts;
}

double block_multiply_adds(double tokens, double length, double dim, double mlp_ratio) {
  return tokens * (dim * dim * (4 + 2 * mlp_ratio) + 2 * length * dim);
}

// For counting: a recipe of pretraining as it is, of a classifier its encoder without a decoder.
Recipe encoder_alone(const Recipe& recipe) {
  if (recipe.is<Pretrain>()) return recipe;
  Recipe alone = pretraining_of(recipe);
  alone.pretrain().decoder.dim = 0;
  alone.pretrain().decoder.depth = 0;
  return alone;
}

}  // namespace

models::ClassifierOptions classifier_options(const Recipe& recipe, int64_t classes) {
  models::ClassifierOptions options;
  options.kind = encoder::kind_named(recipe.model.kind);
  options.encoder = recipe.encoder;
  options.rows = recipe.data.image_size[0];
  options.cols = recipe.data.image_size[1];
  options.channels = recipe.data.channels;
  options.classes = classes;
  options.mean_pool = recipe.classify().classifier.pool == "mean";
  options.drop_path = recipe.classify().classifier.drop_path;
  return options;
}

models::AutoencoderOptions autoencoder_options(const Recipe& recipe) {
  return {encoder::kind_named(recipe.model.kind),
          recipe.encoder,
          recipe.pretrain().decoder,
          recipe.pretrain().targets,
          recipe.data.image_size[0],
          recipe.data.image_size[1],
          recipe.data.channels};
}

targets::Student student_of(const Recipe& recipe) {
  const int64_t side = ops::PatchGeometry{recipe.encoder.strides}.patch_side();
  return {encoder::kind_named(recipe.model.kind),
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
  const Counts counts = count(recipe);
  const auto& encoder = recipe.encoder;
  // Per element of the residual stream a transformer block keeps x, q, k, v, the stream between its
  // halves and mlp_ratio hidden numbers, a convolution block two fewer (ops/branches/README.md).
  // Half a number more covers statistics, embeddings and the decoder's end: for the base recipe in
  // fp32 251 MB a picture by this sum, 249 by measurement.
  constexpr double kOfBlock = 5.5, kOfConvBlock = 3.5;
  const double classes = counts.views * counts.class_tokens;
  double numbers = classes * static_cast<double>(encoder.dims.back() * encoder.depths.back()) *
                   (kOfBlock + encoder.mlp_ratios.back());
  for (size_t i = 0; i < encoder.dims.size(); ++i) {
    const bool last = i + 1 == encoder.dims.size();
    numbers += counts.cells[i] * static_cast<double>(encoder.dims[i] * encoder.depths[i]) *
               ((last ? kOfBlock : kOfConvBlock) + encoder.mlp_ratios[i]);
  }
  numbers += (counts.views * counts.patches + classes) *
             static_cast<double>(recipe.pretrain().decoder.dim * recipe.pretrain().decoder.depth) *
             (kOfBlock + recipe.pretrain().decoder.mlp_ratio);
  return numbers * (compute == at::kBFloat16 ? 2.0 : 4.0);
}

int64_t choose_micro_batch(const Recipe& recipe, at::ScalarType compute, double memory_bytes) {
  const int64_t batch = recipe.optim.batch_size;
  int64_t most = recipe.optim.micro_batch;
  if (most == 0) {
    const double of_image = activation_bytes_per_image(encoder_alone(recipe), compute);
    const double fits = 0.5 * memory_bytes / of_image;
    most = static_cast<int64_t>(std::clamp(fits, 1.0, static_cast<double>(batch)));
  }
  const int64_t pieces = (batch + most - 1) / most;
  return (batch + pieces - 1) / pieces;
}

namespace {

// Everything before the transformer blocks, and the fuse convolutions beside them.
double convolutions(const Recipe& recipe, const Counts& counts) {
  const auto& encoder = recipe.encoder;
  const auto last_dim = static_cast<double>(encoder.dims.back());
  const size_t last = encoder.dims.size() - 1;
  auto in = static_cast<double>(recipe.data.channels);
  double sum = 0;
  for (size_t i = 0; i <= last; ++i) {
    const auto stride = static_cast<double>(encoder.strides[i]);
    const auto dim = static_cast<double>(encoder.dims[i]);
    const double cells = counts.cells[i];
    sum += cells * stride * stride * in * dim;  // patch embedding
    if (i < last) {
      sum += static_cast<double>(encoder.depths[i]) * cells * dim *
             (dim * (2 + 2 * encoder.mlp_ratios[i]) + 25);
      sum += cells * dim * last_dim;  // fuse
    }
    in = dim;
  }
  if (last > 0) sum += counts.kept * last_dim * last_dim;  // patch_embed4
  return sum;
}

}  // namespace

namespace {

// Numbers that the decoder predicts for a hidden patch, all targets together.
double predicted_numbers(const Recipe& recipe) {
  const int64_t side = ops::PatchGeometry{recipe.encoder.strides}.patch_side();
  int64_t sum = 0;
  for (const std::string& name : recipe.pretrain().targets.reconstructed()) {
    sum += name == "rgb"
               ? side * side * recipe.data.channels
               : targets::feature_dim(recipe.pretrain().targets, name, recipe.encoder.dims.back());
  }
  return static_cast<double>(sum);
}

}  // namespace

double forward_multiply_adds(const Recipe& recipe) {
  const Counts counts = count(recipe);
  const auto dim = static_cast<double>(recipe.encoder.dims.back());
  const auto depth = static_cast<double>(recipe.encoder.depths.back());
  const auto decoder_dim = static_cast<double>(recipe.pretrain().decoder.dim);
  const auto decoder_depth = static_cast<double>(recipe.pretrain().decoder.depth);
  const double predicted = predicted_numbers(recipe);
  double sum = convolutions(recipe, counts);
  for (const masks::ViewRun& run : counts.runs) {
    const auto views = static_cast<double>(run.views), size = static_cast<double>(run.size);
    const double seen = counts.class_tokens + size, all = counts.class_tokens + counts.patches;
    sum += depth * block_multiply_adds(views * seen, seen, dim, recipe.encoder.mlp_ratios.back());
    sum += views * seen * dim * decoder_dim;
    sum += decoder_depth *
           block_multiply_adds(views * all, all, decoder_dim, recipe.pretrain().decoder.mlp_ratio);
    sum += views * (counts.patches - size) * decoder_dim * predicted;
  }
  return sum;
}

double teacher_multiply_adds(const Recipe& recipe) {
  double sum = 0;
  for (const std::string& name : recipe.pretrain().targets.features()) {
    if (name == "ema") {  // the encoder, on one view of all patches
      Recipe whole = recipe;
      whole.pretrain().masks = {0, {}};
      whole.pretrain().decoder.depth = 0;
      sum += forward_multiply_adds(whole);
      continue;
    }
    const masks::Grid grid = student_of(recipe).grid;
    const targets::TeacherOptions tower =
        targets::tower_options(recipe.pretrain().targets, name, grid.rows, grid.cols);
    const auto tokens = static_cast<double>(1 + grid.patches());
    const auto dim = static_cast<double>(tower.dim);
    sum += static_cast<double>(tower.depth) *
           block_multiply_adds(tokens, tokens, dim, tower.mlp_ratio);
    sum += tokens * dim * static_cast<double>(tower.stride * tower.stride * tower.channels);
  }
  return sum;
}

double training_flops(const Recipe& recipe) {
  if (recipe.is<Classify>()) {  // a frozen encoder has no backward pass
    const bool frozen = recipe.classify().classifier.learns == "head";
    return (frozen ? 2 : 6) * forward_multiply_adds(encoder_alone(recipe));
  }
  return 6 * forward_multiply_adds(recipe) + 2 * teacher_multiply_adds(recipe);
}

}  // namespace fcm::recipe
