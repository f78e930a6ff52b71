#pragma once

#include <cstdint>
#include <string>

#include "fcm/config/field.h"

namespace fcm::recipe {

struct RunOptions {
  int64_t seed = 0;
  int64_t max_steps = 0;
  int64_t log_every_steps = 20;
  int64_t save_every_steps = 0;
  int64_t keep_last = 3;
  int64_t keep_every_steps = 0;
  int64_t images_every_steps = 0;
  double knn_every_epochs = 0;
  int64_t max_skipped_in_a_row = 3;
  int64_t max_rollbacks = 3;
  std::string spike = "log";
  double probe_every_epochs = 0;
  int64_t measure_every_steps = 0;

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("seed", seed, config::Range{0, 9e15}, "seed of every random draw");
    visitor("max_steps", max_steps, config::Range{0, 1e15},
            "stop after this many steps; 0: after optim.epochs or optim.steps");
    visitor("log_every_steps", log_every_steps, config::Range{1, 1e9},
            "steps per line of log.jsonl");
    visitor("save_every_steps", save_every_steps, config::Range{0, 1e15},
            "steps per checkpoint; 0: once an epoch and, in a long epoch, every 10 minutes");
    visitor("keep_last", keep_last, config::Range{1, 1e6},
            "number of newest checkpoints to keep, and at most two saved in between");
    visitor("keep_every_steps", keep_every_steps, config::Range{0, 1e15},
            "checkpoints at multiples of this are never removed; 0: none");
    visitor("pictures_every_steps", images_every_steps, config::Range{0, 1e15},
            "steps per sheet of reconstructions, class maps or objects; 0: only at the end");
    visitor("knn_every_epochs", knn_every_epochs, config::Range{0, 1e6},
            "epochs per kNN evaluation on labelled images; 0: never");
    visitor("max_skipped_in_a_row", max_skipped_in_a_row, config::Range{1, 1e6},
            "non-finite steps in a row before rolling back");
    visitor("max_rollbacks", max_rollbacks, config::Range{0, 1e6},
            "roll-backs before giving up (exit status 5)");
    visitor("spike", spike, config::OneOf{{"log", "rollback"}},
            "after a jump of the loss: log (a warning and a line in the log) or rollback (also a "
            "roll-back after three jumps in a row)");
    visitor("probe_every_epochs", probe_every_epochs, config::Range{0, 1e6},
            "epochs per linear probe on labelled images; 0: never");
    visitor("measure_every_steps", measure_every_steps, config::Range{0, 1e15},
            "finetune: steps per measurement on the validation images; 0: once an epoch");
  }
};

}  // namespace fcm::recipe
