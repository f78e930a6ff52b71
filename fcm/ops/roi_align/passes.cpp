#include "fcm/ops/roi_align/passes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>
#include <type_traits>

#include "fcm/ops/profile_scope.h"
#include "fcm/ops/roi_align/cells.h"
#include "fcm/ops/roi_align/kernel.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

// Size of a band, the rows of a map whose gradient one thread sums: small enough for the L2 cache,
// and with so few rows that small maps also give work to several threads.
constexpr int64_t kBandElements = 1 << 17, kMostBandRows = 8;

const RoiAlignKernels& kernels_of_rois(Isa isa) {
  return pick(isa, roi_align_plain, roi_align_avx2, roi_align_avx512);
}

// Boxes with their image and level.
template <class A>
struct RoiList {
  const A* boxes;
  const int64_t* image;
  const int64_t* level;

  explicit RoiList(const Rois& rois)
      : boxes(rois.boxes_R4.const_data_ptr<A>()),
        image(rois.image_R.const_data_ptr<int64_t>()),
        level(rois.level_R.const_data_ptr<int64_t>()) {}
};

template <class A>
void set_table(const Rois& rois, const RoiMaps& maps, const RoiList<A>& list, int64_t roi,
               RoiTable<A>& table) {
  const auto level = static_cast<size_t>(list.level[roi]);
  table.set(list.boxes + 4 * roi, static_cast<A>(rois.scales[level]), rois.bins,
            maps.sides[level][0], maps.sides[level][1]);
}

// The boxes sorted by map, image and top edge, so that cells that several boxes read are still in
// the cache.
template <class A>
std::vector<int64_t> by_place(const RoiList<A>& list, int64_t count) {
  std::vector<std::tuple<int64_t, int64_t, float, int64_t>> keys;
  for (int64_t roi = 0; roi < count; ++roi) {
    const auto top = static_cast<float>(list.boxes[4 * roi + 1]);
    keys.emplace_back(list.level[roi], list.image[roi], top == top ? top : 0, roi);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<int64_t> order;
  for (const auto& key : keys) order.push_back(std::get<3>(key));
  return order;
}

template <class T, class A>
void forward_all(void (*kernel)(const RoiForward<T, A>&), const std::vector<at::Tensor>& maps_BHWC,
                 const Rois& rois, const RoiMaps& maps, const at::Tensor& out_RPPC) {
  const RoiList<A> list(rois);
  const std::vector<int64_t> order = by_place(list, rois.count());
  const int64_t of_roi = rois.bins * rois.bins * maps.channels;
  auto* out = static_cast<T*>(out_RPPC.mutable_data_ptr());
  for_each_dynamic(rois.count(), [&] {
    return [&, table = RoiTable<A>()](int64_t item) mutable {
      const int64_t roi = order[static_cast<size_t>(item)];
      const auto level = static_cast<size_t>(list.level[roi]);
      const auto [rows, cols] = maps.sides[level];
      set_table(rois, maps, list, roi, table);
      const T* map = static_cast<const T*>(maps_BHWC[level].const_data_ptr()) +
                     list.image[roi] * rows * cols * maps.channels;
      kernel({rois.bins, cols, maps.channels, table.cells(), map, out + roi * of_roi});
    };
  });
}

// Some rows of one image's map, and the boxes that read them, in box order.
struct Band {
  size_t level;
  int64_t image, first_row, end_row;
  std::vector<int64_t> rois;
};

std::vector<Band> empty_bands(const RoiMaps& maps) {
  std::vector<Band> bands;
  for (size_t level = 0; level < maps.sides.size(); ++level) {
    const auto [rows, cols] = maps.sides[level];
    const int64_t fit = kBandElements / std::max(cols * maps.channels, int64_t{1});
    const int64_t height = std::clamp(fit, int64_t{1}, kMostBandRows);
    for (int64_t image = 0; image < maps.images; ++image) {
      for (int64_t row = 0; row < rows; row += height) {
        bands.push_back({level, image, row, std::min(row + height, rows), {}});
      }
    }
  }
  return bands;
}

template <class A>
std::vector<RoiTable<A>> all_tables(const Rois& rois, const RoiMaps& maps) {
  const RoiList<A> list(rois);
  std::vector<RoiTable<A>> tables(static_cast<size_t>(rois.count()));
  at::parallel_for(0, rois.count(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t roi = begin; roi < end; ++roi) {
      set_table(rois, maps, list, roi, tables[static_cast<size_t>(roi)]);
    }
  });
  return tables;
}

// Assigns each box to the bands that it reads; bands with the most boxes come first.
template <class A>
std::vector<Band> filled_bands(const RoiList<A>& list, const RoiMaps& maps,
                               const std::vector<RoiTable<A>>& tables) {
  std::vector<Band> bands = empty_bands(maps);
  for (int64_t roi = 0; roi < std::ssize(tables); ++roi) {
    const RoiTable<A>& table = tables[static_cast<size_t>(roi)];
    const int64_t first = table.first_row(), end = table.end_row();
    const auto level = static_cast<size_t>(list.level[roi]);
    // Bands are sorted by level, image and row.
    auto band = std::partition_point(bands.begin(), bands.end(), [&](const Band& one) {
      return std::tuple(one.level, one.image, one.end_row) <=
             std::tuple(level, list.image[roi], first);
    });
    for (; band != bands.end() && band->level == level && band->image == list.image[roi] &&
           band->first_row < end;
         ++band) {
      band->rois.push_back(roi);
    }
  }
  std::stable_sort(bands.begin(), bands.end(), [](const Band& one, const Band& other) {
    return one.rois.size() > other.rois.size();
  });
  return bands;
}

// Adds the contributions of the boxes of a band, in float32 or float64.
template <class T, class A>
void sum_band(void (*kernel)(const RoiBackward<T, A>&), const Band& band, const Rois& rois,
              const RoiMaps& maps, const std::vector<RoiTable<A>>& tables, const T* dout, A* dmap,
              A* row) {
  for (const int64_t roi : band.rois) {
    const RoiTable<A>& table = tables[static_cast<size_t>(roi)];
    kernel({rois.bins, maps.sides[band.level][1], maps.channels, table.cells(), band.first_row,
            band.end_row, dout + roi * rois.bins * rois.bins * maps.channels, dmap, row});
  }
}

template <class T, class A>
void backward_all(void (*kernel)(const RoiBackward<T, A>&),
                  void (*round)(const float*, int64_t, Bfloat16*), const at::Tensor& dout_RPPC,
                  const Rois& rois, const RoiMaps& maps,
                  const std::vector<at::Tensor>& dmaps_BHWC) {
  const std::vector<RoiTable<A>> tables = all_tables<A>(rois, maps);
  const std::vector<Band> bands = filled_bands(RoiList<A>(rois), maps, tables);
  const T* dout = static_cast<const T*>(dout_RPPC.const_data_ptr());
  for_each_dynamic(std::ssize(bands), [&] {
    const auto of_bins = static_cast<size_t>(rois.bins * maps.channels);
    return [&, row = std::vector<A>(of_bins), sums = std::vector<A>()](int64_t item) mutable {
      const Band& band = bands[static_cast<size_t>(item)];
      const auto [rows, cols] = maps.sides[band.level];
      const int64_t of_row = cols * maps.channels;
      const int64_t elements = (band.end_row - band.first_row) * of_row;
      T* to = static_cast<T*>(dmaps_BHWC[band.level].mutable_data_ptr()) +
              (band.image * rows + band.first_row) * of_row;
      std::memset(to, 0, static_cast<size_t>(elements) * sizeof(T));
      if constexpr (std::is_same_v<T, A>) {
        sum_band(kernel, band, rois, maps, tables, dout, to, row.data());
      } else if (!band.rois.empty()) {
        sums.assign(static_cast<size_t>(elements), 0);
        sum_band(kernel, band, rois, maps, tables, dout, sums.data(), row.data());
        round(sums.data(), elements, to);
      }
    };
  });
}

// An estimate: 2 x 2 samples per bin, four cells per sample, two operations per cell.
double typical_flops(const Rois& rois, int64_t channels) {
  return 32.0 * static_cast<double>(rois.count() * rois.bins * rois.bins * channels);
}

}  // namespace

RoiMaps sizes_of_maps(const std::vector<at::Tensor>& maps_BHWC) {
  RoiMaps maps;
  maps.images = maps_BHWC[0].size(0);
  maps.channels = maps_BHWC[0].size(3);
  maps.type = maps_BHWC[0].scalar_type();
  for (const at::Tensor& map : maps_BHWC) maps.sides.push_back({map.size(1), map.size(2)});
  return maps;
}

at::Tensor roi_align_forward(Isa isa, const std::vector<at::Tensor>& maps_BHWC, const Rois& rois) {
  const RoiMaps maps = sizes_of_maps(maps_BHWC);
  const at::Tensor out_RPPC =
      at::empty({rois.count(), rois.bins, rois.bins, maps.channels}, maps_BHWC[0].options());
  const ProfileScope timed("roi_align", typical_flops(rois, maps.channels),
                           static_cast<double>(out_RPPC.nbytes()) * 5);
  const RoiAlignKernels& k = kernels_of_rois(isa);
  if (maps.type == at::kFloat) {
    forward_all(k.forward_float, maps_BHWC, rois, maps, out_RPPC);
  } else if (maps.type == at::kBFloat16) {
    forward_all(k.forward_bfloat16, maps_BHWC, rois, maps, out_RPPC);
  } else {
    forward_all(k.forward_double, maps_BHWC, rois, maps, out_RPPC);
  }
  return out_RPPC;
}

std::vector<at::Tensor> roi_align_backward(Isa isa, const at::Tensor& dout_RPPC, const Rois& rois,
                                           const RoiMaps& maps) {
  std::vector<at::Tensor> dmaps_BHWC;
  for (const auto& [rows, cols] : maps.sides) {
    dmaps_BHWC.push_back(at::empty({maps.images, rows, cols, maps.channels}, dout_RPPC.options()));
  }
  const ProfileScope timed("roi_align gradient", typical_flops(rois, maps.channels),
                           static_cast<double>(dout_RPPC.nbytes()) * 9);
  const RoiAlignKernels& k = kernels_of_rois(isa);
  if (maps.type == at::kFloat) {
    backward_all(k.backward_float, k.round, dout_RPPC, rois, maps, dmaps_BHWC);
  } else if (maps.type == at::kBFloat16) {
    backward_all(k.backward_bfloat16, k.round, dout_RPPC, rois, maps, dmaps_BHWC);
  } else {
    backward_all(k.backward_double, k.round, dout_RPPC, rois, maps, dmaps_BHWC);
  }
  return dmaps_BHWC;
}

}  // namespace fcm::ops
