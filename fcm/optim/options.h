#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::optim {

struct OptimOptions {
  int64_t batch_size = 512;  // global: images per step
  int64_t micro_batch = 0;   // images per forward and backward; 0: as many as memory allows
  double epochs = 50;
  int64_t steps = 0;
  double warmup_epochs = 10;
  double warmup_steps = 0;
  double warmup_lr = 0;   // per 256 images, like base_lr
  double base_lr = 6e-4;  // per 256 images: lr = base_lr * batch_size / 256
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
  double clip_norm = 0;  // 0: no clipping
  bool shard = false;    // moments and updates divided among the processes

  bool goes_by_steps() const {
    return schedule == "poly" || schedule == "step_cosine" || schedule == "step_drops";
  }
  double lr() const { return base_lr * static_cast<double>(batch_size) / 256.0; }
  double first_lr() const { return warmup_lr * static_cast<double>(batch_size) / 256.0; }

  template <class Visitor>
  void visit(Visitor& visitor) {
    visitor("batch_size", batch_size, config::Range{1, 1 << 20},
            "images per step, over all devices");
    visitor("micro_batch", micro_batch, config::Range{0, 1 << 20},
            "images per forward and backward pass; 0 chooses by memory");
    visitor("epochs", epochs, config::Range{0, 1e6}, "passes over the data");
    visitor("steps", steps, config::Range{0, 1e12},
            "schedules by steps: number of steps; 0: as many as optim.epochs has");
    visitor("warmup_epochs", warmup_epochs, config::Range{0, 1e6}, "linear warm-up");
    visitor("warmup_steps", warmup_steps, config::Range{0, 1e12},
            "schedules by steps: steps of the warm-up");
    visitor("warmup_lr", warmup_lr, config::Range{0, 1e3},
            "learning rate at the start of the warm-up, per 256 images of a batch");
    visitor("base_lr", base_lr, config::Range{0, 1e3}, "learning rate per 256 images of a batch");
    visitor("min_lr", min_lr, config::Range{0, 1e3}, "learning rate at the end of the half cosine");
    visitor(
        "schedule", schedule,
        config::OneOf{
            {"cosine", "cosine_from_start", "drops", "poly", "step_cosine", "step_drops"}},
        "after the warm-up. cosine: half a cosine, MAE's. cosine_from_start: the cosine starts "
        "with the run, SimMIM's. drops: constant, except at optim.drop_epochs. By steps: poly: a "
        "straight line to 0 from the start of the run, mmsegmentation's. step_cosine: a cosine "
        "to 0 that starts with the run, MIMDet's. step_drops: constant, except at "
        "optim.drop_steps, detectron2's");
    visitor("drop_epochs", drop_epochs, config::Range{0, 1e6, config::Range::kAnyLength},
            "drops: epochs after which the learning rate is multiplied by optim.drop");
    visitor("drop_steps", drop_steps, config::Range{0, 1e12, config::Range::kAnyLength},
            "step_drops: steps after which the learning rate is multiplied by optim.drop");
    visitor("drop", drop, config::Range{1e-6, 1},
            "drops and step_drops: factor of the learning rate");
    visitor("weight_decay", weight_decay, config::Range{0, 10},
            "decoupled weight decay; optim.no_decay names exempt parameters");
    visitor("no_decay", no_decay,
            config::OneOf{{"vectors", "vectors_tokens", "vectors_tokens_tables"}},
            "pretraining: parameters without weight decay. vectors: biases and 1-D parameters. "
            "vectors_tokens: also mask tokens. vectors_tokens_tables: also tables of relative "
            "positions");
    visitor("beta1", beta1, config::Range{0, 1}, "AdamW: decay of the first moment");
    visitor("beta2", beta2, config::Range{0, 1}, "AdamW: decay of the second moment");
    visitor("epsilon", epsilon, config::Range{0, 1},
            "AdamW: added to the root of the second moment");
    visitor("clip_norm", clip_norm, config::Range{0, 1e9},
            "gradient clipping: largest norm; 0 is off");
    visitor(
        "shard", shard,
        "each of several processes keeps and updates only its share of the moments; ranks on one "
        "machine always do");
  }
};

}  // namespace fcm::optim
