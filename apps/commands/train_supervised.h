// Shared by `finetune` and `linprobe --recipe linprobe_*`.
#pragma once

#include <string>

#include "apps/command.h"
#include "apps/recipes.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps::commands {

// Trains with `recipe`, which was read from `choice`. `learns`: the value of classifier.learns that
// `command` requires; throws Error(kUsage) if the recipe has another value.
int train_supervised(tasks::FinetuneRequest& request, const recipe::Recipe& recipe,
                     const RecipeChoice& choice, const std::string& command,
                     const std::string& learns, const Output& output);

}  // namespace fcm::apps::commands
