#include "fcm/base/progress.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fcm/base/counted.h"

namespace fcm {
namespace {

class ProgressLines final : public Reporter {
 public:
  void info(const std::string&) override { FAIL(); }
  void warn(const std::string&) override { FAIL(); }
  void progress(const std::string& line) override { all.push_back(line); }

  std::vector<std::string> all;
};

class ProgressTest : public testing::Test {
 protected:
  Progress progress(const char* what, int64_t total, Counted counted = kImages) {
    return Progress(lines_, what, total, counted, [this] { return now_; });
  }

  ProgressLines lines_;
  double now_ = 1000;
};

TEST_F(ProgressTest, SaysWhatIsCountedAndTheTimeLeft) {
  Progress images = progress("val", 100);
  now_ += 10;
  images.add(20);
  EXPECT_EQ(lines_.all, std::vector<std::string>{"val: 20 of 100 images  left 0:00:40"});
  now_ += 3600;
  images.add(30);
  EXPECT_EQ(lines_.all.back(), "val: 50 of 100 images  left 1:00:10");
}

TEST_F(ProgressTest, WhatEndsWithinASecondIsQuiet) {
  Progress images = progress("", 4);
  for (int i = 0; i < 4; ++i) {
    now_ += 0.2;
    images.add(1);
  }
  EXPECT_TRUE(lines_.all.empty());
}

TEST_F(ProgressTest, SaysOneLineOfManyInAFifthOfASecondAndAlwaysTheLast) {
  Progress images = progress("", 1000);
  now_ += 1;
  for (int i = 0; i < 1000; ++i) {
    now_ += 0.001;
    images.add(1);
  }
  EXPECT_EQ(lines_.all.size(), 6u);  // the first line, four others, and the last
  EXPECT_EQ(lines_.all.back(), "1000 of 1000 images  left 0:00:00");
}

TEST_F(ProgressTest, DoesNotCountBeyondTheTotal) {
  Progress images = progress("", 10);  // counts for all ranks are rounded up and may exceed it
  now_ += 2;
  images.add(12);
  EXPECT_EQ(lines_.all, std::vector<std::string>{"10 of 10 images  left 0:00:00"});
}

TEST_F(ProgressTest, WithoutATotalSaysNoTimeLeft) {
  Progress passes = progress("linear probe", 0, {"pass", "passes"});
  now_ += 2;
  passes.add(1);
  now_ += 1;
  passes.add(1);
  EXPECT_EQ(lines_.all,
            (std::vector<std::string>{"linear probe: 1 pass", "linear probe: 2 passes"}));
}

TEST_F(ProgressTest, BytesComeInTheUnitOfTheTotal) {
  Progress large = progress("model.safetensors", 3'400'000'000, kBytes);
  now_ += 2;
  large.add(850'000'000);
  EXPECT_EQ(lines_.all.back(), "model.safetensors: 0.85 of 3.40 GB  left 0:00:06");
  Progress small = progress("", 40'000'000, kBytes);
  now_ += 2;
  small.add(10'000'000);
  EXPECT_EQ(lines_.all.back(), "10 of 40 MB  left 0:00:06");
}

TEST(Counted, HasTheNounThatGoesWithTheCount) {
  EXPECT_EQ(counted(1, "class", "classes"), "1 class");
  EXPECT_EQ(counted(0, "class", "classes"), "0 classes");
  EXPECT_EQ(counted(21, "class", "classes"), "21 classes");
  EXPECT_EQ(noun(1, "has", "have"), "has");
}

}  // namespace
}  // namespace fcm
