// Stored frames of detection pass, and a changed value in them is detected.
#include <gtest/gtest.h>

#include "tests/parity/changed_set.h"

namespace fcm::parity {
namespace {

TEST(ParityOfDetectionData, AChangedNumberIsNoticed) {
  for (const ChangedSet& one :
       {ChangedSet{"detection", "lsj_images.safetensors", "lsj_images.json", "\"crop_u\": 0.42",
                   "\"crop_u\": 0.47"},
        ChangedSet{"detection", "lsj_images.safetensors", "lsj_images.json", "\"flip\": true",
                   "\"flip\": false"},
        ChangedSet{"detection", "lsj_images_1024.safetensors", "lsj_images_1024.json",
                   "\"scale\": 1.71", "\"scale\": 1.72"},
        ChangedSet{"detection", "lsj_sizes.json", "lsj_sizes.json", "339", "340"},
        ChangedSet{"detection", "lsj_annotations.json", "lsj_annotations.json", "37.32790756",
                   "37.32791756"},
        ChangedSet{"detection", "lsj_annotations.json", "lsj_annotations.json", "38.23, 39.43",
                   "38.23, 39.23"},
        ChangedSet{"detection", "lsj_coco_sample.json", "lsj_coco_sample.json", "777058", "777061"},
        ChangedSet{"detection", "lsj_coco_sample.json", "lsj_coco_sample.json", "33.551601",
                   "33.551701"},
        ChangedSet{"detection", "mask_targets.safetensors", "mask_targets.json", "54.83", "57.83"},
        ChangedSet{"detection", "test_resize.safetensors", "manifest.json",
                   "     60,\n     80,\n     96", "     61,\n     80,\n     96"}}) {
    expect_change_noticed(one);
  }
}

}  // namespace
}  // namespace fcm::parity
