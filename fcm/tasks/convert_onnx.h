// The command checkpoint convert --to onnx.
#pragma once

#include <nlohmann/json.hpp>

#include "fcm/base/reporter.h"
#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// Throws Error(kUsage) if the request has options that only this format takes.
void refuse_onnx_options(const ConvertRequest& request);

// Writes a model for other runtimes (interop/onnx/models.h). Its metadata has what a user of the
// graph needs, such as mean and std, class names and the recipe's name. The caller has checked that
// request.out may be written. Returns "from", "to", "tensors" and "out" like convert_checkpoint,
// and "what", "nodes", "inputs" and "outputs" (shapes by name). A model that is too large for one
// file gets a second file, whose path is "data". Throws Error(kCheckpoint) if the checkpoint has no
// such model.
nlohmann::json convert_to_onnx(const ConvertRequest& request, Reporter& reporter);

}  // namespace fcm::tasks
