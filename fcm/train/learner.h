// What the loop (loop.h) trains: weights, their optimizer, one update.
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
  Learner(const Learner&) = delete;  // optimizers refer to the parameters beside them
  Learner& operator=(const Learner&) = delete;
  virtual ~Learner() = default;

  // What its loader is asked for beside the recipe's [data]: the targets that it learns, and what
  // is done to pictures. Everything else stays.
  virtual void ask_for(loader::LoaderRequest& request) const = 0;

  // One update: forward and backward over micro-batches, then the optimizer. A loss or gradient
  // that is not finite, in any process, leaves everything as it was. Throws Error(kData) for a
  // picture without the target that it is to learn.
  virtual StepResult update(const loader::Batch& batch, const StepPlan& plan) = 0;

  // Carries out updates without waiting for the device, with the bits of update(), or nullptr where
  // this learner cannot. `record` makes what an update is recorded by; empty: one operator after
  // another. The learner must outlive it.
  using MakeRecorded = std::function<std::unique_ptr<ops::RecordedWork>()>;
  virtual std::unique_ptr<Execution> queue(int64_t /*micro_batch*/,
                                           const MakeRecorded& /*record*/) {
    return nullptr;
  }

  virtual at::Device device() const = 0;
  virtual int64_t trainable_elements() const = 0;
  virtual int64_t updates() const = 0;  // that were applied

  // What a checkpoint holds, and back: the bits of all that decides the next update.
  virtual PublishedTensors model_state() const = 0;
  virtual PublishedTensors optimizer_state() const = 0;
  // Before and after a checkpoint is written, in every process: rank 0 gets what the others keep of
  // the optimizer's state, and gives it back.
  virtual void begin_saving() {}
  virtual void end_saving() {}
  // More for the checkpoint's state, beside what the loop keeps.
  virtual nlohmann::json extra_state() const { return nlohmann::json::object(); }
  // Throws Error(kCheckpoint) for the state of another model.
  virtual void restore(const checkpoint::Checkpoint& from) = 0;

  // More numbers for a step's line of the log; warns where one of them is a bad sign.
  virtual void add_to_step_line(nlohmann::json& /*line*/, int64_t /*step*/,
                                Reporter& /*reporter*/) {}

 protected:
  // Whether loss and norm of the gradients are finite in every process.
  bool is_finite(const StepResult& result);
  // The end of an update whose passes are done (learners/finish_update.cpp): sums gradients and
  // losses over the group, sets `result`'s gradient norm and whether the update is applied, and
  // applies it unless something is not finite. Returns result.applied.
  bool finish_update(GroupGradients& gradients, GroupWeights& weights, optim::AdamW& optimizer,
                     const StepPlan& plan, StepResult& result);

  dist::Group& group() { return *group_; }
  const std::shared_ptr<dist::Group>& shared_group() const { return group_; }

 private:
  std::shared_ptr<dist::Group> group_;
};

}  // namespace fcm::train
