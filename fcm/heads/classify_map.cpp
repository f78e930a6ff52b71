#include "fcm/heads/classify_map.h"

#include <ATen/ATen.h>

namespace fcm::heads {

MapClassifier::MapClassifier(const nn::Scope& scope, int64_t channels, int64_t classes)
    : conv_(scope, {.in = channels, .out = classes, .side = 1, .padding = 0, .bias = true},
            nn::ConvStart::kNormal01) {}

at::Tensor MapClassifier::operator()(const nn::Recomputed& map, const HeadPass& pass) const {
  const auto dropped = [make = map.make,
                        factors = pass.dropout_BC](const std::vector<at::Tensor>& from) {
    return with_dropout(make(from), factors);
  };
  const at::Tensor logits =
      pass.dropout_BC.defined() ? conv_(nn::Recomputed(map.from, dropped)) : conv_(map);
  return logits.to(at::promote_types(logits.scalar_type(), at::kFloat));
}

}  // namespace fcm::heads
