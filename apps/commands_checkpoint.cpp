// The commands that look at checkpoints as files.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "apps/commands.h"
#include "apps/results.h"
#include "fcm/base/error.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps {
namespace {

using nlohmann::json;

std::string padded_names(const json& tensors, const std::function<std::string(const json&)>& rest) {
  size_t width = 0;
  for (const json& one : tensors) {
    width = std::max(width, one.at("name").get_ref<const std::string&>().size());
  }
  std::string text;
  for (const json& one : tensors) {
    text += fmt::format("{:<{}}  {}\n", one.at("name").get<std::string>(), width, rest(one));
  }
  return text;
}

// Facts in two columns, lists on one line, then a line for each tensor.
std::string show_text(json facts) {
  for (json& value : facts.at("architecture")) {
    if (value.is_array()) value = value.dump();
  }
  const json tensors = facts.at("tensors");
  facts.erase("tensors");
  const json recipe = facts.at("recipe");
  facts.erase("recipe");
  std::string text = as_text(facts) + "\n";
  text += padded_names(tensors, [](const json& one) {
    return fmt::format("{} {}", one.at("dtype").get<std::string>(), one.at("shape").dump());
  });
  if (recipe.is_string()) text += "\n" + recipe.get<std::string>();
  return text;
}

int show(const Options& options, Reporter& reporter) {
  const json facts = tasks::show_checkpoint(options.checkpoint, reporter);
  if (options.json) {
    print_result(facts, true);
  } else {
    print_text(show_text(facts));
  }
  return 0;
}

int convert(const Options& options, Reporter& reporter) {
  const tasks::ConvertRequest request{
      {options.checkpoint, options.set, {}}, options.to, options.out, options.overwrite};
  print_result(tasks::convert_checkpoint(request, reporter), options.json);
  return 0;
}

std::string value_text(const json& value) {
  return value.is_number() ? fmt::format("{:.3g}", value.get<double>()) : value.get<std::string>();
}

std::string diff_text(const json& result) {
  std::string text = padded_names(result.at("tensors"), [](const json& one) {
    return fmt::format("max abs {}  max rel {}  {}", value_text(one.at("max_abs")),
                       value_text(one.at("max_rel")), one.value("note", ""));
  });
  for (const auto& [key, where] :
       {std::pair{"only_in_first", "first"}, std::pair{"only_in_second", "second"}}) {
    for (const json& name : result.at(key)) {
      text += fmt::format("{}  only in the {}\n", name.get<std::string>(), where);
    }
  }
  return text + fmt::format("{} tensors compared, {} differ\n",
                            result.at("compared").get<int64_t>(), result.at("tensors").size());
}

int diff(const Options& options, Reporter& reporter) {
  const json result = tasks::diff_checkpoints(options.checkpoint, options.other, reporter);
  if (options.json) {
    print_result(result, true);
  } else {
    print_text(diff_text(result));
  }
  return result.at("equal").get<bool>() ? 0 : 1;  // as diff(1)
}

}  // namespace

int run_checkpoint_command(const Options& options, Reporter& reporter) {
  if (options.command == "checkpoint show") return show(options, reporter);
  if (options.command == "checkpoint convert") return convert(options, reporter);
  if (options.command == "checkpoint diff") return diff(options, reporter);
  require(options.command == "checkpoint verify", "no function for \"{}\"", options.command);
  print_result(tasks::verify_checkpoint(options.checkpoint), options.json);
  return 0;
}

}  // namespace fcm::apps
