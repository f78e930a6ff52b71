// Base class of the tasks of segmenters and detectors. Both tasks measure whole validation images,
// which takes long and can be stopped. Batch normalisation in their models uses the statistics of
// one pass (train/learners/passes.h).
#pragma once

#include "fcm/image/image.h"
#include "fcm/tasks/supervised_task.h"

namespace fcm::tasks {

class SceneTask : public SupervisedTask {
 public:
  std::vector<std::string> notes() const override { return {}; }

  // Does nothing after a stop request, because predicting large images takes long.
  void draw(int64_t step) override;

 protected:
  SceneTask(const SupervisedTaskRequest& request, Reporter& reporter);

  // The first `most` validation images with labels and predictions.
  virtual image::Image sheet(int64_t most, const std::string& title) = 0;

  const recipe::Recipe& recipe_;
  std::shared_ptr<const loader::Dataset> drawn_;
  std::shared_ptr<const loader::Dataset> measured_;  // throws loader::StopRequested after a stop
                                                     // request
  int64_t threads_;
  std::shared_ptr<dist::Group> group_;
  Reporter& reporter_;

 private:
  std::filesystem::path out_;
  const std::atomic<bool>* stop_;
};

// The number of images, over all ranks, whose statistics batch normalisation uses together in one
// pass. Reports it if it is smaller than the batch.
int64_t images_of_pass(const FinetuneRequest& run, Reporter& reporter);

}  // namespace fcm::tasks
