// A backbone of the upstream detectors, alone or followed by the pyramid that the file stores.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fcm/models/detector_backbone.h"
#include "reference/reference.h"
#include "tests/parity/cases.h"
#include "tests/parity/run.h"

namespace fcm::parity {

struct BackboneCase {
  models::DetectorBackboneOptions options;
  // A parameter's name in the detector is `prefix` + its stored name. The stored names of the
  // backbone begin with `stored_prefix`: "" or "net.".
  std::string prefix;
  std::string stored_prefix;
  // float32, by name in the detector: the backbone, and the layers after it.
  reference::Weights weights, weights_after_backbone;
  int64_t batch = 1;
  uint64_t seed = 0;
  Tensors stored;
};

// Reads the case and applies request.mistake to its weights.
BackboneCase backbone_case(const Entry& entry, const Request& request);

// One forward pass by the fast path or the reference.
class BackbonePath {
 public:
  struct Output {
    std::vector<at::Tensor> maps_BCHW;  // with an autograd graph
    Tensors activations;                // by upstream module names, in upstream's layout
  };
  virtual ~BackbonePath() = default;
  virtual Output run(const at::Tensor& images_BCHW, const nn::DropPath& drop_path) = 0;
  // Gradients of the backbone's parameters, in upstream shapes, by their names in the detector.
  virtual std::map<std::string, at::Tensor> gradients() const = 0;
};
std::unique_ptr<BackbonePath> backbone_path(const BackboneCase& c, Path path, Types types);

// The maps to compare, under their stored names: the backbone's own ("s0", ...), or those of the
// pyramid after it ("p2", ...), computed in plain tensor calls. The pyramid is MIMDet's adaptor or
// the simple pyramid of Official-ConvMAE-Det.
using NamedMaps = std::vector<std::pair<std::string, at::Tensor>>;
NamedMaps neck_maps(const BackboneCase& c, const reference::Weights& weights_after_backbone,
                    const std::vector<at::Tensor>& maps_BCHW);

}  // namespace fcm::parity
