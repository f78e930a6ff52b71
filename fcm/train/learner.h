// Interface of what the loop (loop.h) trains: a model, its optimizer and one training step.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/dist/group.h"
#include "fcm/loader/loader.h"
#include "fcm/ops/cuda/graph.h"
#include "fcm/train/execution/execution.h"
#include "fcm/train/state.h"
#include "fcm/train/step.h"

namespace fcm::optim {
class AdamW;
}  // namespace fcm::optim

namespace fcm::train {

class GroupGradients;
class GroupWeights;

class Learner {
 public:
  explicit Learner(std::shared_ptr<dist::Group> group = dist::group_of_one())
      : group_(std::move(group)) {}
  Learner(const Learner&) = delete;  // the optimizer refers to the parameters
  Learner& operator=(const Learner&) = delete;
  virtual ~Learner() = default;

  // Sets the members of the loader's request that depend on the learner: the targets to learn and
  // the augmentation of the images. The loop has set all other members.
  virtual void configure_loader(loader::LoaderRequest& request) const = 0;

  // One training step: forward and backward over micro-batches, then the optimizer. If the loss or
  // a gradient is non-finite in any process, weights and optimizer keep their values. Throws
  // Error(kData) for an image without the target to learn.
  virtual StepResult update(const loader::Batch& batch, const StepPlan& plan) = 0;

  // An execution that runs steps without waiting for the device; nullptr if the learner supports
  // none. Its results are bit-identical to those of update(). `record` creates the recorder of a
  // step (a CUDA graph); if it is empty, operators are launched one by one. The learner must
  // outlive the execution.
  using MakeRecorder = std::function<std::unique_ptr<ops::RecordedWork>()>;
  virtual std::unique_ptr<Execution> make_queued_execution(int64_t /*micro_batch*/,
                                                           const MakeRecorder& /*record*/) {
    return nullptr;
  }

  virtual at::Device device() const = 0;
  virtual int64_t trainable_elements() const = 0;
  virtual int64_t updates() const = 0;  // steps that were applied

  // The state for a checkpoint. A learner that restores it continues bit for bit.
  virtual PublishedTensors model_state() const = 0;
  virtual PublishedTensors optimizer_state() const = 0;
  // Every process calls these before and after rank 0 writes a checkpoint. If the optimizer state
  // is sharded over the ranks, rank 0 gathers it, and frees the shares of the other ranks
  // afterwards.
  virtual void begin_saving() {}
  virtual void end_saving() {}
  // Members of the checkpoint's state that the learner adds to those of the loop.
  virtual nlohmann::json extra_state() const { return nlohmann::json::object(); }
  // Throws Error(kCheckpoint) for the state of another model.
  virtual void restore(const checkpoint::Checkpoint& from) = 0;

  // Adds values of this learner to a step's line of the log, and warns if a value shows a fault.
  virtual void add_to_step_line(nlohmann::json& /*line*/, int64_t /*step*/,
                                Reporter& /*reporter*/) {}

 protected:
  // Whether the loss and the gradient norm are finite in every process.
  bool is_finite(const StepResult& result);
  // Call after the backward passes of a step (learners/finish_update.cpp): sums gradients and
  // losses over the group, sets the gradient norm of `result`, and runs the optimizer if loss and
  // norm are finite. Returns result.applied.
  bool finish_update(GroupGradients& gradients, GroupWeights& weights, optim::AdamW& optimizer,
                     const StepPlan& plan, StepResult& result);

  dist::Group& group() { return *group_; }
  const std::shared_ptr<dist::Group>& shared_group() const { return group_; }

 private:
  std::shared_ptr<dist::Group> group_;
};

}  // namespace fcm::train
