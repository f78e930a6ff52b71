// Compares segmentation heads with the reference: results and all gradients.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>

#include "fcm/heads/fcn.h"
#include "fcm/heads/fourth_map.h"
#include "fcm/heads/upernet.h"
#include "fcm/heads/vit_neck.h"
#include "reference/segmentation.h"
#include "tests/dist/thread_group.h"
#include "tests/heads/beside_reference.h"
#include "tests/support/error_of.h"
#include "tests/support/gradcheck.h"

namespace fcm::heads {
namespace {

using BuiltUperNet = Built<UperNet, UperNetOptions>;

constexpr UperNetOptions kSmall{.in = {5, 6, 8, 7}, .channels = 9, .classes = 4};

struct MapSize {
  int64_t rows, cols;
};
using Pyramid = std::array<MapSize, 4>;
const Pyramid kPyramids[] = {
    {{{32, 32}, {16, 16}, {8, 8}, {3, 3}}},   // large enough for Winograd
    {{{24, 40}, {12, 20}, {6, 10}, {2, 4}}},  //
    {{{8, 8}, {4, 4}, {2, 2}, {1, 1}}},
    {{{31, 29}, {15, 15}, {9, 7}, {3, 3}}},  // odd sizes
};

test::Inputs maps_of(const Pyramid& pyramid, int64_t batch = 2) {
  test::Inputs maps;
  for (size_t i = 0; i < 4; ++i) {
    maps.push_back(
        test::fixed_normal({batch, pyramid[i].rows, pyramid[i].cols, kSmall.in[i]}, 40 + i));
  }
  return test::leaves(maps);
}

// Compares the gradients of a sum of the logits with random weights.
void expect_same_logit_gradients(const at::Tensor& logits_BHWK, const test::Inputs& maps,
                                 const nn::Parameters& parameters, const at::Tensor& wanted_BKHW,
                                 const test::Inputs& plain_maps, const reference::Weights& weights,
                                 double tolerance) {
  const at::Tensor upstream = test::fixed_normal(logits_BHWK.sizes(), 3);
  expect_same_gradients((logits_BHWK * upstream).sum(), maps, parameters,
                        (wanted_BKHW * nchw(upstream)).sum(), plain_maps, weights, tolerance);
}

at::Tensor some_factors(int64_t batch, int64_t channels) {
  return draw_dropout(0.3, channels, "decode_head", 1, 2, std::vector<int64_t>{5, 9, 11}, at::kCPU)
      .narrow(0, 0, batch);
}

TEST(UperNet, IsThePublishedOneInTraining) {
  for (const Pyramid& pyramid : kPyramids) {
    for (const bool drops : {false, true}) {
      const BuiltUperNet built("decode_head", kSmall);
      const reference::Weights weights = weights_of(built.parameters);
      const test::Inputs maps = maps_of(pyramid), plain_maps = in_nchw(maps);
      HeadPass pass{.ranks = dist::group_of_one()};
      if (drops) pass.dropout_BC = some_factors(2, kSmall.channels);
      std::map<std::string, at::Tensor> seen, wanted_seen;
      const at::Tensor logits = built.head(
          maps, pass, [&](const std::string& name, const at::Tensor& x) { seen[name] = x; });
      const reference::Layers layers(
          weights, at::kDouble,
          [&](const std::string& name, const at::Tensor& x) { wanted_seen[name] = x; });
      const at::Tensor wanted =
          reference::upernet(layers, "decode_head.", plain_maps, {true, pass.dropout_BC});
      EXPECT_EQ(test::compare(nchw(logits), wanted, 1e-12).description, "");
      expect_same_logit_gradients(logits, maps, built.parameters, wanted, plain_maps, weights,
                                  1e-10);
      expect_same_statistics(built.parameters, weights, 1e-12);
      EXPECT_EQ(seen.size(), 12u);
      for (const auto& [name, value] : seen) {
        const std::string key = name.starts_with("psp") ? name + ".1" : name;
        EXPECT_EQ(
            test::compare(nchw(value), wanted_seen.at("decode_head." + key), 1e-12).description, "")
            << name;
      }
    }
  }
}

TEST(UperNet, IsThePublishedOneInEvaluation) {
  const BuiltUperNet built("decode_head", kSmall);
  const reference::Weights weights = weights_of(built.parameters);
  for (const Pyramid& pyramid : kPyramids) {
    const test::Inputs maps = maps_of(pyramid, 1), plain_maps = in_nchw(maps);
    const reference::Layers layers(weights, at::kDouble);
    const at::Tensor wanted = reference::upernet(layers, "decode_head.", plain_maps, {});
    const at::Tensor logits = built.head(maps, {});
    EXPECT_EQ(test::compare(nchw(logits), wanted, 1e-12).description, "");
    expect_same_logit_gradients(logits, maps, built.parameters, wanted, plain_maps, weights, 1e-10);
    const at::NoGradGuard no_grad;  // without gradients, norms work in place
    EXPECT_EQ(test::compare(nchw(built.head(maps, {})), wanted, 1e-12).description, "");
    for (size_t i = 0; i < maps.size(); ++i) {  // the input maps must be unchanged
      EXPECT_TRUE(test::same_bits(nchw(maps[i]), plain_maps[i]));
    }
  }
}

TEST(UperNet, InFloat32StaysNearFloat64) {
  const BuiltUperNet exact("decode_head", kSmall), single("decode_head", kSmall, at::kFloat);
  const test::Inputs maps = maps_of(kPyramids[0]);
  const test::Inputs narrow = test::leaves(maps, at::kFloat);
  const HeadPass pass{.ranks = dist::group_of_one()};
  const at::Tensor wanted = exact.head(maps, pass), got = single.head(narrow, pass);
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  EXPECT_EQ(test::compare(got, wanted, 3e-5).description, "");
  const at::Tensor upstream = test::fixed_normal(wanted.sizes(), 3);
  test::Inputs right = test::gradients(wanted, maps, upstream);
  test::Inputs found = test::gradients(got, narrow, upstream);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(test::compare(found[i], right[i], 1e-4).description, "") << i;
  }
}

TEST(UperNet, TakesBfloat16MapsAndGivesFloat32Logits) {
  const BuiltUperNet built("decode_head", kSmall, at::kFloat), exact("decode_head", kSmall);
  test::Inputs maps = maps_of(kPyramids[1]), narrow = test::leaves(maps, at::kBFloat16);
  const HeadPass pass{.ranks = dist::group_of_one()};
  const at::Tensor logits = built.head(narrow, pass);
  EXPECT_EQ(logits.scalar_type(), at::kFloat);
  const at::Tensor wanted = exact.head(maps, pass);
  const double off = (logits.to(at::kDouble) - wanted).norm().item<double>();
  EXPECT_LT(off / wanted.norm().item<double>(), 0.03);
  test::gradients(logits, narrow, at::ones(logits.sizes()));  // backward must not throw
}

TEST(UperNet, HasThePublishedKeysInTheirOrder) {
  const BuiltUperNet built("decode_head", kSmall);
  std::vector<std::string> names;
  for (const nn::Parameter& parameter : built.parameters.all()) names.push_back(parameter.name);
  EXPECT_EQ(names.size(), 2 + 12 * 6u);
  EXPECT_EQ(names[0], "decode_head.conv_seg.weight");
  EXPECT_EQ(names[2], "decode_head.psp_modules.0.1.conv.weight");
  EXPECT_EQ(names[7], "decode_head.psp_modules.0.1.bn.num_batches_tracked");
  EXPECT_EQ(names[26], "decode_head.bottleneck.conv.weight");
  EXPECT_EQ(names[32], "decode_head.lateral_convs.0.conv.weight");
  EXPECT_EQ(names[50], "decode_head.fpn_convs.0.conv.weight");
  EXPECT_EQ(names[68], "decode_head.fpn_bottleneck.conv.weight");
  EXPECT_EQ(built.parameters.find("decode_head.fpn_bottleneck.conv.weight").published_shape,
            (std::vector<int64_t>{9, 36, 3, 3}));
}

TEST(UperNet, RefusesOneImageInTrainingAndSaysWhatToDo) {
  const BuiltUperNet built("decode_head", kSmall);
  const test::Inputs one = maps_of(kPyramids[0], 1);
  const std::string said =
      test::error_of(ExitCode::kUsage, [&] { built.head(one, {.ranks = dist::group_of_one()}); });
  EXPECT_NE(said.find("batches of two images or more"), std::string::npos) << said;
}

// Two processes with one image each compute what one process with both images computes.
TEST(UperNet, OfTwoProcessesIsThatOfOne) {
  const BuiltUperNet whole("decode_head", kSmall);
  const test::Inputs maps = maps_of(kPyramids[1], 2);
  const at::Tensor wanted = whole.head(maps, {.ranks = dist::group_of_one()});
  const at::Tensor upstream = test::fixed_normal(wanted.sizes(), 3);
  test::Inputs of = maps;
  for (const nn::Parameter& parameter : whole.parameters.all()) {
    if (parameter.trainable) of.push_back(parameter.value);
  }
  const test::Inputs right = test::gradients(wanted, of, upstream);
  dist::test::run_ranks(2, [&](dist::Group& group) {
    const int64_t rank = group.rank();
    const BuiltUperNet own("decode_head", kSmall);
    test::Inputs mine;
    for (const at::Tensor& map : maps) mine.push_back(map.detach().narrow(0, rank, 1));
    mine = test::leaves(mine);
    const at::Tensor logits = own.head(mine, {.ranks = nn::Ranks(&group, [](dist::Group*) {})});
    EXPECT_EQ(test::compare(logits, wanted.narrow(0, rank, 1), 1e-11).description, "");
    test::Inputs of_mine = mine;
    for (const nn::Parameter& parameter : own.parameters.all()) {
      if (parameter.trainable) of_mine.push_back(parameter.value);
    }
    const test::Inputs got = test::gradients(logits, of_mine, upstream.narrow(0, rank, 1));
    for (size_t i = 0; i < got.size(); ++i) {
      const bool is_map = i < mine.size();
      at::Tensor sum = got[i].clone();
      if (!is_map) group.sum(sum);
      const at::Tensor share = is_map ? right[i].narrow(0, rank, 1) : right[i];
      EXPECT_EQ(test::compare(sum, share, 1e-9).description, "") << i;
    }
    for (const nn::Parameter& parameter : own.parameters.all()) {
      if (parameter.trainable) continue;
      EXPECT_EQ(test::compare(parameter.value, whole.parameters.find(parameter.name).value, 1e-11)
                    .description,
                "")
          << parameter.name;
    }
  });
}

TEST(Fcn, IsThePublishedOne) {
  for (const bool training : {true, false}) {
    const Built<Fcn, FcnOptions> built("auxiliary_head", {.in = 6, .channels = 5, .classes = 4});
    const reference::Weights weights = weights_of(built.parameters);
    const at::Tensor map = test::fixed_normal({2, 20, 18, 6}, 1).requires_grad_(true);
    const at::Tensor plain = nchw(map.detach()).contiguous().requires_grad_(true);
    const HeadPass pass{.ranks = training ? dist::group_of_one() : nullptr,
                        .dropout_BC = some_factors(2, 5)};
    const at::Tensor logits = built.head(map, pass);
    const at::Tensor wanted = reference::fcn(reference::Layers(weights, at::kDouble),
                                             "auxiliary_head.", plain, {training, pass.dropout_BC});
    EXPECT_EQ(test::compare(nchw(logits), wanted, 1e-12).description, "");
    expect_same_logit_gradients(logits, {map}, built.parameters, wanted, {plain}, weights, 1e-11);
    expect_same_statistics(built.parameters, weights, 1e-12);
  }
}

TEST(FourthMap, IsThePublishedOne) {
  for (const bool training : {true, false}) {
    for (const MapSize& size : {MapSize{32, 32}, {5, 9}, {4, 4}}) {
      const Built<FourthMap, int64_t> built("backbone", 6);
      const reference::Weights weights = weights_of(built.parameters);
      EXPECT_TRUE(weights.contains("backbone.fpn.1.running_mean"));
      const at::Tensor map =
          test::fixed_normal({2, size.rows, size.cols, 6}, 1).requires_grad_(true);
      const at::Tensor plain = nchw(map.detach()).contiguous().requires_grad_(true);
      const at::Tensor half = built.head(map, training ? dist::group_of_one() : nullptr);
      const at::Tensor wanted = reference::fourth_map(reference::Layers(weights, at::kDouble),
                                                      "backbone.fpn", plain, {training, {}});
      EXPECT_EQ(test::compare(nchw(half), wanted, 1e-12).description, "");
      EXPECT_EQ(half.size(1), (size.rows - 3) / 2 + 1);
      const at::Tensor upstream = test::fixed_normal(half.sizes(), 3);
      const auto value = [&](const char* name) { return built.parameters.find(name).value; };
      const test::Inputs got =
          test::gradients(half, {map, value("backbone.fpn.1.weight")}, upstream);
      const test::Inputs right =
          test::gradients(wanted, {plain, weights.at("backbone.fpn.1.weight")}, nchw(upstream));
      EXPECT_EQ(test::compare(nchw(got[0]), right[0], 1e-10).description, "");
      EXPECT_EQ(test::compare(got[1], right[1], 1e-10).description, "");
      expect_same_statistics(built.parameters, weights, 1e-12);
    }
  }
}

TEST(VitNeck, IsThePublishedOne) {
  const Built<VitNeck, int64_t> built("neck", 6);
  const reference::Weights weights = weights_of(built.parameters);
  test::Inputs maps;
  for (uint64_t i = 0; i < 4; ++i) maps.push_back(test::fixed_normal({2, 5, 4, 6}, i));
  maps = test::leaves(maps);
  const test::Inputs plain_maps = in_nchw(maps);
  const std::vector<at::Tensor> got = built.head(maps, dist::group_of_one());
  const std::vector<at::Tensor> wanted =
      reference::vit_neck(reference::Layers(weights, at::kDouble), "neck", plain_maps, {true, {}});
  const auto sizes = std::vector<int64_t>{20, 10, 5, 2};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(got[i].size(1), sizes[i]);
    EXPECT_TRUE(got[i].is_contiguous());
    EXPECT_EQ(test::compare(nchw(got[i]), wanted[i], 1e-12).description, "") << i;
  }
  for (const size_t i : {size_t{0}, size_t{1}, size_t{3}}) {
    const at::Tensor upstream = test::fixed_normal(got[i].sizes(), 5);
    const test::Inputs own = test::gradients(got[i], {maps[i]}, upstream);
    const test::Inputs right = test::gradients(wanted[i], {plain_maps[i]}, nchw(upstream));
    EXPECT_EQ(test::compare(nchw(own[0]), right[0], 1e-11).description, "") << i;
  }
  expect_same_statistics(built.parameters, weights, 1e-12);
  std::vector<std::string> names;
  for (const nn::Parameter& parameter : built.parameters.all()) names.push_back(parameter.name);
  EXPECT_EQ(names[7], "neck.upsample_4x.3.weight");
  EXPECT_EQ(names[10], "neck.upsample_2x.0.bias");
}

TEST(Dropout, DrawsWholeChannelsByKey) {
  const std::vector<int64_t> ids{3, 8};
  const at::Tensor draws = draw_dropout(0.1, 4000, "decode_head", 1, 2, ids);
  EXPECT_EQ(draws.sizes(), (std::vector<int64_t>{2, 4000}));
  EXPECT_NEAR(draws.eq(0).to(at::kDouble).mean().item<double>(), 0.1, 0.015);
  EXPECT_FLOAT_EQ(draws.max().item<float>(), 1 / 0.9F);
  EXPECT_TRUE(draws.narrow(0, 1, 1).equal(
      draw_dropout(0.1, 4000, "decode_head", 1, 2, std::vector<int64_t>{8})));
  EXPECT_FALSE(draws.equal(draw_dropout(0.1, 4000, "auxiliary_head", 1, 2, ids)));
  EXPECT_FALSE(draws.equal(draw_dropout(0.1, 4000, "decode_head", 1, 3, ids)));
  EXPECT_FALSE(draw_dropout(0, 4000, "decode_head", 1, 2, ids).defined());
  EXPECT_THROW(with_dropout(at::ones({3, 2, 2, 4000}), draws), std::logic_error);
}

}  // namespace
}  // namespace fcm::heads
