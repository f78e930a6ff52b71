#include "fcm/heads/fcn.h"

#include <ATen/ATen.h>

namespace fcm::heads {

Fcn::Fcn(const nn::Scope& scope, const FcnOptions& options)
    : options_(options),
      conv_seg_(scope / "conv_seg", options.channels, options.classes),
      conv_(scope / "convs" / 0, {.in = options.in, .out = options.channels}) {}

at::Tensor Fcn::operator()(const at::Tensor& map_BHWC, const HeadPass& pass,
                           const nn::Observer& observer) const {
  const nn::Recomputed mixed = conv_.deferred(conv_.conv()(map_BHWC), pass.ranks);
  if (observer) nn::observe(observer, "convs", 0, mixed.value());
  return conv_seg_(mixed, pass);
}

}  // namespace fcm::heads
