#include "fcm/nn/drop_path.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

namespace fcm::nn {
namespace {

TEST(DropPath, RatesAreThePublishedOnes) {
  const std::string path = FCM_SOURCE_DIR "/../shared/fixtures/convvit_base_drop_path.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no golden file at " << path;
  std::ifstream file(path);
  const auto published = nlohmann::ordered_json::parse(file);
  const std::vector<double> rates = drop_path_rates(0.1, 15);
  ASSERT_EQ(published.size(), rates.size());
  size_t block = 0;
  for (const auto& [name, rate] : published.items()) {
    EXPECT_EQ(rate.get<double>(), rates[block++]) << name;
  }
}

TEST(DropPath, OneBlockIsNeverDropped) { EXPECT_EQ(drop_path_rates(0.5, 1)[0], 0); }

TEST(DropPath, NothingIsDrawnAtRateZero) {
  const std::vector<int64_t> ids{1, 2, 3};
  const DropPath drawn = draw_drop_path(drop_path_rates(0, 4), 1, 2, ids);
  EXPECT_TRUE(drawn.empty());
  EXPECT_FALSE(branch_scales(drawn, 3).first_B.defined());
}

TEST(DropPath, ScalesKeepTheMeanAndFollowTheRates) {
  std::vector<int64_t> ids(20'000);
  std::iota(ids.begin(), ids.end(), 0);
  const std::vector<double> rates{0, 0.25, 0.5};
  const DropPath drawn = draw_drop_path(rates, 7, 3, ids);
  ASSERT_EQ(drawn.size(), 3u);
  for (size_t block = 0; block < rates.size(); ++block) {
    for (const at::Tensor& scales : {drawn[block].first_B, drawn[block].second_B}) {
      const double dropped = (scales == 0).to(at::kDouble).mean().item<double>();
      EXPECT_NEAR(dropped, rates[block], 0.015) << block;  // four std of 20,000 draws
      EXPECT_NEAR(scales.max().item<double>(), 1 / (1 - rates[block]), 1e-6);
    }
  }
  EXPECT_FALSE(drawn[2].first_B.equal(drawn[2].second_B));
}

TEST(DropPath, DrawsBelongToTheSampleWhateverIsAroundIt) {
  const std::vector<double> rates(6, 0.5);
  const std::vector<int64_t> together{4, 9, 2}, alone{9};
  const DropPath many = draw_drop_path(rates, 1, 2, together),
                 one = draw_drop_path(rates, 1, 2, alone);
  const DropPath other_epoch = draw_drop_path(rates, 1, 3, alone);
  bool same = true;
  for (size_t block = 0; block < rates.size(); ++block) {
    EXPECT_EQ(many[block].first_B[1].item<float>(), one[block].first_B[0].item<float>());
    EXPECT_EQ(many[block].second_B[1].item<float>(), one[block].second_B[0].item<float>());
    same = same && one[block].first_B.equal(other_epoch[block].first_B) &&
           one[block].second_B.equal(other_epoch[block].second_B);
  }
  EXPECT_FALSE(same);
}

TEST(DropPath, BranchesAreAddedAnImageAtATime) {
  const at::Tensor x = at::randn({3, 2, 4}), branch = at::randn({3, 2, 4});
  const at::Tensor sum = add_branch(x, branch, at::tensor({0.0F, 1.0F, 2.0F}));
  EXPECT_TRUE(sum[0].equal(x[0]));
  EXPECT_TRUE(sum[1].equal(x[1] + branch[1]));
  EXPECT_TRUE(sum[2].equal(x[2] + branch[2] * 2));
  EXPECT_TRUE(add_branch(x, branch, {}).equal(x + branch));
  EXPECT_THROW(add_branch(x, branch, at::ones({2})), std::logic_error);
}

// Each part of an image has its own draw. With one part per image, the draws are the same as
// without parts.
TEST(DropPath, PartsOfAnImageAreDroppedByThemselves) {
  const std::vector<double> rates{0.5, 0.5, 0.5};
  const std::vector<int64_t> together{4, 9, 2}, alone{9};
  const DropPath many = draw_drop_path(rates, 1, 2, together, at::kCPU, {1, 64, 1}),
                 one = draw_drop_path(rates, 1, 2, alone, at::kCPU, {1, 64, 1});
  EXPECT_EQ(many[0].first_B.sizes(), at::IntArrayRef({3}));
  EXPECT_EQ(many[1].first_B.sizes(), at::IntArrayRef({3 * 64}));
  for (size_t block = 0; block < rates.size(); ++block) {
    EXPECT_TRUE(many[block].first_B.view({3, -1})[1].equal(one[block].first_B));
    EXPECT_TRUE(many[block].second_B.view({3, -1})[1].equal(one[block].second_B));
  }
  const int64_t kept = one[1].first_B.count_nonzero().item<int64_t>();
  EXPECT_GT(kept, 16);  // the mean of 64 draws is 32; 16 is four std below
  EXPECT_LT(kept, 48);
  EXPECT_FALSE(one[1].first_B.equal(one[1].second_B));
  const DropPath plain = draw_drop_path(rates, 1, 2, together),
                 parts_of_one = draw_drop_path(rates, 1, 2, together, at::kCPU, {1, 1, 1});
  for (size_t block = 0; block < rates.size(); ++block) {
    EXPECT_TRUE(plain[block].first_B.equal(parts_of_one[block].first_B));
    EXPECT_TRUE(plain[block].second_B.equal(parts_of_one[block].second_B));
  }
  EXPECT_THROW(draw_drop_path(rates, 1, 2, together, at::kCPU, {1}), std::logic_error);
}

}  // namespace
}  // namespace fcm::nn
