#include "fcm/train/setup.h"

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/masks/view_plan.h"
#include "fcm/ops/isa.h"

namespace fcm::train {
namespace {

// Counts of one picture that costs are made of.
struct Counts {
  double cells1, cells2, patches, kept, views;
  std::vector<masks::ViewRun> runs;
};

Counts count(const Recipe& recipe) {
  const ops::PatchGeometry geometry{recipe.encoder.strides};
  const int64_t side = geometry.patch_side();
  const int64_t patches = (recipe.data.image_size[0] / side) * (recipe.data.image_size[1] / side);
  masks::ViewPlan plan;
  plan.sizes = masks::view_sizes(patches, recipe.masks);
  plan.kept = masks::kept_views(plan.sizes, recipe.masks);
  const auto kept = static_cast<double>(plan.kept_slots());
  return {kept * static_cast<double>(geometry.cells(0).count()),
          kept * static_cast<double>(geometry.cells(1).count()),
          static_cast<double>(patches),
          kept,
          static_cast<double>(plan.kept),
          plan.kept_runs()};
}

double block_multiply_adds(double tokens, double length, double dim, double mlp_ratio) {
  return tokens * (dim * dim * (4 + 2 * mlp_ratio) + 2 * length * dim);
}

}  // namespace

models::AutoencoderOptions autoencoder_options(const Recipe& recipe) {
  return {encoder::kind_named(recipe.model.kind),
          recipe.encoder,
          recipe.decoder,
          recipe.targets,
          recipe.data.image_size[0],
          recipe.data.image_size[1],
          recipe.data.channels};
}

ops::Normalisation normalisation(const loader::DataOptions& options) {
  return {options.mean, options.deviation};
}

at::ScalarType compute_type(const std::string& precision) {
  if (precision == "bf16") return at::kBFloat16;
  if (precision == "auto" && ops::has_bf16_instructions()) return at::kBFloat16;
  return at::kFloat;
}

const char* compute_name(at::ScalarType compute) {
  return compute == at::kBFloat16 ? "bf16" : "fp32";
}

double activation_bytes_per_image(const Recipe& recipe, at::ScalarType compute) {
  const Counts counts = count(recipe);
  const auto& encoder = recipe.encoder;
  // Per element of the residual stream a block keeps about 6 + 4 * mlp_ratio numbers, measured.
  const auto stage = [&](double tokens, size_t i) {
    return tokens * static_cast<double>(encoder.dims[i] * encoder.depths[i]) *
           (6 + 4 * encoder.mlp_ratios[i]);
  };
  const double decoder = counts.views * counts.patches *
                         static_cast<double>(recipe.decoder.dim * recipe.decoder.depth) *
                         (6 + 4 * recipe.decoder.mlp_ratio);
  const double numbers =
      stage(counts.cells1, 0) + stage(counts.cells2, 1) + stage(counts.kept, 2) + decoder;
  return numbers * (compute == at::kBFloat16 ? 2.0 : 4.0);
}

int64_t choose_micro_batch(const Recipe& recipe, at::ScalarType compute, double memory_bytes) {
  const int64_t batch = recipe.optim.batch_size;
  int64_t most = recipe.optim.micro_batch;
  if (most == 0) {
    const double fits = 0.5 * memory_bytes / activation_bytes_per_image(recipe, compute);
    most = static_cast<int64_t>(std::clamp(fits, 1.0, static_cast<double>(batch)));
  }
  const int64_t pieces = (batch + most - 1) / most;
  return (batch + pieces - 1) / pieces;
}

double forward_multiply_adds(const Recipe& recipe) {
  const Counts counts = count(recipe);
  const auto& encoder = recipe.encoder;
  const auto dim = [&](size_t i) { return static_cast<double>(encoder.dims[i]); };
  const auto depth = [&](size_t i) { return static_cast<double>(encoder.depths[i]); };
  const auto channels = static_cast<double>(recipe.data.channels);
  const auto conv_stage = [&](double cells, size_t i) {
    return depth(i) * cells * dim(i) * (dim(i) * (2 + 2 * encoder.mlp_ratios[i]) + 25);
  };
  const auto square = [](int64_t stride) { return static_cast<double>(stride * stride); };
  double sum = counts.cells1 * square(encoder.strides[0]) * channels * dim(0);
  sum += conv_stage(counts.cells1, 0) + counts.cells1 * dim(0) * dim(2);
  sum += counts.cells1 * dim(0) * dim(1) + conv_stage(counts.cells2, 1);
  sum += 2 * counts.cells2 * dim(1) * dim(2) + counts.kept * dim(2) * dim(2);
  const auto decoder_dim = static_cast<double>(recipe.decoder.dim);
  const double side = static_cast<double>(ops::PatchGeometry{encoder.strides}.patch_side());
  sum += counts.kept * dim(2) * decoder_dim;
  for (const masks::ViewRun& run : counts.runs) {
    const auto views = static_cast<double>(run.views), size = static_cast<double>(run.size);
    sum += depth(2) * block_multiply_adds(views * size, size, dim(2), encoder.mlp_ratios[2]);
    sum += static_cast<double>(recipe.decoder.depth) *
           block_multiply_adds(views * counts.patches, counts.patches, decoder_dim,
                               recipe.decoder.mlp_ratio);
    sum += views * (counts.patches - size) * decoder_dim * side * side * channels;
  }
  return sum;
}

}  // namespace fcm::train
