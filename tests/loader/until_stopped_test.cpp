#include "fcm/loader/until_stopped.h"

#include <gtest/gtest.h>

#include "fcm/loader/loader.h"

namespace fcm::loader {
namespace {

TEST(UntilStopped, WhatReadsPicturesEndsWhenTheFlagIsSet) {
  const std::shared_ptr<const Dataset> pictures = open_dataset("synthetic", Split::kVal);
  EXPECT_EQ(until_stopped(pictures, nullptr), pictures);
  std::atomic<bool> stop = false;
  const std::shared_ptr<const Dataset> stoppable = until_stopped(pictures, &stop);
  EXPECT_EQ(stoppable->size(), pictures->size());
  EXPECT_EQ(stoppable->classes(), pictures->classes());
  EXPECT_EQ(stoppable->name(3), pictures->name(3));
  EXPECT_EQ(stoppable->label(3), pictures->label(3));
  EXPECT_EQ(stoppable->get(3, 3).pixels, pictures->get(3, 3).pixels);
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
  EXPECT_THROW(read_all(), AskedToStop);
}

}  // namespace
}  // namespace fcm::loader
