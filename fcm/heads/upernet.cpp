#include "fcm/heads/upernet.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/nn/upsample.h"

namespace fcm::heads {
namespace {

constexpr std::array<int64_t, 4> kPools{1, 2, 3, 6};
constexpr size_t kLevels = 4;

nn::ConvShape three_by_three(int64_t in, int64_t out) { return {.in = in, .out = out}; }
nn::ConvShape pointwise(int64_t in, int64_t out) {
  return {.in = in, .out = out, .side = 1, .padding = 0};
}

template <class ShapeOf>
std::vector<nn::ConvNormAct> make_convs(size_t count, const nn::Scope& scope, const char* behind,
                                        const ShapeOf& shape_of) {
  std::vector<nn::ConvNormAct> all;
  for (size_t i = 0; i < count; ++i) {
    const nn::Scope own = scope / static_cast<int64_t>(i);
    all.emplace_back(*behind == '\0' ? own : own / behind, shape_of(i));
  }
  return all;
}

// A map plus a coarser map upsampled to the same size.
nn::Recomputed plus_upsampled(const nn::Recomputed& map, const at::Tensor& coarser_BHWC) {
  std::vector<at::Tensor> from = map.from;
  from.push_back(coarser_BHWC);
  return {std::move(from), [make = map.make](const std::vector<at::Tensor>& sources) {
            const at::Tensor fine =
                make(std::vector<at::Tensor>(sources.begin(), sources.end() - 1));
            return fine + nn::upsample(sources.back(), fine.size(1), fine.size(2));
          }};
}

// Computes the values of a recomputed map only if there is an observer.
void observe_made(const nn::Observer& observer, const char* stem, size_t index,
                  const nn::Recomputed& map) {
  if (observer) nn::observe(observer, stem, static_cast<int64_t>(index), map.value());
}

}  // namespace

UperNet::UperNet(const nn::Scope& scope, const UperNetOptions& options)
    : options_(options),
      conv_seg_(scope / "conv_seg", options.channels, options.classes),
      psp_modules_(make_convs(kPools.size(), scope / "psp_modules", "1",
                              [&](size_t) { return pointwise(options.in[3], options.channels); })),
      bottleneck_(scope / "bottleneck",
                  three_by_three(options.in[3] + 4 * options.channels, options.channels)),
      lateral_convs_(
          make_convs(kLevels - 1, scope / "lateral_convs", "",
                     [&](size_t i) { return pointwise(options.in[i], options.channels); })),
      fpn_convs_(
          make_convs(kLevels - 1, scope / "fpn_convs", "",
                     [&](size_t) { return three_by_three(options.channels, options.channels); })),
      fpn_bottleneck_(scope / "fpn_bottleneck",
                      three_by_three(4 * options.channels, options.channels)) {}

at::Tensor UperNet::coarsest(const at::Tensor& map_BHWC, const HeadPass& pass,
                             const nn::Observer& observer) const {
  std::vector<at::Tensor> maps{map_BHWC};
  for (size_t i = 0; i < kPools.size(); ++i) {
    const at::Tensor pooled = psp_modules_[i](nn::adaptive_pool(map_BHWC, kPools[i]), pass.ranks);
    nn::observe(observer, "psp_modules", static_cast<int64_t>(i), pooled);
    maps.push_back(nn::upsample(pooled, map_BHWC.size(1), map_BHWC.size(2)));
  }
  const at::Tensor mixed = bottleneck_(at::cat(maps, 3), pass.ranks);
  nn::observe(observer, "bottleneck", mixed);
  return mixed;
}

nn::Recomputed UperNet::finest(const at::Tensor& map_BHWC, const at::Tensor& coarser_BHWC,
                               const HeadPass& pass, const nn::Observer& observer) const {
  const nn::Recomputed own =
      lateral_convs_[0].deferred(lateral_convs_[0].conv()(map_BHWC), pass.ranks);
  observe_made(observer, "lateral_convs", 0, own);
  const nn::Recomputed mixed =
      fpn_convs_[0].deferred(fpn_convs_[0].conv()(plus_upsampled(own, coarser_BHWC)), pass.ranks);
  observe_made(observer, "fpn_convs", 0, mixed);
  return mixed;
}

at::Tensor UperNet::operator()(const std::vector<at::Tensor>& maps_BHWC, const HeadPass& pass,
                               const nn::Observer& observer) const {
  require(maps_BHWC.size() == kLevels, "UperNet: got {} maps, expected {}", maps_BHWC.size(),
          kLevels);
  at::Tensor lateral_BHWC = coarsest(maps_BHWC[3], pass, observer);
  std::vector<at::Tensor> coarser{lateral_BHWC};  // all levels except the finest, finer ones first
  for (size_t i = kLevels - 2; i > 0; --i) {
    const at::Tensor own_BHWC = lateral_convs_[i](maps_BHWC[i], pass.ranks);
    nn::observe(observer, "lateral_convs", static_cast<int64_t>(i), own_BHWC);
    lateral_BHWC = own_BHWC + nn::upsample(lateral_BHWC, own_BHWC.size(1), own_BHWC.size(2));
    coarser.insert(coarser.begin(), fpn_convs_[i](lateral_BHWC, pass.ranks));
    nn::observe(observer, "fpn_convs", static_cast<int64_t>(i), coarser.front());
  }
  const at::Tensor mixed_BHWE =
      fpn_bottleneck_.conv().of_maps(finest(maps_BHWC[0], lateral_BHWC, pass, observer), coarser);
  const nn::Recomputed all = fpn_bottleneck_.deferred(mixed_BHWE, pass.ranks);
  if (observer) nn::observe(observer, "fpn_bottleneck", all.value());
  return conv_seg_(all, pass);
}

}  // namespace fcm::heads
