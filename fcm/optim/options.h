#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::optim {

struct OptimOptions {
  int64_t batch_size = 512;  // global: pictures per update
  int64_t micro_batch = 0;   // pictures per forward and backward; 0: as many as memory allows
  double epochs = 50;
  int64_t steps = 0;
  double warmup_epochs = 10;
  double warmup_steps = 0;
  double warmup_lr = 0;   // per 256 pictures, as base_lr
  double base_lr = 6e-4;  // per 256 pictures: lr = base_lr * batch_size / 256
  double min_lr = 0;
  std::string schedule = "cosine";
  std::vector<double> drop_epochs;
  std::vector<int64_t> drop_steps;
  double drop = 0.1;
  double weight_decay = 0.05;
  std::string no_decay = "vectors";
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double clip_norm = 0;  // 0: off
  bool shard = false;    // moments and updates divided among the processes

  bool goes_by_steps() const {
    return schedule == "poly" || schedule == "step_cosine" || schedule == "step_drops";
  }
  double lr() const { return base_lr * static_cast<double>(batch_size) / 256.0; }
  double first_lr() const { return warmup_lr * static_cast<double>(batch_size) / 256.0; }

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("batch_size", batch_size, config::Range{1, 1 << 20},
            "pictures per update, over all devices");
    visitor("micro_batch", micro_batch, config::Range{0, 1 << 20},
            "pictures per forward and backward pass; 0 chooses by memory");
    visitor("epochs", epochs, config::Range{0, 1e6}, "passes over the data");
    visitor("steps", steps, config::Range{0, 1e12},
            "schedules by steps: updates instead of epochs; 0: as many as the epochs have");
    visitor("warmup_epochs", warmup_epochs, config::Range{0, 1e6}, "linear warm-up");
    visitor("warmup_steps", warmup_steps, config::Range{0, 1e12},
            "schedules by steps: updates of the warm-up");
    visitor("warmup_lr", warmup_lr, config::Range{0, 1e3},
            "where the warm-up begins, per 256 pictures of a batch");
    visitor("base_lr", base_lr, config::Range{0, 1e3}, "learning rate per 256 pictures of a batch");
    visitor("min_lr", min_lr, config::Range{0, 1e3}, "learning rate at the end of the half cosine");
    visitor("schedule", schedule,
            config::OneOf{
                {"cosine", "cosine_from_start", "drops", "poly", "step_cosine", "step_drops"}},
            "behind the warm-up. cosine: half a cosine, MAE's. cosine_from_start: the cosine began "
            "with the run, SimMIM's. drops: constant, but for optim.drop_epochs. By steps: poly: a "
            "straight line to 0 from the start of the run, mmsegmentation's. step_cosine: a cosine "
            "to 0 that began with the run, MIMDet's. step_drops: constant, but for "
            "optim.drop_steps, detectron2's");
    visitor("drop_epochs", drop_epochs, config::Range{0, 1e6, config::Range::kAnyLength},
            "drops: epochs after which the learning rate is multiplied by optim.drop");
    visitor("drop_steps", drop_steps, config::Range{0, 1e12, config::Range::kAnyLength},
            "step_drops: updates after which it is multiplied so");
    visitor("drop", drop, config::Range{1e-6, 1}, "drops and step_drops: that factor");
    visitor("weight_decay", weight_decay, config::Range{0, 10},
            "decoupled; not for what optim.no_decay names");
    visitor(
        "no_decay", no_decay, config::OneOf{{"vectors", "vectors_tokens", "vectors_tokens_tables"}},
        "pretraining: what has no weight decay. vectors: biases and 1-D parameters; tokens: mask "
        "tokens; tables: relative positions");
    visitor("beta1", beta1, config::Range{0, 1}, "AdamW: decay of the first moment");
    visitor("beta2", beta2, config::Range{0, 1}, "AdamW: decay of the second moment");
    visitor("epsilon", epsilon, config::Range{0, 1},
            "AdamW: added to the root of the second moment");
    visitor("clip_norm", clip_norm, config::Range{0, 1e9}, "largest gradient norm; 0 is off");
    visitor(
        "shard", shard,
        "each of several processes keeps and updates its share of the moments alone, as those on "
        "one machine always do");
  }
};

}  // namespace fcm::optim
