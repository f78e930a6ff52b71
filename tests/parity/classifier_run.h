// Runs a classifier by the fast path or the reference.
#pragma once

#include <memory>

#include "fcm/models/classifier.h"
#include "fcm/optim/options.h"
#include "reference/classifier.h"
#include "tests/parity/run.h"

namespace fcm::parity {

reference::ClassifierOptions reference_classifier(const PublishedModel& model);
models::ClassifierOptions fast_classifier(const PublishedModel& model);

struct ClassifierTargets {
  at::Tensor labels_B;    // int64
  at::Tensor targets_BC;  // probabilities
};

// Computes "logits", "loss_ls", "loss_soft", "loss_ce", "act.<module>", and the gradients of the
// losses "ls" and "soft" as "grad.ls.<key>" and "grad.soft.<key>".
Run run_classifier(const PublishedModel& model, const Inputs& inputs,
                   const ClassifierTargets& targets, Path path, Types types);

// One model on one batch of images, by either path.
class ClassifierPath {
 public:
  virtual ~ClassifierPath() = default;
  virtual at::Tensor logits(const nn::Observer& observer) = 0;
  virtual at::Tensor features() = 0;      // the head's input
  virtual Tensors values() const = 0;     // of parameters, in upstream names and shapes
  virtual Tensors gradients() const = 0;  // of the last backward, in upstream names and shapes
  virtual void zero_gradients() = 0;

  // Prepares AdamW steps with layer-wise learning rates.
  virtual void prepare_updates(const optim::OptimOptions& options, double layer_decay) = 0;
  // One step at the scheduled lr. Returns the lr of each group.
  virtual std::vector<double> update(double lr) = 0;
};
std::unique_ptr<ClassifierPath> make_path(const PublishedModel& model, const Inputs& inputs,
                                          Path path, Types types);

}  // namespace fcm::parity
