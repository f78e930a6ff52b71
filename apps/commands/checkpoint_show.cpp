#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/results.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {
namespace {

// Facts in two columns, lists on one line, then a line for each tensor.
std::string checkpoint_text(nlohmann::json facts) {
  for (nlohmann::json& value : facts.at("architecture")) {
    if (value.is_array()) value = value.dump();
  }
  const nlohmann::json tensors = facts.at("tensors");
  facts.erase("tensors");
  const nlohmann::json recipe = facts.at("recipe");
  facts.erase("recipe");
  std::string text = as_text(facts) + "\n";
  text += lines_by_name(tensors, [](const nlohmann::json& one) {
    return fmt::format("{} {}", one.at("dtype").get<std::string>(), one.at("shape").dump());
  });
  if (recipe.is_string()) text += "\n" + recipe.get<std::string>();
  return text;
}

}  // namespace

Action checkpoint_show(Flags& flags) {
  const auto path = std::make_shared<std::filesystem::path>();
  flags.describe("Format, sizes, training state and every tensor",
                 "Example:\n  fastconvmae checkpoint show checkpoint-49.pth");
  add_checkpoint(flags, *path, "checkpoint,--checkpoint").required();
  return [path](const Output& output) {
    const nlohmann::json facts = tasks::show_checkpoint(*path, output.reporter);
    return output.print(facts, checkpoint_text(facts));
  };
}

}  // namespace fcm::apps::commands
