#include "fcm/tasks/online_evaluation.h"

#include <fmt/format.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/eval/knn.h"
#include "fcm/eval/linear_probe.h"
#include "fcm/loader/until_stopped.h"
#include "fcm/tasks/data.h"

namespace fcm::tasks {
namespace {

// Whether a measurement that is made every `every_epochs` epochs (0: never) is due after `epoch`.
bool due(double every_epochs, int64_t epoch) {
  if (every_epochs <= 0) return false;
  return (epoch + 1) % static_cast<int64_t>(std::max(every_epochs, 1.0)) == 0;
}

// Few candidates for the penalty and a loose tolerance, which are accurate enough for a curve over
// epochs.
eval::ProbeOptions quick_probe() {
  return {.l2 = {1, 0.1, 1e-2, 1e-3, 1e-4}, .tolerance = 1e-3, .max_iterations = 60};
}

}  // namespace

OnlineEvaluation::OnlineEvaluation(const RunRequest& request, int64_t threads, Reporter& reporter)
    : request_(request), threads_(threads), reporter_(reporter) {
  const recipe::RunOptions& run = request.recipe.run;
  if (run.knn_every_epochs <= 0 && run.probe_every_epochs <= 0) return;
  const LabelledData both = open_labelled_splits(request.data, request.machine, reporter);
  bank_.group = queries_.group = request.machine.group;
  // Ranks measure together, so a single rank cannot stop measuring.
  const std::atomic<bool>* stop = bank_.group->size() > 1 ? nullptr : request.stop;
  val_ = both.val;
  bank_.dataset = loader::until_stopped(both.train, stop);
  queries_.dataset = loader::until_stopped(both.val, stop);
  const auto classes = static_cast<int64_t>(bank_.dataset->classes().size());
  bank_.count = std::max<int64_t>(5000, 50 * classes);
  queries_.count = std::max<int64_t>(2000, 10 * classes);
}

std::optional<ImageSet> OnlineEvaluation::measured_on() const {
  if (!val_) return std::nullopt;
  return describe_images(*val_, request_.data, loader::Split::kVal, threads_);
}

nlohmann::json OnlineEvaluation::operator()(const models::MaskedAutoencoder& model,
                                            int64_t epoch) const {
  const recipe::RunOptions& run = request_.recipe.run;
  const bool knn = due(run.knn_every_epochs, epoch), probe = due(run.probe_every_epochs, epoch);
  if (!knn && !probe) return nlohmann::json::object();
  try {
    return measure(model, knn, probe);
  } catch (const Error& error) {
    reporter_.warn(fmt::format("epoch {}: features were not measured: {}", epoch, error.what()));
    return nlohmann::json::object();
  }
}

nlohmann::json OnlineEvaluation::measure(const models::MaskedAutoencoder& model, bool knn,
                                         bool probe) const {
  const auto classes = static_cast<int64_t>(bank_.dataset->classes().size());
  const eval::FeatureSet bank =
      eval::extract_mean_features(model, request_.recipe, bank_, threads_);
  const eval::FeatureSet queries =
      eval::extract_mean_features(model, request_.recipe, queries_, threads_);
  nlohmann::json json = nlohmann::json::object();
  if (knn) {
    json["knn_top1"] =
        eval::knn(bank.mean_ND, bank.labels_N, queries.mean_ND, queries.labels_N, classes).top1;
  }
  if (probe) {
    json["probe_top1"] = eval::linear_probe(bank.mean_ND, bank.labels_N, queries.mean_ND,
                                            queries.labels_N, classes, quick_probe())
                             .top1;
  }
  return json;
}

}  // namespace fcm::tasks
