// Compares the transformer blocks of segmenters with dense attention in plain tensor calls.
#include "fcm/encoder/relative_blocks.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <map>

#include "fcm/encoder/maps.h"
#include "tests/encoder/small_encoder.h"
#include "tests/support/compare.h"

namespace fcm::encoder {
namespace {

using Values = std::map<std::string, at::Tensor>;

constexpr int64_t kDim = 16, kHeads = 4;
constexpr double kEpsilon = 1e-5;

at::Tensor norm(const at::Tensor& x, const Values& w, const std::string& name) {
  return at::layer_norm(x, {kDim}, w.at(name + ".weight"), w.at(name + ".bias"), kEpsilon);
}

at::Tensor linear(const at::Tensor& x, const Values& w, const std::string& name) {
  return at::linear(x, w.at(name + ".weight"), w.at(name + ".bias"));
}

// The bias of every query and key [heads, T, T], from the table, for a grid of patches with or
// without a class token.
at::Tensor dense_bias(const at::Tensor& table_RH, masks::Grid grid, bool class_token) {
  const int64_t first = class_token ? 1 : 0, tokens = grid.patches() + first;
  const int64_t patches = (2 * grid.rows - 1) * (2 * grid.cols - 1);
  at::Tensor index = at::empty({tokens, tokens}, at::kLong);
  for (int64_t i = 0; i < tokens; ++i) {
    for (int64_t j = 0; j < tokens; ++j) {
      const int64_t a = i - first, b = j - first;
      int64_t row = (a / grid.cols - b / grid.cols + grid.rows - 1) * (2 * grid.cols - 1) +
                    a % grid.cols - b % grid.cols + grid.cols - 1;
      if (a < 0) row = patches + (b < 0 ? 2 : 0);
      if (a >= 0 && b < 0) row = patches + 1;
      index[i][j] = row;
    }
  }
  return table_RH.index_select(0, index.flatten()).view({tokens, tokens, -1}).permute({2, 0, 1});
}

at::Tensor plain_block(const at::Tensor& x_BTC, const Values& w, const std::string& name,
                       masks::Grid grid, bool class_token) {
  const int64_t b = x_BTC.size(0), t = x_BTC.size(1);
  const at::Tensor qkv = linear(norm(x_BTC, w, name + ".norm1"), w, name + ".attn.qkv")
                             .view({b, t, 3, kHeads, kDim / kHeads})
                             .permute({2, 0, 3, 1, 4});
  const at::Tensor bias =
      dense_bias(w.at(name + ".attn.relative_position_bias_table"), grid, class_token);
  const at::Tensor scores =
      at::matmul(qkv[0], qkv[1].transpose(-1, -2)) / std::sqrt(kDim / kHeads) + bias;
  const at::Tensor attended =
      at::matmul(scores.softmax(-1), qkv[2]).transpose(1, 2).reshape({b, t, kDim});
  const at::Tensor mixed =
      x_BTC + linear(attended, w, name + ".attn.proj") * w.at(name + ".gamma_1");
  const at::Tensor hidden = at::gelu(linear(norm(mixed, w, name + ".norm2"), w, name + ".mlp.fc1"));
  return mixed + linear(hidden, w, name + ".mlp.fc2") * w.at(name + ".gamma_2");
}

class RelativeBlocksTest : public testing::TestWithParam<bool> {
 protected:
  RelativeBlocksTest() : parameters_(3, at::kDouble) {
    const nn::Scope scope(parameters_);
    blocks_.emplace(scope, "blocks", 2, kDim, kHeads, 2, kEpsilon, kGrid, GetParam());
    parameters_.flatten();
    at::manual_seed(4);
    const at::NoGradGuard no_grad;
    for (const nn::Parameter& parameter : parameters_.all()) {
      parameter.value.copy_(at::randn_like(parameter.value) * 0.5);
    }
  }
  Values values() const {
    Values all;
    for (const nn::Parameter& parameter : parameters_.all()) all[parameter.name] = parameter.value;
    return all;
  }
  at::Tensor tokens(int64_t batch, masks::Grid grid) const {
    return at::randn({batch, grid.patches() + (GetParam() ? 1 : 0), kDim}, at::kDouble);
  }

  nn::Parameters parameters_;
  std::optional<RelativeBlocks> blocks_;
};

TEST_P(RelativeBlocksTest, EqualDenseAttentionWithTheirGradients) {
  const at::Tensor x = tokens(3, kGrid).requires_grad_(true);
  const masks::ViewPlan plan = masks::full_plan(3, kGrid);
  const at::Tensor weights = at::randn(x.sizes(), at::kDouble);
  std::vector<at::Tensor> inputs{x};
  for (const nn::Parameter& parameter : parameters_.all()) inputs.push_back(parameter.value);
  const at::Tensor got = (*blocks_)(x, plan, {}, {});
  const auto got_gradients = torch::autograd::grad({(got * weights).sum()}, inputs);
  at::Tensor wanted = x;
  for (const char* name : {"blocks.0", "blocks.1"}) {
    wanted = plain_block(wanted, values(), name, kGrid, GetParam());
  }
  const auto wanted_gradients = torch::autograd::grad({(wanted * weights).sum()}, inputs);
  EXPECT_EQ(test::compare(got, wanted, 1e-12).description, "");
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string name = i == 0 ? "x" : parameters_.all()[i - 1].name;
    at::Tensor wanted_gradient = wanted_gradients[i];
    if (name.ends_with("qkv.bias")) {  // the keys' bias has no effect: its gradient must be 0
      wanted_gradient = wanted_gradient.clone();
      wanted_gradient.narrow(0, kDim, kDim).zero_();
    }
    EXPECT_EQ(test::compare(got_gradients[i], wanted_gradient, 1e-10).description, "") << name;
  }
}

// Negative control: the comparison detects swapped rows and columns, and a missing layer scale.
TEST_P(RelativeBlocksTest, TheComparisonSeesMistakes) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = tokens(1, kGrid);
  const at::Tensor got = (*blocks_)(x, masks::full_plan(1, kGrid), {}, {});
  const auto plain = [&](const Values& w, masks::Grid grid) {
    at::Tensor y = x;
    for (const char* name : {"blocks.0", "blocks.1"}) y = plain_block(y, w, name, grid, GetParam());
    return y;
  };
  EXPECT_NE(test::compare(got, plain(values(), {kGrid.cols, kGrid.rows}), 1e-3).description, "");
  Values without = values();
  without["blocks.1.gamma_2"] = at::ones({kDim}, at::kDouble);
  EXPECT_NE(test::compare(got, plain(without, kGrid), 1e-3).description, "");
}

TEST_P(RelativeBlocksTest, RefuseAPlanOfViews) {
  const masks::ViewPlan plan =
      masks::plan_for_samples(std::vector<int64_t>{0}, 1, 0, kGrid, {.ratio = 0.5, .views = {}});
  EXPECT_THROW((*blocks_)(tokens(1, kGrid), plan, {}, {}), std::logic_error);
}

INSTANTIATE_TEST_SUITE_P(Tokens, RelativeBlocksTest, testing::Bool(), [](const auto& test) {
  return test.param ? std::string("with_class_token") : std::string("patches_alone");
});

// map_of_stage() converts cells in storage order to a map of the image.
TEST(MapOfStage, PutsCellsWhereTheyAreInTheImage) {
  const ops::PatchGeometry geometry{{4, 2, 2}};
  const masks::Grid grid{2, 3};
  for (int64_t stage = 0; stage < 3; ++stage) {
    const ops::Cells cells = geometry.cells(stage);
    const int64_t rows = grid.rows * cells.side, cols = grid.cols * cells.side;
    const at::Tensor raster = at::arange(rows * cols, at::kLong).view({1, rows, cols, 1});
    at::Tensor stored = at::empty({1, grid.patches(), cells.count(), 1}, at::kLong);
    for (int64_t patch = 0; patch < grid.patches(); ++patch) {
      for (int64_t place = 0; place < cells.count(); ++place) {
        const int64_t inner = cells.raster[static_cast<size_t>(place)];
        const int64_t row = patch / grid.cols * cells.side + inner / cells.side;
        const int64_t col = patch % grid.cols * cells.side + inner % cells.side;
        stored[0][patch][place][0] = row * cols + col;
      }
    }
    EXPECT_TRUE(at::equal(map_of_stage(stored, grid, geometry, stage), raster)) << stage;
  }
}

// ConvViT and ViT with these blocks have the upstream names and accept images of another grid.
TEST(RelativeEncoders, HaveThePublishedNamesAndTakeOtherGrids) {
  for (const char* kind : {"conv_vit", "vit"}) {
    nn::Parameters parameters(5, at::kDouble);
    const nn::Scope scope(parameters);
    Embeddings embeddings = add_embeddings(scope, kind, 16, kGrid, true);
    embeddings.relative_blocks = true;
    const EncoderOptions options = small_options(kind);
    const auto encoder = make_encoder(kind, scope, options, 3, embeddings, {.stages = true});
    parameters.flatten();
    const std::string last = family(kind).last_blocks(options) + ".1.";
    EXPECT_NO_THROW(parameters.find(last + "gamma_1"));
    EXPECT_NO_THROW(parameters.find(last + "attn.relative_position_bias_table"));
    const masks::Grid other{5, 2};
    const int64_t stride = options.strides[0], cells = 16 / (stride * stride);
    const at::Tensor pixels =
        at::randn({2, other.patches(), cells, 3 * stride * stride}, at::kDouble);
    const Features seen = (*encoder)(pixels, masks::full_plan(2, other));
    EXPECT_EQ(seen.tokens_BKC.sizes(), at::IntArrayRef({2, 10, 16})) << kind;
  }
}

}  // namespace
}  // namespace fcm::encoder
