// Accuracy of a classifier with prescribed logits.
#include "fcm/eval/classifier_accuracy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fcm::eval {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// Six grey images of three classes.
class SixImages final : public loader::Dataset {
 public:
  int64_t size() const override { return 6; }
  image::Image get(int64_t, int64_t channels) const override {
    return {8, 8, channels, std::vector<uint8_t>(static_cast<size_t>(64 * channels))};
  }
  int64_t label(int64_t index) const override { return index % 3; }
  std::string name(int64_t index) const override { return std::to_string(index); }
  const std::vector<std::string>& classes() const override { return classes_; }

 private:
  std::vector<std::string> classes_ = {"a", "b", "c"};
};

// The accuracy of a classifier that predicts class i % 3 for image i, except that class `at` of the
// first image gets the logit `value`.
ClassifierAccuracy accuracy_with(double value, int64_t at) {
  recipe::Recipe recipe;
  recipe.task = recipe::Classify{};
  recipe.data.image_size = {8, 8};
  const Predict predict = [&](const loader::Batch& batch) {
    at::Tensor logits_BC = at::zeros({batch.batch, 3});
    for (int64_t i = 0; i < batch.batch; ++i) {
      const int64_t image = batch.sample_ids[static_cast<size_t>(i)];
      logits_BC[i][image % 3] = 5;
      if (image == 0) logits_BC[i][at] = value;
    }
    return logits_BC;
  };
  return classifier_accuracy(predict, recipe, std::make_shared<SixImages>(), 4, 1);
}

TEST(ClassifierAccuracy, CountsWhatIsRight) {
  const ClassifierAccuracy all = accuracy_with(5, 0), five = accuracy_with(9, 1);
  EXPECT_EQ(all.top1, 100);
  EXPECT_EQ(all.non_finite_count, 0);
  EXPECT_TRUE(std::isfinite(all.loss));
  EXPECT_NEAR(five.top1, 100.0 * 5 / 6, 1e-9);
}

// The non-finite logit is that of the image's own class (0) or of another class.
TEST(ClassifierAccuracy, AnswersThatAreNoNumbersAreWrongAndCounted) {
  for (const double value : {kNan, kInf, -kInf}) {
    for (const int64_t at : {0, 1, 2}) {
      const ClassifierAccuracy found = accuracy_with(value, at);
      EXPECT_EQ(found.non_finite_count, 1) << value << " " << at;
      EXPECT_NEAR(found.top1, 100.0 * 5 / 6, 1e-9) << value << " " << at;
      EXPECT_NEAR(found.top5, 100.0 * 5 / 6, 1e-9) << value << " " << at;
      EXPECT_FALSE(std::isfinite(found.loss));
      EXPECT_EQ(found.images, 6);
    }
  }
}

}  // namespace
}  // namespace fcm::eval
