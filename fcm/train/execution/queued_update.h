// Enqueues steps on a GPU. A step is one CUDA graph if a recorder is given. Its images are copied
// while the previous step runs, and its result is read one step later.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fcm/loader/loader.h"
#include "fcm/masks/view_plan.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/ops/cuda/graph.h"
#include "fcm/ops/cuda/transfers.h"
#include "fcm/optim/adamw.h"
#include "fcm/recipe/recipe.h"
#include "fcm/targets/teachers.h"
#include "fcm/train/execution/execution.h"

namespace fcm::train {

struct Losses;  // learners/forward_backward.h

// Gives the same bits as PretrainLearner::update, in three parts that overlap:
//
//   copy stream   images, plan and learning rate of step n + 1 go to one of two staging buffers on
//                 the GPU while step n runs
//   main stream   copies from the staging buffer to the inputs of the step; zeroes gradients, runs
//                 forward and backward of all micro-batches, norm and AdamW; copies the result to
//                 pinned memory
//   CPU           reads the result of step n after step n + 1 was enqueued
//
// Does not support an EMA teacher: it follows only if the step was applied, which the CPU learns
// one step later.
class QueuedUpdate final : public Execution {
 public:
  // Each batch is this rank's part of recipe.optim.batch_size images; all batches have one size.
  // `recorded` nullptr: operators are launched one by one. model, optimizer, recipe and teachers
  // must outlive this object.
  QueuedUpdate(models::MaskedAutoencoder& model, optim::AdamW& optimizer,
               const recipe::Recipe& recipe, at::ScalarType compute, int64_t micro_batch,
               const targets::Teachers* teachers, std::unique_ptr<ops::RecordedWork> recorded);
  ~QueuedUpdate() override;

  // At most one step may be in flight before the call. With a recorder, the first call records the
  // graph and waits until that is done. Of `plan`, only the learning rate is used.
  void enqueue(loader::Batch batch, const StepPlan& plan) override;
  int64_t in_flight() const { return enqueued_ - finished_; }
  int64_t max_in_flight() const override { return 2; }
  // Waits for the oldest step in flight and returns its result.
  StepResult wait_result() override;

 private:
  // The tensors that change from step to step.
  struct Inputs {
    at::Tensor images_BHWC, order_BL, neighbours_BL9, lr;

    template <class Make>
    Inputs each(const Make& make) const {
      return {make(images_BHWC), make(order_BL), make(neighbours_BL9), make(lr)};
    }
    void take(const Inputs& from);  // asynchronous on a GPU
  };
  // One half of a double buffer: the CPU fills one half while the copies of the other are in
  // flight.
  struct StagingBuffer {
    Inputs pinned, device;
    at::Tensor state, target_losses;  // results, pinned
  };

  bool is_first() const { return !plan_.order_BL.defined(); }  // no step was enqueued yet
  Inputs inputs_of(const loader::Batch& batch, double lr);
  void make_staging(const Inputs& first);
  void run();
  void work();
  void add(const Losses& losses, double share);

  models::MaskedAutoencoder& model_;
  optim::AdamW& optimizer_;
  const recipe::Recipe& recipe_;
  const at::ScalarType compute_;
  const int64_t micro_batch_;
  const targets::Teachers* teachers_;
  std::unique_ptr<ops::RecordedWork> recorded_;
  std::unique_ptr<ops::Transfers> transfers_;
  bool is_recorded_ = false;
  int64_t enqueued_ = 0, finished_ = 0;

  masks::ViewPlan plan_;  // of the whole batch; its tensors are those of inputs_
  Inputs inputs_;         // the tensors that the recorded work reads
  at::Tensor start_;      // [], float64: initial value of the loss; NaN: the step is skipped
  at::Tensor loss_;       // [], float64
  std::vector<std::string> targets_;  // empty if there is one target
  at::Tensor target_losses_;          // float64, one for each of targets_
  std::array<StagingBuffer, ops::Transfers::kMarks> staging_;
};

}  // namespace fcm::train
