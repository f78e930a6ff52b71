#include "apps/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/config/nearest.h"

namespace fcm::apps {
namespace {

constexpr int64_t kMany = int64_t{1} << 40;

void add_flags_of_every_command(CLI::App& app, Options& options) {
  app.add_option("--set", options.set, "Change a recipe key; may be repeated")
      ->allow_extra_args(false)
      ->type_name("SECTION.KEY=VALUE");
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->type_name("NAME");
  app.add_flag_callback(
      "--no-cuda-graph", [&options] { options.cuda_graph = false; },
      "Pretraining on a GPU: one operator after another, not a graph of them all");
  app.add_option("--threads", options.threads, "Threads; 0: one for each core")
      ->check(CLI::Range(0, 4096).description(""))
      ->type_name("N");
  app.add_option("--seed", options.seed, "The same as --set run.seed=N")
      ->check(CLI::Range(int64_t{0}, int64_t{9'000'000'000'000'000}).description(""))
      ->type_name("N");
  app.add_option("--resume", options.resume,
                 "auto: go on where --out stopped; never: refuse; or a checkpoint to start from")
      ->type_name("auto|never|PATH");
  app.add_flag("--overwrite", options.overwrite, "Replace the run in --out");
  app.add_flag("--dry-run", options.dry_run, "Check everything, train nothing");
  app.add_flag("--json", options.json, "Results as JSON on stdout");
  app.add_flag("--quiet", options.quiet, "Only warnings and errors on stderr");
  app.add_flag("--version", options.version, "Versions and what this build can do; also as --json");
}

CLI::Option* add_recipe(CLI::App* command, Options& options) {
  return command
      ->add_option("--recipe", options.recipe, "A recipe file, or the name of a shipped one")
      ->type_name("NAME|FILE");
}

CLI::Option* add_data(CLI::App* command, Options& options, const char* names = "--data") {
  return command
      ->add_option(names, options.data,
                   "An image folder, a packed file, a file list, tar shards, CIFAR or IDX files, "
                   "fashion-mnist, synthetic")
      ->type_name("DATA");
}

constexpr const char* kCheckpointHelp =
    "A checkpoint, a run folder (its newest one), a .pth or .safetensors file, or a folder with "
    "config.json";

CLI::Option* add_checkpoint(CLI::App* command, Options& options,
                            const char* names = "--checkpoint") {
  return command->add_option(names, options.checkpoint, kCheckpointHelp)
      ->type_name("PATH")
      ->required();
}

// Of commands that build a model of it.
CLI::Option* add_weights(CLI::App* command, Options& options) {
  CLI::Option* checkpoint = add_checkpoint(command, options);
  command
      ->add_option("--allow-missing", options.allow_missing,
                   "Tensors that may be missing, like \"norm.*\"; may be repeated")
      ->allow_extra_args(false)
      ->type_name("PATTERN");
  return checkpoint;
}

void add_teachers(CLI::App* command, Options& options) {
  command
      ->add_option("--teacher", options.teachers,
                   "Published weights of a tower that the recipe's targets name; may be repeated")
      ->allow_extra_args(false)
      ->type_name("clip|dino=FILE");
}

void add_runs(CLI::App& app, Options& options) {
  CLI::App* demo = app.add_subcommand("demo", "Train and measure on Fashion-MNIST in minutes");
  demo->add_option("--out", options.out, "Run folder; an unfinished run there is resumed")
      ->type_name("DIR")
      ->default_str("runs/demo");
  demo->add_option("--images", options.image_count, "Train on so many pictures only")
      ->check(CLI::Range(int64_t{1}, kMany).description(""))
      ->type_name("N");
  demo->add_flag("--full", options.full,
                 "Fine-tune as well, from the pretrained encoder and from scratch (five minutes)");
  demo->footer("Example:\n  fastconvmae demo");

  CLI::App* pretrain =
      app.add_subcommand("pretrain", "Train an encoder on pictures without labels");
  add_recipe(pretrain, options)->required();
  add_data(pretrain, options)->required();
  pretrain->add_option("--out", options.out, "Run folder")->type_name("DIR")->required();
  add_teachers(pretrain, options);
  pretrain->footer(
      "Example:\n  fastconvmae pretrain --recipe smoke_pretrain --data synthetic --out runs/smoke\n"
      "Ctrl-C or SIGTERM saves and ends with exit status 75; the same command goes on from there.");
}

void add_classifiers(CLI::App& app, Options& options) {
  CLI::App* finetune =
      app.add_subcommand("finetune", "Train a classifier on labelled pictures, all of it");
  add_recipe(finetune, options)->required();
  add_data(finetune, options)->required();
  finetune->add_option("--out", options.out, "Run folder")->type_name("DIR")->required();
  CLI::Option* checkpoint = add_weights(finetune, options)->required(false);
  finetune->add_flag("--from-scratch", options.from_scratch, "Start from random weights")
      ->excludes(checkpoint);
  finetune->footer(
      "Example:\n  fastconvmae finetune --recipe smoke_finetune --data synthetic --checkpoint "
      "runs/smoke --out runs/tuned\n"
      "Ctrl-C or SIGTERM saves and ends with exit status 75; the same command goes on from there.");

  CLI::App* eval =
      app.add_subcommand("eval", "Accuracy of a classifier, in all and class by class");
  add_data(eval, options);
  add_checkpoint(eval, options);
  eval->add_option("--batch", options.eval_batch, "Pictures a pass; changes no count")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N")
      ->capture_default_str();
  eval->add_option("--out", options.out, "Folder for result.json and confusion.png")
      ->type_name("DIR");
  eval->add_flag("--latency", options.latency,
                 "Pictures a second and memory instead, fp32 and bf16, one at a time and --batch; "
                 "needs no --data");
  eval->footer(
      "Example:\n  fastconvmae eval --data synthetic --checkpoint runs/tuned --set "
      "classifier.eval_crop=0.875");
}

void add_evaluations(CLI::App& app, Options& options) {
  CLI::App* linprobe =
      app.add_subcommand("linprobe", "Accuracy of a linear classifier on frozen features");
  CLI::Option* recipe =
      linprobe
          ->add_option(
              "--recipe", options.recipe,
              "linprobe_*: the published probe, over augmented pictures; others, and none: "
              "logistic regression to its optimum, over features that are computed once")
          ->type_name("NAME|FILE");
  linprobe
      ->add_flag("--fast", options.fast,
                 "Over features that are computed once, by gradient steps at several rates")
      ->excludes(recipe);
  add_data(linprobe, options)->required();
  add_weights(linprobe, options);
  linprobe->add_option("--out", options.out, "Folder for result.json; with --recipe the run folder")
      ->type_name("DIR");
  linprobe->footer(
      "Examples:\n  fastconvmae linprobe --data fashion-mnist --checkpoint runs/demo\n"
      "  fastconvmae linprobe --recipe smoke_linprobe --data synthetic --checkpoint runs/smoke "
      "--out runs/probe");

  CLI::App* features = app.add_subcommand("features", "Write frozen features to a file");
  add_data(features, options)->required();
  add_weights(features, options);
  features->add_option("--out", options.out, "F.npy (labels go to F.labels.npy) or F.safetensors")
      ->type_name("FILE")
      ->required();
  features
      ->add_option("--tokens", options.tokens,
                   "Mean of all patches; all of them, one after another; a ViT's class token")
      ->check(CLI::IsMember({"mean", "flat", "class"}).description(""))
      ->type_name("mean|flat|class")
      ->capture_default_str();
  features->add_option("--split", options.split, "Which pictures")
      ->check(CLI::IsMember({"train", "val"}).description(""))
      ->type_name("train|val")
      ->capture_default_str();
  features->footer(
      "F.pictures.tsv names class and picture of every row. Pictures that cannot be read are left "
      "out.\n"
      "Example:\n  fastconvmae features --data fashion-mnist --checkpoint runs/demo --out f.npy");

  CLI::App* knn = app.add_subcommand("knn", "Accuracy of the nearest neighbours in feature space");
  add_data(knn, options)->required();
  add_weights(knn, options);
  knn->add_option("--k", options.k, "Neighbours that vote")
      ->check(CLI::Range(int64_t{1}, kMany).description(""))
      ->type_name("N")
      ->capture_default_str();
  knn->footer("Example:\n  fastconvmae knn --data fashion-mnist --checkpoint runs/demo");
}

void add_pictures(CLI::App& app, Options& options) {
  CLI::App* visualize =
      app.add_subcommand("visualize", "A sheet of masked and reconstructed pictures");
  add_weights(visualize, options);
  add_teachers(visualize, options);
  visualize->add_option("--images", options.images, "Pictures (JPEG, PNG or WebP)")
      ->type_name("FILE")
      ->required();
  visualize->add_option("--out", options.out, "The sheet, a PNG file")
      ->type_name("FILE")
      ->required();
  visualize->footer(
      "Example:\n  fastconvmae visualize --checkpoint runs/demo --images a.png b.jpg --out "
      "sheet.png");

  CLI::App* report = app.add_subcommand("report", "Write RUN_DIR/report.html");
  report->add_option("run_dir", options.run_dir, "A run folder")->type_name("DIR")->required();
  report->footer("Example:\n  fastconvmae report runs/demo");
}

void add_recipes(CLI::App& app, Options& options) {
  CLI::App* recipe = app.add_subcommand("recipe", "Look at recipes");
  recipe->add_subcommand("list", "The recipes that ship with the program");
  CLI::App* show = recipe->add_subcommand(
      "show", "A recipe as it would run, --set included, with the meaning of every key");
  show->add_option("recipe", options.recipes, "Name or file")
      ->expected(1)
      ->type_name("NAME|FILE")
      ->required();
  show->footer("Example:\n  fastconvmae recipe show demo --set optim.epochs=5 > mine.toml");
  CLI::App* check = recipe->add_subcommand("check", "Find unknown, missing and impossible keys");
  check->add_option("recipes", options.recipes, "Names or files; none: all that ship")
      ->type_name("NAME|FILE");
  check->footer("Example:\n  fastconvmae recipe check mine.toml");
  recipe->add_subcommand("keys", "Every key with its usual value, range and meaning");
}

void add_data_commands(CLI::App& app, Options& options) {
  CLI::App* data = app.add_subcommand("data", "Check data sets and pack them");
  CLI::App* verify =
      data->add_subcommand("verify", "Decode every picture; exit status 3 if one is bad");
  add_data(verify, options, "data,--data")->required();
  verify->footer("Example:\n  fastconvmae data verify fashion-mnist");

  CLI::App* pack = data->add_subcommand(
      "pack", "Shrink every picture and write all, train and val, to one file for --data");
  add_data(pack, options, "data,--data")->required();
  pack->add_option("--out", options.out, "The file")->type_name("FILE")->required();
  pack->add_option("--side", options.side, "Pixels of the shorter side; never enlarges")
      ->check(CLI::Range(1, 65500).description(""))
      ->type_name("N")
      ->capture_default_str();
  pack->add_option("--format", options.format, "raw: six times the disk, nothing to decode")
      ->check(CLI::IsMember({"jpeg", "raw"}).description(""))
      ->type_name("jpeg|raw")
      ->capture_default_str();
  pack->add_option("--quality", options.quality, "Of the JPEGs")
      ->check(CLI::Range(1, 100).description(""))
      ->type_name("N")
      ->capture_default_str();
  pack->footer(
      "Pictures that cannot be read are named and left out; the exit status is then 3 and the file "
      "is\nthere nonetheless.\n"
      "Example:\n  fastconvmae data pack --data /path/to/imagenet --out imagenet.pack");
}

void add_checkpoints(CLI::App& app, Options& options) {
  CLI::App* group = app.add_subcommand("checkpoint", "Look at checkpoints and convert them");
  CLI::App* show = group->add_subcommand("show", "Format, sizes, training state and every tensor");
  add_checkpoint(show, options, "checkpoint,--checkpoint");
  show->footer("Example:\n  fastconvmae checkpoint show checkpoint-49.pth");

  CLI::App* convert = group->add_subcommand("convert", "Write a checkpoint in another format");
  add_checkpoint(convert, options, "checkpoint,--checkpoint");
  convert
      ->add_option("out,--out", options.out,
                   "A file; a folder for native, hf, timm and transformers")
      ->type_name("PATH")
      ->required();
  convert->add_option("--to", options.to, "See below")
      ->check(
          CLI::IsMember({"native", "pth", "safetensors", "hf", "encoder", "timm", "transformers"})
              .description(""))
      ->type_name("FORMAT");
  convert->footer(
      "Formats of --to; without it the ending of the file decides (.pth, .safetensors):\n"
      "  native        a folder of this program\n"
      "  pth           what the published programs' --resume accepts\n"
      "  safetensors   all weights, published names\n"
      "  hf            the same in a folder with config.json\n"
      "  encoder       a .pth of the encoder alone: what the published programs' --finetune "
      "accepts\n"
      "  timm          a ViT's encoder for timm.create_model(\"local-dir:OUT\")\n"
      "  transformers  a ViT's encoder for ViTModel.from_pretrained(OUT)\n"
      "Example:\n  fastconvmae checkpoint convert runs/base checkpoint-49.pth");

  CLI::App* verify = group->add_subcommand(
      "verify", "Check hashes and every rule of the format; exit status 4 if one does not hold");
  add_checkpoint(verify, options, "checkpoint,--checkpoint");
  verify->footer("Example:\n  fastconvmae checkpoint verify runs/base");

  CLI::App* diff = group->add_subcommand(
      "diff", "The largest difference of every tensor; exit status 1 if any bit differs");
  add_checkpoint(diff, options, "checkpoint,--checkpoint");
  diff->add_option("other,--other", options.other, "What it is compared with")
      ->type_name("PATH")
      ->required();
  diff->footer("Example:\n  fastconvmae checkpoint diff runs/base checkpoint-49.pth");
}

void add_benchmarks(CLI::App& app, Options& options) {
  CLI::App* bench = app.add_subcommand("bench", "Measure speed");
  CLI::App* step = bench->add_subcommand(
      "step", "Training steps of this program and of the published form, alternating");
  add_recipe(step, options)->required();
  step->add_option("--batch", options.batch, "Pictures a step")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N")
      ->capture_default_str();
  step->add_option("--precision", options.precision, "In place of the recipe's")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}).description(""))
      ->type_name("auto|fp32|bf16");
  step->add_option("--implementation", options.implementation, "What to measure")
      ->check(CLI::IsMember({"fast", "reference", "both"}).description(""))
      ->type_name("fast|reference|both")
      ->capture_default_str();
  step->add_option("--steps", options.steps, "Timed steps of each")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N")
      ->capture_default_str();
  step->add_flag("--profile", options.profile,
                 "As many steps more, listed operator by operator: where the time goes");
  step->footer(
      "Example:\n  fastconvmae bench step --recipe fastconvmae_base_in1k_50ep --precision fp32");

  CLI::App* loader =
      bench->add_subcommand("loader", "Pictures a second, beside plain decoding of the same files");
  add_data(loader, options)->required();
  loader->add_option("--seconds", options.seconds, "How long to measure")
      ->check(CLI::Range(0.01, 1e6).description(""))
      ->type_name("S")
      ->capture_default_str();
  loader->footer("Example:\n  fastconvmae bench loader --data /path/to/imagenet --threads 1");

  CLI::App* ops = bench->add_subcommand("ops", "Single operators against their references");
  ops->add_option("--filter", options.filter, "Only operators and cases with this in their name")
      ->type_name("TEXT");
  ops->footer("Example:\n  fastconvmae bench ops --filter patch_depthwise_conv");

  CLI::App* knn = bench->add_subcommand("knn", "Nearest neighbours among features without meaning");
  const auto size = [&](const char* name, int64_t& value, const char* help) {
    knn->add_option(name, value, help)
        ->check(CLI::Range(int64_t{1}, kMany).description(""))
        ->type_name("N")
        ->capture_default_str();
  };
  size("--bank", options.bank, "Known features");
  size("--queries", options.queries, "Features to ask about");
  size("--width", options.width, "Numbers a feature");
  size("--k", options.k, "Neighbours that vote");
  knn->footer("Example:\n  fastconvmae bench knn --bank 50000 --queries 10000 --width 768");

  CLI::App* files = bench->add_subcommand(
      "checkpoint", "Reading and writing training state, beside cat and cp with fsync");
  files->add_option("--bytes", options.bytes, "Size of the files")
      ->check(CLI::Range(int64_t{1}, kMany).description(""))
      ->type_name("N")
      ->capture_default_str();
  files->add_option("--out", options.out, "Where to put them meanwhile; a temporary folder")
      ->type_name("DIR");
  files->footer("Example:\n  fastconvmae bench checkpoint --bytes 1400000000");
}

void finish(CLI::App& command) {
  constexpr size_t kNameColumn = 32;
  command.get_formatter()->column_width(kNameColumn);
  // At most one: a recipe or file named like a command is not a second command.
  command.require_subcommand(0, 1);
  for (CLI::App* inner : command.get_subcommands(nullptr)) {
    const std::string example = inner->get_footer();
    inner->footer((example.empty() ? "" : example + "\n\n") +
                  "Flags of every command, --set and --json among them: fastconvmae --help");
    finish(*inner);
  }
}

void finish_commands(CLI::App& app) {
  finish(app);
  app.footer(
      "These flags go with every command; fastconvmae COMMAND --help shows a command's own.\n"
      "Exit status: 0 done, 2 usage or recipe, 3 data, 4 checkpoint, 5 numbers went bad for good,\n"
      "6 device or memory, 75 stopped early with a checkpoint (run the same command again).");
}

// "recipe show" for the subcommands that were given.
std::string chosen_command(const CLI::App& app, const CLI::App** deepest) {
  std::string command;
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    command += (command.empty() ? "" : " ") + at->get_name();
  }
  *deepest = at;
  return command;
}

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string see_help(const std::string& command) {
  return fmt::format("see fastconvmae {}{}--help", command, command.empty() ? "" : " ");
}

// What to say about the first word that no option or command took.
std::string unexpected(const CLI::App& app, const std::string& word) {
  const CLI::App* deepest = nullptr;
  const std::string command = chosen_command(app, &deepest);
  const bool is_flag = word.starts_with("-");
  std::vector<std::string> candidates;
  if (is_flag) {
    candidates = flag_names(*deepest);
    const std::vector<std::string> everywhere = flag_names(app);
    candidates.insert(candidates.end(), everywhere.begin(), everywhere.end());
  } else {
    candidates = subcommand_names(*deepest);
  }
  const std::string name = word.substr(0, is_flag ? word.find('=') : word.npos);
  const char* what = is_flag ? "flag" : candidates.empty() ? "argument" : "command";
  const auto meant = config::nearest(name, candidates);
  return fmt::format("unknown {} {}; {}", what, name,
                     meant ? fmt::format("did you mean {}?", *meant) : see_help(command));
}

// CLI11 would take the value of an unknown command's flag for a command: --recipe demo.
void refuse_unknown_command(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word.starts_with("-")) {
      const CLI::Option* option = app.get_option_no_throw(word);
      if (option != nullptr && option->get_expected_min() > 0) ++i;  // its value
      continue;
    }
    const std::vector<std::string> names = subcommand_names(app);
    const bool known = std::find(names.begin(), names.end(), word) != names.end();
    if (!known) fail(ExitCode::kUsage, "{}", unexpected(app, word));
    return;
  }
}

// The program and groups like `recipe` do nothing by themselves.
void refuse_bare_group(const CLI::App& deepest, const std::string& command) {
  const std::vector<std::string> names = subcommand_names(deepest);
  if (names.empty()) return;
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  if (command.empty()) {
    fail(ExitCode::kUsage, "name a command: {}; {}", list, see_help(command));
  }
  fail(ExitCode::kUsage, "{} needs one of: {}; {}", command, list, see_help(command));
}

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  Options& options = line.options;
  CLI::App app("Fast masked-image pretraining (Fast ConvMAE) on processors.", "fastconvmae");
  app.fallthrough();  // flags of every command may stand behind the command
  app.set_help_flag("--help,-h", "Show this and exit");
  add_flags_of_every_command(app, options);
  add_runs(app, options);
  add_classifiers(app, options);
  add_evaluations(app, options);
  add_pictures(app, options);
  add_recipes(app, options);
  add_data_commands(app, options);
  add_checkpoints(app, options);
  add_benchmarks(app, options);
  finish_commands(app);

  refuse_unknown_command(app, arguments);
  const CLI::App* deepest = nullptr;
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants it
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    line.help = app.help();
    return line;
  } catch (const CLI::ParseError& error) {
    // A mistyped flag first shows as a missing one, so look for leftovers before anything else.
    const std::vector<std::string> left = app.remaining(true);
    if (!left.empty()) fail(ExitCode::kUsage, "{}", unexpected(app, left.front()));
    const std::string command = chosen_command(app, &deepest);
    fail(ExitCode::kUsage, "{}; {}", error.what(), see_help(command));
  }
  options.command = chosen_command(app, &deepest);
  if (options.version) return line;
  refuse_bare_group(*deepest, options.command);
  return line;
}

}  // namespace fcm::apps
