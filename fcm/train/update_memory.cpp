#include "fcm/train/update_memory.h"

#include <algorithm>

#include "fcm/base/cgroup.h"
#include "fcm/base/process.h"
#include "fcm/train/meters.h"

namespace fcm::train {

double memory_within(double limit, double resident, const recipe::Recipe& recipe,
                     int64_t elements) {
  // The least that is assumed for the program with all buffers, and what the libraries' buffers for
  // matrix products add to its resident size. A measurement with few weights gave 210 MB.
  constexpr double kProgram = 384 << 20, kLibraries = 192 << 20;
  constexpr double kStateOfElement = 3 * sizeof(float);  // its gradient and two moments
  constexpr double kBatches = 4;                         // the loader's, and the current one
  // choose_micro_batch uses half of its memory for the activations of the images. The measured peak
  // of forward and backward was 2.5 times the activations (a small ConvViT on 384 x 384 pixels,
  // bfloat16).
  constexpr double kPeak = 3, kShareOfChoice = 0.5;
  const loader::DataOptions& data = recipe.data;
  const auto batch = static_cast<double>(recipe.optim.batch_size * data.image_size[0] *
                                         data.image_size[1] * data.channels);
  const double fixed = std::max(kProgram, resident + kLibraries) + kBatches * batch +
                       kStateOfElement * static_cast<double>(elements);
  return std::max(limit - fixed, 0.0) / kPeak / kShareOfChoice;
}

double memory_for_images(const recipe::Recipe& recipe, int64_t elements, at::Device device,
                         int64_t ranks_here) {
  const auto ranks = static_cast<double>(ranks_here);
  const double all = total_memory_bytes(device) / ranks;
  const double limit = group_limits().memory.value / ranks;
  if (device.is_cuda() || limit > all) return all;
  return std::min(all, memory_within(limit, resident_bytes(), recipe, elements));
}

}  // namespace fcm::train
