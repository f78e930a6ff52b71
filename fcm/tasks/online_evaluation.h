// Accuracy of frozen features during pretraining.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "fcm/base/reporter.h"
#include "fcm/eval/features.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/tasks/image_set.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// run.knn_every_epochs and run.probe_every_epochs: mean tokens of some labelled images, the same in
// every epoch, measured by kNN and by a quick linear probe. The bank is 50 training images per
// class and at least 5000; queries are 10 validation images per class and at least 2000 (or all).
// With 1000 classes these are 4.7 % of ImageNet's images, each passed through the encoder once,
// without backward.
//
// Only reads weights and draws no random numbers, so a run gives the same bits with and without it.
class OnlineEvaluation {
 public:
  // Opens the data if the recipe measures either. Throws Error(kData) if images have no labels.
  // `request` and `reporter` must outlive the object.
  OnlineEvaluation(const RunRequest& request, int64_t threads, Reporter& reporter);

  // Call at the end of an epoch (counted from 0). Returns "knn_top1" and "probe_top1" in percent,
  // those that are due. Errors become warnings: measuring must not end a run.
  nlohmann::json operator()(const models::MaskedAutoencoder& model, int64_t epoch) const;

  // The set that the queries are from; nullopt: nothing is measured.
  std::optional<ImageSet> measured_on() const;

 private:
  nlohmann::json measure(const models::MaskedAutoencoder& model, bool knn, bool probe) const;

  const RunRequest& request_;
  int64_t threads_;
  Reporter& reporter_;
  eval::Selection bank_, queries_;
  std::shared_ptr<const loader::Dataset> val_;  // the queries' set, without the stop flag
};

}  // namespace fcm::tasks
