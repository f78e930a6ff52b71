// The command demo: pretrains on Fashion-MNIST, then measures raw pixels, the untrained network and
// the pretrained network.
#include <fmt/format.h>

#include <algorithm>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/file.h"
#include "fcm/base/progress.h"
#include "fcm/base/stopwatch.h"
#include "fcm/eval/features.h"
#include "fcm/eval/frozen_accuracy.h"
#include "fcm/formats/json_text.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/counted_selection.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/demo_finetune.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/result_file.h"
#include "fcm/tasks/run_files.h"
#include "fcm/tasks/run_folder.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_model.h"
#include "fcm/train/run_log.h"

namespace fcm::tasks {
namespace fs = std::filesystem;
namespace {

constexpr const char* kData = "fashion-mnist";
// Number of training images for the kNN bank and the probe, and number of test images.
constexpr int64_t kLabelled = 10'000;

struct Measured {
  eval::FrozenAccuracy raw, untrained, pretrained;
};

Measured measure_all(const recipe::Recipe& recipe, const TrainedModel& trained, int64_t labelled,
                     int64_t threads, Reporter& reporter) {
  const auto selection = [&](loader::Split split, const char* what) {
    return counted_selection(what, open_labelled(kData, split, {}, reporter), dist::group_of_one(),
                             reporter, labelled);
  };
  const eval::Selection train = selection(loader::Split::kTrain, "features of training images"),
                        test = selection(loader::Split::kVal, "features of test images");
  const auto classes = static_cast<int64_t>(train.dataset->classes().size());
  const auto accuracy_of = [&](const eval::FeatureSet& known, const eval::FeatureSet& asked) {
    Progress passes(reporter, "linear probe", 0, {"pass", "passes"});
    return eval::frozen_accuracy(known, asked, classes, [&] { passes.add(1); });
  };
  const auto network = [&](const models::MaskedAutoencoder& model) {
    return accuracy_of(eval::extract_features(model, recipe, train, threads),
                       eval::extract_features(model, recipe, test, threads));
  };
  Measured measured;
  reporter.info("measuring raw pixels");
  measured.raw = accuracy_of(eval::raw_features(recipe, train, threads),
                             eval::raw_features(recipe, test, threads));
  reporter.info("measuring the untrained network");
  const models::MaskedAutoencoder untrained(recipe::autoencoder_options(recipe),
                                            static_cast<uint64_t>(recipe.run.seed),
                                            trained.model->device());
  measured.untrained = network(untrained);
  reporter.info("measuring the pretrained network");
  measured.pretrained = network(*trained.model);
  return measured;
}

// The accuracies of kNN ("knn") and the probe ("linprobe") on raw pixels and on the features of the
// untrained and the pretrained network. For a network they are those of the better kind of tokens;
// "features" has the accuracies with each kind. Raw pixels are always flattened.
nlohmann::json accuracies(const Measured& measured) {
  using Member = double eval::FrozenAccuracy::*;
  const auto three = [&](Member member, bool raw) {
    nlohmann::json shares = {{"untrained", measured.untrained.*member},
                             {"pretrained", measured.pretrained.*member}};
    if (raw) shares["raw"] = measured.raw.*member;
    return shares;
  };
  const auto better = [&](Member flattened, Member mean) {
    const auto best = [&](const eval::FrozenAccuracy& accuracy) {
      return std::max(accuracy.*flattened, accuracy.*mean);
    };
    return nlohmann::json{{"raw", measured.raw.*flattened},
                          {"untrained", best(measured.untrained)},
                          {"pretrained", best(measured.pretrained)}};
  };
  return {{"knn", better(&eval::FrozenAccuracy::knn_flattened, &eval::FrozenAccuracy::knn_mean)},
          {"linprobe",
           better(&eval::FrozenAccuracy::probe_flattened, &eval::FrozenAccuracy::probe_mean)},
          {"features",
           {{"flattened",
             {{"knn", three(&eval::FrozenAccuracy::knn_flattened, true)},
              {"linprobe", three(&eval::FrozenAccuracy::probe_flattened, true)}}},
            {"mean",
             {{"knn", three(&eval::FrozenAccuracy::knn_mean, false)},
              {"linprobe", three(&eval::FrozenAccuracy::probe_mean, false)}}}}}};
}

// Sentences for the report that explain the figures.
std::vector<std::string> notes_on(const Measured& measured, int64_t labelled) {
  const eval::FrozenAccuracy &raw = measured.raw, &before = measured.untrained,
                             &after = measured.pretrained;
  return {
      fmt::format(
          "Measured on {0} labelled training images and as many test images. kNN: cosine "
          "similarity, 20 neighbours, weighted votes. Linear probe: logistic regression trained "
          "to its optimum, its penalty chosen on a tenth of the training images.",
          labelled),
      fmt::format(
          "Linear probe on flattened tokens: pretraining changes the accuracy of the untrained "
          "network by {:+.1f} points; the difference from raw pixels is {:+.1f} points. On the "
          "mean token, pretraining changes it by {:+.1f} points.",
          after.probe_flattened - before.probe_flattened,
          after.probe_flattened - raw.probe_flattened, after.probe_mean - before.probe_mean),
      fmt::format(
          "kNN: pretraining changes the accuracy by {:+.1f} points with flattened tokens and by "
          "{:+.1f} with the mean token. Masked pretraining is known to help linear and fine-tuned "
          "classifiers more than kNN.",
          after.knn_flattened - before.knn_flattened, after.knn_mean - before.knn_mean),
      "Other sizes, rates and batches that were tried are in results/demo.md of the source."};
}

// Whether `out` holds a finished demonstration, with fine-tuning if `full`.
bool finished(const fs::path& out, bool full) {
  if (!is_run(out) || !is_there(out / "result.json", ExitCode::kUsage)) return false;
  const nlohmann::json result = nlohmann::json::parse(
      read_file(out / "result.json", ExitCode::kUsage), nullptr, /*allow_exceptions=*/false);
  // The result of another command is not a demonstration and must not be replaced.
  const bool demonstration = result.is_object() && result.contains("knn") &&
                             result.contains("linprobe") && result.contains("labelled_pictures");
  return demonstration && (!full || result.contains("finetune"));
}

// The speed of pretraining; taken from the log if an earlier launch did the pretraining.
nlohmann::json speed_of(const nlohmann::json& run, const fs::path& out) {
  if (run.contains("images_per_second")) return run.at("images_per_second");
  nlohmann::json speed;
  for (const nlohmann::json& line : train::read_log(out / "log.jsonl")) {
    if (line.contains("images_per_second")) speed = line.at("images_per_second");
  }
  return speed;
}

std::string note_on_finetuning(const nlohmann::json& finetune) {
  const double pretrained = finetune.at("pretrained"), scratch = finetune.at("scratch");
  return fmt::format(
      "Trained as a classifier, all weights, for {} of {} images: {:.1f} % from the "
      "pretrained encoder, {:.1f} % from scratch ({:+.1f} points).",
      counted(finetune.at("steps").get<int64_t>(), "step", "steps"),
      finetune.at("batch_size").get<int64_t>(), pretrained, scratch, pretrained - scratch);
}

std::string command_of(const DemoRequest& request) {
  std::string command = fmt::format("fastconvmae demo --out {}", request.out.string());
  if (request.finetune) command += " --full";
  if (request.images) command += fmt::format(" --images {}", *request.images);
  return command;
}

}  // namespace

nlohmann::json demo(const DemoRequest& request, Reporter& reporter) {
  const Stopwatch watch;
  const fs::path& out = request.out;
  const int64_t threads = set_up_machine(request.machine);
  recipe::Recipe recipe = request.recipe;
  const std::optional<int64_t>& images = request.images;
  if (images) recipe.run.max_steps = std::max<int64_t>(1, *images / recipe.optim.batch_size);

  loader::open_dataset(kData, loader::Split::kTrain, {});  // throws before training starts
  const RunLock lock = lock_run_folder({.out = out, .overwrite = request.overwrite}, reporter);
  const bool replace = request.overwrite || finished(out, request.finetune.has_value());
  if (replace && is_run(out)) remove_finetune_demo(out, reporter);
  RunRequest pretraining;
  pretraining.recipe = recipe;
  pretraining.data = kData;
  pretraining.out = out;
  pretraining.overwrite = replace;
  pretraining.lock = &lock;
  pretraining.machine = request.machine;
  pretraining.stop = request.stop;
  const nlohmann::json run = pretrain(pretraining, reporter);
  if (run.at("stopped").get<bool>()) return run;

  const TrainedModel trained =
      load_trained_model({out, {}, {}}, ModelUse::kFeatures, reporter, device_of(request.machine));
  const int64_t labelled = images ? std::clamp<int64_t>(*images, 500, kLabelled) : kLabelled;
  const Measured measured = measure_all(recipe, trained, labelled, threads, reporter);
  nlohmann::json result = accuracies(measured);
  result["notes"] = notes_on(measured, labelled);
  if (request.finetune) {
    const nlohmann::json finetune = finetune_demo(request, kData, reporter);
    if (finetune.at("stopped").get<bool>()) return finetune;
    result["notes"].push_back(note_on_finetuning(finetune));
    result["finetune"] = finetune;
    result["finetune"].erase("stopped");
  }
  result["seconds"] = watch.seconds();
  result["images_per_second"] = speed_of(run, out);
  result["images_seen"] = run.at("steps").get<int64_t>() * recipe.optim.batch_size;
  result["parameters"] = trained.model->parameters().trainable_elements();
  result["labelled_pictures"] = labelled;
  result["report"] = (out / "report.html").string();
  result["stopped"] = false;
  result["data"] = kData;
  for (const char* name : {kTrainedOn, kMeasuredOn}) {
    if (run.contains(name)) result[name] = run.at(name);
  }
  result["threads"] = threads;
  result["device"] = trained.model->device().str();
  result["precision"] =
      recipe::compute_name(recipe::compute_type(recipe.model.precision, trained.model->device()));
  result["command"] = command_of(request);
  replace_non_finite(result, reporter);
  write_run_result(out, result);
  report(out, reporter);
  return result;
}

}  // namespace fcm::tasks
