#include "fcm/heads/head_pass.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/base/random.h"

namespace fcm::heads {

at::Tensor draw_dropout(double rate, int64_t channels, const std::string& name, uint64_t seed,
                        uint64_t epoch, std::span<const int64_t> sample_ids, at::Device device) {
  if (rate == 0) return {};
  at::Tensor scales_BC = at::empty({std::ssize(sample_ids), channels}, at::kFloat);
  auto* out = scales_BC.mutable_data_ptr<float>();
  // Drop path has the same key, so the head's name is hashed into the seed to get other numbers.
  const uint64_t own_seed = seed ^ fnv1a64(name.data(), name.size());
  for (const int64_t id : sample_ids) {
    KeyedRandom random(own_seed, Purpose::kDropPath, epoch, static_cast<uint64_t>(id));
    for (int64_t channel = 0; channel < channels; ++channel) {
      *out++ = random.uniform() >= rate ? static_cast<float>(1 / (1 - rate)) : 0.0F;
    }
  }
  return scales_BC.to(device);
}

at::Tensor with_dropout(const at::Tensor& map_BHWC, const at::Tensor& dropout_BC) {
  require(dropout_BC.dim() == 2 && dropout_BC.size(0) == map_BHWC.size(0) &&
              dropout_BC.size(1) == map_BHWC.size(3),
          "dropout: got factors for {} images and {} channels, expected {} and {} as in the map",
          dropout_BC.size(0), dropout_BC.size(-1), map_BHWC.size(0), map_BHWC.size(3));
  return map_BHWC *
         dropout_BC.to(map_BHWC.options()).view({map_BHWC.size(0), 1, 1, map_BHWC.size(3)});
}

}  // namespace fcm::heads
