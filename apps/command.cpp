#include "apps/command.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/results.h"
#include "fcm/base/error.h"
#include "fcm/tasks/result_file.h"

namespace fcm::apps {
int Output::print(nlohmann::json result) const {
  if (!group->writes()) return static_cast<int>(ExitCode::kDone);
  tasks::settle_numbers(result, reporter);
  print_result(result, json);
  return static_cast<int>(ExitCode::kDone);
}

int Output::print(const nlohmann::json& result, const std::string& text) const {
  if (json) return print(result);
  if (group->writes()) print_text(text);
  return static_cast<int>(ExitCode::kDone);
}

int Output::print_run(const nlohmann::json& result) const {
  const bool stopped = result.value("stopped", false);
  try {
    print(result);
  } catch (const Error& error) {
    if (!stopped) throw;
    reporter.warn(error.what());  // whoever starts it again goes by the exit status
  }
  if (!stopped) return static_cast<int>(ExitCode::kDone);
  reporter.info("stopped early; the same command goes on from the newest checkpoint");
  return static_cast<int>(ExitCode::kStopped);
}

Declared declared(const Command& command) {
  Declared result;
  result.flags = std::make_unique<Flags>(command.name);
  result.action = command.declare(*result.flags);
  result.flags->add_those_of_every_command();
  return result;
}

std::vector<Command> all_commands() {
  using namespace commands;
  return {{"demo", demo},
          {"pretrain", pretrain, true},
          {"finetune", finetune, true},
          {"eval", eval, true},
          {"linprobe", linprobe, true},
          {"features", features, true},
          {"knn", knn, true},
          {"visualize", visualize},
          {"report", report},
          {"launch", launch},
          {"recipe list", recipe_list},
          {"recipe show", recipe_show},
          {"recipe check", recipe_check},
          {"recipe keys", recipe_keys},
          {"data verify", data_verify},
          {"data pack", data_pack},
          {"checkpoint show", checkpoint_show},
          {"checkpoint convert", checkpoint_convert},
          {"checkpoint verify", checkpoint_verify},
          {"checkpoint diff", checkpoint_diff},
          {"bench step", bench_step, true},
          {"bench loader", bench_loader},
          {"bench ops", bench_ops},
          {"bench knn", bench_knn},
          {"bench checkpoint", bench_checkpoint}};
}

std::vector<Group> all_groups() {
  return {{"recipe", "Look at recipes"},
          {"data", "Check data sets and pack them"},
          {"checkpoint", "Look at checkpoints and convert them"},
          {"bench", "Measure speed"}};
}

}  // namespace fcm::apps
