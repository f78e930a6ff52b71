#include "fcm/viz/comparison.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <regex>

#include "fcm/viz/class_colours.h"
#include "fcm/viz/line_positions.h"
#include "fcm/viz/run_log.h"
#include "tests/viz/page.h"

namespace fcm::viz {
namespace {

using nlohmann::json;

// A log with lines of `steps` steps at 100 images per second. After every tenth of them follows the
// line of an epoch, with an accuracy.
std::vector<json> log_of(int steps, const char* accuracy = "knn_top1", int every = 1) {
  std::vector<json> log;
  for (int step = every; step <= steps * every; step += every) {
    log.push_back({{"step", step},
                   {"loss", 1.0 / step},
                   {"lr", 1e-3},
                   {"images_per_second", 100},
                   {"eta_seconds", 0}});
    if (step / every % 10 == 0) {
      log.push_back({{"step", step},
                     {"epoch", step / every / 10 - 1},
                     {"train_loss", 0.5},
                     {accuracy, 50 + step / every}});
    }
  }
  return log;
}

ComparisonInput input_of(size_t runs) {
  ComparisonInput input;
  for (size_t i = 0; i < runs; ++i) {
    input.runs.push_back({.name = "run <" + std::to_string(i) + ">",
                          .folder = "/runs/" + std::to_string(i) + "&",
                          .recipe = "demo",
                          .kind = "pretraining",
                          .batch_size = 50,
                          .has_result = false,
                          .summary = nlohmann::json(),
                          .log = log_of(30)});
  }
  input.differences = {{"optim.base_lr", std::vector<std::string>(runs, "1e-3")}};
  input.notes = {"A note, 1 < 2."};
  return input;
}

size_t count_of(const std::string& page, const std::string& what) {
  size_t count = 0;
  for (size_t at = page.find(what); at != page.npos; at = page.find(what, at + 1)) ++count;
  return count;
}

TEST(Comparison, StandsByItselfWithAnyNumberOfRuns) {
  for (const size_t runs : {2u, 3u, 8u, 16u}) {
    const std::string page = render_comparison(input_of(runs));
    expect_whole_page(page);
    EXPECT_TRUE(contains(page, "run &lt;1&gt;"));
    EXPECT_TRUE(contains(page, "A note, 1 &lt; 2."));
    EXPECT_LT(page.size(), 3'000'000u);
  }
  EXPECT_ANY_THROW(render_comparison(input_of(1)));
  EXPECT_ANY_THROW(render_comparison(input_of(17)));
}

TEST(Comparison, HasEachCurveOnceOverEachAxis) {
  const std::string page = render_comparison(input_of(2));
  for (const char* axis : {"by-steps", "by-images", "by-hours"}) {
    EXPECT_EQ(count_of(page, fmt::format("id=\"{}\"", axis)), 1u) << axis;
    EXPECT_EQ(count_of(page, fmt::format("<div class=\"over {}\">", axis)), 1u) << axis;
  }
  EXPECT_EQ(count_of(page, "checked=\"checked\""), 1u);
  // Three x axes with five charts each: the loss for wide and for narrow screens, accuracy, lr,
  // speed.
  EXPECT_EQ(count_of(page, "class=\"line r0 d0\" d="), 3 * 5u);
  EXPECT_EQ(count_of(page, "class=\"line r1 d0\" d="), 3 * 5u);
}

TEST(Comparison, SaysHowFarRunsHaveCome) {
  ComparisonInput input = input_of(4);
  input.runs[1].log.resize(5);
  for (json& line : input.runs[1].log) line["eta_seconds"] = 12.5;  // 1250 images, 25 steps
  input.runs[2].log.clear();
  input.runs[3].has_result = true;
  const std::string page = render_comparison(input);
  expect_whole_page(page);
  EXPECT_EQ(count_of(page, "<td>finished</td>"), 2u);
  EXPECT_TRUE(contains(page, "<td>at step 5 of 30</td>"));
  EXPECT_TRUE(contains(page, "<td>no step yet</td>"));
}

TEST(Comparison, LeavesOutChartsWithoutNumbers) {
  ComparisonInput input = input_of(2);
  for (ComparedRun& run : input.runs) run.log.clear();
  const std::string page = render_comparison(input);
  expect_whole_page(page);
  EXPECT_FALSE(contains(page, "<h2>Curves"));
  EXPECT_FALSE(contains(page, "<h2>Accuracies"));
}

TEST(Comparison, KeepsLossesOfOtherTasksApart) {
  ComparisonInput input = input_of(2);
  EXPECT_TRUE(contains(render_comparison(input), "aria-label=\"Loss\""));
  input.runs[1].kind = "detection";
  input.runs[1].log = log_of(30, "test_box_ap");
  input.runs[1].summary = {{"box", {{"AP", 41.5}}}, {"mask", {{"AP", 38.25}}}};
  const std::string page = render_comparison(input);
  EXPECT_FALSE(contains(page, "aria-label=\"Loss\""));
  for (const char* text : {"Loss of pretraining", "Loss of detection", "AP of boxes, result",
                           "<td>41.50</td>", "<td>38.25</td>", "test AP of boxes, last"}) {
    EXPECT_TRUE(contains(page, text)) << text;
  }
}

TEST(Comparison, MarksTheBestOfSeveral) {
  ComparisonInput input = input_of(3);
  input.runs[0].summary = {{"top1", 70.0}};
  input.runs[1].summary = {{"top1", 72.5}};
  const std::string page = render_comparison(input);
  EXPECT_TRUE(
      contains(page, "<th>top-1, result</th><td>70.00</td><td><b>72.50</b></td><td>–</td>"));
}

TEST(Comparison, AShortRunBesideALongOneGetsALogarithmicAxis) {
  ComparisonInput input = input_of(2);
  EXPECT_FALSE(contains(render_comparison(input), "log scale"));
  input.runs[1].log = log_of(30, "knn_top1", 100);
  const std::string page = render_comparison(input);
  expect_whole_page(page);
  EXPECT_TRUE(contains(page, "step, log scale"));
}

TEST(RunPlaces, HoursGoByTheSpeedsOrByWhatTheLogTells) {
  std::vector<json> lines = log_of(20);
  const RunLog log = read_log(lines);
  const report::LinePositions steps = report::positions_of_steps(log, 50);
  EXPECT_EQ(steps.images.back(), 1000);
  EXPECT_NEAR(steps.hours.back() * 3600, 10, 1e-9);
  const report::LinePositions epochs = report::positions_of_epochs(log, steps, 50);
  ASSERT_EQ(epochs.hours.size(), 2u);
  EXPECT_NEAR(epochs.hours[0] * 3600, 5, 1e-9);
  for (json& line : lines) line["train_seconds"] = line.at("step").get<double>() * 36;
  const report::LinePositions told = report::positions_of_steps(read_log(lines), 50);
  EXPECT_NEAR(told.hours.back(), 0.2, 1e-9);
}

// Matrices on linear light for normal vision and three kinds of colour blindness of severity 1:
// Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
// deficiency", 2009.
constexpr double kSeen[4][3][3] = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                                   {{0.152286, 1.052583, -0.204868},
                                    {0.114503, 0.786281, 0.099216},
                                    {-0.003882, -0.048116, 1.051998}},
                                   {{0.367322, 0.860646, -0.227968},
                                    {0.280085, 0.672501, 0.047413},
                                    {-0.011820, 0.042940, 0.968881}},
                                   {{1.255528, -0.076749, -0.178779},
                                    {-0.078411, 0.930809, 0.147602},
                                    {0.004733, 0.691367, 0.303900}}};

Colour seen_by(const double (&eye)[3][3], Colour colour) {
  std::array<double, 3> light;
  for (size_t i = 0; i < 3; ++i) light[i] = std::pow(colour[i] / 255.0, 2.2);
  Colour seen;
  for (size_t i = 0; i < 3; ++i) {
    const double value = eye[i][0] * light[0] + eye[i][1] * light[1] + eye[i][2] * light[2];
    seen[i] =
        static_cast<uint8_t>(std::lround(255 * std::pow(std::clamp(value, 0.0, 1.0), 1 / 2.2)));
  }
  return seen;
}

double closest(const std::vector<Colour>& colours) {
  double least = 1;
  for (const auto& eye : kSeen) {
    for (size_t i = 0; i < colours.size(); ++i) {
      for (size_t k = 0; k < i; ++k) {
        least =
            std::min(least, colour_distance(seen_by(eye, colours[i]), seen_by(eye, colours[k])));
      }
    }
  }
  return least;
}

Colour colour_of(std::string hex) {
  if (hex.size() == 3) hex = {hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]};
  Colour colour;
  for (size_t i = 0; i < 3; ++i) {
    colour[i] = static_cast<uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  return colour;
}

TEST(RunColours, CanBeToldApartByEveryEye) {
  const std::string style(chart_style());
  const std::regex colour("--r([0-3]):#([0-9a-f]{3,6})");
  std::vector<Colour> all;
  for (std::sregex_iterator at(style.begin(), style.end(), colour), end; at != end; ++at) {
    all.push_back(colour_of((*at)[2]));
  }
  ASSERT_EQ(all.size(), 12u);  // light, dark, print
  for (size_t scheme = 0; scheme < 3; ++scheme) {
    const std::vector<Colour> four(all.begin() + static_cast<ptrdiff_t>(4 * scheme),
                                   all.begin() + static_cast<ptrdiff_t>(4 * scheme + 4));
    EXPECT_GT(closest(four), 0.15) << scheme;
  }
  // Negative control: red and green of equal lightness are too close for some eyes.
  EXPECT_LT(closest({{200, 80, 60}, {90, 130, 50}}), 0.15);
}

}  // namespace
}  // namespace fcm::viz
