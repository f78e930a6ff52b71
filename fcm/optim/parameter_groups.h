// Which parameters share a learning rate and a decay: the groups of the published optimizers, as
// data. Their order and the order inside them number the entries of a published optimizer state.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "fcm/nn/parameters.h"

namespace fcm::optim {

struct ParameterGroup {
  std::string name;
  double lr_scale = 1;  // times the scheduled learning rate
  double weight_decay = 0;
  std::vector<size_t> parameters;  // indices into nn::Parameters::all(), in their order there

  double lr(double scheduled) const { return scheduled * lr_scale; }
};

// Pretraining (timm 0.3.2 optim_factory.py add_weight_decay): "no_decay" holds 1-D parameters and
// biases, "decay" the others. Frozen parameters are in neither. Both groups are there even if
// empty.
std::vector<ParameterGroup> pretraining_groups(const nn::Parameters& parameters,
                                               double weight_decay);

// Fine-tuning (ConvMAE's and MAE's util/lr_decay.py param_groups_lrd): a group for every layer and
// kind, named layer_<id>_<decay|no_decay>, in the order in which parameters first need them. The
// scale of layer i of n is layer_decay^(n - i). Not decayed: 1-D parameters, pos_embed, cls_token.
std::vector<ParameterGroup> layer_decay_groups(const nn::Parameters& parameters,
                                               double weight_decay, double layer_decay);

// Layers above the first: the transformer blocks (blocks3.* of a ConvViT, blocks.* of a ViT) and
// one for what follows them.
int layer_count(const nn::Parameters& parameters);

// 0 for the embeddings, positions, class token and convolution stages; i + 1 for transformer block
// i; `layers` for whatever follows (norm, fc_norm, head).
int layer_id(const std::string& name, int layers);

}  // namespace fcm::optim
