#include "apps/commands/train_classifier.h"

#include "apps/signals.h"
#include "fcm/base/error.h"

namespace fcm::apps::commands {

int train_classifier(tasks::FinetuneRequest& request, const recipe::Recipe& recipe,
                     const RecipeChoice& choice, const std::string& command,
                     const std::string& learns, const Output& output) {
  if (const std::string& found = recipe.classify().classifier.learns; found != learns) {
    fail(ExitCode::kUsage, "--recipe {}: classifier.learns is \"{}\", {} wants \"{}\"", choice.name,
         found, command, learns);
  }
  request.recipe = recipe;
  request.set = choice.set;
  request.stop = catch_stop_signals();
  request.machine.group = output.group;
  return output.print_run(tasks::finetune(request, output.reporter));
}

}  // namespace fcm::apps::commands
