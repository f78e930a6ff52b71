// Images that two data sets share, found by comparing the pixels of a sample of each set.
#include "fcm/tasks/content_sample.h"

#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "tests/tasks/drawn_set.h"

namespace fcm::tasks {
namespace {

// Images named "place/I.png" of side x side pixels that encode I. Images with negative I cannot be
// read.
class NumberedImages final : public loader::Dataset {
 public:
  NumberedImages(std::string place, std::vector<int64_t> numbers, int64_t side = 4)
      : place_(std::move(place)), numbers_(std::move(numbers)), side_(side) {}
  int64_t size() const override { return std::ssize(numbers_); }
  image::Image get(int64_t index, int64_t channels) const override {
    const int64_t number = numbers_[static_cast<size_t>(index)];
    if (number < 0) fail(ExitCode::kData, "{} is damaged", name(index));
    image::Image image{side_, side_, channels, {}};
    image.pixels.resize(static_cast<size_t>(side_ * side_ * channels), 7);
    for (size_t byte = 0; byte < 8; ++byte) {
      image.pixels[byte] = static_cast<uint8_t>(number >> (8 * byte));
    }
    return image;
  }
  int64_t label(int64_t) const override { return -1; }
  std::string name(int64_t index) const override {
    return fmt::format("{}/{}.png", place_, numbers_[static_cast<size_t>(index)]);
  }
  const std::vector<std::string>& classes() const override { return classes_; }

 private:
  std::string place_;
  std::vector<int64_t> numbers_;
  int64_t side_;
  std::vector<std::string> classes_;
};

std::vector<int64_t> range(int64_t begin, int64_t end) {
  std::vector<int64_t> numbers;
  for (int64_t i = begin; i < end; ++i) numbers.push_back(i);
  return numbers;
}

ContentSample sample_of(const std::string& place, std::vector<int64_t> numbers, int64_t side = 4) {
  return content_sample_of(NumberedImages(place, std::move(numbers), side), 1);
}

TEST(ContentSample, SharedImagesAreFoundUnderOtherNames) {
  const ContentSample train = sample_of("train/a", range(0, 40));
  tests::DrawnSet renamed({{"val/x.png", -1, 1}, {"val/y.png", -1, 2}}, {});
  const ContentSample val = content_sample_of(renamed, 1);
  EXPECT_EQ(shared_images(train, 40, val).shared, 0);
  const tests::DrawnSet copies({{"t/1.png", -1, 2}, {"t/2.png", -1, 9}}, {});
  const SharedImages found = shared_images(content_sample_of(copies, 1), 2, val);
  EXPECT_EQ(found.shared, 1);
  EXPECT_EQ(found.compared, 2);
  EXPECT_EQ(found.example, "val/y.png");
}

TEST(ContentSample, SmallSetsAreComparedWhole) {
  const SharedImages found =
      shared_images(sample_of("train", range(0, 100)), 100, sample_of("val", range(88, 128)));
  EXPECT_EQ(found.compared, 40);
  EXPECT_EQ(found.shared, 12);
  EXPECT_EQ(found.example, "val/88.png");
}

// The sample of a large set holds the images whose file names have the smallest hashes. An image
// and its copy have the same file name and so the same hash. The samples therefore share images.
TEST(ContentSample, LargeSetsEstimateTheShareFromSamples) {
  const ContentSample train = sample_of("train", range(0, 20'000));
  EXPECT_EQ(train.sampled, 4096);
  const ContentSample val = sample_of("val", range(19'000, 23'000));
  const SharedImages found = shared_images(train, 20'000, val);
  EXPECT_GT(found.shared, 150);  // expected: 1000 * 4096 / 20,000, about 205
  EXPECT_NEAR(static_cast<double>(found.shared) / static_cast<double>(found.compared), 0.25, 0.06);
  // A checkpoint stores only the 1024 images with the smallest hashes.
  const ContentSample kept = content_sample_from(nlohmann::json::parse(to_json(train).dump()));
  EXPECT_EQ(kept.marks.size(), 1024u);
  const SharedImages later = shared_images(kept, 20'000, val);
  EXPECT_GT(later.shared, 25);
  EXPECT_NEAR(static_cast<double>(later.shared) / static_cast<double>(later.compared), 0.25, 0.12);
}

// At most 64 Mi pixels are read, for any number of threads.
TEST(ContentSample, WhatIsLookedAtIsBounded) {
  const NumberedImages large("a", range(0, 40), 2048);
  const ContentSample one = content_sample_of(large, 1), four = content_sample_of(large, 4);
  EXPECT_EQ(one.sampled, 16);
  EXPECT_EQ(one.marks, four.marks);
  EXPECT_EQ(one.names, four.names);
}

TEST(ContentSample, ImagesThatCannotBeReadTellNothing) {
  const ContentSample some = sample_of("a", {1, -2, 3});
  EXPECT_EQ(some.sampled, 3);
  EXPECT_EQ(some.marks.size(), 2u);
  EXPECT_EQ(shared_images(some, 3, some).shared, 2);
  EXPECT_EQ(shared_images({}, 0, some).shared, 0);
}

TEST(ContentSample, OtherPixelsUnderTheSameNamesAreCounted) {
  const auto drawn = [](uint8_t second) {
    return content_sample_of(
        tests::DrawnSet({{"a/0.png", 0, 1}, {"b/0.png", 1, second}, {"b/1.png", 1, 3}}, {}), 1);
  };
  EXPECT_EQ(changed_images(drawn(2), drawn(2)).changed, 0);
  const ChangedImages found = changed_images(drawn(2), drawn(9));
  EXPECT_EQ(found.changed, 1);
  EXPECT_EQ(found.compared, 3);
  EXPECT_EQ(changed_images({}, drawn(2)).compared, 0);
}

TEST(ContentSample, OtherStatesGiveNone) {
  using nlohmann::json;
  EXPECT_TRUE(content_sample_from(json()).marks.empty());
  EXPECT_TRUE(content_sample_from(json{{"marks", "12"}}).marks.empty());
  EXPECT_THROW(content_sample_from(json{{"looked_at", "x"}}), json::exception);
}

}  // namespace
}  // namespace fcm::tasks
