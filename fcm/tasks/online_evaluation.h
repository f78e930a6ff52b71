// Measures frozen features during pretraining.
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

// Measures mean tokens of some labelled images, the same in every epoch, by kNN
// (run.knn_every_epochs) and by a quick linear probe (run.probe_every_epochs). The bank is a fixed
// random selection of training images, on average 50 per class and at least 5000; the queries are
// validation images, on average 10 per class and at least 2000 (or all, if there are fewer). With
// ImageNet's 1000 classes these are 60,000 images, 4.7 % of the number that an epoch trains on. A
// measurement passes each through the encoder once, without backward.
//
// Only reads weights and draws no random numbers, so a run gives the same bits with and without the
// measurements.
class OnlineEvaluation {
 public:
  // Opens the data if the recipe asks for kNN or the probe. Throws Error(kData) if images have no
  // labels. `request` and `reporter` must outlive the object.
  OnlineEvaluation(const RunRequest& request, int64_t threads, Reporter& reporter);

  // Call at the end of an epoch (counted from 0). Returns "knn_top1" and "probe_top1" in percent,
  // as far as they are due. Errors become warnings, because a measurement must not end a run.
  nlohmann::json operator()(const models::MaskedAutoencoder& model, int64_t epoch) const;

  // The data set of the queries; nullopt: nothing is measured.
  std::optional<ImageSet> measured_on() const;

 private:
  nlohmann::json measure(const models::MaskedAutoencoder& model, bool knn, bool probe) const;

  const RunRequest& request_;
  int64_t threads_;
  Reporter& reporter_;
  eval::Selection bank_, queries_;
  // The images of queries_.dataset; reading them does not end on a stop request.
  std::shared_ptr<const loader::Dataset> val_;
};

}  // namespace fcm::tasks
