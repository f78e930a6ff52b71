// The commands that need a model: arguments to a call into fcm/tasks, its result to stdout.
#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/results.h"
#include "apps/signals.h"
#include "bench/bench.h"
#include "fcm/base/error.h"
#include "fcm/recipe/recipe_files.h"
#include "fcm/tasks/result_file.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps {
namespace {

namespace fs = std::filesystem;

tasks::CheckpointRequest checkpoint_request(const Options& options) {
  return {options.checkpoint, options.set, options.allow_missing};
}

// "clip=FILE", ... by name.
tasks::TeacherFiles teacher_files(const Options& options) {
  tasks::TeacherFiles files;
  for (const std::string& assignment : options.teachers) {
    const size_t equals = assignment.find('=');
    const std::string name = assignment.substr(0, equals);
    const bool known = name == "clip" || name == "dino";
    if (!known || equals == assignment.npos || equals + 1 == assignment.size()) {
      fail(ExitCode::kUsage, "--teacher {}: write clip=FILE or dino=FILE", assignment);
    }
    if (!files.emplace(name, assignment.substr(equals + 1)).second) {
      fail(ExitCode::kUsage, "--teacher {}: there is a file for {} already", assignment, name);
    }
  }
  return files;
}

tasks::RunRequest run_request(const Options& options) {
  tasks::RunRequest request;
  if (!options.recipe.empty()) request.recipe = recipe_of(options, options.recipe);
  request.data = options.data;
  request.out = options.out;
  request.resume = options.resume;
  request.overwrite = options.overwrite;
  request.dry_run = options.dry_run;
  request.machine = machine_of(options);
  request.teachers = teacher_files(options);
  return request;
}

// Exit status of a run, whose result says whether it was stopped.
int status_of(const nlohmann::json& result, Reporter& reporter) {
  if (!result.value("stopped", false)) return static_cast<int>(ExitCode::kDone);
  reporter.info("stopped early with a checkpoint; the same command goes on from there");
  return static_cast<int>(ExitCode::kStopped);
}

int pretrain(const Options& options, Reporter& reporter) {
  tasks::RunRequest request = run_request(options);
  request.stop = catch_stop_signals();
  const nlohmann::json result = tasks::pretrain(request, reporter);
  print_result(result, options.json);
  return status_of(result, reporter);
}

// `learns`: what the command expects of the recipe's classifier.learns.
int train_classifier(const Options& options, const char* learns, Reporter& reporter) {
  tasks::FinetuneRequest request;
  request.recipe = finetune_recipe_of(options, options.recipe);
  if (const std::string& found = request.recipe.classify().classifier.learns; found != learns) {
    fail(ExitCode::kUsage, "--recipe {}: classifier.learns is \"{}\", {} wants \"{}\"",
         options.recipe, found, options.command, learns);
  }
  request.set = options.set;
  request.data = options.data;
  request.out = options.out;
  request.checkpoint = options.checkpoint;
  request.allow_missing = options.allow_missing;
  request.resume = options.resume;
  request.overwrite = options.overwrite;
  request.dry_run = options.dry_run;
  request.machine = machine_of(options);
  request.stop = catch_stop_signals();
  const nlohmann::json result = tasks::finetune(request, reporter);
  print_result(result, options.json);
  return status_of(result, reporter);
}

int finetune(const Options& options, Reporter& reporter) {
  if (options.checkpoint.empty() && !options.from_scratch) {
    fail(ExitCode::kUsage,
         "finetune wants weights to start from: --checkpoint PATH; or --from-scratch for none");
  }
  return train_classifier(options, "all", reporter);
}

int eval(const Options& options, Reporter& reporter) {
  const tasks::EvalRequest request{options.data, checkpoint_request(options), options.out,
                                   options.eval_batch, machine_of(options)};
  if (options.data.empty() && !options.latency) {
    fail(ExitCode::kUsage, "eval wants labelled pictures: --data DATA; or --latency for its speed");
  }
  print_result(options.latency ? bench::latency(request, reporter) : tasks::eval(request, reporter),
               options.json);
  return 0;
}

int demo(const Options& options, Reporter& reporter) {
  tasks::DemoRequest request;
  request.out = options.out.empty() ? "runs/demo" : options.out;
  request.overwrite = options.overwrite;
  request.images = options.image_count;
  request.recipe = recipe_of(options, "demo");
  if (options.full) {
    request.finetune = recipe::load_classification_recipe("finetune_demo", recipe_folders(), {});
  }
  request.machine = machine_of(options);
  request.stop = catch_stop_signals();
  const nlohmann::json result = tasks::demo(request, reporter);
  print_result(result, options.json);
  return status_of(result, reporter);
}

int linprobe(const Options& options, Reporter& reporter) {
  if (!options.fast && !options.recipe.empty() && names_finetune_recipe(options.recipe)) {
    if (options.out.empty()) {
      fail(ExitCode::kUsage,
           "linprobe --recipe {} trains a probe and wants a run folder: --out DIR", options.recipe);
    }
    return train_classifier(options, "head", reporter);
  }
  if (!options.out.empty()) tasks::refuse_foreign_result(options.out);
  const nlohmann::json result =
      options.fast ? tasks::fast_linprobe(options.data, checkpoint_request(options),
                                          machine_of(options), reporter)
                   : tasks::linprobe(run_request(options), checkpoint_request(options), reporter);
  if (!options.out.empty()) tasks::write_result(options.out, result);
  print_result(result, options.json);
  return 0;
}

int knn(const Options& options, Reporter& reporter) {
  print_result(tasks::knn(options.data, checkpoint_request(options), options.k, machine_of(options),
                          reporter),
               options.json);
  return 0;
}

int features(const Options& options, Reporter& reporter) {
  const tasks::FeaturesRequest request{
      options.data,  checkpoint_request(options), options.out,        options.tokens,
      options.split, options.overwrite,           machine_of(options)};
  print_result(tasks::write_features(request, reporter), options.json);
  return 0;
}

int visualize(const Options& options, Reporter& reporter) {
  tasks::visualize(checkpoint_request(options), options.images, teacher_files(options), options.out,
                   static_cast<uint64_t>(options.seed.value_or(0)), machine_of(options), reporter);
  print_result({{"out", options.out}}, options.json);
  return 0;
}

int report(const Options& options, Reporter& reporter) {
  tasks::report(options.run_dir, reporter);
  print_result({{"report", (fs::path(options.run_dir) / "report.html").string()}}, options.json);
  return 0;
}

int bench_step(const Options& options, Reporter& reporter) {
  bench::BenchStepRequest request;
  request.recipe = recipe::load_recipe(options.recipe, recipe_folders(), overrides_of(options));
  request.batch = options.batch;
  request.precision = options.precision;
  request.implementation = options.implementation;
  request.steps = options.steps;
  request.profile = options.profile;
  request.machine = machine_of(options);
  print_result(bench::bench_step(request, reporter), options.json);
  return 0;
}

int bench_ops(const Options& options, Reporter& reporter) {
  print_result(bench::bench_ops(options.filter, machine_of(options), reporter), options.json);
  return 0;
}

int bench_loader(const Options& options, Reporter& reporter) {
  print_result(bench::bench_loader(options.data, options.seconds, machine_of(options), reporter),
               options.json);
  return 0;
}

int bench_knn(const Options& options, Reporter& reporter) {
  bench::BenchKnnRequest request;
  request.bank = options.bank;
  request.queries = options.queries;
  request.width = options.width;
  request.k = options.k;
  request.machine = machine_of(options);
  print_result(bench::bench_knn(request, reporter), options.json);
  return 0;
}

int bench_checkpoint(const Options& options, Reporter& reporter) {
  const fs::path folder = options.out.empty() ? fs::temp_directory_path() : fs::path(options.out);
  print_result(bench::bench_checkpoint(options.bytes, folder, reporter), options.json);
  return 0;
}

}  // namespace

int run_task(const Options& options, Reporter& reporter) {
  if (options.command == "pretrain") return pretrain(options, reporter);
  if (options.command == "finetune") return finetune(options, reporter);
  if (options.command == "eval") return eval(options, reporter);
  if (options.command == "demo") return demo(options, reporter);
  if (options.command == "linprobe") return linprobe(options, reporter);
  if (options.command == "knn") return knn(options, reporter);
  if (options.command == "features") return features(options, reporter);
  if (options.command == "visualize") return visualize(options, reporter);
  if (options.command == "report") return report(options, reporter);
  if (options.command == "bench step") return bench_step(options, reporter);
  if (options.command == "bench ops") return bench_ops(options, reporter);
  if (options.command == "bench loader") return bench_loader(options, reporter);
  if (options.command == "bench knn") return bench_knn(options, reporter);
  if (options.command == "bench checkpoint") return bench_checkpoint(options, reporter);
  require(false, "command \"{}\" has a help text but no function", options.command);
  return 1;
}

}  // namespace fcm::apps
