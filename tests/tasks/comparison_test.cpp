// The comparison of several run folders in one report.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "fcm/base/file.h"
#include "fcm/tasks/report_input.h"
#include "fcm/tasks/tasks.h"
#include "tests/support/error_of.h"
#include "tests/support/scratch.h"

namespace fcm::tasks {
namespace {

namespace fs = std::filesystem;

class RunComparison : public testing::Test {
 protected:
  // A run folder with a log and a shipped recipe in which `from` is replaced by `to`.
  fs::path run(const std::string& name, const std::string& recipe = "smoke_pretrain",
               const std::string& from = "", const std::string& to = "") {
    std::string toml = read_file(fs::path(FCM_SOURCE_DIR) / "recipes/smoke" / (recipe + ".toml"),
                                 ExitCode::kUsage);
    if (!from.empty()) {
      EXPECT_NE(toml.find(from), toml.npos) << from;
      toml.replace(toml.find(from), from.size(), to);
    }
    scratch_.write(name + "/recipe.toml", toml);
    scratch_.write(name + "/log.jsonl",
                   std::string("{\"step\": 1, \"loss\": 1, \"images_per_second\": 9}\n{\"st"));
    return scratch_ / name;
  }
  std::string refused(const std::vector<fs::path>& runs) {
    return test::error_of(ExitCode::kUsage, [&] { comparison_of(runs); });
  }
  std::string refused(const ReportRequest& request) {
    return test::error_of(ExitCode::kUsage, [&] { report(request, reporter_); });
  }

  test::Scratch scratch_;
  SilentReporter reporter_;
};

TEST_F(RunComparison, NamesRunsByTheirShortestEnds) {
  const auto input = comparison_of({run("a/base/run"), run("b/base/run"), run("c/other")});
  EXPECT_EQ(input.runs[0].name, "a/base/run");
  EXPECT_EQ(input.runs[1].name, "b/base/run");
  EXPECT_EQ(input.runs[2].name, scratch_.path().filename().string() + "/c/other");
  const std::string name(300, 'x');
  const auto lengthy = comparison_of({run(name.substr(0, 200)), run("größe")});
  EXPECT_LT(lengthy.runs[0].name.size(), 60u);
  EXPECT_EQ(lengthy.runs[1].name, "größe");
  EXPECT_NE(lengthy.runs[0].folder.find(name.substr(0, 200)), std::string::npos);
}

TEST_F(RunComparison, ListsTheKeysThatDiffer) {
  const auto input = comparison_of({run("a"), run("b", "smoke_pretrain", "seed = 0", "seed = 7")});
  ASSERT_EQ(input.differences.size(), 1u);
  EXPECT_EQ(input.differences[0].name, "run.seed");
  EXPECT_EQ(input.differences[0].values, (std::vector<std::string>{"0", "7"}));
  EXPECT_TRUE(comparison_of({run("a"), run("c")}).differences.empty());
}

TEST_F(RunComparison, SaysThatTasksDifferAndLossesWithThem) {
  const auto other = comparison_of({run("a"), run("b", "smoke_finetune")});
  EXPECT_EQ(other.runs[0].kind, "pretraining");
  EXPECT_EQ(other.runs[1].kind, "fine-tuning");
  for (const viz::Difference& one : other.differences) {
    EXPECT_FALSE(one.name.starts_with("decoder.")) << "one of the two has no decoder";
  }
  ASSERT_FALSE(other.notes.empty());
  EXPECT_TRUE(other.notes[0].starts_with("The runs have different tasks."));
  const auto masks =
      comparison_of({run("a"), run("c", "smoke_pretrain", "ratio = 0.75", "ratio = 0.5")});
  ASSERT_EQ(masks.notes.size(), 1u);
  EXPECT_TRUE(masks.notes[0].starts_with("The keys of [masks] differ"));
}

TEST_F(RunComparison, RefusesARunThatIsNamedTwiceAndFoldersThatAreNone) {
  const fs::path a = run("a"), b = run("b");
  EXPECT_EQ(refused({a, b, a}), a.string() + " is named twice; name each run once");
  EXPECT_NE(refused({a, b, a / "../a/"}).find("is named twice, as " + a.string() + " too"),
            std::string::npos);
  fs::create_directory_symlink(a, scratch_ / "link");
  EXPECT_NE(refused({a, scratch_ / "link"}).find("is named twice"), std::string::npos);
  EXPECT_EQ(refused({a, scratch_ / "none"}),
            (scratch_ / "none").string() +
                " is not a run folder: it has no recipe.toml (it does not exist)");
  std::vector<fs::path> many;
  for (int i = 0; i < 17; ++i) many.push_back(run("many" + std::to_string(i)));
  EXPECT_EQ(refused(many), "got 17 runs, and a page shows at most 16; leave some out");
}

TEST_F(RunComparison, WritesAPageAndReplacesOnlyOneOfOurs) {
  ReportRequest request{.runs = {run("a"), run("b")}, .out = scratch_ / "page.html"};
  EXPECT_EQ(report(request, reporter_), request.out);
  EXPECT_NE(read_file(request.out, ExitCode::kUsage).find("2 runs side by side"),
            std::string::npos);
  EXPECT_NE(refused(request).find("pass --overwrite"), std::string::npos);
  request.overwrite = true;
  EXPECT_EQ(refused(request), "");
  scratch_.write("page.html", std::string("<html>mine"));
  EXPECT_NE(refused(request).find("is not a page of fastconvmae report"), std::string::npos);
  request.out = scratch_ / "page.png";
  EXPECT_NE(refused(request), "");
  request.runs.resize(1);
  request.out = scratch_ / "one.html";
  EXPECT_EQ(refused(request), "");
  EXPECT_FALSE(fs::exists(scratch_ / "a/report.html"));
}

TEST_F(RunComparison, APageOfTheUsersOwnInARunFolderStays) {
  const fs::path folder = run("a");
  const fs::path page = scratch_.write("a/report.html", std::string("<h1>my notes</h1>"));
  const std::string message = refused(ReportRequest{.runs = {folder}});
  EXPECT_NE(message.find("was not written by fastconvmae"), message.npos) << message;
  report(folder, reporter_);  // called as at the end of a training run: no error
  EXPECT_EQ(read_file(page, ExitCode::kUsage), "<h1>my notes</h1>");
  fs::remove(page);
  report(folder, reporter_);
  report(folder, reporter_);  // the program's own page is replaced
  EXPECT_NE(read_file(page, ExitCode::kUsage).find("<html"), std::string::npos);
}

}  // namespace
}  // namespace fcm::tasks
