#include "fcm/interop/downstream.h"

#include "fcm/base/error.h"
#include "fcm/interop/detector_names.h"
#include "fcm/interop/segmenter_names.h"

namespace fcm::interop {

Downstream downstream_of(std::span<const formats::TensorView> tensors) {
  if (are_of_segmenter(tensors)) return Downstream::kSegmenter;
  if (are_of_detector(tensors)) return Downstream::kDetector;
  return Downstream::kNone;
}

Downstream downstream_of(const checkpoint::Checkpoint& checkpoint) {
  return downstream_of(checkpoint.model.tensors);
}

const char* name_of(Downstream downstream) {
  if (downstream == Downstream::kNone) return "an encoder";
  return downstream == Downstream::kSegmenter ? "a segmenter" : "a detector";
}

void refuse_downstream(const checkpoint::Checkpoint& checkpoint, Downstream unless) {
  const Downstream found = downstream_of(checkpoint);
  if (found == Downstream::kNone || found == unless) return;
  const bool detects = found == Downstream::kDetector;
  const char* const task = detects ? "detection" : "segmentation";
  fail(ExitCode::kCheckpoint,
       "{} is {}: its encoder has {}, added for {}; take the checkpoint that it was trained "
       "from, or use it in fastconvmae eval, predict, or finetune with a {} recipe",
       checkpoint.path.string(), name_of(found),
       detects ? "tables of relative positions or norms of maps"
               : "relative positions and scales of channels",
       task, task);
}

}  // namespace fcm::interop
