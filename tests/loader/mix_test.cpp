#include "fcm/loader/mix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fcm/base/random.h"
#include "tests/loader/support.h"

namespace fcm::loader {
namespace {

Batch batch_of(int64_t count, int64_t rows, int64_t cols, int64_t channels = 1) {
  Batch batch;
  batch.batch = count;
  batch.rows = rows;
  batch.cols = cols;
  batch.channels = channels;
  batch.epoch = 3;
  batch.sample_ids.resize(static_cast<size_t>(count));
  std::iota(batch.sample_ids.begin(), batch.sample_ids.end(), 100);
  return batch;
}

AugmentOptions published_mix() {
  AugmentOptions options;
  options.mixup = 0.8;
  options.cutmix = 1.0;
  return options;
}

bool same(const Mix& a, const Mix& b) {
  return a.share == b.share && a.cut == b.cut && a.box.top == b.box.top &&
         a.box.left == b.box.left && a.box.rows == b.box.rows && a.box.cols == b.box.cols;
}

TEST(Mix, AveragesWithThePartnerAsItWas) {
  std::vector<float> pixels{1, 2, 3, 4};
  apply_mix(
      std::vector<Mix>{{0.25, false, {}}, {1, false, {}}, {0.5, false, {}}, {0.75, false, {}}},
      batch_of(4, 1, 1), pixels.data());
  // Images 1 and 4 are partners, and so are images 2 and 3.
  EXPECT_EQ(pixels, (std::vector<float>{0.25F * 1 + 0.75F * 4, 2, 0.5F * 3 + 0.5F * 2,
                                        0.75F * 4 + 0.25F * 1}));
}

TEST(Mix, PastesThePartnersBox) {
  std::vector<float> pixels{0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15};  // two images of 2 x 3
  const Mix cut{0.5, true, {0, 1, 1, 2}};
  const Mix other{5.0 / 6, true, {1, 0, 1, 1}};
  apply_mix(std::vector<Mix>{cut, other}, batch_of(2, 2, 3), pixels.data());
  EXPECT_EQ(pixels, (std::vector<float>{0, 11, 12, 3, 4, 5, 10, 11, 12, 3, 14, 15}));
}

TEST(Mix, AllChannelsOfAPixelMoveTogether) {
  std::vector<float> pixels{1, 2, 3, 4, 5, 6, 7, 8};  // two images of 1 x 2 x 2
  const Mix cut{0.5, true, {0, 1, 1, 1}};
  apply_mix(std::vector<Mix>{cut, Mix{}}, batch_of(2, 1, 2, 2), pixels.data());
  EXPECT_EQ(pixels, (std::vector<float>{1, 2, 7, 8, 5, 6, 7, 8}));
}

TEST(Mix, TargetsWorkedOutByHand) {
  // off = 0.1 / 4 = 0.025, on = 0.9 + 0.025 = 0.925.
  const std::vector<int64_t> labels{1, 2};
  const auto plain = soft_targets(labels, 4, 0.1, {});
  const std::vector<float> by_hand{0.025F, 0.925F, 0.025F, 0.025F, 0.025F, 0.025F, 0.925F, 0.025F};
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(plain[i], by_hand[i], 1e-7) << i;
  const auto mixed =
      soft_targets(labels, 4, 0.1, std::vector<Mix>{{0.3, false, {}}, {1, true, {}}});
  // 0.3 * 0.925 + 0.7 * 0.025 and 0.3 * 0.025 + 0.7 * 0.925.
  const std::vector<float> with{0.025F, 0.295F, 0.655F, 0.025F, 0.025F, 0.025F, 0.925F, 0.025F};
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(mixed[i], with[i], 1e-7) << i;
}

TEST(Mix, ALabelOutsideOfTheClassesIsAnError) {
  for (const int64_t label : {-1, 4}) {
    const auto text = test::data_error([&] { soft_targets(std::vector{label}, 4, 0, {}); });
    EXPECT_NE(text.find("4 classes"), std::string::npos) << text;
  }
}

TEST(Mix, DrawsAreThoseOfTheKeyAndTheBoxIsTimms) {
  const AugmentOptions options = published_mix();
  int cuts = 0, averages = 0, clipped = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Batch batch = batch_of(2, 30, 50);
    const Mix mix = draw_mix(options, batch, seed)[0];
    KeyedRandom random(seed, Purpose::kMix, 3, 100);
    random.uniform_double();  // the draw that decides whether to mix; here mixing is certain
    if (random.uniform_double() >= 0.5) {
      EXPECT_FALSE(mix.cut);
      EXPECT_EQ(mix.share, random.beta(0.8, 0.8));
      ++averages;
      continue;
    }
    ++cuts;
    ASSERT_TRUE(mix.cut);
    const double side = std::sqrt(1 - random.beta(1, 1));
    const int height = static_cast<int>(30 * side), width = static_cast<int>(50 * side);
    const int y = static_cast<int>(random.below(30)), x = static_cast<int>(random.below(50));
    const int top = std::clamp(y - height / 2, 0, 30), bottom = std::clamp(y + height / 2, 0, 30);
    const int left = std::clamp(x - width / 2, 0, 50), right = std::clamp(x + width / 2, 0, 50);
    EXPECT_EQ(mix.box.top, top);
    EXPECT_EQ(mix.box.left, left);
    EXPECT_EQ(mix.box.rows, bottom - top);
    EXPECT_EQ(mix.box.cols, right - left);
    EXPECT_DOUBLE_EQ(mix.share, 1 - (bottom - top) * (right - left) / 1500.0);
    clipped += top == 0 || left == 0;
  }
  EXPECT_GT(cuts, 70);
  EXPECT_GT(averages, 70);
  EXPECT_GT(clipped, 10);
}

TEST(Mix, ModesSayWhoSharesADraw) {
  const Batch batch = batch_of(6, 20, 20);
  AugmentOptions options = published_mix();
  const auto one = draw_mix(options, batch, 1);
  ASSERT_EQ(one.size(), 6U);
  for (const Mix& mix : one) EXPECT_TRUE(same(mix, one[0]));
  options.mixup_mode = "pair";
  const auto pairs = draw_mix(options, batch, 1);
  for (size_t i = 0; i < 6; ++i) EXPECT_TRUE(same(pairs[i], pairs[5 - i]));
  EXPECT_FALSE(same(pairs[0], pairs[1]));
  options.mixup_mode = "elem";
  const auto each = draw_mix(options, batch, 1);
  for (size_t i = 0; i < 3; ++i) EXPECT_FALSE(same(each[i], each[5 - i]));
}

TEST(Mix, OptionsSwitchPartsOff) {
  const Batch batch = batch_of(2, 20, 20);
  EXPECT_TRUE(draw_mix({}, batch, 1).empty());
  for (uint64_t seed = 0; seed < 30; ++seed) {
    AugmentOptions options;
    options.mixup = 0.8;
    EXPECT_FALSE(draw_mix(options, batch, seed)[0].cut);
    options.cutmix = 1;
    options.mixup = 0;
    EXPECT_TRUE(draw_mix(options, batch, seed)[0].cut);
    options.mixup_prob = 0;
    EXPECT_TRUE(same(draw_mix(options, batch, seed)[0], Mix{}));
  }
}

TEST(Mix, AnOddBatchIsRefused) {
  try {
    draw_mix(published_mix(), batch_of(3, 8, 8), 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("even"), std::string::npos);
  }
}

}  // namespace
}  // namespace fcm::loader
