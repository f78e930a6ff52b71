#include "fcm/nn/drop_path.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/base/random.h"

namespace fcm::nn {

std::vector<double> drop_path_rates(double rate, int64_t blocks) {
  // torch.linspace in fp32, written out: LibTorch's own differs in the last bit between processor
  // classes.
  const auto end = static_cast<float>(rate);
  const float step = blocks > 1 ? end / static_cast<float>(blocks - 1) : 0;
  std::vector<double> rates;
  for (int64_t block = 0; block < blocks; ++block) {
    const bool first_half = block < blocks / 2;
    rates.push_back(first_half ? step * static_cast<float>(block)
                               : std::fma(-step, static_cast<float>(blocks - 1 - block), end));
  }
  if (blocks == 1) rates.front() = 0;
  return rates;
}

DropPath draw_drop_path(const std::vector<double>& rates, uint64_t seed, uint64_t epoch,
                        std::span<const int64_t> sample_ids, at::Device device,
                        const std::vector<int64_t>& parts) {
  require(parts.empty() || parts.size() == rates.size(),
          "drop path: expected parts for {} blocks, got {}", rates.size(), parts.size());
  if (std::ranges::all_of(rates, [](double rate) { return rate == 0; })) return {};
  const auto batch = static_cast<int64_t>(sample_ids.size());
  // Order of an image's draws: by block, then by branch, then by part.
  std::vector<int64_t> first{0};
  for (size_t block = 0; block < rates.size(); ++block) {
    first.push_back(first.back() + 2 * (parts.empty() ? 1 : parts[block]));
  }
  at::Tensor scales_BE = at::empty({batch, first.back()}, at::kFloat);
  auto* scale = scales_BE.mutable_data_ptr<float>();
  for (const int64_t sample : sample_ids) {
    KeyedRandom random(seed, Purpose::kDropPath, epoch, static_cast<uint64_t>(sample));
    for (size_t block = 0; block < rates.size(); ++block) {
      const double keep = 1 - rates[block];
      for (int64_t i = first[block]; i < first[block + 1]; ++i) {
        // Every part of a branch takes one draw, whatever its rate, so rates shift no later draws.
        const bool kept = random.uniform() + keep >= 1;
        *scale++ = kept ? static_cast<float>(1 / keep) : 0.0F;
      }
    }
  }
  scales_BE = scales_BE.to(device);
  DropPath drop_path;
  for (size_t block = 0; block < rates.size(); ++block) {
    const int64_t count = (first[block + 1] - first[block]) / 2;
    const auto of_branch = [&](int64_t branch) {
      return scales_BE.narrow(1, first[block] + branch * count, count).reshape({batch * count});
    };
    drop_path.push_back({of_branch(0), of_branch(1)});
  }
  return drop_path;
}

BranchScales branch_scales(const DropPath& drop_path, int64_t index) {
  return drop_path.empty() ? BranchScales{} : drop_path.at(static_cast<size_t>(index));
}

at::Tensor add_branch(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& scale_B) {
  if (!scale_B.defined()) return x + branch;
  require(scale_B.size(0) == x.size(0),
          "drop path: got factors for {} images, expected a batch of {}", scale_B.size(0),
          x.size(0));
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  return x + branch * scale_B.to(branch.options()).view(shape);
}

}  // namespace fcm::nn
