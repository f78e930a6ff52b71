#include "fcm/train/finetune_recipe.h"

#include "fcm/base/error.h"
#include "fcm/config/recipe_io.h"
#include "fcm/train/recipe_files.h"
#include "fcm/train/recipe_reader.h"
#include "fcm/train/setup.h"

namespace fcm::train {

bool is_finetune_recipe(std::string_view toml) {
  constexpr std::string_view kSection = "[classifier]";
  return toml.starts_with(kSection) ||
         toml.find("\n" + std::string(kSection)) != std::string_view::npos;
}

FinetuneRecipe read_finetune_recipe(std::string_view toml, const std::string& file_name,
                                    const std::vector<std::string>& overrides) {
  return read_recipe_as<FinetuneRecipe>(toml, file_name, overrides, true);
}

FinetuneRecipe read_stored_finetune_recipe(std::string_view toml, const std::string& source,
                                           const std::vector<std::string>& overrides) {
  return read_recipe_as<FinetuneRecipe>(toml, source, overrides, false);
}

std::string print_recipe(const FinetuneRecipe& recipe, bool with_help) {
  FinetuneRecipe copy = recipe;  // `visit` hands out writable references
  return config::print(config::fields_of(copy), with_help);
}

std::string recipe_hash(const FinetuneRecipe& recipe) {
  FinetuneRecipe copy = recipe;
  return config::hash(config::fields_of(copy));
}

namespace {

// What a frozen encoder under a linear probe has no use for.
void check_head(const FinetuneRecipe& recipe) {
  const ClassifierSection& classifier = recipe.classifier;
  if (classifier.learns != "head") return;
  const bool plain = classifier.drop_path == 0 && classifier.layer_decay == 1 &&
                     classifier.ema_decay == 0 && recipe.optim.clip_norm == 0 &&
                     recipe.augment.smoothing == 0 && !recipe.augment.mixes() &&
                     recipe.augment.erasing == 0;
  if (plain) return;
  fail(
      ExitCode::kUsage,
      "classifier.learns = \"head\" is the published linear probe: classifier.drop_path, "
      "classifier.ema_decay, optim.clip_norm, augment.smoothing, augment.mixup, augment.cutmix and "
      "augment.erasing must be 0, and classifier.layer_decay 1");
}

}  // namespace

void check(const FinetuneRecipe& recipe) {
  FinetuneRecipe copy = recipe;
  config::check_values(config::fields_of(copy));
  check(encoder_recipe(recipe));
  if (recipe.augment.mixes() && recipe.optim.batch_size % 2 != 0) {
    fail(ExitCode::kUsage,
         "optim.batch_size = {} must be even: augment.mixup and augment.cutmix mix pictures in "
         "pairs",
         recipe.optim.batch_size);
  }
  check_head(recipe);
  const RunOptions& run = recipe.run;
  if (run.pictures_every_steps != 0 || run.knn_every_epochs != 0 || run.probe_every_epochs != 0) {
    fail(ExitCode::kUsage,
         "run.pictures_every_steps = {}, run.knn_every_epochs = {} and run.probe_every_epochs = {} "
         "must be 0 where a classifier is trained: it reconstructs nothing and is measured itself",
         run.pictures_every_steps, run.knn_every_epochs, run.probe_every_epochs);
  }
}

FinetuneRecipe load_finetune_recipe(const std::string& name_or_file,
                                    const std::vector<std::filesystem::path>& folders,
                                    const std::vector<std::string>& overrides) {
  const std::string file = find_recipe(name_or_file, folders).string();
  const std::string text = read_recipe_file(file);
  if (!is_finetune_recipe(text)) {
    fail(ExitCode::kUsage,
         "{} is a recipe of pretraining: it has no section [classifier]; take one whose name "
         "begins with finetune, see fastconvmae recipe list",
         file);
  }
  const FinetuneRecipe recipe = read_finetune_recipe(text, file, overrides);
  try {
    check(recipe);
  } catch (const Error& error) {
    fail(error.code(), "{}: {}", file, error.what());
  }
  return recipe;
}

Recipe encoder_recipe(const FinetuneRecipe& recipe) {
  Recipe same;
  same.row = recipe.row;
  same.model = recipe.model;
  same.encoder = recipe.encoder;
  same.masks.ratio = 0;
  same.data = recipe.data;
  same.optim = recipe.optim;
  same.run = recipe.run;
  return same;
}

namespace {

// For counting: no decoder.
Recipe encoder_alone(const FinetuneRecipe& recipe) {
  Recipe alone = encoder_recipe(recipe);
  alone.decoder.dim = 0;
  alone.decoder.depth = 0;
  return alone;
}

}  // namespace

models::ClassifierOptions classifier_options(const FinetuneRecipe& recipe, int64_t classes) {
  models::ClassifierOptions options;
  options.kind = encoder::kind_named(recipe.model.kind);
  options.encoder = recipe.encoder;
  options.rows = recipe.data.image_size[0];
  options.cols = recipe.data.image_size[1];
  options.channels = recipe.data.channels;
  options.classes = classes;
  options.mean_pool = recipe.classifier.pool == "mean";
  options.drop_path = recipe.classifier.drop_path;
  return options;
}

double training_flops(const FinetuneRecipe& recipe) {
  return (recipe.classifier.learns == "head" ? 2 : 6) *
         forward_multiply_adds(encoder_alone(recipe));
}

int64_t choose_micro_batch(const FinetuneRecipe& recipe, at::ScalarType compute,
                           double memory_bytes) {
  return choose_micro_batch(encoder_alone(recipe), compute, memory_bytes);
}

}  // namespace fcm::train
