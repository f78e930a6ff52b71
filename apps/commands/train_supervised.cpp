#include "apps/commands/train_supervised.h"

#include "apps/signals.h"
#include "fcm/base/error.h"

namespace fcm::apps::commands {

int train_supervised(tasks::FinetuneRequest& request, const recipe::Recipe& recipe,
                     const RecipeChoice& choice, const std::string& command,
                     const std::string& learns, const Output& output) {
  const bool is_classifier = recipe.is<recipe::Classify>();
  const std::string found = is_classifier ? recipe.classify().classifier.learns : "all";
  if (found != learns) {
    if (!is_classifier) {
      fail(ExitCode::kUsage, "--recipe {} is not a linear-probe recipe; train it with finetune",
           choice.name);
    }
    fail(ExitCode::kUsage, "--recipe {}: classifier.learns is \"{}\", {} needs \"{}\"", choice.name,
         found, command, learns);
  }
  request.recipe = recipe;
  request.set = choice.set;
  request.stop = catch_stop_signals();
  request.machine.group = output.group;
  return output.print_run(tasks::finetune(request, output.reporter));
}

}  // namespace fcm::apps::commands
