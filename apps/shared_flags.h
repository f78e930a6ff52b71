// Flags shared by several commands, one function each. A command adds only those that it uses.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/flags.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps {

// --data; with names = "data,--data" also as an argument.
Flag add_data(Flags& flags, std::string& data, const char* names = "--data");

// --out, the run folder.
Flag add_run_folder(Flags& flags, std::filesystem::path& out);
// --resume. `kind`: the allowed values, "auto|never" or "auto|never|PATH".
Flag add_resume(Flags& flags, std::string& resume, const char* kind, const char* help);
Flag add_dry_run(Flags& flags, bool& dry_run);
// --overwrite. `help` says what it replaces.
Flag add_overwrite(Flags& flags, bool& overwrite, const char* help);

// --checkpoint; with names = "checkpoint,--checkpoint" also as an argument.
Flag add_checkpoint(Flags& flags, std::filesystem::path& path, const char* names = "--checkpoint");
// --set for commands that take the recipe from a checkpoint.
Flag add_set_of_checkpoint(Flags& flags, std::vector<std::string>& set);
Flag add_allow_missing(Flags& flags, std::vector<std::string>& patterns);
// The three flags above, for commands that only load a checkpoint's model.
void add_weights(Flags& flags, tasks::CheckpointRequest& checkpoint);

// --teacher clip=FILE, dino=FILE.
Flag add_teachers(Flags& flags, tasks::TeacherFiles& files);

// --device and --threads.
void add_machine(Flags& flags, tasks::MachineOptions& machine);
// --threads for commands that use only the CPU.
void add_threads(Flags& flags, tasks::MachineOptions& machine);
// --threads for the commands `checkpoint ...`, which only read files with several threads.
void add_reading_threads(Flags& flags, int64_t& threads);
// --no-cuda-graph
Flag add_cuda_graph(Flags& flags, tasks::MachineOptions& machine);

}  // namespace fcm::apps
