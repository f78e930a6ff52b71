// One function per command, in the file of the same name. It sets the command's help, binds its
// flags to variables and returns the action. The command runs when the action is called.
#pragma once

#include "apps/command.h"

namespace fcm::apps::commands {

Action demo(Flags& flags);
Action pretrain(Flags& flags);
Action finetune(Flags& flags);
Action eval(Flags& flags);
Action linprobe(Flags& flags);
Action features(Flags& flags);
Action knn(Flags& flags);
Action visualize(Flags& flags);
Action predict(Flags& flags);
Action report(Flags& flags);
Action launch(Flags& flags);
Action completion(Flags& flags);

Action recipe_list(Flags& flags);
Action recipe_show(Flags& flags);
Action recipe_check(Flags& flags);
Action recipe_keys(Flags& flags);

Action data_verify(Flags& flags);
Action data_pack(Flags& flags);

Action checkpoint_show(Flags& flags);
Action checkpoint_convert(Flags& flags);
Action checkpoint_verify(Flags& flags);
Action checkpoint_diff(Flags& flags);

Action bench_step(Flags& flags);
Action bench_loader(Flags& flags);
Action bench_predict(Flags& flags);
Action bench_tune(Flags& flags);
Action bench_peak(Flags& flags);
Action bench_ops(Flags& flags);
Action bench_knn(Flags& flags);
Action bench_checkpoint(Flags& flags);

}  // namespace fcm::apps::commands
