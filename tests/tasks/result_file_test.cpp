// result.json: which files a result may replace, and how numbers and names are written.
#include "fcm/tasks/result_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/tasks/run_folder.h"
#include "tests/support/recording_reporter.h"
#include "tests/support/scratch.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;

class ResultFile : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) { scratch_.write(name, text); }

  const test::Scratch scratch_;
  test::RecordingReporter reporter_;
};

TEST_F(ResultFile, AResultIsReplacedByAResultAlone) {
  const fs::path folder = scratch_ / "measured";
  write_result(folder, {{"top1", 50}});
  write_result(folder, {{"top1", 60}});
  EXPECT_NE(read_file(folder / "result.json", ExitCode::kUsage).find("60"), std::string::npos);
  for (const char* text : {"{\"mine\": 1}", "no JSON", "[]"}) {
    put("measured/result.json", text);
    EXPECT_THROW(write_result(folder, {{"top1", 70}}), Error) << text;
    EXPECT_EQ(read_file(folder / "result.json", ExitCode::kUsage), text);
  }
  put("pictures/confusion.png", "not ours");
  EXPECT_THROW(refuse_foreign_result(scratch_ / "pictures"), Error);
}

TEST_F(ResultFile, AConfusionMatrixIsReplacedOnlyIfTheResultNamesIt) {
  const fs::path folder = scratch_ / "measured";
  write_result(folder, {{"top1", 50}, {"confusion", "confusion.png"}});
  put("measured/confusion.png", "PNG");
  EXPECT_NO_THROW(refuse_foreign_result(folder));
  write_result(folder, {{"top1", 50}});  // this command draws no figure
  EXPECT_THROW(refuse_foreign_result(folder), Error);
}

TEST_F(ResultFile, TheResultOfARunIsNotReplacedByAnother) {
  const fs::path run = scratch_ / "run";
  prepare_run_folder({run, "auto", false}, recipe::Recipe{}, reporter_);
  put("run/result.json", "{\"top1\": 90}");
  EXPECT_THROW(refuse_foreign_result(run), Error);
  EXPECT_THROW(write_result(run, {{"top1", 1}}), Error);
}

TEST_F(ResultFile, NumbersThatAreNotFiniteAreNullAndNamed) {
  nlohmann::json result = {{"top1", 50.0},
                           {"loss", std::nan("")},
                           {"rates", {1.0, std::numeric_limits<double>::infinity()}}};
  replace_non_finite(result, reporter_);
  EXPECT_EQ(result, (nlohmann::json{{"top1", 50.0},
                                    {"loss", nullptr},
                                    {"rates", {1.0, nullptr}},
                                    {"not_finite", {"loss", "rates.1"}}}));
  ASSERT_EQ(reporter_.warnings.size(), 1u);
  EXPECT_NE(reporter_.warnings[0].find("loss, rates.1"), std::string::npos);
  nlohmann::json fine = {{"top1", 50.0}};
  replace_non_finite(fine, reporter_);
  EXPECT_EQ(fine.size(), 1u);
  EXPECT_EQ(reporter_.warnings.size(), 1u);
}

TEST_F(ResultFile, AResultMayNameClassesOfAnyBytes) {
  write_result(scratch_ / "measured", {{"top1", 50}, {"class_names", {"caf\xe9"}}});
  const std::string text = read_file(scratch_ / "measured" / "result.json", ExitCode::kUsage);
  EXPECT_TRUE(nlohmann::json::accept(text));
}

}  // namespace
}  // namespace fcm::tasks
