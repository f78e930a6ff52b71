// Stored COCO evaluations pass, and a changed value in them is detected.
#include <gtest/gtest.h>

#include "tests/parity/changed_set.h"

namespace fcm::parity {
namespace {

TEST(ParityOfCoco, AChangedNumberIsNoticed) {
  // The changed values are an expected figure, a truth, a score and a character of a mask.
  for (const ChangedSet& one :
       {ChangedSet{"eval_coco", "expected.json", "expected.json", "0.26266680", "0.26266681"},
        ChangedSet{"eval_coco", "arrays.safetensors", "gt.json", "\"iscrowd\": 1",
                   "\"iscrowd\": 0"},
        ChangedSet{"eval_coco", "matches_bbox.json", "detections_bbox.json", "148.39", "14.39"},
        ChangedSet{"eval_coco", "matches_segm.json", "matches_segm.json", "\"match50\": [\n   0",
                   "\"match50\": [\n   7"},
        ChangedSet{"eval_rle", "tensors.safetensors", "rle.json", "Rc0n0n", "Rc0n0o"},
        ChangedSet{"detection", "eval_micro.json", "eval_micro.json", "\"area\": 1600.0",
                   "\"area\": 160.0"},
        ChangedSet{"detection", "eval_synthetic.expected.json", "eval_synthetic.dt.json", "0.46",
                   "0.99"},
        ChangedSet{"detection", "eval_coco_sample.expected.json", "eval_coco_sample.expected.json",
                   "0.4317022", "0.4317023"}}) {
    expect_change_noticed(one);
  }
}

}  // namespace
}  // namespace fcm::parity
