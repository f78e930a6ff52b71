#include "fcm/tasks/scene_task.h"

#include <fmt/format.h>

#include "fcm/loader/until_stopped.h"
#include "fcm/tasks/run_files.h"
#include "fcm/train/learners/passes.h"

namespace fcm::tasks {

SceneTask::SceneTask(const SupervisedTaskRequest& request, Reporter& reporter)
    : recipe_(request.run.recipe),
      drawn_(request.data.val),
      measured_(loader::until_stopped(request.data.val, request.stop_measuring)),
      threads_(request.threads),
      group_(request.run.machine.group),
      reporter_(reporter),
      out_(request.run.out),
      stop_(request.stop_measuring) {}

void SceneTask::draw(int64_t step) {
  constexpr int64_t kImages = 4;
  if (stop_ != nullptr && *stop_) return;
  image::write_png(out_ / "pictures" / image_name(step),
                   sheet(kImages, fmt::format("{}, step {}", recipe_.row.name, step)));
}

int64_t images_of_pass(const FinetuneRequest& run, Reporter& reporter) {
  const auto& optim = run.recipe.optim;
  const int64_t ranks = run.machine.group->size();
  const int64_t micro_batch = optim.micro_batch == 0 ? optim.batch_size : optim.micro_batch;
  const int64_t passes = train::passes_of_update(optim.batch_size, ranks, micro_batch);
  const int64_t images = optim.batch_size / passes;
  if (passes > 1) {
    reporter.info(
        fmt::format("batch normalisation uses the statistics of {} images at a time, not of "
                    "the whole batch of {}, as optim.micro_batch = {} divides it",
                    images, optim.batch_size, optim.micro_batch));
  }
  return images;
}

}  // namespace fcm::tasks
