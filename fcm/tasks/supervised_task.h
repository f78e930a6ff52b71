// Interface of what `finetune` trains and measures. There is one class per task.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"
#include "fcm/checkpoint/checkpoint.h"
#include "fcm/loader/dataset.h"
#include "fcm/tasks/data.h"
#include "fcm/tasks/tasks.h"
#include "fcm/train/learner.h"
#include "fcm/train/loop.h"

namespace fcm::tasks {

class SupervisedTask {
 public:
  virtual ~SupervisedTask() = default;

  virtual train::Learner& learner() = 0;
  // Measures the current weights on the validation images, reports the figures and stores them in
  // this object. Throws loader::StopRequested if a stop is requested meanwhile.
  virtual train::Measured measure() = 0;
  // The stored figures, as members of a result. Measures if there are none, which is the case if a
  // finished run is started again and runs no step.
  virtual nlohmann::json figures() = 0;
  virtual std::vector<std::string> notes() const = 0;  // notes on the figures
  // Writes a sheet of images with predictions to the run folder. Does nothing if the task has none.
  virtual void draw(int64_t /*step*/) {}
};

struct SupervisedTaskRequest {
  const FinetuneRequest& run;  // with the resolved recipe; must outlive the task
  LabelledData data;
  const std::atomic<bool>* stop_measuring = nullptr;
  int64_t threads = 1;
};

// The supervised task of the recipe, with the weights of `start` if there are any.
std::unique_ptr<SupervisedTask> make_supervised_task(const SupervisedTaskRequest& request,
                                                     std::optional<checkpoint::Checkpoint> start,
                                                     Reporter& reporter);

// The functions that make_supervised_task calls, one per task.
std::unique_ptr<SupervisedTask> make_classifier_task(const SupervisedTaskRequest& request,
                                                     std::optional<checkpoint::Checkpoint> start,
                                                     Reporter& reporter);
std::unique_ptr<SupervisedTask> make_segmenter_task(const SupervisedTaskRequest& request,
                                                    std::optional<checkpoint::Checkpoint> start,
                                                    Reporter& reporter);
std::unique_ptr<SupervisedTask> make_detector_task(const SupervisedTaskRequest& request,
                                                   std::optional<checkpoint::Checkpoint> start,
                                                   Reporter& reporter);

}  // namespace fcm::tasks
