// A backbone of the stored detectors, alone or with the pyramid that the file has behind it.
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
  std::string prefix;  // of stored names, to have those in the detector
  std::string place;   // of the backbone's names, behind the prefix: "" or "net."
  // float32, by the names in the detector: of the backbone, and of what stands behind it.
  reference::Weights weights, behind;
  int64_t batch = 1;
  uint64_t seed = 0;
  Tensors stored;
};

// With the request's mistakes planted.
BackboneCase backbone_case(const Entry& entry, const Request& request);

// One pass by this program or by the published form.
class BackbonePath {
 public:
  struct Seen {
    std::vector<at::Tensor> maps_BCHW;  // with a graph
    Tensors activations;                // by the published modules, as published
  };
  virtual ~BackbonePath() = default;
  virtual Seen run(const at::Tensor& images_BCHW, const nn::DropPath& drop_path) = 0;
  // Of the backbone's parameters, in published shapes, by their names in the detector.
  virtual std::map<std::string, at::Tensor> gradients() const = 0;
};
std::unique_ptr<BackbonePath> backbone_path(const BackboneCase& c, Path path, Types types);

// What the file stores in place of the backbone's maps, by name: those maps ("s0", ...), or what a
// pyramid in plain tensor calls makes of them: MIMDet's adaptor, Official-ConvMAE-Det's simple
// pyramid ("p2", ...).
using NamedMaps = std::vector<std::pair<std::string, at::Tensor>>;
NamedMaps behind_backbone(const BackboneCase& c, const reference::Weights& behind,
                          const std::vector<at::Tensor>& maps_BCHW);

}  // namespace fcm::parity
