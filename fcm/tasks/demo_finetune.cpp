#include "fcm/tasks/demo_finetune.h"

#include <algorithm>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/tasks/run_files.h"
#include "fcm/train/run_log.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPretrained = "finetuned";  // folders of the two runs
constexpr const char* kScratch = "from_scratch";
constexpr double kEpochs = 2;  // instead of the recipe's five, so that the demo takes minutes

recipe::Recipe recipe_of(const DemoRequest& request) {
  recipe::Recipe recipe = *request.finetune;
  // The encoder must equal the pretrained one, including the changes of --set.
  recipe.model = request.recipe.model;
  recipe.encoder = request.recipe.encoder;
  recipe.data = request.recipe.data;
  recipe.run.seed = request.recipe.run.seed;
  recipe.optim.epochs = kEpochs;
  if (request.images) {
    recipe.run.max_steps = std::max<int64_t>(1, *request.images / recipe.optim.batch_size);
  }
  return recipe;
}

std::vector<double> top1_by_epoch(const fs::path& out) {
  std::vector<double> values;
  for (const nlohmann::json& line : train::read_log(out / "log.jsonl")) {
    if (line.contains("test_acc1")) values.push_back(line.at("test_acc1").get<double>());
  }
  return values;
}

}  // namespace

void remove_finetune_demo(const fs::path& out, Reporter& reporter) {
  for (const char* name : {kPretrained, kScratch}) remove_inner_run(out / name, reporter);
}

nlohmann::json finetune_demo(const DemoRequest& request, const std::string& data,
                             Reporter& reporter) {
  require(request.finetune.has_value(),
          "demo --full: expected a recipe in DemoRequest::finetune, got none");
  const recipe::Recipe recipe = recipe_of(request);
  nlohmann::json result = {
      {"stopped", false}, {"epochs", recipe.optim.epochs}, {"batch_size", recipe.optim.batch_size}};
  for (const auto& [start, folder] :
       {std::pair{"pretrained", kPretrained}, std::pair{"scratch", kScratch}}) {
    FinetuneRequest run;
    run.recipe = recipe;
    run.data = data;
    run.out = request.out / folder;
    if (start == std::string("pretrained")) run.checkpoint = request.out;
    run.machine = request.machine;
    run.stop = request.stop;
    const nlohmann::json done = finetune(run, reporter);
    if (done.at("stopped").get<bool>()) return done;
    result[start] = done.at("top1");
    result["steps"] = done.at("steps");
    result["by_epoch"][start] = top1_by_epoch(run.out);
  }
  return result;
}

}  // namespace fcm::tasks
