// The last part of `demo --full`: how much pretraining improves a fine-tuned classifier.
#pragma once

#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// Fine-tunes the encoder of the finished run in request.out, and trains the same network from
// scratch for the same number of steps, each in a subfolder. Resumes where an earlier launch
// stopped. If it is stopped, returns the result of the stopped run, with "stopped": true. Otherwise
// returns the top-1 accuracy of both runs in percent as "pretrained" and "scratch", their
// accuracies after every epoch under "by_epoch", and "epochs", "steps" and "batch_size".
nlohmann::json finetune_demo(const DemoRequest& request, const std::string& data,
                             Reporter& reporter);

// Removes the two runs of finetune_demo before the encoder they started from is replaced. Removes
// nothing else in their folders. Throws Error as remove_run does.
void remove_finetune_demo(const std::filesystem::path& out, Reporter& reporter);

}  // namespace fcm::tasks
