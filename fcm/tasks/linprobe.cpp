// The command linprobe: accuracy of a linear classifier on frozen features.
#include <fmt/format.h>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/base/progress.h"
#include "fcm/eval/features.h"
#include "fcm/eval/linear_probe.h"
#include "fcm/eval/rate_sweep.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/counted_selection.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/frozen_provenance.h"
#include "fcm/tasks/machine.h"
#include "fcm/tasks/ranks.h"
#include "fcm/tasks/tasks.h"
#include "fcm/tasks/trained_model.h"

namespace fcm::tasks {
namespace {

struct LabelledFeatures {
  eval::FeatureSet train, test;
  int64_t classes = 0;
  nlohmann::json provenance;
};

// `extract`: eval::extract_features, or eval::extract_mean_features for large sets, whose tokens
// would not all fit into memory.
LabelledFeatures features_of(decltype(eval::extract_features)& extract, const TrainedModel& trained,
                             const std::string& data, const MachineOptions& machine,
                             int64_t threads, Reporter& reporter) {
  const LabelledData both = open_labelled_splits(data, machine, reporter);
  const auto train = counted_selection("training images", both.train, machine.group, reporter),
             test = counted_selection("validation images", both.val, machine.group, reporter);
  refuse_different_ranks(*machine.group, trained.recipe, data, *train.dataset);
  nlohmann::json provenance =
      frozen_provenance(trained, *train.dataset, *test.dataset, data, reporter);
  reporter.info(fmt::format("{}: features of {} and {} by {} (step {})", data,
                            train.dataset->size(), counted(test.dataset->size(), "image", "images"),
                            trained.path.string(), trained.step));
  return {extract(*trained.model, trained.recipe, train, threads),
          extract(*trained.model, trained.recipe, test, threads),
          static_cast<int64_t>(train.dataset->classes().size()), std::move(provenance)};
}

// The figures of the kind of features with the better accuracy, and those of both kinds under
// "features".
template <typename Result>
nlohmann::json summary(const Result& flattened, const Result& mean) {
  const auto describe = [](const Result& result) {
    return nlohmann::json{{"top1", result.top1}, {"top5", result.top5}, {"images", result.images}};
  };
  nlohmann::json figures = describe(flattened.top1 >= mean.top1 ? flattened : mean);
  figures["features"] = {{"flattened", describe(flattened)}, {"mean", describe(mean)}};
  return figures;
}

}  // namespace

nlohmann::json linprobe(const RunRequest& request, const CheckpointRequest& checkpoint,
                        Reporter& reporter) {
  const int64_t threads = set_up_machine(request.machine);
  const TrainedModel trained =
      load_trained_model(checkpoint, ModelUse::kFeatures, reporter, device_of(request.machine));
  const auto [train, test, classes, provenance] = features_of(
      eval::extract_features, trained, request.data, request.machine, threads, reporter);
  Progress passes(reporter, "linear probe", 0, {"pass", "passes"});
  const eval::ProbeOptions options{.count_pass = [&] { passes.add(1); }};
  nlohmann::json result =
      summary(eval::linear_probe(train.flattened_ND, train.labels_N, test.flattened_ND,
                                 test.labels_N, classes, options),
              eval::linear_probe(train.mean_ND, train.labels_N, test.mean_ND, test.labels_N,
                                 classes, options));
  result.update(provenance);
  return result;
}

nlohmann::json fast_linprobe(const std::string& data, const CheckpointRequest& checkpoint,
                             const MachineOptions& machine, Reporter& reporter) {
  const int64_t threads = set_up_machine(machine);
  const TrainedModel trained =
      load_trained_model(checkpoint, ModelUse::kFeatures, reporter, device_of(machine));
  const auto [train, test, classes, provenance] =
      features_of(eval::extract_mean_features, trained, data, machine, threads, reporter);
  const eval::SweepOptions options;
  const eval::SweepResult result = eval::rate_sweep(train.mean_ND, train.labels_N, test.mean_ND,
                                                    test.labels_N, classes, options);
  nlohmann::json figures = {{"top1", result.top1},     {"top5", result.top5},
                            {"images", result.images}, {"rate", result.rate},
                            {"rates", options.rates},  {"held_out_top1", result.held_out_top1}};
  figures.update(provenance);
  return figures;
}

}  // namespace fcm::tasks
