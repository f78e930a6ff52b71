// Which parameters share a learning rate and a weight decay: the groups of the upstream optimizers,
// as data. Their order and the order inside them number the entries of an upstream optimizer state.
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
  double lr_scale = 1;  // factor of the scheduled learning rate
  double weight_decay = 0;
  std::vector<size_t> parameters;  // indices into nn::Parameters::all(), ascending

  // common: see Rate in schedule.h.
  double lr(double scheduled, double common = 0) const {
    return common == 0 ? scheduled * lr_scale : common + (scheduled - common) * lr_scale;
  }
};

// Pretraining (timm 0.3.2 optim_factory.py add_weight_decay): "no_decay" holds 1-D parameters,
// biases and the others named by optim.no_decay; "decay" holds the rest. Frozen parameters are in
// neither. Both groups exist even if empty. Uses weight_decay and no_decay of the options.
std::vector<ParameterGroup> pretraining_groups(const nn::Parameters& parameters,
                                               const OptimOptions& options);

// Fine-tuning (ConvMAE's and MAE's util/lr_decay.py param_groups_lrd): one group per layer and
// kind, named layer_<index>_<decay|no_decay>, in order of first use. The scale is layer_decay^(last
// - index). Without decay: 1-D parameters, biases, and parameters that `layer_of` exempts.
std::vector<ParameterGroup> layer_decay_groups(const nn::Parameters& parameters,
                                               const nn::LayerOf& layer_of, double weight_decay,
                                               double layer_decay);

// Detection (detectron2's get_default_optimizer_params, as ConvMAE's DET folder, MIMDet and the
// official ConvMAE-Det call it): "decay", then "no_decay"; if layer_decay is below 1, both for
// every layer. Without decay: weights and biases of norms (modules with a 1-D weight), "pos_embed",
// and "relative_position_bias_table". Everything else decays, biases of other layers included.
std::vector<ParameterGroup> detection_groups(const nn::Parameters& parameters,
                                             const nn::LayerOf& layer_of, double weight_decay,
                                             double layer_decay);

}  // namespace fcm::optim
