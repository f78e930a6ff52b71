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
  tasks::replace_non_finite(result, reporter);
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
    reporter.warn(error.what());  // scripts need the exit status of a stopped run
  }
  if (!stopped) return static_cast<int>(ExitCode::kDone);
  reporter.info("stopped early; the same command resumes from the newest checkpoint");
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
  return {{"demo", commands::demo},
          {"pretrain", commands::pretrain, true},
          {"finetune", commands::finetune, true},
          {"eval", commands::eval, true},
          {"linprobe", commands::linprobe, true},
          {"features", commands::features, true},
          {"knn", commands::knn, true},
          {"visualize", commands::visualize},
          {"predict", commands::predict},
          {"report", commands::report},
          {"launch", commands::launch},
          {"completion", commands::completion},
          {"recipe list", commands::recipe_list},
          {"recipe show", commands::recipe_show},
          {"recipe check", commands::recipe_check},
          {"recipe keys", commands::recipe_keys},
          {"data verify", commands::data_verify},
          {"data pack", commands::data_pack},
          {"checkpoint show", commands::checkpoint_show},
          {"checkpoint convert", commands::checkpoint_convert},
          {"checkpoint verify", commands::checkpoint_verify},
          {"checkpoint diff", commands::checkpoint_diff},
          {"bench step", commands::bench_step, true},
          {"bench loader", commands::bench_loader},
          {"bench predict", commands::bench_predict},
          {"bench tune", commands::bench_tune},
          {"bench peak", commands::bench_peak},
          {"bench ops", commands::bench_ops},
          {"bench knn", commands::bench_knn},
          {"bench checkpoint", commands::bench_checkpoint}};
}

std::vector<Group> all_groups() {
  return {{"recipe", "Show and check recipes"},
          {"data", "Check data sets and pack them"},
          {"checkpoint", "Inspect and convert checkpoints"},
          {"bench", "Measure speed"}};
}

}  // namespace fcm::apps
