// Updates queued on a GPU: each one piece of recorded work, its images copied while the update
// before is computed, its result read one update later.
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

// What PretrainLearner::update does, to the bit, in three parts that do not wait for each other:
//
//   a second queue   images, plan and learning rate of update n + 1 go to one of two places on
//                    the GPU while update n is computed
//   the queue        they are copied from there to where the recorded work reads them; zero
//                    gradients, forward and backward of all micro-batches, norm, AdamW; the result
//                    is copied to pinned memory
//   the CPU          reads the result of update n when update n + 1 has been given
//
// A moving average among the targets is not taken: whether it follows depends on the result.
class QueuedUpdate final : public Execution {
 public:
  // Batches are parts, all of one size, of recipe.optim.batch_size images. `recorded`: nullptr
  // gives the GPU one operator after another. model, optimizer, recipe and teachers must outlive
  // it.
  QueuedUpdate(models::MaskedAutoencoder& model, optim::AdamW& optimizer,
               const recipe::Recipe& recipe, at::ScalarType compute, int64_t micro_batch,
               const targets::Teachers* teachers, std::unique_ptr<ops::RecordedWork> recorded);
  ~QueuedUpdate() override;

  // At most one update that was given before may be unread. The first one records, and waits. Of
  // `plan` only the rate matters.
  void give(loader::Batch batch, const StepPlan& plan) override;
  int64_t unread() const { return given_ - read_; }
  int64_t most_unread() const override { return 2; }
  // Waits for the oldest unread update and tells its result.
  StepResult read() override;

 private:
  // What changes from update to update.
  struct Inputs {
    at::Tensor pictures_BHWC, order_BL, neighbours_BL9, lr;

    template <class Make>
    Inputs each(const Make& make) const {
      return {make(pictures_BHWC), make(order_BL), make(neighbours_BL9), make(lr)};
    }
    void take(const Inputs& from);  // copies, not waiting for a GPU
  };
  // Takes turns with the other, so that the CPU writes here while the other's copies go on.
  struct Place {
    Inputs pinned, there;
    at::Tensor state, target_losses;  // results, pinned
  };

  bool is_first() const { return !plan_.order_BL.defined(); }  // nothing was given yet
  Inputs inputs_of(const loader::Batch& batch, double lr);
  void make_places(const Inputs& first);
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
  int64_t given_ = 0, read_ = 0;

  masks::ViewPlan plan_;  // of the whole batch; its tensors are those of inputs_
  Inputs inputs_;         // what the work reads
  at::Tensor start_;      // [], float64: what the loss begins with; NaN: the update is left out
  at::Tensor loss_;       // [], float64
  std::vector<std::string> targets_;  // where there are several
  at::Tensor target_losses_;          // float64, one for each of targets_
  std::array<Place, ops::Transfers::kMarks> places_;
};

}  // namespace fcm::train
