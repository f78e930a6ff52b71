#include "fcm/ops/patchify/op.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/patchify/cuda.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

// The checked sizes of one call.
struct Cut {
  int64_t batch = 0, slots = 0, channels = 0;
  int64_t grid_rows = 0, grid_cols = 0, side = 0;
};

Cut checked_cut(const at::Tensor& order_BL, const PatchGeometry& geometry, int64_t batch,
                int64_t channels, int64_t height, int64_t width) {
  Cut cut{batch, 0, channels, 0, 0, geometry.patch_side()};
  if (height % cut.side != 0 || width % cut.side != 0 || height == 0 || width == 0) {
    fail(ExitCode::kData,
         "[patchify] images of {} x {} pixels cannot be cut into patches of {} x {}; resize or "
         "crop them to a multiple of the patch side",
         height, width, cut.side, cut.side);
  }
  cut.grid_rows = height / cut.side;
  cut.grid_cols = width / cut.side;
  require(order_BL.dim() == 2 && order_BL.size(0) == batch && order_BL.scalar_type() == at::kLong,
          "[patchify] expected an order int64 [{}, L]", batch);
  cut.slots = order_BL.size(1);
  const int64_t patches = cut.grid_rows * cut.grid_cols;
  require(order_BL.numel() == 0 || !order_BL.is_cpu() ||  // on a GPU it would sync
              (order_BL.min().item<int64_t>() >= 0 && order_BL.max().item<int64_t>() < patches),
          "[patchify] expected an order of patches 0..{}", patches - 1);
  return cut;
}

// Byte value -> normalised value, one table of 256 per channel.
template <typename T>
std::vector<T> lookup_tables(const Normalisation& normalisation, int64_t channels) {
  std::vector<T> tables;
  for (size_t channel = 0; channel < static_cast<size_t>(channels); ++channel) {
    for (int byte = 0; byte < 256; ++byte) {
      tables.push_back(static_cast<T>((byte / 255.0 - normalisation.mean[channel]) /
                                      normalisation.stddev[channel]));
    }
  }
  return tables;
}

// Copies runs of `run` pixels: a row of a cell's pixels is contiguous in the image and in the
// result.
template <typename T>
void copy_patches(const uint8_t* images, const int64_t* order, const Cut& cut,
                  const std::vector<int64_t>& pixel_order, int64_t run, const T* tables,
                  T* result) {
  const int64_t row_bytes = cut.grid_cols * cut.side * cut.channels;
  const int64_t image_bytes = cut.grid_rows * cut.side * row_bytes;
  const int64_t patch_values = cut.side * cut.side * cut.channels;
  std::vector<int64_t> run_starts;  // bytes from the first pixel of a patch
  for (size_t pixel = 0; pixel < pixel_order.size(); pixel += static_cast<size_t>(run)) {
    const int64_t place = pixel_order[pixel];
    run_starts.push_back(place / cut.side * row_bytes + place % cut.side * cut.channels);
  }
  at::parallel_for(0, cut.batch * cut.slots, 16, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) {
      const int64_t patch = order[slot];
      const uint8_t* source = images + slot / cut.slots * image_bytes +
                              patch / cut.grid_cols * cut.side * row_bytes +
                              patch % cut.grid_cols * cut.side * cut.channels;
      T* target = result + slot * patch_values;
      for (const int64_t start : run_starts) {
        const uint8_t* bytes = source + start;
        for (int64_t pixel = 0; pixel < run; ++pixel) {
          for (int64_t channel = 0; channel < cut.channels; ++channel) {
            *target++ = tables[channel * 256 + *bytes++];
          }
        }
      }
    }
  });
}

// T: the kernels' name for the type of the result.
template <typename T>
void patchify_on_cuda(const at::Tensor& images, const at::Tensor& order, const Cut& cut,
                      const std::vector<int64_t>& pixel_order, const Normalisation& normalisation,
                      const at::Tensor& result) {
  require(
      cut.side <= kMostCudaPatchSide && cut.channels <= kMostCudaChannels,
      "[patchify] expected patches of at most 16 x 16 pixels of 4 channels on a GPU, got side {} "
      "and {} channels",
      cut.side, cut.channels);
  PatchifyCuda all{};
  all.batch = cut.batch;
  all.slots = cut.slots;
  all.channels = cut.channels;
  all.grid_rows = cut.grid_rows;
  all.grid_cols = cut.grid_cols;
  all.side = cut.side;
  all.images = images.const_data_ptr<uint8_t>();
  all.order = order.const_data_ptr<int64_t>();
  std::copy(pixel_order.begin(), pixel_order.end(), all.pixel);
  std::copy(normalisation.mean.begin(), normalisation.mean.end(), all.mean);
  std::copy(normalisation.stddev.begin(), normalisation.stddev.end(), all.stddev);
  patchify_cuda(all, static_cast<T*>(result.data_ptr()), cuda_stream_for(result));
}

}  // namespace

at::Tensor patchify(const at::Tensor& images_BHWC, const at::Tensor& order_BL,
                    const PatchGeometry& geometry, const Normalisation& normalisation,
                    at::ScalarType dtype) {
  const ProfileScope timed(
      "patchify", 0,
      static_cast<double>(images_BHWC.numel()) * static_cast<double>(1 + c10::elementSize(dtype)));
  require(images_BHWC.dim() == 4 && images_BHWC.scalar_type() == at::kByte,
          "[patchify] expected images uint8 [B, H, W, C]");
  const Cut cut = checked_cut(order_BL, geometry, images_BHWC.size(0), images_BHWC.size(3),
                              images_BHWC.size(1), images_BHWC.size(2));
  const auto channels = static_cast<size_t>(cut.channels);
  require(normalisation.mean.size() == channels && normalisation.stddev.size() == channels,
          "[patchify] expected a mean and a std for each of {} channels, got {} means and {} stds",
          channels, normalisation.mean.size(), normalisation.stddev.size());
  if (reference_ops()) {
    return patchify_reference(images_BHWC, order_BL, geometry, normalisation, dtype);
  }
  const at::Tensor images = images_BHWC.contiguous();
  const at::Tensor order = order_BL.contiguous();
  const int64_t stride = geometry.strides.front();
  const int64_t cells = cut.side / stride * (cut.side / stride);
  at::Tensor pixels_BLPD = at::empty({cut.batch, cut.slots, cells, stride * stride * cut.channels},
                                     images.options().dtype(dtype));
  if (on_cuda(images, {order})) {
    if (pixels_BLPD.numel() == 0) return pixels_BLPD;
    const auto run = dtype == at::kFloat      ? patchify_on_cuda<float>
                     : dtype == at::kBFloat16 ? patchify_on_cuda<Bfloat16>
                                              : patchify_on_cuda<double>;
    run(images, order, cut, geometry.pixel_order(), normalisation, pixels_BLPD);
    return pixels_BLPD;
  }
  AT_DISPATCH_FLOATING_TYPES_AND(at::kBFloat16, dtype, "patchify", [&] {
    const std::vector<scalar_t> tables = lookup_tables<scalar_t>(normalisation, cut.channels);
    copy_patches(images.const_data_ptr<uint8_t>(), order.const_data_ptr<int64_t>(), cut,
                 geometry.pixel_order(), stride, tables.data(),
                 pixels_BLPD.mutable_data_ptr<scalar_t>());
  });
  return pixels_BLPD;
}

at::Tensor patchify_normalised(const at::Tensor& images_BCHW, const at::Tensor& order_BL,
                               const PatchGeometry& geometry) {
  require(images_BCHW.dim() == 4, "[patchify] expected images [B, C, H, W]");
  const Cut cut = checked_cut(order_BL, geometry, images_BCHW.size(0), images_BCHW.size(1),
                              images_BCHW.size(2), images_BCHW.size(3));
  const int64_t pixels = cut.side * cut.side;
  const at::Tensor raster_BLXC =
      images_BCHW
          .reshape({cut.batch, cut.channels, cut.grid_rows, cut.side, cut.grid_cols, cut.side})
          .permute({0, 2, 4, 3, 5, 1})
          .reshape({cut.batch, cut.grid_rows * cut.grid_cols, pixels, cut.channels});
  const at::Tensor patch_BLXC = raster_BLXC.gather(
      1, order_BL.reshape({cut.batch, cut.slots, 1, 1}).expand({-1, -1, pixels, cut.channels}));
  const int64_t stride = geometry.strides.front();
  return patch_BLXC
      .index_select(2, at::tensor(geometry.pixel_order(), at::kLong).to(images_BCHW.device()))
      .reshape({cut.batch, cut.slots, pixels / (stride * stride), stride * stride * cut.channels});
}

at::Tensor unpatchify(const at::Tensor& patches_BLD, const at::Tensor& order_BL,
                      const PatchGeometry& geometry, int64_t rows, int64_t cols) {
  const int64_t side = geometry.patch_side();
  const int64_t batch = patches_BLD.size(0);
  require(patches_BLD.dim() == 3 && patches_BLD.size(1) == rows * cols &&
              patches_BLD.size(2) % (side * side) == 0,
          "[unpatchify] expected [B, L, D] with {} x {} patches of side {}", rows, cols, side);
  require(order_BL.sizes() == patches_BLD.sizes().slice(0, 2),
          "[unpatchify] expected an order [{}, {}]", batch, rows * cols);
  const int64_t channels = patches_BLD.size(2) / (side * side);
  const at::Tensor raster_of_pixel =
      at::tensor(geometry.pixel_order(), at::kLong).to(patches_BLD.device()).argsort();
  const at::Tensor slot_of_patch = order_BL.argsort(/*stable=*/true, /*dim=*/1);
  const at::Tensor stored_BLXC = patches_BLD.reshape({batch, rows * cols, side * side, channels});
  const at::Tensor raster_BLXC = stored_BLXC.index_select(2, raster_of_pixel)
                                     .gather(1, slot_of_patch.reshape({batch, rows * cols, 1, 1})
                                                    .expand({-1, -1, side * side, channels}));
  return raster_BLXC.reshape({batch, rows, cols, side, side, channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({batch, channels, rows * side, cols * side});
}

}  // namespace fcm::ops
