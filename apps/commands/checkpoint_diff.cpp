#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "apps/commands/commands.h"
#include "apps/results.h"
#include "apps/shared_flags.h"
#include "fcm/base/counted.h"

namespace fcm::apps::commands {
namespace {

std::string difference(const nlohmann::json& value) {
  return value.is_number() ? fmt::format("{:.3g}", value.get<double>()) : value.get<std::string>();
}

std::string diff_text(const nlohmann::json& result) {
  std::string text = lines_by_name(result.at("tensors"), [](const nlohmann::json& one) {
    return fmt::format("max abs {}  max rel {}  {}", difference(one.at("max_abs")),
                       difference(one.at("max_rel")), one.value("note", ""));
  });
  for (const auto& [key, where] :
       {std::pair{"only_in_first", "first"}, std::pair{"only_in_second", "second"}}) {
    for (const nlohmann::json& name : result.at(key)) {
      text += fmt::format("{}  only in the {}\n", name.get<std::string>(), where);
    }
  }
  return text + fmt::format("{} compared, {} {}\n",
                            counted(result.at("compared").get<int64_t>(), "tensor", "tensors"),
                            result.at("tensors").size(),
                            noun(std::ssize(result.at("tensors")), "differs", "differ"));
}

}  // namespace

Action checkpoint_diff(Flags& flags) {
  struct Arguments {
    std::filesystem::path checkpoint, other;
    int64_t threads = 0;
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("The largest difference of every tensor; exit status 1 if any bit differs",
                 "Example:\n  fastconvmae checkpoint diff runs/base checkpoint-49.pth");
  add_checkpoint(flags, arguments->checkpoint, "checkpoint,--checkpoint").required();
  flags.add("other,--other", arguments->other, "PATH", "The checkpoint to compare with").required();
  add_reading_threads(flags, arguments->threads);
  return [arguments](const Output& output) {
    const nlohmann::json result = tasks::diff_checkpoints(arguments->checkpoint, arguments->other,
                                                          output.reporter, arguments->threads);
    output.print(result, diff_text(result));
    return result.at("equal").get<bool>() ? 0 : 1;  // like diff(1)
  };
}

}  // namespace fcm::apps::commands
