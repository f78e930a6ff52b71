// The report of a segmentation run, from the files in its folder.
#include <gtest/gtest.h>

#include <string>

#include "fcm/base/file.h"
#include "fcm/tasks/report_input.h"
#include "tests/support/scratch.h"

namespace fcm::tasks {
namespace {

// The input of the report for a run folder with only the files that the report shows. Each sheet is
// one letter instead of an image.
viz::ReportInput input_of(const std::string& log) {
  const test::Scratch run;
  run.write("recipe.toml",
            read_file(std::string(FCM_SOURCE_DIR) + "/recipes/smoke/smoke_finetune.toml",
                      ExitCode::kUsage));
  run.write("log.jsonl", log);
  run.write("pictures/step-99999999.png", std::string("a"));   // the last in alphabetical order
  run.write("pictures/step-100000000.png", std::string("b"));  // the newest
  run.write("pictures/step-00000800.png", std::string("c"));
  run.write("result.json", std::string(R"({"mIoU": 41.5, "images": 3, "classes": []})"));
  return report_input(run.path());
}

TEST(SegmentationReport, ShowsTheNewestSheetAndSaysWhatItIs) {
  const viz::ReportInput input =
      input_of("{\"step\": 1, \"loss\": 1.5, \"loss_decode\": 1, \"loss_aux\": 0.5}\n");
  ASSERT_EQ(input.images.size(), 1u);
  EXPECT_EQ(input.images[0].png, std::vector<uint8_t>{'b'});
  EXPECT_EQ(input.images[0].caption,
            "Images with labels and predictions "
            "(step-100000000)");
  EXPECT_EQ(input.summary.at("mIoU"), 41.5);
  EXPECT_EQ(input_of("{\"step\": 1, \"loss\": 1.5}\n").images[0].caption,
            "Visible patches of each view and reconstructions (step-100000000)");
}

}  // namespace
}  // namespace fcm::tasks
