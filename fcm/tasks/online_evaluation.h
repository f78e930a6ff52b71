// Accuracy of frozen features while the encoder is being trained.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "fcm/base/reporter.h"
#include "fcm/eval/features.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/tasks/picture_set.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// run.knn_every_epochs and run.probe_every_epochs: mean tokens of some labelled images, the same
// ones in every epoch, judged by nearest neighbours and by a quick linear probe. Known are 50
// training images a class and at least 5000, asked about 10 validation images a class and at
// least 2000 (or all there are): with 1000 classes as many as 4.7 % of ImageNet's images, each
// passed through the encoder once and without a backward pass.
//
// Reads weights and draws nothing, so a run is the same bits with and without it.
class OnlineEvaluation {
 public:
  // Opens the data where the recipe asks for either. Throws Error(kData) for images without
  // labels. `request` and `reporter` must outlive the object.
  OnlineEvaluation(const RunRequest& request, int64_t threads, Reporter& reporter);

  // At the end of an epoch (counted from 0): "knn_top1" and "probe_top1" in percent, those that are
  // due. What goes wrong is a warning: a run must not end because it is watched.
  nlohmann::json operator()(const models::MaskedAutoencoder& model, int64_t epoch) const;

  // The images that are asked about, or are chosen from; nullopt: none are.
  std::optional<PictureSet> measured_on() const;

 private:
  nlohmann::json measure(const models::MaskedAutoencoder& model, bool knn, bool probe) const;

  const RunRequest& request_;
  int64_t threads_;
  Reporter& reporter_;
  eval::Selection known_, asked_;
  std::shared_ptr<const loader::Dataset> val_;  // what asked_ is of, stopped or not
};

}  // namespace fcm::tasks
