// Observers get the same names and values from the fast model and from the reference.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "tests/models/small_model.h"
#include "tests/support/compare.h"

namespace fcm::models {
namespace {

using Shown = std::map<std::string, at::Tensor>;

nn::Observer into(Shown& shown) {
  return [&shown](const std::string& name, const at::Tensor& value) {
    EXPECT_TRUE(shown.emplace(name, value.detach()).second) << name << " is observed twice";
  };
}

// What observers get from the fast model and from the reference. The noise increases along the
// image and one view is kept. So slots are in raster order, sequences have the same order in both
// models, and views are whole rows of patches.
struct ObservedForms {
  explicit ObservedForms(const std::vector<int64_t>& strides) {
    const test::OneThread quiet;
    at::manual_seed(4);
    const AutoencoderOptions options = small_options({"", strides, 4, 4, 0.75, 1});
    MaskedAutoencoder model(options, 11, at::kDouble);
    perturb(model);
    const at::Tensor noise = at::arange(16, at::kDouble).expand({2, -1}) / 16;
    const at::Tensor images = at::randn({2, 3, options.rows, options.cols}, at::kDouble);
    const masks::ViewPlan plan = masks::plan_from_noise(noise, model.grid(), {4, 4, 4, 4}, 1);
    const at::Tensor pixels = ops::patchify_normalised(images, plan.order_BL, model.geometry());
    model.forward(pixels, plan, at::kDouble, into(fast));
    const nn::Observer top_level = [&](const std::string& name, const at::Tensor& value) {
      if (fast.contains(name)) into(plain)(name, value);
    };
    reference::forward(published_weights(model), reference_options(options), images, noise,
                       {4, 4, 4, 4}, 1, top_level);
  }

  // The reference's value as [B, tokens, C], restricted to the tokens that the fast model computes.
  at::Tensor wanted(const std::string& name) const {
    at::Tensor value = plain.at(name);
    if (value.dim() == 4) value = value.flatten(2).transpose(1, 2);  // an NCHW map
    const int64_t tokens = fast.at(name).flatten(1, -2).size(1);
    const bool hidden_alone =
        name == "decoder_blocks.1" || name == "decoder_norm" || name == "decoder_pred";
    return hidden_alone ? value.narrow(1, value.size(1) - tokens, tokens)
                        : value.narrow(1, 0, tokens);
  }

  Shown fast, plain;
};

void expect_equal(const ObservedForms& forms, const std::string& name) {
  const test::Difference difference = test::compare(forms.fast.at(name), forms.wanted(name), 1e-12);
  EXPECT_EQ(difference.description, "") << name;
}

TEST(Observer, SeesEveryModuleOfTheVitByItsPublishedName) {
  const ObservedForms forms({8});
  const std::vector<std::string> names{
      "patch_embed",   "blocks_in",         "blocks.0",         "blocks.1",         "norm",
      "decoder_embed", "decoder_blocks_in", "decoder_blocks.0", "decoder_blocks.1", "decoder_norm",
      "decoder_pred"};
  EXPECT_EQ(forms.fast.size(), names.size());
  for (const std::string& name : names) {
    ASSERT_TRUE(forms.fast.contains(name) && forms.plain.contains(name)) << name;
    expect_equal(forms, name);
  }
}

TEST(Observer, SeesEveryModuleOfConvVitByItsPublishedName) {
  const ObservedForms forms({2, 2, 2});
  EXPECT_EQ(forms.fast.size(), 19u);
  for (const auto& [name, value] : forms.fast) {
    ASSERT_TRUE(forms.plain.contains(name)) << name;
    if (name == "decoder_pred") continue;                 // has pixels in storage order
    if (value.dim() == 4 && value.size(2) > 1) continue;  // has cells in storage order
    expect_equal(forms, name);
  }
  // The 2 x 2 cells of the first patch: the storage order (Z order) is that of the map.
  const at::Tensor stored_BPC = forms.fast.at("blocks2.0").select(1, 0);
  const at::Tensor map_BCHW = forms.plain.at("blocks2.0").narrow(2, 0, 2).narrow(3, 0, 2);
  EXPECT_EQ(test::compare(stored_BPC, map_BCHW.flatten(2).transpose(1, 2), 1e-12).description, "");
}

TEST(Observer, AnotherValueWouldBeNoticed) {
  ObservedForms forms({8});
  forms.fast.at("blocks.1") = forms.fast.at("blocks.1") * (1 + 1e-9);
  EXPECT_NE(test::compare(forms.fast.at("blocks.1"), forms.wanted("blocks.1"), 1e-12).description,
            "");
}

}  // namespace
}  // namespace fcm::models
