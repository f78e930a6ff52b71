// Recognises encoders by the names and shapes of tensors in a file, before an encoder exists.
// Private to this folder, except for Shapes.
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

  // Whether there is a tensor of that name and rank, without an extent of 0.
  bool has(const std::string& name, size_t dimensions) const;
  // One extent of a tensor for which has() is true.
  int64_t at(const std::string& name, size_t dimension) const;
  // One more than the highest i of "<stem>.<i>".
  int64_t blocks(const std::string& stem) const;
  // Hidden width of the first block's MLP divided by `dim`; 4, as upstream, if there is no such
  // MLP.
  double mlp_ratio(const std::string& stem, int64_t dim) const;

 private:
  std::map<std::string, std::vector<int64_t>> shapes_;
};

// The encoder that a file's tensors imply.
struct Recognised {
  // heads is 0 if the tensors do not determine it.
  EncoderOptions options{"custom", {}, {}, {}, 0, {}};
  int64_t channels = 0;  // of the image
  bool fuse = false;     // as in Outputs
};

// Adds to `found` a stage with the patch embedding `embedding` [out, in, stride, stride] and the
// blocks "<stem>.0", "<stem>.1", ... Returns false, without effect, if there is no such embedding.
bool add_stage(const Shapes& shapes, const std::string& embedding, const std::string& stem,
               Recognised& found);

// The i of "<stem>.<i>" or "<stem>.<i>.more"; nullopt: another name.
std::optional<int64_t> block_number(std::string_view name, std::string_view stem);

// Upstream's layer decay rule for transformers (ConvMAE's and MAE's util/lr_decay.py): names that
// begin with one of `first` belong to layer 0, block i of `depth` ("<stem>.<i>") to layer i + 1,
// all other names to the last layer. Positions and class token belong to layer 0 and have no weight
// decay.
nn::Layer layer_by_blocks(std::string_view name, std::span<const std::string_view> first,
                          std::string_view stem, int64_t depth);

}  // namespace fcm::encoder
