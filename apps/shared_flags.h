// Flags that several commands have, one function each. A command adds those that it uses, and no
// others.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/flags.h"
#include "fcm/tasks/tasks.h"

namespace fcm::apps {

// --data, or a word of its own for names = "data,--data".
Flag add_data(Flags& flags, std::string& data, const char* names = "--data");

// --out of a run.
Flag add_run_folder(Flags& flags, std::filesystem::path& out);
// `kind`: what it may be, "auto|never" or "auto|never|PATH".
Flag add_resume(Flags& flags, std::string& resume, const char* kind, const char* help);
Flag add_dry_run(Flags& flags, bool& dry_run);
// `help` says what is replaced.
Flag add_overwrite(Flags& flags, bool& overwrite, const char* help);

// --checkpoint, or a word of its own for names = "checkpoint,--checkpoint".
Flag add_checkpoint(Flags& flags, std::filesystem::path& path, const char* names = "--checkpoint");
// --set of a command that takes the recipe from a checkpoint.
Flag add_set_of_checkpoint(Flags& flags, std::vector<std::string>& set);
Flag add_allow_missing(Flags& flags, std::vector<std::string>& patterns);
// All three: of commands that build the model of a checkpoint and nothing else.
void add_weights(Flags& flags, tasks::CheckpointRequest& checkpoint);

// --teacher clip=FILE, dino=FILE.
Flag add_teachers(Flags& flags, tasks::TeacherFiles& files);

// --device and --threads.
void add_machine(Flags& flags, tasks::Machine& machine);
// --threads of a command that works on the processor alone.
void add_threads(Flags& flags, tasks::Machine& machine);
// --threads of a command that reads files and computes nothing.
void add_reading_threads(Flags& flags, int64_t& threads);
// --no-cuda-graph
Flag add_cuda_graph(Flags& flags, tasks::Machine& machine);

}  // namespace fcm::apps
