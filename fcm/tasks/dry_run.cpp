#include "fcm/tasks/dry_run.h"

#include <algorithm>
#include <cmath>

#include "fcm/ops/peak/peak.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"
#include "fcm/train/loop.h"
#include "fcm/train/meters.h"
#include "fcm/train/update_memory.h"

namespace fcm::tasks {

nlohmann::json dry_run(const DryRun& run) {
  // The weight, its gradient and AdamW's two moments, each float32.
  constexpr double kBytesPerParameter = 16;
  const recipe::Recipe& recipe = run.recipe;
  const auto ranks = static_cast<double>(run.machine.group->size());
  const at::ScalarType compute = recipe::compute_type(recipe.model.precision, run.device);
  const double free =
      train::memory_for_images(recipe, run.parameters, run.device, run.machine.group->ranks_here());
  // The largest slice of a batch that a rank gets.
  const auto own =
      static_cast<int64_t>(std::ceil(static_cast<double>(recipe.optim.batch_size) / ranks));
  const int64_t micro_batch = std::min(recipe::choose_micro_batch(recipe, compute, free), own);
  const double an_image = recipe::activation_bytes_per_image(recipe, compute);
  const double flops = recipe::training_flops(recipe);
  const double rate = ops::peak_flops(compute, run.device) * ranks;
  return {{"dry_run", true},
          {"images", run.images},
          {"steps", train::total_steps(recipe, run.images)},
          {"parameters", run.parameters},
          {"precision", recipe::compute_name(compute)},
          {"memory_bytes", train::total_memory_bytes(run.device)},
          {"memory_needed_bytes", static_cast<double>(run.parameters) * kBytesPerParameter +
                                      static_cast<double>(micro_batch) * an_image},
          {"micro_batch", micro_batch},
          {"activation_bytes_per_image", an_image},
          {"flops_per_image", flops},
          {"hours_per_epoch_at_least", static_cast<double>(run.images) * flops / rate / 3600},
          {"threads", run.threads},
          {"threads_set_by", threads_set_by(run.machine)}};
}

}  // namespace fcm::tasks
