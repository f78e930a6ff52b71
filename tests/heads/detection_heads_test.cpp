// Compares detection heads with the reference: results, all gradients and running statistics, on
// one rank and on several.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/heads/box_head.h"
#include "fcm/heads/feature_pyramid.h"
#include "fcm/heads/mask_head.h"
#include "fcm/heads/rpn.h"
#include "fcm/heads/simple_pyramid.h"
#include "fcm/heads/vit_adaptor.h"
#include "reference/detection.h"
#include "tests/dist/thread_group.h"
#include "tests/heads/beside_reference.h"

namespace fcm::heads {
namespace {

constexpr nn::MapNormOptions kChannelNorm{nn::MapNormOptions::Kind::kLayer};

nn::Ranks ranks_of(dist::Group& group) {
  return {&group, [](dist::Group*) {}};
}

// The sum of all values with random weights, so that each value's gradient is distinct.
at::Tensor weighed(const std::vector<at::Tensor>& results, bool nhwc) {
  at::Tensor sum = at::zeros({}, results[0].options());
  for (size_t i = 0; i < results.size(); ++i) {
    const at::Tensor one = nhwc && results[i].dim() == 4 ? nchw(results[i]) : results[i];
    sum = sum + (one * test::fixed_normal(one.sizes(), 70 + i)).sum();
  }
  return sum;
}

void expect_same_maps(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& wanted,
                      double tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(test::compare(nchw(got[i]), wanted[i], tolerance).description, "") << "map " << i;
  }
}

test::Inputs pyramid_maps(int64_t batch, int64_t rows, int64_t columns) {
  test::Inputs maps;
  const int64_t channels[] = {4, 5, 6, 7};
  for (int64_t i = 0; i < 4; ++i) {
    maps.push_back(test::fixed_normal({batch, rows >> i, columns >> i, channels[i]},
                                      40 + static_cast<uint64_t>(i)));
  }
  return test::leaves(maps);
}

FeaturePyramidOptions small_pyramid(const nn::MapNormOptions& norm = {}) {
  return {.in = {4, 5, 6, 7}, .channels = 8, .norm = norm};
}
using BuiltPyramid = Built<FeaturePyramid, FeaturePyramidOptions>;

TEST(FeaturePyramid, IsThePublishedOne) {
  for (const nn::MapNormOptions& norm : {nn::MapNormOptions{}, kChannelNorm}) {
    for (const bool training : {true, false}) {
      for (const auto& [rows, columns] : {std::pair{32, 24}, {8, 40}}) {
        const BuiltPyramid built("backbone", small_pyramid(norm));
        const reference::Weights weights = weights_of(built.parameters);
        const test::Inputs maps = pyramid_maps(2, rows, columns), plain_maps = in_nchw(maps);
        const auto got = built.head(maps, training ? dist::group_of_one() : nullptr);
        const auto wanted = reference::feature_pyramid(reference::Layers(weights, at::kDouble),
                                                       "backbone.", plain_maps, training);
        expect_same_maps(got, wanted, 1e-12);
        expect_same_gradients(weighed(got, true), maps, built.parameters, weighed(wanted, false),
                              plain_maps, weights, 1e-10);
        expect_same_statistics(built.parameters, weights, 1e-12);
        const at::NoGradGuard no_grad;  // without gradients, norms work in place
        if (!training) expect_same_maps(built.head(maps, nullptr), wanted, 1e-12);
      }
    }
  }
}

TEST(FeaturePyramid, OfTwoRanksIsThatOfOne) {
  const BuiltPyramid whole("backbone", small_pyramid());
  const test::Inputs maps = pyramid_maps(3, 16, 8);
  const auto wanted = whole.head(maps, dist::group_of_one());
  dist::test::run_ranks(2, [&](dist::Group& group) {
    const int64_t first = group.rank(), count = 1 + group.rank();
    const BuiltPyramid own("backbone", small_pyramid());
    test::Inputs mine;
    for (const at::Tensor& map : maps) mine.push_back(map.detach().narrow(0, first, count));
    const auto got = own.head(mine, ranks_of(group));
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(test::compare(got[i], wanted[i].narrow(0, first, count), 1e-11).description, "");
    }
    for (const nn::Parameter& parameter : own.parameters.all()) {
      if (parameter.trainable) continue;
      const at::Tensor right = whole.parameters.find(parameter.name).value;
      EXPECT_EQ(test::compare(parameter.value, right, 1e-12).description, "") << parameter.name;
    }
  });
}

TEST(FeaturePyramid, RefusesMapsThatAreNotTwiceTheNext) {
  const BuiltPyramid built("backbone", small_pyramid());
  EXPECT_THROW(built.head(pyramid_maps(1, 9, 16), nullptr), std::logic_error);
}

TEST(SimplePyramid, IsThePublishedOne) {
  const Built<SimplePyramid, SimplePyramidOptions> built("backbone", {.in = 8, .channels = 6});
  const reference::Weights weights = weights_of(built.parameters);
  const test::Inputs maps = test::leaves({test::fixed_normal({2, 6, 4, 8}, 1)});
  const test::Inputs plain_maps = in_nchw(maps);
  const auto got = built.head(maps[0]);
  const auto wanted = reference::simple_pyramid(reference::Layers(weights, at::kDouble),
                                                "backbone.", plain_maps[0]);
  expect_same_maps(got, wanted, 1e-12);
  EXPECT_EQ(got[0].size(1), 24);
  EXPECT_EQ(got[4].size(1), 2);
  expect_same_gradients(weighed(got, true), maps, built.parameters, weighed(wanted, false),
                        plain_maps, weights, 1e-10);
}

TEST(VitAdaptor, IsThePublishedOne) {
  const Built<VitAdaptor, int64_t> built("bottom_up", 64);
  const reference::Weights weights = weights_of(built.parameters);
  test::Inputs maps;
  for (uint64_t i = 0; i < 4; ++i) maps.push_back(test::fixed_normal({2, 5, 4, 64}, i));
  maps = test::leaves(maps);
  const test::Inputs plain_maps = in_nchw(maps);
  const auto got = built.head(maps);
  const auto wanted =
      reference::vit_adaptor(reference::Layers(weights, at::kDouble), "bottom_up.", plain_maps);
  expect_same_maps(got, wanted, 1e-12);
  for (const at::Tensor& map : got) EXPECT_TRUE(map.is_contiguous());
  expect_same_gradients(weighed(got, true), maps, built.parameters, weighed(wanted, false),
                        plain_maps, weights, 1e-10);
  // The norm is over groups of channels. If it were per channel, scaling channels would change
  // nothing.
  const at::Tensor scaled = maps[0].detach() * at::linspace(1, 2, 64, at::kDouble);
  EXPECT_NE(
      test::compare(built.head({scaled, maps[1], maps[2], maps[3]})[0], got[0], 1e-3).description,
      "");
}

TEST(RpnHead, IsThePublishedOneInTheOrderOfAnchors) {
  const Built<RpnHead, RpnOptions> built("rpn_head", {.channels = 6});
  const reference::Weights weights = weights_of(built.parameters);
  const test::Inputs maps =
      test::leaves({test::fixed_normal({2, 24, 12, 6}, 1), test::fixed_normal({2, 3, 2, 6}, 2)});
  const test::Inputs plain_maps = in_nchw(maps);
  const std::vector<AnchorPredictions> got = built.head(maps);
  std::vector<at::Tensor> results, wanted;
  const reference::Layers layers(weights, at::kDouble);
  for (size_t i = 0; i < maps.size(); ++i) {
    const reference::RpnMaps plain = reference::rpn_head(layers, "rpn_head.", plain_maps[i]);
    results.insert(results.end(), {got[i].logits_BA, got[i].deltas_BA4});
    wanted.insert(wanted.end(), {plain.logits(), plain.deltas()});
    // Index of the second anchor at row 2, column 1; it is compared for the second image.
    const int64_t row = 2, column = 1, anchor = (row * maps[i].size(2) + column) * 3 + 1;
    EXPECT_EQ(
        test::compare(got[i].deltas_BA4[1][anchor],
                      plain.deltas_BDHW[1].narrow(0, 4, 4).select(2, column).select(1, row), 1e-12)
            .description,
        "");
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(test::compare(results[i], wanted[i], 1e-12).description, "") << i;
  }
  expect_same_gradients(weighed(results, false), maps, built.parameters, weighed(wanted, false),
                        plain_maps, weights, 1e-10);
  const AnchorPredictions all = of_all_levels(got);
  EXPECT_EQ(all.logits_BA.sizes(), (std::vector<int64_t>{2, 3 * (24 * 12 + 6)}));
  EXPECT_TRUE(all.deltas_BA4.narrow(1, 3 * 24 * 12, 18).equal(got[1].deltas_BA4));
}

TEST(RpnHead, GivesFloat32ForBfloat16Maps) {
  const Built<RpnHead, RpnOptions> exact("rpn_head", {.channels = 6}),
      narrow("rpn_head", {.channels = 6}, at::kFloat);
  const at::Tensor map = test::fixed_normal({1, 12, 12, 6}, 1);
  const AnchorPredictions got = narrow.head(map.to(at::kBFloat16)), wanted = exact.head(map);
  EXPECT_EQ(got.logits_BA.scalar_type(), at::kFloat);
  EXPECT_EQ(got.deltas_BA4.scalar_type(), at::kFloat);
  EXPECT_LT(((got.deltas_BA4 - wanted.deltas_BA4).norm() / wanted.deltas_BA4.norm()).item<double>(),
            0.03);
}

using BuiltBoxHead = Built<BoxHead, BoxHeadOptions>;
BoxHeadOptions small_box_head(const nn::MapNormOptions& norm = kRegionNorm) {
  return {.channels = 6, .bins = 7, .width = 10, .classes = 3, .norm = norm};
}

TEST(BoxHead, IsThePublishedOne) {
  for (const nn::MapNormOptions& norm : {kRegionNorm, kChannelNorm}) {
    for (const bool training : {true, false}) {
      const BuiltBoxHead built("roi_heads", small_box_head(norm));
      const reference::Weights weights = weights_of(built.parameters);
      const test::Inputs pooled = test::leaves({test::fixed_normal({13, 7, 7, 6}, 1)});
      const test::Inputs plain = in_nchw(pooled);
      const BoxPredictions got = built.head(pooled[0], training ? dist::group_of_one() : nullptr);
      const reference::BoxHeadResult wanted = reference::box_head(
          reference::Layers(weights, at::kDouble), "roi_heads.", plain[0], training);
      EXPECT_EQ(test::compare(got.features_RF, wanted.features_RF, 1e-12).description, "");
      EXPECT_EQ(test::compare(got.scores_RC, wanted.scores_RC, 1e-12).description, "");
      EXPECT_EQ(test::compare(got.deltas_RD, wanted.deltas_RD, 1e-12).description, "");
      expect_same_gradients(weighed({got.scores_RC, got.deltas_RD}, true), pooled, built.parameters,
                            weighed({wanted.scores_RC, wanted.deltas_RD}, false), plain, weights,
                            1e-10);
      expect_same_statistics(built.parameters, weights, 1e-12);
    }
  }
}

using BuiltMaskHead = Built<MaskHead, MaskHeadOptions>;
MaskHeadOptions small_mask_head(const nn::MapNormOptions& norm = kRegionNorm) {
  return {.channels = 6, .classes = 4, .norm = norm};
}

TEST(MaskHead, IsThePublishedOneOfAllClassesAndOfOne) {
  const at::Tensor classes = at::tensor({3, 0, 0, 2, 3}, at::kLong);
  for (const nn::MapNormOptions& norm : {kRegionNorm, kChannelNorm}) {
    for (const bool training : {true, false}) {
      const BuiltMaskHead all("mask_head", small_mask_head(norm)),
          one("mask_head", small_mask_head(norm));
      const test::Inputs pooled = test::leaves({test::fixed_normal({5, 14, 14, 6}, 1)});
      const nn::Ranks ranks = training ? dist::group_of_one() : nullptr;
      const reference::Weights weights = weights_of(all.parameters);
      const test::Inputs plain = in_nchw(pooled);
      const at::Tensor wanted = reference::mask_head(reference::Layers(weights, at::kDouble),
                                                     "mask_head.", plain[0], training);
      const at::Tensor got = all.head.of_all_classes(pooled[0], ranks);
      EXPECT_EQ(test::compare(nchw(got), wanted, 1e-12).description, "");
      const at::Tensor own = one.head(pooled[0], classes, ranks);
      std::vector<at::Tensor> wanted_own;
      for (int64_t r = 0; r < 5; ++r) wanted_own.push_back(wanted[r][classes[r].item<int64_t>()]);
      EXPECT_EQ(test::compare(own, at::stack(wanted_own), 1e-12).description, "");
      // Gradients of the masks of each region's own class.
      expect_same_gradients(weighed({own}, true), pooled, one.parameters,
                            weighed({at::stack(wanted_own)}, false), plain, weights, 1e-10);
      expect_same_statistics(one.parameters, weights, 1e-12);
      expect_same_statistics(all.parameters, weights, 1e-12);
    }
  }
}

TEST(MaskHead, OfAllClassesHasThePublishedGradients) {
  const BuiltMaskHead built("mask_head", small_mask_head());
  const reference::Weights weights = weights_of(built.parameters);
  const test::Inputs pooled = test::leaves({test::fixed_normal({3, 5, 4, 6}, 1)});
  const test::Inputs plain = in_nchw(pooled);
  const at::Tensor got = built.head.of_all_classes(pooled[0], dist::group_of_one());
  const at::Tensor wanted =
      reference::mask_head(reference::Layers(weights, at::kDouble), "mask_head.", plain[0], true);
  expect_same_gradients(weighed({got}, true), pooled, built.parameters, weighed({wanted}, false),
                        plain, weights, 1e-10);
}

// Without regions, results are empty, and backward gives zero gradients.
TEST(RegionHeads, TakeNoRegions) {
  for (const bool training : {true, false}) {
    const BuiltBoxHead box("roi_heads", small_box_head());
    const BuiltMaskHead mask("mask_head", small_mask_head());
    const nn::Ranks ranks = training ? dist::group_of_one() : nullptr;
    const at::Tensor none = at::zeros({0, 7, 7, 6}, at::kDouble).requires_grad_(true);
    const reference::Weights before = weights_of(box.parameters);
    const BoxPredictions boxes = box.head(none, ranks);
    EXPECT_EQ(boxes.scores_RC.sizes(), (std::vector<int64_t>{0, 4}));
    EXPECT_EQ(boxes.deltas_RD.sizes(), (std::vector<int64_t>{0, 12}));
    const at::Tensor masks = mask.head(none, at::zeros({0}, at::kLong), ranks);
    EXPECT_EQ(masks.sizes(), (std::vector<int64_t>{0, 14, 14}));
    EXPECT_EQ(mask.head.of_all_classes(none, ranks).sizes(), (std::vector<int64_t>{0, 14, 14, 4}));
    std::vector<std::string> names;
    test::Inputs weights;
    for (const auto* parameters : {&box.parameters, &mask.parameters}) {
      for (const nn::Parameter& parameter : parameters->all()) {
        if (!parameter.trainable) continue;
        names.push_back(parameter.name);
        weights.push_back(parameter.value);
      }
    }
    const test::Inputs found = test::gradients(
        boxes.scores_RC.sum() + boxes.deltas_RD.sum() + masks.sum(), weights, at::ones({}));
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_TRUE(found[i].defined()) << names[i];
      EXPECT_EQ(found[i].abs().sum().item<double>(), 0) << names[i];
    }
    expect_same_statistics(box.parameters, before, 0);
  }
}

// A rank without regions takes part in the collectives of forward and backward. Afterwards every
// rank has the running mean of a single rank with all regions.
TEST(RegionHeads, OfRanksWithAndWithoutRegionsAreThoseOfOne) {
  const BuiltMaskHead whole("mask_head", small_mask_head());
  const at::Tensor all = test::fixed_normal({5, 7, 7, 6}, 1);
  const at::Tensor classes = at::tensor({3, 0, 0, 2, 3}, at::kLong);
  const test::Inputs pooled = test::leaves({all});
  const at::Tensor wanted = whole.head(pooled[0], classes, dist::group_of_one());
  const at::Tensor upstream = test::fixed_normal(wanted.sizes(), 3);
  test::Inputs of = pooled;
  for (const nn::Parameter& parameter : whole.parameters.all()) {
    if (parameter.trainable) of.push_back(parameter.value);
  }
  const test::Inputs right = test::gradients(wanted, of, upstream);
  const std::vector<int64_t> borders{0, 2, 2, 5};
  dist::test::run_ranks(3, [&](dist::Group& group) {
    const auto rank = static_cast<size_t>(group.rank());
    const int64_t first = borders[rank], count = borders[rank + 1] - first;
    const BuiltMaskHead own("mask_head", small_mask_head());
    const test::Inputs mine = test::leaves({all.narrow(0, first, count)});
    const at::Tensor got = own.head(mine[0], classes.narrow(0, first, count), ranks_of(group));
    EXPECT_EQ(test::compare(got, wanted.narrow(0, first, count), 1e-11).description, "");
    test::Inputs of_mine = mine;
    for (const nn::Parameter& parameter : own.parameters.all()) {
      if (parameter.trainable) of_mine.push_back(parameter.value);
    }
    const test::Inputs found = test::gradients(got, of_mine, upstream.narrow(0, first, count));
    EXPECT_EQ(test::compare(found[0], right[0].narrow(0, first, count), 1e-9).description, "");
    for (size_t i = 1; i < found.size(); ++i) {
      at::Tensor sum = found[i].clone();
      group.sum(sum);
      EXPECT_EQ(test::compare(sum, right[i], 1e-9).description, "") << i;
    }
    const at::Tensor mean = own.parameters.find("mask_head.mask_fcn1.norm.running_mean").value;
    EXPECT_EQ(test::compare(
                  mean, whole.parameters.find("mask_head.mask_fcn1.norm.running_mean").value, 1e-12)
                  .description,
              "");
  });
}

// With bfloat16 maps and float32 weights, results are close to those in float64. Scores, deltas and
// masks are float32; the maps of the pyramid stay bfloat16.
TEST(DetectionHeads, TakeBfloat16Maps) {
  const auto near = [](const at::Tensor& got, const at::Tensor& wanted) {
    return ((got.to(at::kDouble) - wanted).norm() / wanted.norm()).item<double>() < 0.05;
  };
  const nn::Ranks ranks = dist::group_of_one();
  const at::Tensor pooled = test::fixed_normal({9, 7, 7, 6}, 1),
                   classes = at::tensor({3, 0, 0, 2, 3, 1, 1, 1, 0}, at::kLong);
  for (const nn::MapNormOptions& norm : {kRegionNorm, kChannelNorm}) {
    const BuiltBoxHead box("roi_heads", small_box_head(norm)),
        narrow_box("roi_heads", small_box_head(norm), at::kFloat);
    const BoxPredictions got = narrow_box.head(pooled.to(at::kBFloat16), ranks);
    EXPECT_EQ(got.scores_RC.scalar_type(), at::kFloat);
    EXPECT_EQ(got.deltas_RD.scalar_type(), at::kFloat);
    EXPECT_TRUE(near(got.scores_RC, box.head(pooled, ranks).scores_RC));
    const BuiltMaskHead mask("mask_head", small_mask_head(norm)),
        narrow_mask("mask_head", small_mask_head(norm), at::kFloat);
    const at::Tensor masks = narrow_mask.head(pooled.to(at::kBFloat16), classes, ranks);
    EXPECT_EQ(masks.scalar_type(), at::kFloat);
    EXPECT_TRUE(near(masks, mask.head(pooled, classes, ranks)));
    const BuiltPyramid pyramid("backbone", small_pyramid(norm)),
        narrow_pyramid("backbone", small_pyramid(norm), at::kFloat);
    test::Inputs maps = pyramid_maps(2, 32, 32), narrow;
    for (const at::Tensor& map : maps) narrow.push_back(map.detach().to(at::kBFloat16));
    const auto levels = narrow_pyramid.head(narrow, ranks), wanted = pyramid.head(maps, ranks);
    for (size_t i = 0; i < levels.size(); ++i) {
      EXPECT_EQ(levels[i].scalar_type(), at::kBFloat16);
      EXPECT_TRUE(near(levels[i], wanted[i])) << i;
    }
  }
  const Built<VitAdaptor, int64_t> adaptor("bottom_up", 64),
      narrow_adaptor("bottom_up", 64, at::kFloat);
  const at::Tensor map = test::fixed_normal({2, 4, 4, 64}, 1), half = map.to(at::kBFloat16);
  EXPECT_TRUE(near(narrow_adaptor.head({half, half, half, half})[0],
                   adaptor.head({map, map, map, map})[0]));
}

// Initial values have upstream's std (normal) or bound (uniform).
TEST(DetectionHeads, StartAsThePublishedOnes) {
  nn::Parameters parameters(3, at::kFloat);
  const nn::Scope scope(parameters);
  const FeaturePyramid pyramid(scope / "backbone", {.in = {40, 40, 40, 40}, .channels = 50});
  const RpnHead rpn(scope / "rpn_head", {.channels = 60});
  const BoxHead box(scope / "roi_heads", {.channels = 16, .width = 128, .classes = 80});
  const MaskHead mask(scope / "mask_head", {.channels = 64});
  const VitAdaptor neck(scope / "neck", 64);
  const auto published = [&](const char* name) {
    return parameters.published(parameters.find(name)).to(at::kDouble);
  };
  const auto std_of = [&](const char* name) { return published(name).std().item<double>(); };
  const auto largest = [&](const char* name) { return published(name).abs().max().item<double>(); };
  EXPECT_NEAR(largest("backbone.fpn_lateral2.weight"), std::sqrt(3.0 / 40), 2e-3);
  EXPECT_NEAR(std_of("backbone.fpn_output3.weight"), std::sqrt(1.0 / (50 * 9)), 1e-3);
  EXPECT_NEAR(std_of("rpn_head.conv.conv0.weight"), 0.01, 2e-4);
  EXPECT_NEAR(std_of("rpn_head.anchor_deltas.weight"), 0.01, 1e-3);
  EXPECT_NEAR(std_of("roi_heads.box_head.conv2.weight"), std::sqrt(2.0 / (16 * 9)), 5e-3);
  EXPECT_NEAR(largest("roi_heads.box_head.fc1.weight"), std::sqrt(3.0 / (16 * 49)), 1e-3);
  EXPECT_NEAR(std_of("roi_heads.box_predictor.cls_score.weight"), 0.01, 4e-4);
  EXPECT_NEAR(std_of("roi_heads.box_predictor.bbox_pred.weight"), 0.001, 3e-5);
  EXPECT_NEAR(std_of("mask_head.deconv.weight"), std::sqrt(2.0 / (64 * 4)), 2e-3);
  EXPECT_NEAR(std_of("mask_head.predictor.weight"), 0.001, 4e-5);
  EXPECT_NEAR(std_of("neck.ms_adaptor.1.weight"), std::sqrt(1.0 / (64 * 4)), 1e-3);
  const double cut = 2 / 0.87962566 * std::sqrt(1.0 / (64 * 4));
  EXPECT_LE(largest("neck.ms_adaptor.1.weight"), cut + 1e-6);
  EXPECT_GT(largest("neck.ms_adaptor.1.weight"), 0.98 * cut);
  for (const nn::Parameter& parameter : parameters.all()) {
    if (!parameter.name.ends_with("bias")) continue;
    EXPECT_EQ(parameter.value.abs().max().item<float>(), 0) << parameter.name;
  }
}

}  // namespace
}  // namespace fcm::heads
