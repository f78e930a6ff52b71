#include "apps/shared_flags.h"

#include <cstdlib>

#include "fcm/base/error.h"

namespace fcm::apps {
namespace fs = std::filesystem;
namespace {

// Folder for cached file lists of large data sets: fastconvmae/lists in $XDG_CACHE_HOME, or else in
// ~/.cache; empty if neither variable is set.
fs::path cache_folder() {
  // The XDG base directory specification ignores relative paths.
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fs::path(cache) / "fastconvmae/lists";
  const char* const home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return fs::path(home) / ".cache/fastconvmae/lists";
  return {};
}

// "clip=FILE"
void take_teacher(tasks::TeacherFiles& files, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  const std::string name = assignment.substr(0, equals);
  const bool known = name == "clip" || name == "dino";
  if (!known || equals == assignment.npos || equals + 1 == assignment.size()) {
    fail(ExitCode::kUsage, "--teacher {}: write clip=FILE or dino=FILE", assignment);
  }
  if (!files.emplace(name, assignment.substr(equals + 1)).second) {
    fail(ExitCode::kUsage, "--teacher {}: {} already has a file", assignment, name);
  }
}

std::string teachers_text(const tasks::TeacherFiles& files) {
  std::string text;
  for (const auto& [name, file] : files) text += name + "=" + file.string() + " ";
  return text;
}

void add_threads_and_cache(Flags& flags, tasks::MachineOptions& machine) {
  machine.cache = cache_folder();
  flags.add("--threads", machine.threads, {0, 4096},
            "Threads; 0: one for each core that this process may use");
}

}  // namespace

Flag add_data(Flags& flags, std::string& data, const char* names) {
  return flags.add(names, data, "DATA",
                   "An image folder, a packed file, a file list, tar shards, CIFAR or IDX files, "
                   "fashion-mnist, synthetic");
}

Flag add_run_folder(Flags& flags, fs::path& out) {
  return flags.add("--out", out, "DIR", "Run folder");
}

Flag add_resume(Flags& flags, std::string& resume, const char* kind, const char* help) {
  return flags.add("--resume", resume, kind, help);
}

Flag add_dry_run(Flags& flags, bool& dry_run) {
  return flags.add("--dry-run", dry_run,
                   "Check all inputs and print steps, memory and time; train nothing");
}

Flag add_overwrite(Flags& flags, bool& overwrite, const char* help) {
  return flags.add("--overwrite", overwrite, help);
}

Flag add_checkpoint(Flags& flags, fs::path& path, const char* names) {
  return flags.add(names, path, "PATH",
                   "A checkpoint, a run folder (its newest checkpoint), a .pth or .safetensors "
                   "file, or a folder with config.json");
}

Flag add_set_of_checkpoint(Flags& flags, std::vector<std::string>& set) {
  return flags.add_repeated("--set", set, "SECTION.KEY=VALUE",
                            "Change a key of the checkpoint's recipe; may be repeated");
}

Flag add_allow_missing(Flags& flags, std::vector<std::string>& patterns) {
  return flags.add_repeated("--allow-missing", patterns, "PATTERN",
                            "Tensors that may be missing, like \"norm.*\"; may be repeated");
}

void add_weights(Flags& flags, tasks::CheckpointRequest& checkpoint) {
  add_checkpoint(flags, checkpoint.path).required();
  add_set_of_checkpoint(flags, checkpoint.set);
  add_allow_missing(flags, checkpoint.allow_missing);
}

Flag add_teachers(Flags& flags, tasks::TeacherFiles& files) {
  return flags.add_repeated(
      "--teacher", [&files](const std::string& word) { take_teacher(files, word); },
      [&files] { return teachers_text(files); }, "clip|dino=FILE",
      "File with the weights of a teacher in the recipe's targets; may be repeated");
}

void add_machine(Flags& flags, tasks::MachineOptions& machine) {
  flags.add("--device", machine.device, "NAME", "auto, cpu, cuda or cuda:N");
  add_threads_and_cache(flags, machine);
}

void add_threads(Flags& flags, tasks::MachineOptions& machine) {
  machine.device = "cpu";
  add_threads_and_cache(flags, machine);
}

void add_reading_threads(Flags& flags, int64_t& threads) {
  flags.add("--threads", threads, {0, 4096},
            "Threads that read the file, at most four; 0: one for each core that this process may "
            "use");
}

Flag add_cuda_graph(Flags& flags, tasks::MachineOptions& machine) {
  return flags.add_negative("--no-cuda-graph", machine.cuda_graph,
                            "On a GPU: launch operators one by one instead of a CUDA graph");
}

}  // namespace fcm::apps
