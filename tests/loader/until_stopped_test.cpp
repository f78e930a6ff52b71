#include "fcm/loader/until_stopped.h"

#include <gtest/gtest.h>

#include "fcm/loader/loader.h"

namespace fcm::loader {
namespace {

TEST(UntilStopped, WhatReadsImagesEndsWhenTheFlagIsSet) {
  const std::shared_ptr<const Dataset> images = open_dataset("synthetic", Split::kVal);
  EXPECT_EQ(until_stopped(images, nullptr), images);
  std::atomic<bool> stop = false;
  const std::shared_ptr<const Dataset> stoppable = until_stopped(images, &stop);
  EXPECT_EQ(stoppable->size(), images->size());
  EXPECT_EQ(stoppable->classes(), images->classes());
  EXPECT_EQ(stoppable->name(3), images->name(3));
  EXPECT_EQ(stoppable->label(3), images->label(3));
  EXPECT_EQ(stoppable->get(3, 3).pixels, images->get(3, 3).pixels);
  DataOptions data;
  data.image_size = {32, 32};
  EvalLoader batches({.dataset = stoppable,
                      .data = data,
                      .targets = TargetKind::kNone,
                      .batch_size = 8,
                      .threads = 2});
  Batch batch;
  ASSERT_TRUE(batches.next(batch));
  stop = true;
  const auto read_all = [&] {
    while (batches.next(batch)) {
    }
  };
  EXPECT_THROW(read_all(), StopRequested);
}

}  // namespace
}  // namespace fcm::loader
