#include "fcm/viz/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>

#include "fcm/viz/run_log.h"
#include "fcm/viz/text.h"
#include "tests/viz/page.h"

namespace fcm::viz {
namespace {

using nlohmann::json;

std::vector<json> synthetic_log(int steps) {
  std::vector<json> log;
  for (int step = 1; step <= steps; ++step) {
    log.push_back({{"step", step},
                   {"epoch", step / 20.0},
                   {"loss", 1.0 / step},
                   {"lr", 1e-3},
                   {"grad_norm", 0.5},
                   {"images_per_second", 1000 + step},
                   {"data_wait", 0.02},
                   {"utilisation", 0.3},
                   {"memory_bytes", 1 << 28},
                   {"skipped_samples", step / 50},
                   {"eta_seconds", 1}});
    if (step % 20 == 0) {
      log.push_back(
          {{"epoch", step / 20}, {"train_loss", 0.5}, {"train_lr", 1e-3}, {"knn_top1", 80 + step}});
    }
  }
  return log;
}

ReportInput full_input() {
  ReportInput input;
  input.title = "A <run> & \"more\"";
  input.summary = {{"name", "demo"},
                   {"images_seen", 60000},
                   {"seconds", 161},
                   {"images_per_second", 1341},
                   {"parameters", 1243904},
                   {"final_loss", 0.4123},
                   {"threads", 2},
                   {"command", "fastconvmae demo --set \"a<b\""},
                   {"knn", {{"raw", 83.21}, {"untrained", 82.1}, {"pretrained", 85.74}}},
                   {"linprobe", {{"raw", 84.1}, {"untrained", nullptr}, {"pretrained", 87.9}}}};
  input.log = synthetic_log(100);
  input.images = {{"a caption <with> marks", {0x89, 'P', 'N', 'G', 0, 255, 62}}};
  input.recipe_toml = "[row]\nabout = \"x < y & z\"\n";
  input.tables = {{"Table <1>", {"name", "value"}, {{"a", "1.5"}, {"b & c", "–"}}, "a note"}};
  input.faults = {"step 3: /data/<odd>.jpg is cut off"};
  input.notes = {"Nothing was tuned on the test split."};
  return input;
}

TEST(Report, IsWellFormedAndStandsByItself) {
  const std::string page = render_report(full_input());
  expect_whole_page(page);
  EXPECT_TRUE(contains(page, "default-src 'none'"));
  EXPECT_TRUE(contains(page, "prefers-color-scheme:dark"));
  EXPECT_TRUE(contains(page, "src=\"data:image/png;base64," + base64(full_input().images[0].png)));
}

TEST(Report, TheChecksFindWhatTheyLookFor) {
  std::string page = render_report(full_input());
  EXPECT_NE(not_self_contained(page + "<img src=\"a.png\">"), "");
  EXPECT_NE(not_self_contained(page + "<img src=\"http://a/b.png\">"), "");
  EXPECT_NE(not_self_contained(page + "<link rel=\"x\">"), "");
  page.insert(page.find("</main>"), "<p>");
  EXPECT_NE(MarkupChecker({"meta", "img"}).problem(page), "");
}

TEST(Report, ShowsWhatItWasGiven) {
  const std::string page = render_report(full_input());
  for (const char* text : {"A &lt;run&gt; &amp; &quot;more&quot;",
                           "60\xE2\x80\xAF"
                           "000",
                           "2 min 41 s",
                           "1.24 M",
                           "0.4123",
                           "85.7 %",
                           "83.2 with raw pixels",
                           "a caption &lt;with&gt; marks",
                           "x &lt; y &amp; z",
                           "Table &lt;1&gt;",
                           "b &amp; c",
                           "/data/&lt;odd&gt;.jpg",
                           "a&lt;b",
                           "Nothing was tuned",
                           "kNN top-1",
                           "Learning rate",
                           "Images per second",
                           "waiting for data",
                           "2 threads",
                           "2 images were skipped"}) {
    EXPECT_TRUE(contains(page, text)) << text;
  }
  EXPECT_FALSE(contains(page, "untrained encoder</b>"));
  EXPECT_TRUE(contains(page, "87.9 %</b> top-1 with pretrained features, 84.1 with raw pixels."));
}

TEST(Report, ReadsFeaturesInEitherOrder) {
  const json numbers{{"raw", 11.1}, {"untrained", 22.2}, {"pretrained", 33.3}};
  for (const json& features :
       {json{{"flattened", {{"knn", numbers}}}, {"mean", {{"knn", numbers}}}},
        json{{"knn", {{"flattened", numbers}, {"mean", numbers}}}}}) {
    ReportInput input;
    input.title = "t";
    input.summary = {{"features", features}};
    const std::string page = render_report(input);
    expect_whole_page(page);
    EXPECT_TRUE(contains(page, ">kNN, flattened tokens<"));
    EXPECT_TRUE(contains(page, ">kNN, mean token<"));
    EXPECT_TRUE(contains(page, ">33.3<"));
    EXPECT_FALSE(contains(page, "the better of the features"));
    input.summary["knn"] = numbers;
    EXPECT_TRUE(contains(render_report(input), "the better of the features"));
  }
}

TEST(Report, CopesWithNothing) {
  expect_whole_page(render_report({}));
  ReportInput input;
  input.title = "empty";
  input.summary = json::object();
  const std::string page = render_report(input);
  expect_whole_page(page);
  EXPECT_FALSE(contains(page, "<section>"));
}

TEST(Report, CopesWithOneLineOrMissingKeys) {
  ReportInput input;
  input.title = "one";
  for (const json& line :
       {json{{"step", 1}}, json{{"step", 1}, {"loss", 0.5}}, json{{"step", 1}, {"loss", nullptr}},
        json{{"loss", 0.5}}, json{{"epoch", 1}, {"train_loss", 0.5}}, json{{"epoch", 1}}, json(3),
        json(nullptr), json::array(), json{{"step", "two"}}, json{{"step", nullptr}},
        json{{"epoch", 0}, {"knn_top1", 50}}}) {
    input.log = {line};
    SCOPED_TRACE(line.dump());
    expect_whole_page(render_report(input));
  }
}

TEST(Report, CopesWithNumbersThatAreNone) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  ReportInput input = full_input();
  for (const json& value : {json(nan), json(inf), json(-inf), json(nullptr), json("text"),
                            json(json::array()), json(1e308), json(-1e308), json(0)}) {
    SCOPED_TRACE(value.dump());
    input.log = synthetic_log(40);
    for (size_t i = 0; i < input.log.size(); i += 3) {
      for (auto& [key, number] : input.log[i].items()) {
        if (key != "step" && key != "epoch") number = value;
      }
    }
    for (auto& [key, number] : input.summary.items()) number = value;
    expect_whole_page(render_report(input));
  }
}

TEST(Report, SaysWhenNothingWentWrongOnlyIfItKnows) {
  ReportInput input;
  input.title = "t";
  EXPECT_FALSE(contains(render_report(input), ">Faults<"));
  input.log = {json{{"step", 1}, {"loss", 0.5}}};
  EXPECT_TRUE(contains(render_report(input), "Every logged loss is finite."));
  input.log[0]["skipped_samples"] = 0;
  EXPECT_TRUE(contains(render_report(input), "finite and no image was skipped."));
  input.log[0]["loss"] = nullptr;
  EXPECT_TRUE(contains(render_report(input), "1 logged step has a non-finite loss"));
  EXPECT_FALSE(contains(render_report(input), "None."));
}

TEST(Report, ListsManyFaultsOnlyInPart) {
  ReportInput input;
  input.title = "t";
  for (int i = 0; i < 1000; ++i) input.faults.push_back("fault number " + std::to_string(i) + ".");
  const std::string page = render_report(input);
  EXPECT_TRUE(contains(page, "fault number 49."));
  EXPECT_FALSE(contains(page, "fault number 50."));
  EXPECT_TRUE(contains(page, "and 950 more"));
}

TEST(Report, LongLogsGiveSmallPages) {
  ReportInput input;
  input.title = "long";
  input.log = synthetic_log(20000);
  EXPECT_LT(render_report(input).size(), 600000u);
}

ReportInput segmentation_input(size_t classes) {
  ReportInput input;
  input.title = "segmentation";
  input.summary = {{"mIoU", 51.657}, {"mAcc", 63.88}, {"aAcc", 84.45}, {"images", 2000}};
  for (size_t i = 0; i < classes; ++i) {
    input.summary["classes"].push_back({{"class", "class <" + std::to_string(i) + ">"},
                                        {"iou", 50},
                                        {"accuracy", 75.04},
                                        {"pixels", 1000}});
  }
  for (int step = 50; step <= 200; step += 50) {
    input.log.push_back({{"step", step},
                         {"epoch", step / 100.0},
                         {"loss", 3.0},
                         {"loss_decode", 2.0},
                         {"loss_aux", 1.0},
                         {"decode_acc", 40}});
  }
  input.log.push_back({{"step", 200},
                       {"epoch", 1},
                       {"test_miou", 41.2},
                       {"test_macc", 52.3},
                       {"test_aacc", 80.1},
                       {"test_images", 2000}});
  return input;
}

TEST(Report, ShowsSegmentation) {
  const std::string page = render_report(segmentation_input(3));
  expect_whole_page(page);
  for (const char* text :
       {"Mean IoU: <b>51.66 %</b> on 2", "63.88 %", "84.45 %", ">51.66 %<",
        "test mean IoU, step 200: 41.2 %", "test pixel accuracy", "test mean class accuracy",
        "Parts of the loss", "Pixel accuracy in training", ">Classes<", "class &lt;2&gt;", ">75.0<",
        ">33.3<"}) {
    EXPECT_TRUE(contains(page, text)) << text;
  }
  EXPECT_FALSE(contains(render_report(full_input()), "IoU"));
}

TEST(Report, TheMeanIouOfAnUnfinishedRunComesFromItsLog) {
  ReportInput input = segmentation_input(0);
  input.summary = nullptr;
  EXPECT_TRUE(contains(render_report(input), ">41.20 %<"));
  input.summary = {{"mIoU", 12.3456}, {"mAcc", 20}};
  EXPECT_TRUE(
      contains(render_report(input), "Mean IoU: <b>12.35 %</b>; mean class accuracy 20.00 %."));
}

TEST(Report, ManyClassesStandInTwoTables) {
  const auto tables = [](size_t classes) {
    const std::string page = render_report(segmentation_input(classes));
    expect_whole_page(page);
    EXPECT_TRUE(contains(page, "class &lt;" + std::to_string(classes - 1) + "&gt;"));
    const std::regex start("<table class=\"classes\">");
    return std::distance(std::sregex_iterator(page.begin(), page.end(), start), {});
  };
  EXPECT_EQ(tables(1), 1);
  EXPECT_EQ(tables(16), 1);
  EXPECT_EQ(tables(17), 2);
  EXPECT_EQ(tables(150), 2);
}

TEST(Report, ClassesWithoutFiguresHaveNoBars) {
  ReportInput input = segmentation_input(2);
  input.summary["classes"][1] = {
      {"class", "nowhere"}, {"iou", nullptr}, {"accuracy", nullptr}, {"pixels", 0}};
  const std::string page = render_report(input);
  expect_whole_page(page);
  EXPECT_TRUE(contains(page,
                       "<td>nowhere</td><td class=\"number\">0.0</td><td class=\"bar\">"
                       "<i style=\"width:0.0%\"></i><span>–</span>"));
  for (const json& classes : {json(3), json::array({1, nullptr, {{"class", "a"}, {"top1", 3}}}),
                              json{{"iou", 3}}, json(nullptr)}) {
    input.summary["classes"] = classes;
    const std::string other = render_report(input);
    expect_whole_page(other);
    EXPECT_FALSE(contains(other, ">Classes<")) << classes;
  }
  input.summary["classes"] = {{{"iou", "text"}}, {{"iou", 1e300}, {"pixels", -5}}};
  expect_whole_page(render_report(input));
}

TEST(RunLog, TellsStepsFromEpochs) {
  const RunLog log = read_log(synthetic_log(100));
  EXPECT_EQ(log.step_count, 100u);
  EXPECT_EQ(log.epoch_count, 5u);
  EXPECT_EQ(log.ignored, 0u);
  EXPECT_EQ(log.step_column("step").back(), 100);
  EXPECT_EQ(log.epoch_column("knn_top1"), (std::vector<double>{100, 120, 140, 160, 180}));
  EXPECT_TRUE(std::isnan(log.step_column("no such key").at(0)));
  EXPECT_FALSE(log.has_step_numbers("no such key"));
}

TEST(RunLog, EventsBetweenStepsAreNoSteps) {
  const std::vector<json> lines{{{"step", 1}, {"loss", 1.0}},
                                {{"step", 2}, {"bad_sample", 7}, {"reason", "cut off"}},
                                {{"step", 2}, {"loss", 0.5}},
                                {{"step", 2}, {"bad_sample", 8}, {"reason", "cut off"}}};
  const RunLog log = read_log(lines);
  EXPECT_EQ(log.step_column("step"), (std::vector<double>{1, 2}));
  EXPECT_EQ(log.restarts, 0u);
  EXPECT_EQ(log.ignored, 0u);
}

TEST(Report, PlotsAccuracyOverStepsWhereTheyAreKnown) {
  ReportInput input;
  input.title = "t";
  input.log = {json{{"epoch", 0}, {"step", 240}, {"knn_top1", 80}},
               json{{"epoch", 1}, {"step", 480}, {"knn_top1", 81}}};
  EXPECT_TRUE(contains(render_report(input), "kNN top-1, step 480: 81 %"));
  input.log[0].erase("step");
  EXPECT_TRUE(contains(render_report(input), "kNN top-1, epoch 1: 81 %"));
  input.log = {json{{"epoch", 0}, {"step", 240}, {"test_acc1", 70}, {"test_acc5", 95}}};
  EXPECT_TRUE(contains(render_report(input), "test top-1, step 240: 70 %"));
  EXPECT_TRUE(contains(render_report(input), "test top-5, step 240: 95 %"));
}

TEST(Report, CountsUpdatesLeftOut) {
  ReportInput input;
  input.title = "t";
  input.log = {json{{"step", 1}, {"loss", 0.5}, {"skipped_updates", 3}}};
  EXPECT_TRUE(contains(render_report(input), "3 steps were skipped"));
}

TEST(RunLog, LaterLinesReplaceThoseOfARunThatWentOnFromEarlier) {
  std::vector<json> lines;
  for (const int step : {1, 2, 3, 4}) lines.push_back({{"step", step}, {"loss", step * 1.0}});
  for (const int step : {3, 4, 5}) lines.push_back({{"step", step}, {"loss", step * 10.0}});
  const RunLog log = read_log(lines);
  EXPECT_EQ(log.step_column("step"), (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(log.step_column("loss"), (std::vector<double>{1, 2, 30, 40, 50}));
  EXPECT_EQ(log.restarts, 1u);
}

TEST(Report, ShowsTheSlowestAndTheFastestRank) {
  ReportInput input;
  input.log = synthetic_log(20);
  EXPECT_FALSE(contains(render_report(input), "of a rank"));
  for (json& line : input.log) {
    line["slowest_rank_images_per_second"] = 400;
    line["fastest_rank_images_per_second"] = 600;
    line["rank_wait_seconds"] = 0.5;
  }
  const std::string shown = render_report(input);
  for (const char* words : {"Images per second of a rank", "slowest", "fastest",
                            "Waiting for other ranks since the previous point"}) {
    EXPECT_TRUE(contains(shown, words)) << words;
  }
}

}  // namespace
}  // namespace fcm::viz
