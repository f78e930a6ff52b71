// A backbone of the stored detectors, alone or with the pyramid that the file stores after it.
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
  std::string prefix;  // before a stored name gives the name in the detector
  std::string place;   // of the backbone's names after the prefix: "" or "net."
  // float32, by names in the detector: weights of the backbone, and of the layers after it.
  reference::Weights weights, behind;
  int64_t batch = 1;
  uint64_t seed = 0;
  Tensors stored;
};

// With the request's mistakes planted.
BackboneCase backbone_case(const Entry& entry, const Request& request);

// One forward pass by the fast path or the reference.
class BackbonePath {
 public:
  struct Seen {
    std::vector<at::Tensor> maps_BCHW;  // with a graph
    Tensors activations;                // by upstream's modules, in upstream's layout
  };
  virtual ~BackbonePath() = default;
  virtual Seen run(const at::Tensor& images_BCHW, const nn::DropPath& drop_path) = 0;
  // Gradients of the backbone's parameters, in upstream shapes, by their names in the detector.
  virtual std::map<std::string, at::Tensor> gradients() const = 0;
};
std::unique_ptr<BackbonePath> backbone_path(const BackboneCase& c, Path path, Types types);

// The stored maps by name: the backbone's maps ("s0", ...), or those of a pyramid on them, in plain
// tensor calls: MIMDet's adaptor, or the simple pyramid of Official-ConvMAE-Det ("p2", ...).
using NamedMaps = std::vector<std::pair<std::string, at::Tensor>>;
NamedMaps neck_maps(const BackboneCase& c, const reference::Weights& behind,
                    const std::vector<at::Tensor>& maps_BCHW);

}  // namespace fcm::parity
