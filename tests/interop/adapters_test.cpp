#include "fcm/interop/adapters.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/formats/support.h"

namespace fcm::interop {
namespace {

using namespace formats;

using nlohmann::json;
using NameList = std::vector<std::string>;

formats::TensorView tensor(const std::string& name, std::vector<int64_t> shape) {
  return {name, "F32", std::move(shape), {}};
}

NameList names_in_order(const std::vector<formats::TensorView>& tensors) {
  NameList names;
  for (const formats::TensorView& one : tensors) names.push_back(one.name);
  return names;
}

TEST(PublishedName, TakesWrappersOffAnyNumberOfTimes) {
  for (const auto& [given, published] : std::vector<std::pair<std::string, std::string>>{
           {"blocks3.0.attn.qkv.bias", "blocks3.0.attn.qkv.bias"},
           {"module.norm.weight", "norm.weight"},
           {"module._orig_mod.pos_embed", "pos_embed"},
           {"_orig_mod.module.encoder.patch_embed1.proj.weight", "patch_embed1.proj.weight"},
           {"backbone.blocks.3.norm1.bias", "blocks.3.norm1.bias"},
           {"model.encoder.norm.weight", "norm.weight"},
           {"state_dict.encoder.module.encoder.norm.weight", "norm.weight"},
           {"encoder.decoder.blocks.0.norm1.weight", "decoder_blocks.0.norm1.weight"},
           {"decoder.encoder.norm.weight", "decoder_encoder.norm.weight"},
           {"decoder.decoder_blocks.0.norm1.weight", "decoder_blocks.0.norm1.weight"},
           {"decoder.mask_token", "mask_token"},
           {"decoder.blocks.0.norm1.weight", "decoder_blocks.0.norm1.weight"},
           {"decoder_embed.weight", "decoder_embed.weight"},  // has no wrapper's prefix
           {"encoder", "encoder"},
       }) {
    EXPECT_EQ(published_name(given), published) << given;
  }
}

TEST(PublishedName, TwoOfOneNameAreRefused) {
  std::vector<formats::TensorView> tensors = {tensor("norm.weight", {4}),
                                              tensor("module.norm.weight", {4})};
  const std::string error = error_of([&] { rename_as_published(tensors, "some.pth"); });
  for (const char* part : {"some.pth", "module.norm.weight", "which one"}) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  }
}

// Names, shapes and parameter groups stored from the upstream models.
struct Stored {
  std::vector<formats::TensorView> model;
  NameList optimizer;
};

std::optional<Stored> stored(const std::string& file) {
  std::ifstream stream(fs::path(FCM_SOURCE_DIR) / "../shared/fixtures" / file);
  if (!stream) return std::nullopt;
  const json content = json::parse(stream);
  Stored result;
  for (const json& entry : content.at("state_dict")) {
    result.model.push_back(tensor(entry[0], entry[1].get<std::vector<int64_t>>()));
  }
  for (const json& group : content.at("groups")) {
    for (const json& name : group.at("params")) result.optimizer.push_back(name);
  }
  return result;
}

class PublishedOrder : public testing::TestWithParam<const char*> {};

TEST_P(PublishedOrder, IsFoundAgainFromNamesAlone) {
  const auto published = stored(GetParam());
  if (!published) GTEST_SKIP() << "no ../shared/fixtures beside the checkout";
  std::vector<formats::TensorView> shuffled = published->model;
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(5));
  ASSERT_NE(names_in_order(shuffled), names_in_order(published->model));
  sort_as_published(shuffled);
  EXPECT_EQ(names_in_order(shuffled), names_in_order(published->model));
  NameList order;
  for (const formats::TensorView* parameter : optimizer_order(shuffled))
    order.push_back(parameter->name);
  EXPECT_EQ(order, published->optimizer);
}

INSTANTIATE_TEST_SUITE_P(Models, PublishedOrder,
                         testing::Values("convmae_base_params.json", "mae_vitb_params.json"));

// Only the optimizer of a fine-tuned classifier has the position table, not that of a pretrained
// model or of a probe.
TEST(PublishedOrder, OptimizersKnowThePositionsOfClassifiersAlone) {
  const auto order = [](const std::vector<formats::TensorView>& model) {
    NameList names;
    for (const formats::TensorView* parameter : optimizer_order(model)) {
      names.push_back(parameter->name);
    }
    return names;
  };
  std::vector<formats::TensorView> model = {tensor("pos_embed", {1, 4, 8}),
                                            tensor("norm.weight", {8})};
  EXPECT_EQ(order(model), (NameList{"norm.weight"}));
  model.push_back(tensor("head.1.weight", {3, 8}));  // a probe: its encoder is frozen
  EXPECT_EQ(order(model), (NameList{"norm.weight", "head.1.weight"}));
  model.back().name = "head.weight";
  EXPECT_EQ(order(model), (NameList{"norm.weight", "pos_embed", "head.weight"}));
}

// The manifest lists the parameters of the stored classifiers in module order.
TEST(PublishedOrder, OfClassifiers) {
  std::ifstream stream(fs::path(FCM_SOURCE_DIR) / "../shared/fixtures/manifest.json");
  if (!stream) GTEST_SKIP() << "no ../shared/fixtures beside the checkout";
  int compared = 0;
  const json manifest = json::parse(stream);
  for (const auto& [file, entry] : manifest.at("files").items()) {
    if (entry.value("kind", "") != "finetune" || !entry.contains("parameters")) continue;
    const auto expected = entry.at("parameters").get<NameList>();
    std::vector<formats::TensorView> tensors;
    for (const std::string& name : expected) tensors.push_back(tensor(name, {1}));
    std::sort(
        tensors.begin(), tensors.end(),
        [](const formats::TensorView& a, const formats::TensorView& b) { return a.name < b.name; });
    sort_as_published(tensors);
    EXPECT_EQ(names_in_order(tensors), expected) << file;
    ++compared;
  }
  EXPECT_GT(compared, 3);
}

}  // namespace
}  // namespace fcm::interop
