// Names and shapes of an encoder's parameters, for who has a file and no encoder. Private to this
// folder, but for Shapes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/encoder/options.h"
#include "fcm/nn/layer.h"

namespace fcm::encoder {

// Names and shapes of tensors in a file.
class Shapes {
 public:
  void add(const std::string& name, std::vector<int64_t> shape) {
    shapes_[name] = std::move(shape);
  }

  // Whether there is a tensor of that name with so many dimensions, none of them empty.
  bool has(const std::string& name, size_t dimensions) const;
  // An extent of a tensor that `has` was asked about.
  int64_t at(const std::string& name, size_t dimension) const;
  // One more than the highest number behind "stem.".
  int64_t blocks(const std::string& stem) const;
  // Width of the first block's MLP over the blocks' width; 4, as published, where there is none.
  double mlp_ratio(const std::string& stem, int64_t dim) const;

 private:
  std::map<std::string, std::vector<int64_t>> shapes_;
};

// What the tensors of a file say of an encoder.
struct Recognised {
  // Heads are 0 where the tensors do not tell.
  EncoderOptions options{"custom", {}, {}, {}, 0, {}};
  int64_t channels = 0;  // of the picture
  bool fuse = false;     // as in Outputs
};

// Adds a stage that begins with the convolution `embedding` [out, in, stride, stride] and goes on
// with blocks "<stem>.0", "<stem>.1", ... Returns whether there is such a convolution.
bool add_stage(const Shapes& shapes, const std::string& embedding, const std::string& stem,
               Recognised& found);

// i of "<stem>.<i>" or "<stem>.<i>.more".
std::optional<int64_t> block_number(std::string_view name, std::string_view stem);

// The published rule for transformers (ConvMAE's and MAE's util/lr_decay.py): names that begin as
// one of `first` are layer 0, block i of `depth`, "<stem>.<i>", is layer i + 1, and what follows
// comes last. Positions and class token have no weight decay.
nn::Layer layer_by_blocks(std::string_view name, std::span<const std::string_view> first,
                          std::string_view stem, int64_t depth);

}  // namespace fcm::encoder
