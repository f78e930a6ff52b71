// Shared by `finetune` and `linprobe --recipe linprobe_*`.
#pragma once

#include <string>

#include "apps/command.h"
#include "apps/recipes.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps::commands {

// Trains by `recipe`, which was read from `choice`. `learns`: the value of classifier.learns that
// `command` expects; Error(kUsage) if the recipe has another.
int train_supervised(tasks::FinetuneRequest& request, const recipe::Recipe& recipe,
                     const RecipeChoice& choice, const std::string& command,
                     const std::string& learns, const Output& output);

}  // namespace fcm::apps::commands
