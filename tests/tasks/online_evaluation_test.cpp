// Evaluation during training must not change the run.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "tests/tasks/child.h"

namespace fcm {
namespace {
namespace fs = std::filesystem;
using tests::Scratch;

// Trains for two epochs of 16 steps, or until run.max_steps.
void train_with(const fs::path& out, std::vector<std::string> more) {
  std::vector<std::string> words = {"pretrain",  "--recipe", "smoke_pretrain", "--data",
                                    "synthetic", "--out",    out.string(),     "--quiet"};
  more.insert(more.begin(), {"optim.batch_size=128", "optim.epochs=2", "run.log_every_steps=8"});
  for (const std::string& change : more) words.insert(words.end(), {"--set", change});
  ASSERT_EQ(tests::wait_for(tests::start(words)), 0);
}

std::string last_weights(const fs::path& out) {
  const fs::path last = out / "checkpoints" / "step-32";
  return read_file(last / "model.safetensors", ExitCode::kCheckpoint) +
         read_file(last / "optimizer.safetensors", ExitCode::kCheckpoint);
}

std::vector<nlohmann::json> epoch_lines(const fs::path& out) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_file(out / "log.jsonl", ExitCode::kUsage));
  for (std::string line; std::getline(text, line);) {
    nlohmann::json json = nlohmann::json::parse(line);
    if (json.contains("train_loss")) lines.push_back(json);
  }
  return lines;
}

TEST(OnlineEvaluation, ChangesNoBitOfARunAlsoWhereItIsResumed) {
  const Scratch scratch;
  const auto watched = [](const char* steps) {
    return std::vector<std::string>{"run.knn_every_epochs=1", "run.probe_every_epochs=1",
                                    std::string("run.max_steps=") + steps};
  };
  train_with(scratch / "alone", {"run.max_steps=0"});
  train_with(scratch / "watched", watched("0"));
  train_with(scratch / "resumed", watched("16"));  // stops after the last step of an epoch
  train_with(scratch / "resumed", watched("20"));
  train_with(scratch / "resumed", watched("0"));
  EXPECT_EQ(last_weights(scratch / "alone"), last_weights(scratch / "watched"));
  EXPECT_EQ(last_weights(scratch / "alone"), last_weights(scratch / "resumed"));

  const std::vector<nlohmann::json> lines = epoch_lines(scratch / "watched");
  ASSERT_EQ(lines.size(), 2u);
  for (const char* key : {"knn_top1", "probe_top1"}) {
    EXPECT_GT(lines[0].at(key).get<double>(), 15) << key;  // ten classes: chance is 10
    EXPECT_FALSE(epoch_lines(scratch / "alone")[0].contains(key));
  }
  // The second evaluation reads later weights, so at most one of the two figures may be equal, by
  // chance.
  const auto measured = [&](size_t epoch) {
    return std::pair(lines[epoch].at("knn_top1"), lines[epoch].at("probe_top1"));
  };
  EXPECT_NE(measured(0), measured(1));
  EXPECT_EQ(epoch_lines(scratch / "resumed"), lines);
  const std::string page = read_file(scratch / "watched" / "report.html", ExitCode::kUsage);
  EXPECT_NE(page.find("Linear probe top-1"), std::string::npos);

  train_with(scratch / "other", {"run.seed=5", "run.max_steps=0"});  // negative control
  EXPECT_NE(last_weights(scratch / "alone"), last_weights(scratch / "other"));
}

TEST(OnlineEvaluation, EachCheckComesAsOftenAsItsKeySays) {
  const Scratch scratch;
  train_with(scratch / "run",
             {"run.max_steps=0", "run.knn_every_epochs=1", "run.probe_every_epochs=2"});
  const std::vector<nlohmann::json> lines = epoch_lines(scratch / "run");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0].contains("knn_top1"));
  EXPECT_FALSE(lines[0].contains("probe_top1"));
  EXPECT_TRUE(lines[1].contains("knn_top1"));
  EXPECT_TRUE(lines[1].contains("probe_top1"));
}

}  // namespace
}  // namespace fcm
