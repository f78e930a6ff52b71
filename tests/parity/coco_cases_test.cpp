// Stored evaluations of detections pass, and a stored number that is changed is noticed.
#include "tests/parity/coco_cases.h"

#include <gtest/gtest.h>

#include <fstream>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/parity/mistakes.h"
#include "tests/support/scratch.h"

namespace fcm::parity {
namespace {

namespace fs = std::filesystem;

std::vector<CaseResult> coco_results_of(const fs::path& set, const std::string& file) {
  for (const Entry& entry : find_entries(set)) {
    if (entry.file == file) return run_cases(entry, {});
  }
  ADD_FAILURE() << file << " is not in the manifest of " << set;
  return {};
}

// With `before` replaced by `after` in one of the set's JSON files: in what is wanted, in a truth,
// in a score, in a letter of a mask.
struct ChangedCoco {
  std::string set, file, json, before, after;
};

TEST(ParityOfCoco, AChangedNumberIsNoticed) {
  for (const ChangedCoco& one :
       {ChangedCoco{"eval_coco", "expected.json", "expected.json", "0.26266680", "0.26266681"},
        ChangedCoco{"eval_coco", "arrays.safetensors", "gt.json", "\"iscrowd\": 1",
                    "\"iscrowd\": 0"},
        ChangedCoco{"eval_coco", "matches_bbox.json", "detections_bbox.json", "148.39", "14.39"},
        ChangedCoco{"eval_coco", "matches_segm.json", "matches_segm.json", "\"match50\": [\n   0",
                    "\"match50\": [\n   7"},
        ChangedCoco{"eval_rle", "tensors.safetensors", "rle.json", "Rc0n0n", "Rc0n0o"},
        ChangedCoco{"detection", "eval_micro.json", "eval_micro.json", "\"area\": 1600.0",
                    "\"area\": 160.0"},
        ChangedCoco{"detection", "eval_synthetic.expected.json", "eval_synthetic.dt.json", "0.46",
                    "0.99"},
        ChangedCoco{"detection", "eval_coco_sample.expected.json", "eval_coco_sample.expected.json",
                    "0.4317022", "0.4317023"}}) {
    const fs::path from = kShared / "goldens" / one.set;
    if (!fs::exists(from)) GTEST_SKIP() << "no " << from;
    SCOPED_TRACE(one.set + "/" + one.json + " " + one.before);
    const auto right = coco_results_of(from, one.file);
    ASSERT_EQ(right.size(), 1U);
    EXPECT_TRUE(right[0].passed())
        << right[0].name << " " << (right[0].faults.empty() ? "" : right[0].faults[0]);
    const test::Scratch scratch;
    const fs::path to = scratch / one.set;
    fs::create_directories(to);
    for (const fs::directory_entry& file : fs::directory_iterator(from)) {
      const std::string name = file.path().filename().string();
      if (name != one.json) fs::create_symlink(fs::absolute(file.path()), to / name);
    }
    std::string text = read_file(from / one.json, ExitCode::kData);
    const size_t at = text.find(one.before);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, one.before.size(), one.after);
    std::ofstream(to / one.json) << text;
    for (const CaseResult& result : coco_results_of(to, one.file)) {
      EXPECT_FALSE(result.passed()) << result.name;
    }
  }
}

}  // namespace
}  // namespace fcm::parity
