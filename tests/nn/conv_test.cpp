// Convolutions of NHWC maps equal LibTorch's, for every algorithm.
#include "fcm/nn/conv.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/nn/conv_passes.h"
#include "fcm/nn/upsample.h"
#include "tests/support/error_of.h"
#include "tests/support/gradcheck.h"

namespace fcm::nn {
namespace {

at::Tensor to_nchw(const at::Tensor& map) { return map.permute({0, 3, 1, 2}); }
at::Tensor to_nhwc(const at::Tensor& map) { return map.permute({0, 2, 3, 1}); }

// The expected result: LibTorch's convolution in NCHW with upstream's weight layout.
at::Tensor plain_conv(const at::Tensor& x_BHWI, const at::Tensor& weight_OIkk,
                      const ConvStep& step) {
  return to_nhwc(at::conv2d(to_nchw(x_BHWI).contiguous(), weight_OIkk, {},
                            {step.stride, step.stride}, {step.padding, step.padding}));
}

struct ConvCase {
  const char* what;
  int64_t batch, rows, cols, in, out;
  ConvStep step;
};
const ConvCase kConvCases[] = {
    {"a product", 2, 5, 7, 6, 4, {1, 1, 0}},
    {"windows", 2, 5, 7, 6, 4, {3, 1, 1}},
    {"windows of one position", 3, 1, 1, 6, 4, {3, 1, 1}},
    {"windows with stride 2", 2, 15, 14, 3, 5, {3, 2, 0}},
    {"windows without padding", 1, 4, 6, 3, 5, {3, 1, 0}},
    {"Winograd, even", 2, 24, 26, 5, 3, {3, 1, 1}},
    {"Winograd, odd, several bands", 2, 51, 41, 3, 4, {3, 1, 1}},
    {"Winograd, one column", 1, 600, 1, 2, 3, {3, 1, 1}},
};

TEST(Conv, IsTheLibrarysInFloat64) {
  for (const ConvCase& c : kConvCases) {
    const at::Tensor x = test::fixed_normal({c.batch, c.rows, c.cols, c.in}, 1);
    const at::Tensor weight = test::fixed_normal({c.out, c.step.side, c.step.side, c.in}, 2);
    const at::Tensor y = conv_forward(x, weight, c.step);
    const test::Inputs wanted = test::with_gradients(
        [&](const test::Inputs& in) { return plain_conv(in[0], to_nchw(in[1]), c.step); },
        {x, weight});
    const at::Tensor dy = test::fixed_normal(y.sizes(), 9);
    EXPECT_EQ(test::compare(y, wanted[0], 1e-12).description, "") << c.what;
    const ConvGradients got = conv_backward(x, weight, dy, c.step, true);
    EXPECT_EQ(test::compare(got.dx_BHWI, wanted[1], 1e-12).description, "") << c.what;
    EXPECT_EQ(test::compare(got.dweight_O33I, wanted[2], 1e-12).description, "") << c.what;
    EXPECT_FALSE(conv_backward(x, weight, dy, c.step, false).dx_BHWI.defined());
    if (c.step.side == 3 && c.rows > 1) {  // negative control: a transposed kernel
      EXPECT_NE(test::compare(conv_forward(x, weight.transpose(1, 2), c.step), wanted[0], 1e-3)
                    .description,
                "");
    }
  }
}

struct Net {
  Parameters parameters;
  Conv conv;
  Net(const ConvShape& shape, at::ScalarType type = at::kDouble,
      ConvStart start = ConvStart::kFanIn)
      : parameters(3, type), conv(Scope(parameters) / "c", shape, start) {}
  at::Tensor held() const { return parameters.find("c.weight").value; }
  at::Tensor published() const { return parameters.published(parameters.find("c.weight")); }
};

TEST(Conv, HasThePublishedWeightAndItsStartValues) {
  const Net fan_in({.in = 8, .out = 20, .bias = true});
  EXPECT_EQ(fan_in.published().sizes(), (std::vector<int64_t>{20, 8, 3, 3}));
  EXPECT_EQ(fan_in.parameters.find("c.bias").published_shape, (std::vector<int64_t>{20}));
  EXPECT_LE(fan_in.published().abs().max().item<double>(), 1 / std::sqrt(72.0));
  const Net fan_out({.in = 50, .out = 40}, at::kDouble, ConvStart::kFanOut);
  EXPECT_NEAR(fan_out.published().std().item<double>(), std::sqrt(2 / 360.0), 0.002);
  EXPECT_EQ(fan_out.parameters.all().size(), 1u);  // no bias
  const Net seg({.in = 90, .out = 80, .side = 1, .padding = 0, .bias = true}, at::kDouble,
                ConvStart::kNormal01);
  EXPECT_NEAR(seg.published().std().item<double>(), 0.01, 0.0005);
  EXPECT_EQ(seg.parameters.find("c.bias").value.abs().max().item<double>(), 0);
}

TEST(Conv, LayerIsTheLibrarysWithBiasAndGradients) {
  for (const int64_t side : {1, 3}) {
    const Net net({.in = 3, .out = 4, .side = side, .bias = true});
    const at::Tensor x = test::fixed_normal({2, 20, 15, 3}, 1).requires_grad_(true);
    const at::Tensor& bias = net.parameters.find("c.bias").value;
    const at::Tensor y = net.conv(x);
    const at::Tensor weight = net.published().clone().requires_grad_(true);
    const at::Tensor wanted = plain_conv(x, weight, {side, 1, side / 2}) + bias;
    EXPECT_EQ(test::compare(y, wanted, 1e-12).description, "");
    const at::Tensor dy = test::fixed_normal(y.sizes(), 2);
    const test::Inputs got = test::gradients(y, {x, net.held(), bias}, dy);
    const test::Inputs right = test::gradients(wanted, {x, weight, bias}, dy);
    EXPECT_EQ(test::compare(got[0], right[0], 1e-12).description, "");
    EXPECT_EQ(
        test::compare(to_published(got[1], net.parameters.find("c.weight").layout, weight.sizes()),
                      right[1], 1e-12)
            .description,
        "");
    EXPECT_EQ(test::compare(got[2], right[2], 1e-12).description, "");
  }
}

TEST(Conv, OfMapsOfSeveralSizesIsThatOfUpsampledMaps) {
  struct Level {
    int64_t rows, cols;
  };
  const std::vector<std::vector<Level>> pyramids = {{{32, 32}, {16, 16}, {8, 8}, {3, 3}},
                                                    {{24, 40}, {12, 20}, {6, 10}, {2, 4}},
                                                    {{8, 8}, {4, 4}, {2, 2}, {1, 1}},
                                                    {{32, 31}, {15, 15}},
                                                    {{5, 6}, {5, 6}}};
  for (const std::vector<Level>& levels : pyramids) {
    const Net net({.in = 3 * std::ssize(levels), .out = 4});
    test::Inputs maps;
    for (const Level& level : levels) {
      maps.push_back(test::fixed_normal({2, level.rows, level.cols, 3}, maps.size()));
    }
    maps = test::leaves(maps);
    const at::Tensor weight = net.published().clone().requires_grad_(true);
    test::Inputs coarser(maps.begin() + 1, maps.end()), wide{maps[0]};
    for (const at::Tensor& map : coarser) {
      wide.push_back(to_nhwc(at::upsample_bilinear2d(to_nchw(map), {levels[0].rows, levels[0].cols},
                                                     /*align_corners=*/false)));
    }
    const at::Tensor wanted = plain_conv(at::cat(wide, 3), weight, {3, 1, 1});
    const at::Tensor y = net.conv.of_maps(Recomputed(maps[0]), coarser);
    EXPECT_EQ(test::compare(y, wanted, 1e-12).description, "");
    const at::Tensor dy = test::fixed_normal(y.sizes(), 20);
    test::Inputs of = maps, of_plain = maps;
    of.push_back(net.held());
    of_plain.push_back(weight);
    test::Inputs got = test::gradients(y, of, dy);
    const test::Inputs right = test::gradients(wanted, of_plain, dy);
    got.back() = to_published(got.back(), net.parameters.find("c.weight").layout, weight.sizes());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(test::compare(got[i], right[i], 1e-12).description, "")
          << levels[0].rows << " rows, input " << i;
    }
    // Negative control: the coarser maps are in another order.
    std::reverse(coarser.begin(), coarser.end());
    if (coarser.size() > 1) {
      EXPECT_NE(
          test::compare(net.conv.of_maps(Recomputed(maps[0]), coarser), wanted, 1e-3).description,
          "");
    }
  }
}

TEST(Conv, ARecomputedMapIsMadeOnceForwardAndOnceBackwardAndNotKept) {
  const Net net({.in = 3, .out = 4});
  const at::Tensor a = test::fixed_normal({1, 6, 5, 3}, 1).requires_grad_(true);
  const at::Tensor b = test::fixed_normal({1, 6, 5, 3}, 2).requires_grad_(true);
  int made = 0;
  c10::weak_intrusive_ptr<c10::TensorImpl> last(a.getIntrusivePtr());
  const auto make = [&](const std::vector<at::Tensor>& from) {
    ++made;
    at::Tensor map = from[0].relu() * from[1];
    last = c10::weak_intrusive_ptr<c10::TensorImpl>(map.getIntrusivePtr());
    return map;
  };
  const at::Tensor y = net.conv(Recomputed({a, b}, make));
  EXPECT_EQ(made, 1);
  EXPECT_TRUE(last.expired());
  const at::Tensor dy = test::fixed_normal(y.sizes(), 3);
  const test::Inputs got = test::gradients(y, {a, b, net.held()}, dy);
  EXPECT_EQ(made, 2);
  const test::Inputs right = test::gradients(net.conv(a.relu() * b), {a, b, net.held()}, dy);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(test::same_bits(got[i], right[i])) << i;
  }
}

TEST(Conv, TakesBfloat16MapsWithWiderWeights) {
  for (const int64_t rows : {6, 30}) {  // 6: direct windows; 30: Winograd or LibTorch
    const Net net({.in = 6, .out = 4}, at::kFloat);
    const at::Tensor x =
        test::fixed_normal({1, rows, 20, 3}, 1).to(at::kBFloat16).requires_grad_(true);
    const at::Tensor coarse =
        test::fixed_normal({1, 3, 10, 3}, 2).to(at::kBFloat16).requires_grad_(true);
    const at::Tensor y = net.conv.of_maps(Recomputed(x), {coarse});
    EXPECT_EQ(y.scalar_type(), at::kBFloat16);
    const at::Tensor wanted =
        plain_conv(at::cat({x, upsample(coarse, rows, 20)}, 3).to(at::kDouble),
                   net.published().to(at::kDouble), {3, 1, 1});
    EXPECT_EQ(test::compare(y, wanted, 0x1p-6).description, "");
    const test::Inputs got = test::gradients(y, {x, coarse, net.held()}, at::ones(y.sizes()));
    EXPECT_EQ(got[0].scalar_type(), at::kBFloat16);
    EXPECT_EQ(got[1].scalar_type(), at::kBFloat16);
    EXPECT_EQ(got[2].scalar_type(), at::kFloat);
  }
}

TEST(Conv, RefusesAMapBelowItsWindow) {
  const Net net({.in = 3, .out = 3, .stride = 2, .padding = 0});
  const std::string said = test::error_of(ExitCode::kUsage, [&] {
    net.conv(test::fixed_normal({1, 2, 9, 3}, 1));
  });
  EXPECT_NE(said.find("2 x 9"), std::string::npos) << said;
}

}  // namespace
}  // namespace fcm::nn
