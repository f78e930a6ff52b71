// Which parameters share a learning rate and a decay: the groups of the published optimizers, as
// data. Their order and the order inside them number the entries of a published optimizer state.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "fcm/nn/layer.h"
#include "fcm/nn/parameters.h"
#include "fcm/optim/options.h"

namespace fcm::optim {

struct ParameterGroup {
  std::string name;
  double lr_scale = 1;  // times the scheduled learning rate
  double weight_decay = 0;
  std::vector<size_t> parameters;  // indices into nn::Parameters::all(), in their order there

  // base: schedule.h, Rate.
  double lr(double scheduled, double base = 0) const {
    return base == 0 ? scheduled * lr_scale : base + (scheduled - base) * lr_scale;
  }
};

// Pretraining (timm 0.3.2 optim_factory.py add_weight_decay): "no_decay" holds 1-D parameters,
// biases and what optim.no_decay names beside them, "decay" the others. Frozen parameters are in
// neither. Both groups are there even if empty. Of the options weight_decay and no_decay count.
std::vector<ParameterGroup> pretraining_groups(const nn::Parameters& parameters,
                                               const OptimOptions& options);

// Fine-tuning (ConvMAE's and MAE's util/lr_decay.py param_groups_lrd): a group for every layer and
// kind, named layer_<index>_<decay|no_decay>, in the order in which parameters first need them. The
// scale is layer_decay^(last - index). Not decayed: 1-D parameters, biases, and what `layer_of`
// exempts.
std::vector<ParameterGroup> layer_decay_groups(const nn::Parameters& parameters,
                                               const nn::LayerOf& layer_of, double weight_decay,
                                               double layer_decay);

// Detection (detectron2's get_default_optimizer_params, as ConvMAE's DET folder, MIMDet and the
// official ConvMAE-Det call it): "decay", then "no_decay", the two of every layer where layer_decay
// is less than 1. Not decayed: weights and biases of norms, positions, and tables of relative
// positions by row and column differences. Biases of other layers are.
std::vector<ParameterGroup> detection_groups(const nn::Parameters& parameters,
                                             const nn::LayerOf& layer_of, double weight_decay,
                                             double layer_decay);

}  // namespace fcm::optim
