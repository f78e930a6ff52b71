// Compares the convolution over a plan's edges with ordinary convolutions of masked maps, and the
// kernels of every instruction set with the reference.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "fcm/ops/cases.h"
#include "fcm/ops/patch_depthwise_conv/launch.h"
#include "fcm/ops/patch_depthwise_conv/op.h"
#include "fcm/ops/patchify/op.h"
#include "fcm/ops/simd/dispatch.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::same_bits;

// A grid of patches, the view of each patch, and the plan that sorts them by view. All images of
// the batch have the same views.
struct Graph {
  int64_t rows, cols;
  PatchGeometry geometry;  // first stride 1: a pixel is a cell
  std::vector<int64_t> view_of_patch;
  at::Tensor order_BL, neighbours_BL9;

  Cells cells() const { return geometry.cells(0); }
};

Graph make_graph(int64_t batch, int64_t rows, int64_t cols, PatchGeometry geometry,
                 std::vector<int64_t> view_of_patch) {
  Graph graph{rows, cols, std::move(geometry), std::move(view_of_patch), {}, {}};
  const int64_t patches = rows * cols;
  const at::Tensor views = at::tensor(graph.view_of_patch, at::kLong);
  const at::Tensor order = views.argsort(/*stable=*/true, /*dim=*/0);
  const at::Tensor slot_of_patch = order.argsort(/*stable=*/true, /*dim=*/0);
  at::Tensor neighbours = at::full({patches, 9}, -1, at::kInt);
  for (int64_t slot = 0; slot < patches; ++slot) {
    const int64_t patch = order[slot].item<int64_t>();
    for (int64_t k = 0; k < 9; ++k) {
      const int64_t row = patch / cols + k / 3 - 1, col = patch % cols + k % 3 - 1;
      if (row < 0 || row >= rows || col < 0 || col >= cols) continue;
      const int64_t near = row * cols + col;
      if (!views[near].equal(views[patch])) continue;
      neighbours[slot][k] = slot_of_patch[near].to(at::kInt);
    }
  }
  graph.order_BL = order.expand({batch, patches}).contiguous();
  graph.neighbours_BL9 = neighbours.expand({batch, patches, 9}).contiguous();
  return graph;
}

std::vector<int64_t> one_view(int64_t patches) {
  return std::vector<int64_t>(static_cast<size_t>(patches), 0);
}

at::Tensor to_patches(const at::Tensor& map_BCHW, const Graph& graph) {
  return patchify_normalised(map_BCHW, graph.order_BL, graph.geometry);
}

at::Tensor to_map(const at::Tensor& x_BLPC, const Graph& graph) {
  return unpatchify(x_BLPC.flatten(2), graph.order_BL, graph.geometry, graph.rows, graph.cols);
}

at::Tensor depthwise(const at::Tensor& map, const at::Tensor& weight_TC, const at::Tensor& bias_C) {
  const int64_t channels = weight_TC.size(1);
  return at::conv2d(map, weight_TC.t().reshape({channels, 1, 5, 5}), bias_C, 1, 2, 1, channels);
}

// A map that is 1 on the cells of one view's patches and 0 elsewhere. [1, 1, H, W]
at::Tensor view_mask(const Graph& graph, int64_t view) {
  const at::Tensor views = at::tensor(graph.view_of_patch, at::kLong);
  const int64_t side = graph.geometry.patch_side();
  return (views == view)
      .to(at::kDouble)
      .view({1, 1, graph.rows, graph.cols})
      .repeat_interleave(side, 2)
      .repeat_interleave(side, 3);
}

// The upstream form: for each view, the map is masked to the view, convolved, and the result is
// masked again; the results are summed.
at::Tensor masked_convolutions(const at::Tensor& map, const at::Tensor& weight_TC,
                               const at::Tensor& bias_C, const Graph& graph) {
  at::Tensor sum = at::zeros_like(map);
  const int64_t views =
      *std::max_element(graph.view_of_patch.begin(), graph.view_of_patch.end()) + 1;
  for (int64_t view = 0; view < views; ++view) {
    const at::Tensor mask = view_mask(graph, view);
    sum = sum + mask * depthwise(map * mask, weight_TC, bias_C);
  }
  return sum;
}

struct Values {
  at::Tensor map, weight, bias;
};

Values random_values(const Graph& graph, int64_t channels, uint64_t seed = 1) {
  const int64_t side = graph.geometry.patch_side();
  return {test::fixed_normal(
              {graph.order_BL.size(0), channels, graph.rows * side, graph.cols * side}, seed),
          test::fixed_normal({25, channels}, seed + 1), test::fixed_normal({channels}, seed + 2)};
}

at::Tensor convolve_map(const Values& values, const Graph& graph) {
  return to_map(patch_depthwise_conv(to_patches(values.map, graph), values.weight, values.bias,
                                     graph.neighbours_BL9, graph.cells()),
                graph);
}

// A random assignment of patches to views of the given sizes.
std::vector<int64_t> random_views(std::vector<int64_t> sizes, uint64_t seed) {
  std::vector<int64_t> views;
  for (size_t view = 0; view < sizes.size(); ++view) {
    views.insert(views.end(), static_cast<size_t>(sizes[view]), static_cast<int64_t>(view));
  }
  const at::Tensor shuffle =
      test::fixed_normal({static_cast<int64_t>(views.size())}, seed).argsort(false, 0, false);
  std::vector<int64_t> shuffled;
  for (int64_t i = 0; i < shuffle.size(0); ++i) {
    shuffled.push_back(views[static_cast<size_t>(shuffle[i].item<int64_t>())]);
  }
  return shuffled;
}

const PatchGeometry kSide2{{1, 2}}, kSide3{{1, 3}}, kSide4{{1, 2, 2}}, kSide6{{1, 2, 3}};

TEST(PatchDepthwiseConv, EveryEdgeIsThePlainConvolution) {
  for (const PatchGeometry& geometry : {kSide2, kSide3, kSide4, kSide6}) {
    for (const auto& [rows, cols] : {std::pair{4, 4}, {5, 3}, {1, 7}, {1, 1}}) {
      const Graph graph = make_graph(2, rows, cols, geometry, one_view(rows * cols));
      const Values values = random_values(graph, 5);
      const at::Tensor plain = depthwise(values.map, values.weight, values.bias);
      EXPECT_EQ(compare(convolve_map(values, graph), plain, 1e-13).description, "")
          << "side " << geometry.patch_side() << ", grid " << rows << " x " << cols;
    }
  }
}

TEST(PatchDepthwiseConv, ViewsEqualTheSumOfMaskedConvolutions) {
  struct Setting {
    int64_t rows, cols;
    std::vector<int64_t> sizes;
  };
  for (const PatchGeometry& geometry : {kSide2, kSide4}) {
    for (const Setting& setting : {Setting{4, 4, {4, 4, 4, 4}}, Setting{5, 3, {3, 3, 3, 6}},
                                   Setting{2, 7, {7, 7}}, Setting{3, 3, {1, 2, 6}}}) {
      const Graph graph =
          make_graph(2, setting.rows, setting.cols, geometry, random_views(setting.sizes, 5));
      Values values = random_values(graph, 6);
      for (at::Tensor* tensor : {&values.map, &values.weight, &values.bias}) {
        tensor->set_requires_grad(true);
      }
      const at::Tensor upstream = test::fixed_normal(values.map.sizes(), 8);
      const test::Inputs inputs = {values.map, values.weight, values.bias};
      const at::Tensor own = convolve_map(values, graph);
      const at::Tensor published =
          masked_convolutions(values.map, values.weight, values.bias, graph);
      EXPECT_EQ(compare(own, published, 1e-13).description, "");
      const test::Inputs own_gradients = test::gradients(own, inputs, upstream);
      const test::Inputs published_gradients = test::gradients(published, inputs, upstream);
      for (size_t i = 0; i < inputs.size(); ++i) {
        EXPECT_EQ(compare(own_gradients[i], published_gradients[i], 1e-12).description, "") << i;
      }
    }
  }
}

TEST(PatchDepthwiseConv, NothingPassesBetweenViews) {
  const std::vector<int64_t> sizes = {4, 4, 4, 8};
  const Graph graph = make_graph(1, 4, 5, kSide4, random_views(sizes, 2));
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const Values values = random_values(graph, 32);
    at::Tensor x = to_patches(values.map, graph).to(dtype).set_requires_grad(true);
    int64_t first = 0;
    for (const int64_t size : sizes) {
      const at::Tensor y =
          patch_depthwise_conv(x, values.weight, values.bias, graph.neighbours_BL9, graph.cells());
      at::Tensor upstream = at::zeros_like(y);
      upstream.narrow(1, first, size).fill_(1);
      const at::Tensor dx = test::gradients(y, {x}, upstream)[0];
      EXPECT_GT(dx.narrow(1, first, size).abs().max().item<double>(), 0);
      EXPECT_TRUE(dx.narrow(1, 0, first).eq(0).all().item<bool>());
      EXPECT_TRUE(dx.narrow(1, first + size, 20 - first - size).eq(0).all().item<bool>());
      first += size;
    }
  }
}

TEST(PatchDepthwiseConv, OneMissingEdgeIsNoticed) {
  Graph graph = make_graph(1, 3, 3, kSide4, one_view(9));
  const Values values = random_values(graph, 4);
  const at::Tensor plain = depthwise(values.map, values.weight, values.bias);
  ASSERT_EQ(compare(convolve_map(values, graph), plain, 1e-13).first_bad, -1);
  graph.neighbours_BL9[0][4][0] =
      -1;  // removes the edge between the middle patch and the corner, in both directions
  graph.neighbours_BL9[0][0][8] = -1;
  EXPECT_GE(compare(convolve_map(values, graph), plain, 1e-3).first_bad, 0);
}

TEST(PatchDepthwiseConv, TablesThatCannotBeAreRefused) {
  const Graph graph = make_graph(2, 3, 3, kSide2, one_view(9));
  const Values values = random_values(graph, 4);
  const auto run_with = [&](int64_t slot, int64_t k, int32_t entry) {
    Graph wrong = graph;
    wrong.neighbours_BL9 = graph.neighbours_BL9.clone();
    wrong.neighbours_BL9[1][slot][k] = entry;
    return convolve_map(values, wrong);
  };
  EXPECT_NO_THROW(run_with(4, 0, 0));  // unchanged
  EXPECT_THROW(run_with(4, 0, 9), std::logic_error);
  EXPECT_THROW(run_with(4, 0, -2), std::logic_error);
  EXPECT_THROW(run_with(4, 0, -1), std::logic_error);  // one direction only
  EXPECT_THROW(run_with(4, 0, 1), std::logic_error);   // another patch's slot
  EXPECT_THROW(run_with(4, 4, -1), std::logic_error);  // no edge to itself
}

TEST(PatchDepthwiseConv, WrongShapesAreRefused) {
  const Graph graph = make_graph(1, 2, 2, kSide2, one_view(4));
  const Values v = random_values(graph, 4);
  const at::Tensor x = to_patches(v.map, graph);
  const at::Tensor& near = graph.neighbours_BL9;
  const Cells cells = graph.cells();
  EXPECT_NO_THROW(patch_depthwise_conv(x, v.weight, v.bias, near, cells));
  EXPECT_THROW(patch_depthwise_conv(x, v.weight.t(), v.bias, near, cells), std::logic_error);
  EXPECT_THROW(patch_depthwise_conv(x, v.weight, v.bias.narrow(0, 0, 3), near, cells),
               std::logic_error);
  EXPECT_THROW(patch_depthwise_conv(x, v.weight, v.bias, near.to(at::kLong), cells),
               std::logic_error);
  EXPECT_THROW(patch_depthwise_conv(x, v.weight, v.bias, near.narrow(1, 0, 3), cells),
               std::logic_error);
  EXPECT_THROW(patch_depthwise_conv(x, v.weight, v.bias, near, kSide4.cells(0)), std::logic_error);
  EXPECT_THROW(patch_depthwise_conv(x.narrow(2, 0, 1), v.weight, v.bias, near, Cells{1, {0}}),
               std::logic_error);
  EXPECT_THROW(patch_depthwise_conv(x.to(at::kHalf), v.weight, v.bias, near, cells),
               std::logic_error);
}

TEST(PatchDepthwiseConv, StridedInputsGiveTheSameBits) {
  const Graph graph = make_graph(2, 3, 4, kSide4, random_views({6, 6}, 3));
  const Values values = random_values(graph, 20);
  const at::Tensor x = to_patches(values.map, graph).to(at::kFloat);
  const auto transposed = [](const at::Tensor& t) {
    return t.transpose(0, -1).contiguous().transpose(0, -1);
  };
  const auto run = [&](bool strided) {
    const auto maybe = [&](const at::Tensor& t) { return strided ? transposed(t) : t; };
    const test::Inputs in = test::leaves({x, values.weight, values.bias});
    const at::Tensor y = patch_depthwise_conv(maybe(in[0]), maybe(in[1]), in[2],
                                              maybe(graph.neighbours_BL9), graph.cells());
    test::Inputs all = test::gradients(y, in, maybe(test::fixed_normal(y.sizes(), 4)));
    all.push_back(y);
    return all;
  };
  const test::Inputs plain = run(false), strided = run(true);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_TRUE(same_bits(plain[i], strided[i])) << i;
}

TEST(PatchDepthwiseConv, OnlyWhatIsAskedForGetsAGradient) {
  const Graph graph = make_graph(1, 2, 2, kSide2, one_view(4));
  const Values v = random_values(graph, 16);
  const at::Tensor x = to_patches(v.map, graph);
  const auto gradients = [&](int asked) {
    test::Inputs in = {x.clone(), v.weight.clone(), v.bias.clone()};
    for (int i = 0; i < 3; ++i) {
      in[static_cast<size_t>(i)].set_requires_grad(asked == i || asked == 3);
    }
    const at::Tensor y =
        patch_depthwise_conv(in[0], in[1], in[2], graph.neighbours_BL9, graph.cells());
    y.sum().backward();
    return test::Inputs{in[0].grad(), in[1].grad(), in[2].grad()};
  };
  const test::Inputs all = gradients(3);
  for (int asked = 0; asked < 3; ++asked) {
    const test::Inputs one = gradients(asked);
    for (int i = 0; i < 3; ++i) {
      const auto at = static_cast<size_t>(i);
      EXPECT_EQ(one[at].defined(), i == asked);
      EXPECT_TRUE(i != asked || same_bits(one[at], all[at]));
    }
  }
}

class PatchDepthwiseConvKernels : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "this CPU lacks " << isa_name(GetParam());
  }
  const patch_conv::Kernels& kernels() const { return patch_conv::kernels_for(GetParam()); }
};

patch_conv::Geometry geometry_of(const at::Tensor& neighbours, const Cells& cells) {
  at::Tensor stored = at::empty({cells.count()}, at::kInt);
  for (int64_t place = 0; place < cells.count(); ++place) {
    stored[cells.raster[static_cast<size_t>(place)]] = place;
  }
  return {neighbours, stored, cells.side};
}

TEST_P(PatchDepthwiseConvKernels, EqualTheReferenceForAnyChannelsAndSide) {
  const Tolerance tolerance;
  for (const PatchGeometry& geometry : {kSide2, kSide3, kSide4}) {
    const Graph graph = make_graph(2, 3, 4, geometry, random_views({5, 7}, 3));
    const patch_conv::Geometry table = geometry_of(graph.neighbours_BL9, graph.cells());
    for (const int64_t channels : {1, 3, 8, 9, 16, 19, 24, 70}) {
      const Values values = random_values(graph, channels);
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
        const at::Tensor x = to_patches(values.map, graph).to(dtype);
        const at::Tensor dy = test::fixed_normal(x.sizes(), 6).to(dtype);
        const at::ScalarType weights = dtype == at::kDouble ? at::kDouble : at::kFloat;
        const at::Tensor weight = values.weight.to(weights), bias = values.bias.to(weights);
        at::Tensor wanted;
        test::Inputs slopes;
        {
          const test::OneThread one_thread;
          const test::Inputs exact = test::leaves({x, weight, bias}, at::kDouble);
          wanted = patch_depthwise_conv_reference(exact[0], exact[1], exact[2],
                                                  graph.neighbours_BL9, graph.cells());
          slopes = test::gradients(wanted, exact, dy);
        }

        const at::Tensor y = patch_conv::forward(kernels(), x, weight, bias, table);
        const patch_conv::Gradients got =
            patch_conv::backward(kernels(), dy, x, weight, table, true, true);
        const bool narrow = dtype == at::kBFloat16, wide = dtype == at::kDouble;
        const double near = wide ? 1e-13 : narrow ? tolerance.bfloat16 : tolerance.float32;
        const double near_weights = wide ? 1e-13 : tolerance.float32_gradient;  // sums in fp32
        const std::string where = fmt::format("side {}, {} channels, {}", graph.cells().side,
                                              channels, c10::toString(dtype));
        EXPECT_EQ(compare(y, wanted, near).description, "") << where;
        EXPECT_EQ(compare(got.dx_BLPC, slopes[0], near).description, "") << where;
        EXPECT_EQ(compare(got.dweight_TC, slopes[1], near_weights).description, "") << where;
        EXPECT_EQ(compare(got.dbias_C, slopes[2], near_weights).description, "") << where;
      }
    }
  }
}

TEST_P(PatchDepthwiseConvKernels, BitsDoNotDependOnThreads) {
  const Graph graph = make_graph(40, 3, 4, kSide4, random_views({5, 7}, 3));
  const patch_conv::Geometry table = geometry_of(graph.neighbours_BL9, graph.cells());
  const Values values = random_values(graph, 24);
  const at::Tensor x = to_patches(values.map, graph).to(at::kFloat);
  const int threads = at::get_num_threads();
  const auto run = [&](int count) {
    at::set_num_threads(count);
    const patch_conv::Gradients got =
        patch_conv::backward(kernels(), x * 2, x, values.weight, table, true, true);
    return test::Inputs{got.dx_BLPC, got.dweight_TC, got.dbias_C,
                        patch_conv::forward(kernels(), x, values.weight, values.bias, table)};
  };
  const test::Inputs one = run(1), three = run(3);
  at::set_num_threads(threads);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i], three[i])) << i;
}

// Results above a certain size are written with non-temporal stores, those of one image are not.
TEST_P(PatchDepthwiseConvKernels, LargeResultsHaveTheBitsOfSmallOnes) {
  const Graph graph = make_graph(15, 8, 8, kSide4, random_views({30, 34}, 3));
  const patch_conv::Geometry table = geometry_of(graph.neighbours_BL9, graph.cells());
  const patch_conv::Geometry one = geometry_of(graph.neighbours_BL9.narrow(0, 0, 1), graph.cells());
  const at::Tensor weight = test::fixed_normal({25, 304}, 1);
  const at::Tensor bias = test::fixed_normal({304}, 2);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = test::fixed_normal({15, 64, 16, 304}, 3).to(dtype);
    const at::Tensor y = patch_conv::forward(kernels(), x, weight, bias, table);
    const at::Tensor dx = patch_conv::backward(kernels(), y, x, weight, table, true, false).dx_BLPC;
    for (int64_t image = 0; image < 15; ++image) {
      const at::Tensor x_one = x.narrow(0, image, 1), y_one = y.narrow(0, image, 1);
      EXPECT_TRUE(same_bits(patch_conv::forward(kernels(), x_one, weight, bias, one), y_one));
      EXPECT_TRUE(
          same_bits(patch_conv::backward(kernels(), y_one, x_one, weight, one, true, false).dx_BLPC,
                    dx.narrow(0, image, 1)));
    }
  }
}

TEST_P(PatchDepthwiseConvKernels, Bfloat16IsRoundedToTheNearestEven) {
  const Graph graph = make_graph(1, 2, 2, kSide2, one_view(4));
  at::Tensor x = to_patches(random_values(graph, 48).map, graph).to(at::kBFloat16);
  const float infinity = std::numeric_limits<float>::infinity();
  x[0][0][0][0] = infinity;
  x[0][0][0][1] = std::numeric_limits<float>::quiet_NaN();
  at::Tensor only_centre = at::zeros({25, 48});
  only_centre[12].fill_(1);
  const at::Tensor bias = test::fixed_normal({48}, 9).to(at::kFloat);
  at::Tensor dead_neighbours = at::full({1, 4, 9}, -1, at::kInt);
  for (int slot = 0; slot < 4; ++slot) dead_neighbours[0][slot][4] = slot;
  const at::Tensor y = patch_conv::forward(kernels(), x, only_centre, bias,
                                           geometry_of(dead_neighbours, graph.cells()));
  // The first two channels of patch 0 are compared separately: there, taps of weight 0 multiply
  // infinity or NaN, which gives NaN.
  const at::Tensor wanted = (x.to(at::kFloat) + bias).to(at::kBFloat16);
  EXPECT_TRUE(same_bits(y.narrow(3, 2, 46), wanted.narrow(3, 2, 46)));
  EXPECT_EQ(y[0][0][0][0].item<float>(), infinity);
  EXPECT_TRUE(y[0][0].select(1, 1).isnan().all().item<bool>());
  EXPECT_TRUE(same_bits(y.narrow(1, 1, 3), wanted.narrow(1, 1, 3)));
}

INSTANTIATE_TEST_SUITE_P(All, PatchDepthwiseConvKernels,
                         testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512),
                         [](const testing::TestParamInfo<Isa>& chosen) {
                           return std::string(isa_name(chosen.param));
                         });

}  // namespace
}  // namespace fcm::ops
