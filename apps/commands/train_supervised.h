// What `finetune` and `linprobe --recipe linprobe_*` have in common.
#pragma once

#include <string>

#include "apps/command.h"
#include "apps/recipes.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps::commands {

// Trains by `recipe`, which was read as `choice` says. `learns`: what `command` expects of the
// recipe's classifier.learns; Error(kUsage) where it is something else.
int train_supervised(tasks::FinetuneRequest& request, const recipe::Recipe& recipe,
                     const RecipeChoice& choice, const std::string& command,
                     const std::string& learns, const Output& output);

}  // namespace fcm::apps::commands
