// Everything that defines a run that trains a classifier: fine-tuning, training from scratch, or
// the published linear probe.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/models/classifier.h"
#include "fcm/train/recipe.h"

namespace fcm::train {

// What a classifier adds to an encoder, and how it is measured.
struct ClassifierSection {
  std::string learns = "all";
  std::string pool = "mean";
  double drop_path = 0;
  double layer_decay = 1;
  double eval_crop = 1;
  double ema_decay = 0;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("learns", learns, config::OneOf{{"all", "head"}},
            "all: fine-tuning by AdamW; head: the published linear probe of a frozen encoder, by "
            "LARS with momentum optim.beta1");
    visitor("pool", pool, config::OneOf{{"mean", "token"}},
            "mean of all patches, or one token: a ViT's class token, a ConvViT's top left patch");
    visitor("drop_path", drop_path, config::Range{0, 0.99},
            "probability that a picture leaves out the last block's branches; from 0 at the first");
    visitor("layer_decay", layer_decay, config::Range{1e-3, 1},
            "each layer below the head learns so much slower than the one above; 1: all alike");
    visitor("eval_crop", eval_crop, config::Range{0.1, 1},
            "share of the resized picture's side that is measured: 0.875 resizes to 256 for 224");
    visitor(
        "ema_decay", ema_decay, config::Range{0, 0.999999},
        "share of a moving average of the weights that an update keeps; the average is measured "
        "and kept. 0: none");
  }
};

struct FinetuneRecipe {
  RowOptions row;
  models::ModelOptions model;
  encoder::EncoderOptions encoder;
  ClassifierSection classifier;
  loader::DataOptions data;
  loader::AugmentOptions augment;
  optim::OptimOptions optim;
  RunOptions run;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor.section("row", row);
    visitor.section("model", model);
    visitor.section("encoder", encoder);
    visitor.section("classifier", classifier);
    visitor.section("data", data);
    visitor.section("augment", augment);
    visitor.section("optim", optim);
    visitor.section("run", run);
  }
};

// Whether a recipe's text is of this kind: it has a section [classifier].
bool is_finetune_recipe(std::string_view toml);

// As their namesakes in recipe.h and recipe_files.h.
FinetuneRecipe read_finetune_recipe(std::string_view toml, const std::string& file_name,
                                    const std::vector<std::string>& overrides = {});
FinetuneRecipe read_stored_finetune_recipe(std::string_view toml, const std::string& source,
                                           const std::vector<std::string>& overrides = {});
std::string print_recipe(const FinetuneRecipe& recipe, bool with_help = false);
std::string recipe_hash(const FinetuneRecipe& recipe);
void check(const FinetuneRecipe& recipe);
FinetuneRecipe load_finetune_recipe(const std::string& name_or_file,
                                    const std::vector<std::filesystem::path>& folders,
                                    const std::vector<std::string>& overrides);

// A recipe of pretraining with this encoder, data and optimizer, which sees every patch: for what
// depends on these alone.
Recipe encoder_recipe(const FinetuneRecipe& recipe);

models::ClassifierOptions classifier_options(const FinetuneRecipe& recipe, int64_t classes);
// Of the classifier; meaning and units as in setup.h. A frozen encoder has no backward pass.
double training_flops(const FinetuneRecipe& recipe);
int64_t choose_micro_batch(const FinetuneRecipe& recipe, at::ScalarType compute,
                           double memory_bytes);

}  // namespace fcm::train
