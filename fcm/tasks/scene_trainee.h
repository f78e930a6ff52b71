// What training segmenters and detectors has in common: whole validation images are measured,
// which takes long and may be stopped, and batch normalisation takes its statistics from a pass.
#pragma once

#include "fcm/image/image.h"
#include "fcm/tasks/trainee.h"

namespace fcm::tasks {

class SceneTrainee : public Trainee {
 public:
  std::vector<std::string> notes() const override { return {}; }

  // Nothing for whoever waits for the end: large images take their time.
  void draw(int64_t step) override;

 protected:
  SceneTrainee(const TraineeRequest& request, Reporter& reporter);

  // The first `most` validation images, what is labelled and what is predicted.
  virtual image::Image sheet(int64_t most, const std::string& title) = 0;

  const recipe::Recipe& recipe_;
  std::shared_ptr<const loader::Dataset> drawn_;
  std::shared_ptr<const loader::Dataset> measured_;  // gives up where somebody stops
  int64_t threads_;
  std::shared_ptr<dist::Group> group_;
  Reporter& reporter_;

 private:
  std::filesystem::path out_;
  const std::atomic<bool>* stop_;
};

// Images that one forward pass of a step normalises together, of all ranks. A line says so where
// they are fewer than the batch.
int64_t images_of_pass(const FinetuneRequest& run, Reporter& reporter);

}  // namespace fcm::tasks
