// The last part of `demo --full`: the gain of pretraining for a classifier.
#pragma once

#include "fcm/tasks/tasks.h"

namespace fcm::tasks {

// Fine-tunes the encoder of the finished run in request.out, and trains the same network from
// scratch for as many steps, each in a subfolder; resumes where an earlier launch stopped. Returns
// {"stopped": true}, or the top-1 of both in percent as "pretrained" and "scratch", after every
// epoch under "by_epoch", with "epochs", "steps" and "batch_size".
nlohmann::json finetune_demo(const DemoRequest& request, const std::string& data,
                             Reporter& reporter);

// Removes these two runs, whose encoder is about to be replaced, and nothing else in their folders.
// Throws Error as remove_run does.
void remove_finetune_demo(const std::filesystem::path& out, Reporter& reporter);

}  // namespace fcm::tasks
