// Times Learner::update, the code that trains.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "bench/step_timing.h"
#include "fcm/dist/group.h"
#include "fcm/loader/loader.h"
#include "fcm/recipe/recipe.h"
#include "fcm/train/learner.h"

namespace fcm::bench {

// This rank's slice of a batch of `images` images of noise, as the loader would return it, with
// labels below `classes` (0: none).
loader::Batch noise_batch(const recipe::Recipe& recipe, int64_t images, int64_t classes,
                          const dist::Group& group);

// The same with one class map for all images: each block of 16 x 16 pixels has a random class.
loader::Batch noise_scenes(const recipe::Recipe& recipe, int64_t images, int64_t classes,
                           const dist::Group& group);

// The same with eight objects per image: 24-sided polygons of many sizes.
loader::Batch noise_frames(const recipe::Recipe& recipe, int64_t images, int64_t classes,
                           const dist::Group& group);

class LearnerStep final : public Implementation {
 public:
  // Steps on `batch`, one micro-batch each. `learner` must outlive it.
  LearnerStep(train::Learner& learner, loader::Batch batch)
      : learner_(learner), batch_(std::move(batch)), plan_{1e-6, batch_.batch, 0, 1} {}

  // From now on steps are enqueued. `pipelined`: step() returns when the previous step is done, as
  // in training; otherwise it also waits for the step that it enqueued.
  void switch_to_enqueued(std::unique_ptr<train::Execution> queued, bool pipelined);

  Parts step() override;

 private:
  Parts queued_step();

  train::Learner& learner_;
  loader::Batch batch_;
  train::StepPlan plan_;
  std::unique_ptr<train::Execution> queued_;
  int64_t in_flight_ = 0, max_in_flight_after_ = 0;
};

}  // namespace fcm::bench
