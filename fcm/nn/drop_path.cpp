#include "fcm/nn/drop_path.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/base/random.h"

namespace fcm::nn {

std::vector<double> drop_path_rates(double rate, int64_t blocks) {
  // torch.linspace in fp32, written out: LibTorch's own differs in the last bit from one class of
  // processor to another.
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
                        std::span<const int64_t> sample_ids, at::Device device) {
  if (std::ranges::all_of(rates, [](double rate) { return rate == 0; })) return {};
  const auto blocks = static_cast<int64_t>(rates.size());
  const auto batch = static_cast<int64_t>(sample_ids.size());
  at::Tensor scales_J2B = at::empty({blocks, 2, batch}, at::kFloat);
  auto scales = scales_J2B.accessor<float, 3>();
  for (int64_t picture = 0; picture < batch; ++picture) {
    KeyedRandom random(seed, Purpose::kDropPath, epoch,
                       static_cast<uint64_t>(sample_ids[static_cast<size_t>(picture)]));
    for (int64_t block = 0; block < blocks; ++block) {
      const double keep = 1 - rates[static_cast<size_t>(block)];
      for (int64_t branch = 0; branch < 2; ++branch) {
        // A draw for every branch, dropped or not: rates do not shift the draws of later blocks.
        const bool kept = random.uniform() + keep >= 1;
        scales[block][branch][picture] = kept ? static_cast<float>(1 / keep) : 0.0F;
      }
    }
  }
  scales_J2B = scales_J2B.to(device);
  DropPath drop_path;
  for (int64_t block = 0; block < blocks; ++block) {
    drop_path.push_back({scales_J2B[block][0], scales_J2B[block][1]});
  }
  return drop_path;
}

BranchScales branch_scales(const DropPath& drop_path, int64_t index) {
  return drop_path.empty() ? BranchScales{} : drop_path.at(static_cast<size_t>(index));
}

at::Tensor add_branch(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& scale_B) {
  if (!scale_B.defined()) return x + branch;
  require(scale_B.size(0) == x.size(0), "drop path: factors for {} pictures, a batch of {}",
          scale_B.size(0), x.size(0));
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  return x + branch * scale_B.to(branch.options()).view(shape);
}

}  // namespace fcm::nn
