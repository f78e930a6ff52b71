// Stored segmentation maps pass, and a changed value in them is detected.
#include <gtest/gtest.h>

#include "tests/parity/changed_set.h"

namespace fcm::parity {
namespace {

TEST(ParityOfMaps, AChangedNumberIsNoticed) {
  for (const ChangedSet& one :
       {ChangedSet{"eval_miou", "tensors.safetensors", "expected.json", "0.4196933", "0.4196934"},
        ChangedSet{"segmentation", "metrics.safetensors", "metrics.json", "42.68", "42.69"},
        ChangedSet{"segmentation", "windows.json", "windows.json", "171", "170"},
        ChangedSet{"eval_slide", "golden.safetensors", "expected.json", "\"stride\": 43",
                   "\"stride\": 42"}}) {
    expect_change_noticed(one);
  }
}

}  // namespace
}  // namespace fcm::parity
