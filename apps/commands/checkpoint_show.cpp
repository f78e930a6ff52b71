#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/commands/commands.h"
#include "apps/results.h"
#include "apps/shared_flags.h"

namespace fcm::apps::commands {
namespace {

// Drops the hashes of single images, which are for programs. Replaces the list of classes, if there
// is one, by one line with at most 100 of them.
void shorten_set(nlohmann::json& trained_on) {
  constexpr size_t kShown = 100;
  if (trained_on.is_object()) trained_on.erase("content_sample");
  if (!trained_on.is_object() || !trained_on.contains("classes")) return;
  std::vector<std::string> names = trained_on.at("classes");
  const size_t count = names.size();
  names.resize(std::min(count, kShown));
  std::string text = fmt::format("{}: {}", count, fmt::join(names, ", "));
  if (count > kShown) text += ", ... (all with --json)";
  trained_on["classes"] = text;
}

// Facts in two columns with each list on one line, then one line per tensor, then the recipe.
std::string checkpoint_text(nlohmann::json facts) {
  for (nlohmann::json& value : facts.at("architecture")) {
    if (value.is_array()) value = value.dump();
  }
  shorten_set(facts.at("trained_on"));
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
  struct Arguments {
    std::filesystem::path checkpoint;
    int64_t threads = 0;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Format, sizes, training state and every tensor",
                 "Example:\n  fastconvmae checkpoint show checkpoint-49.pth");
  add_checkpoint(flags, arguments->checkpoint, "checkpoint,--checkpoint").required();
  add_reading_threads(flags, arguments->threads);
  return [arguments](const Output& output) {
    const nlohmann::json facts =
        tasks::show_checkpoint(arguments->checkpoint, output.reporter, arguments->threads);
    return output.print(facts, checkpoint_text(facts));
  };
}

}  // namespace fcm::apps::commands
