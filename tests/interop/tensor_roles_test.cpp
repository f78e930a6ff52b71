// The table of roles, checked with the parameters of models of all kinds.
#include "fcm/interop/tensor_roles.h"

#include <fnmatch.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <vector>

#include "fcm/encoder/registry.h"
#include "fcm/models/classifier.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/recipe/setup.h"
#include "fcm/targets/ema_teacher.h"
#include "fcm/train/learners/probe.h"

namespace fcm::interop {
namespace {

using Names = std::set<std::string>;

const std::filesystem::path kRecipes = std::filesystem::path(FCM_SOURCE_DIR) / "recipes";
constexpr std::initializer_list<TensorRole> kAll = {
    TensorRole::kEncoder, TensorRole::kEncoderNorm, TensorRole::kFusion,  TensorRole::kDecoder,
    TensorRole::kTarget,  TensorRole::kHead,        TensorRole::kHeadNorm};

Names names_of(const nn::Parameters& parameters) {
  Names names;
  for (const nn::Parameter& parameter : parameters.all()) names.insert(parameter.name);
  return names;
}

Names without(const Names& names, const Names& others) {
  Names rest;
  std::set_difference(names.begin(), names.end(), others.begin(), others.end(),
                      std::inserter(rest, rest.end()));
  return rest;
}

Names with_roles(const Names& names, std::initializer_list<TensorRole> roles) {
  Names kept;
  std::copy_if(names.begin(), names.end(), std::inserter(kept, kept.end()),
               [&](const std::string& name) { return has_role(name, roles); });
  return kept;
}

recipe::Recipe classifier_of(const recipe::Recipe& pretraining, const char* pool) {
  recipe::Recipe recipe = pretraining;
  recipe::Classify classify;
  classify.classifier.pool = pool;
  recipe.task = classify;
  return recipe;
}

Names classifier_names(const recipe::Recipe& pretraining, const char* pool) {
  const models::Classifier model(recipe::classifier_options(classifier_of(pretraining, pool), 3),
                                 0);
  return names_of(model.parameters());
}

Names probe_names(const recipe::Recipe& pretraining) {
  recipe::Recipe recipe = classifier_of(pretraining, "mean");
  recipe.classify().classifier.learns = "head";
  const train::ProbeLearner probe(models::Classifier(recipe::classifier_options(recipe, 3), 0),
                                  recipe);
  Names names;
  for (const formats::TensorView& view : probe.model_state().views) names.insert(view.name);
  return names;
}

// Small pretraining recipes of every kind of model.
std::vector<recipe::Recipe> pretraining_recipes() {
  std::vector<recipe::Recipe> recipes = {recipe::load_recipe("demo_ema", {kRecipes}, {})};
  for (const auto& file : recipe::shipped_recipes({kRecipes / "smoke"})) {
    recipe::Recipe recipe = recipe::load_recipe(file, {}, {});
    if (recipe.is<recipe::Pretrain>()) recipes.push_back(std::move(recipe));
  }
  EXPECT_GE(recipes.size(), 4U);
  return recipes;
}

void expect_one_role_each(const Names& names) {
  const std::vector<std::string> patterns = patterns_of(kAll);
  for (const std::string& name : names) {
    const auto fitting = std::count_if(patterns.begin(), patterns.end(), [&](const auto& pattern) {
      return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    });
    EXPECT_EQ(fitting, 1) << name;
    EXPECT_TRUE(role_of(name).has_value()) << name;
  }
}

TEST(TensorRoles, EveryParameterOfEveryModelHasOne) {
  for (const recipe::Recipe& recipe : pretraining_recipes()) {
    SCOPED_TRACE(recipe.row.name);
    const models::MaskedAutoencoder pretrained(recipe::autoencoder_options(recipe), 0);
    expect_one_role_each(names_of(pretrained.parameters()));
    for (const char* pool : {"mean", "token"}) expect_one_role_each(classifier_names(recipe, pool));
    expect_one_role_each(probe_names(recipe));
  }
  EXPECT_FALSE(role_of("something.weight"));
  EXPECT_FALSE(role_of("blocks"));
}

// The roles of tensors predict which tensors one model has and another lacks.
TEST(TensorRoles, SayWhatModelsHaveInCommon) {
  for (const recipe::Recipe& recipe : pretraining_recipes()) {
    SCOPED_TRACE(recipe.row.name);
    const models::MaskedAutoencoder model(recipe::autoencoder_options(recipe), 0);
    const Names pretrained = names_of(model.parameters());
    const Names mean = classifier_names(recipe, "mean"), token = classifier_names(recipe, "token");
    EXPECT_EQ(
        without(pretrained, token),
        with_roles(pretrained, {TensorRole::kFusion, TensorRole::kDecoder, TensorRole::kTarget}));
    // A mean-pooling classifier on a Swin averages latents, so it keeps the encoder's norm. On
    // other encoders it averages tokens and has a norm of its own.
    const bool keeps_norm = encoder::family(recipe.model.kind).pools_latents;
    const TensorRole norm = keeps_norm ? TensorRole::kDecoder : TensorRole::kEncoderNorm;
    EXPECT_EQ(without(pretrained, mean),
              with_roles(pretrained,
                         {TensorRole::kFusion, TensorRole::kDecoder, TensorRole::kTarget, norm}));
    EXPECT_EQ(without(token, pretrained), with_roles(token, {TensorRole::kHead}));
    EXPECT_EQ(without(mean, pretrained),
              with_roles(mean, {TensorRole::kHead, TensorRole::kHeadNorm}));
    EXPECT_EQ(without(probe_names(recipe), mean).size(), 4U) << "only the probe's head differs";
    EXPECT_EQ(with_roles(probe_names(recipe), {TensorRole::kHead}),
              without(probe_names(recipe), mean));
    EXPECT_EQ(with_roles(pretrained, {TensorRole::kTarget}).empty(),
              recipe.pretrain().targets.reconstructed().size() < 2);
    const targets::EmaTeacher average(recipe::student_of(recipe));
    EXPECT_EQ(names_of(average.parameters()),
              with_roles(pretrained,
                         {TensorRole::kEncoder, TensorRole::kEncoderNorm, TensorRole::kFusion}));
  }
}

}  // namespace
}  // namespace fcm::interop
