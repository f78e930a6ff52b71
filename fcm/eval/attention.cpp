#include "fcm/eval/attention.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/encoder/registry.h"
#include "fcm/models/inputs.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/recipe/setup.h"

namespace fcm::eval {
namespace {

std::string stem_of_last_blocks(const recipe::Recipe& recipe) {
  return encoder::family(recipe.model.kind).last_blocks(recipe.encoder);
}

at::Tensor value_of(const nn::Parameters& parameters, const std::string& name) {
  const auto found =
      std::ranges::find(parameters.all(), name, [](const nn::Parameter& one) { return one.name; });
  require(found != parameters.all().end(), "expected a parameter {}, got none", name);
  return found->value.detach();
}

QueriesAndKeys last_queries_and_keys(const models::MaskedAutoencoder& model,
                                     const recipe::Recipe& recipe) {
  const std::string block = name_of_last_block(recipe);
  const auto value = [&](const char* name) {
    return value_of(model.parameters(), fmt::format("{}.{}", block, name)).to(at::kFloat);
  };
  return {value("norm1.weight"),    value("norm1.bias"),    recipe.encoder.norm_epsilon,
          value("attn.qkv.weight"), value("attn.qkv.bias"), recipe.encoder.heads.last()};
}

void refuse_other_encoders(const recipe::Recipe& recipe) {
  if (recipe.model.kind != "conv_vit" && recipe.model.kind != "vit") {
    fail(ExitCode::kUsage,
         "attention is shown of a conv_vit or a vit, whose last blocks attend to the whole "
         "image; this encoder is a {}, which attends inside windows",
         recipe.model.kind);
  }
  if (recipe.encoder.depths.back() == 0) {
    fail(ExitCode::kUsage,
         "attention is shown of the last transformer block, but encoder.depths ends in 0, so the "
         "encoder has none");
  }
}

}  // namespace

std::string name_of_last_block(const recipe::Recipe& recipe) {
  return fmt::format("{}.{}", stem_of_last_blocks(recipe), recipe.encoder.depths.back() - 1);
}

at::Tensor attention_weights(const at::Tensor& x_NTC, const QueriesAndKeys& block) {
  const int64_t width = x_NTC.size(2), of_head = width / block.heads;
  const at::Tensor normal_NTC =
      at::layer_norm(x_NTC, {width}, block.norm_weight_C, block.norm_bias_C, block.norm_epsilon);
  const at::Tensor qkv = at::linear(normal_NTC, block.qkv_weight_3CxC, block.qkv_bias_3C)
                             .unflatten(2, {3, block.heads, of_head})
                             .permute({2, 0, 3, 1, 4});  // [3, N, heads, T, C / heads]
  const double scale = 1 / std::sqrt(static_cast<double>(of_head));
  return at::matmul(qkv[0] * scale, qkv[1].transpose(2, 3)).softmax(3);
}

at::Tensor last_attention(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                          const at::Tensor& images_BHWC) {
  refuse_other_encoders(recipe);
  const at::NoGradGuard no_grad;
  const ops::ReferenceOps reference(recipe.debug.reference_ops);
  const masks::ViewPlan plan =
      masks::full_plan(images_BHWC.size(0), model.grid()).to(model.device());
  const at::Tensor pixels = models::pixels_of(models::to_device(images_BHWC, model.device()), plan,
                                              model.geometry(), recipe.data);
  const std::string stem = stem_of_last_blocks(recipe);
  const int64_t before = recipe.encoder.depths.back() - 2;
  const std::string wanted = before < 0 ? stem + "_in" : fmt::format("{}.{}", stem, before);
  at::Tensor taken_NTC;
  model.encode(pixels, plan, recipe::compute_type(recipe.model.precision, model.device()),
               [&](const std::string& name, const at::Tensor& value) {
                 if (name == wanted) taken_NTC = value;
               });
  require(taken_NTC.defined(), "expected the encoder to show {} to observers", wanted);
  return attention_weights(taken_NTC.to(at::kFloat), last_queries_and_keys(model, recipe))
      .mean(1)
      .cpu();
}

}  // namespace fcm::eval
