#include "fcm/eval/slide.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/eval/slide_axis.h"
#include "fcm/eval/slide_rows.h"

namespace fcm::eval {
namespace {

constexpr int64_t kMostClasses = 255;  // 0 to 254; the value 255 means "no class"

struct Stretch {
  int64_t start = 0, size = 0;
};

std::vector<Stretch> stretches(int64_t size, int64_t crop, int64_t stride) {
  const int64_t count = std::max(size - crop + stride - 1, int64_t{0}) / stride + 1;
  std::vector<Stretch> all;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t end = std::min(i * stride + crop, size);
    const int64_t start = std::max(end - crop, int64_t{0});
    all.push_back({start, end - start});
  }
  return all;
}

// Size of the network's input for every window, zero padding included.
struct NetworkSize {
  int64_t rows = 0, cols = 0;
};

NetworkSize network_size(int64_t rows, int64_t cols, const SlideOptions& options) {
  if (!options.whole) return {options.crop_rows, options.crop_cols};
  const auto enough = [](int64_t side) {
    return (side + kWholeMultiple - 1) / kWholeMultiple * kWholeMultiple;
  };
  return {enough(rows), enough(cols)};
}

at::Tensor padded_window(const at::Tensor& image_HWC, const Window& window,
                         const NetworkSize& size) {
  const at::Tensor cut =
      image_HWC.narrow(0, window.top, window.rows).narrow(1, window.left, window.cols);
  if (window.rows == size.rows && window.cols == size.cols) return cut;
  return at::constant_pad_nd(cut, {0, 0, 0, size.cols - window.cols, 0, size.rows - window.rows});
}

// Logits [n, h', w', K] of a few windows, float32 on the CPU.
at::Tensor logits_of_some(const at::Tensor& image_HWC, const Window* windows, int64_t count,
                          const NetworkSize& size, const LogitsOfWindows& logits_of) {
  std::vector<at::Tensor> cut;
  for (int64_t i = 0; i < count; ++i) {
    cut.push_back(padded_window(image_HWC, windows[i], size));
  }
  const at::Tensor logits =
      logits_of(at::stack(cut)).detach().to(at::kCPU, at::kFloat).contiguous();
  require(logits.dim() == 4 && logits.size(0) == count && logits.numel() > 0,
          "logits of {} windows: got {} dimensions and {} elements, expected [{}, h, w, classes]",
          count, logits.dim(), logits.numel(), count);
  require(logits.size(3) <= kMostClasses, "logits: got {} classes, expected at most {}",
          logits.size(3), kMostClasses);
  // x - x is 0 exactly if x is finite; a sum of x itself could overflow.
  if ((logits - logits).sum().item<double>() != 0) {
    fail(ExitCode::kNumeric,
         "the network's logits of an image of {} x {} pixels hold NaN or infinity; check its "
         "weights, or try --set model.precision=fp32",
         image_HWC.size(1), image_HWC.size(0));
  }
  return logits;
}

void check_request(const at::Tensor& image_HWC, const SlideOptions& options, int64_t batch) {
  require(image_HWC.dim() == 3 && image_HWC.scalar_type() == at::kFloat && image_HWC.numel() > 0,
          "an image: got {} dimensions of {}, expected [H, W, C] of float32", image_HWC.dim(),
          at::toString(image_HWC.scalar_type()));
  require(batch >= 1, "expected at least 1 window in a batch, got {}", batch);
  const bool covers_all = options.crop_rows >= options.stride_rows &&
                          options.crop_cols >= options.stride_cols && options.stride_rows >= 1 &&
                          options.stride_cols >= 1;
  require(options.whole || covers_all,
          "expected windows that leave no gaps, got {} x {} every {} x {} pixels",
          options.crop_rows, options.crop_cols, options.stride_rows, options.stride_cols);
}

// Resizes a row of logits [w, K] to cols.size() columns, and writes the best class of each.
void best_classes(const float* row, const std::vector<BilinearTap>& cols, int64_t classes,
                  float* blended_K, uint8_t* best) {
  for (const BilinearTap& tap : cols) {
    const float* values = row + tap.low * classes;
    if (tap.share != 0) {
      blend(values, row + tap.high * classes, tap.share, classes, blended_K);
      values = blended_K;
    }
    *best++ = static_cast<uint8_t>(place_of_largest(values, classes));
  }
}

// Runs the network on all windows of the image.
SlideRows rows_of(const at::Tensor& image_HWC, const SlideOptions& options, int64_t batch,
                  const LogitsOfWindows& logits_of) {
  check_request(image_HWC, options, batch);
  const int64_t height = image_HWC.size(0), width = image_HWC.size(1);
  const NetworkSize size = network_size(height, width, options);
  WindowsWithLogits all{size.rows, size.cols, slide_windows(height, width, options), {}};
  for (int64_t first = 0; first < std::ssize(all.windows); first += batch) {
    const int64_t count = std::min(batch, std::ssize(all.windows) - first);
    const at::Tensor logits =
        logits_of_some(image_HWC, all.windows.data() + first, count, size, logits_of);
    for (int64_t i = 0; i < count; ++i) all.logits.push_back(logits[i]);
  }
  return {std::move(all), height, width};
}

// Caches two averaged rows, for reading neighbouring rows in ascending order.
class TwoRows {
 public:
  explicit TwoRows(const SlideRows& rows) : rows_(rows) {
    for (std::vector<float>& one : kept_) {
      one.resize(static_cast<size_t>(rows.cols() * rows.classes()));
    }
  }

  const float* row(int64_t row) {
    const auto slot = static_cast<size_t>(row % 2);
    if (place_[slot] != row) rows_.average(row, kept_[slot].data(), scratch_);
    place_[slot] = row;
    return kept_[slot].data();
  }

 private:
  const SlideRows& rows_;
  std::array<std::vector<float>, 2> kept_;
  std::array<int64_t, 2> place_{-1, -1};
  std::vector<float> scratch_;
};

}  // namespace

std::vector<Window> slide_windows(int64_t rows, int64_t cols, const SlideOptions& options) {
  if (options.whole) return {{0, 0, rows, cols}};
  std::vector<Window> windows;
  for (const Stretch& down : stretches(rows, options.crop_rows, options.stride_rows)) {
    for (const Stretch& across : stretches(cols, options.crop_cols, options.stride_cols)) {
      windows.push_back({down.start, across.start, down.size, across.size});
    }
  }
  return windows;
}

at::Tensor slide_logits(const at::Tensor& image_HWC, const SlideOptions& options, int64_t batch,
                        const LogitsOfWindows& logits_of) {
  const SlideRows rows = rows_of(image_HWC, options, batch, logits_of);
  const int64_t row_size = rows.cols() * rows.classes();
  const at::Tensor logits_HWK = at::empty({rows.rows(), rows.cols(), rows.classes()}, at::kFloat);
  auto* to = logits_HWK.mutable_data_ptr<float>();
  at::parallel_for(0, rows.rows(), 16, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch;
    for (int64_t row = begin; row < end; ++row) rows.average(row, to + row * row_size, scratch);
  });
  return logits_HWK;
}

at::Tensor slide(const at::Tensor& image_HWC, int64_t rows, int64_t cols,
                 const SlideOptions& options, int64_t batch, const LogitsOfWindows& logits_of) {
  require(rows >= 1 && cols >= 1, "expected a map of at least one pixel, got {} x {}", rows, cols);
  const SlideRows resized = rows_of(image_HWC, options, batch, logits_of);
  const int64_t row_size = resized.cols() * resized.classes();
  const std::vector<BilinearTap> down = bilinear_taps(resized.rows(), rows);
  const std::vector<BilinearTap> across = bilinear_taps(resized.cols(), cols);
  const at::Tensor map_HW = at::empty({rows, cols}, at::kByte);
  auto* to = map_HW.mutable_data_ptr<uint8_t>();
  at::parallel_for(0, rows, 16, [&](int64_t begin, int64_t end) {
    TwoRows two(resized);
    std::vector<float> blended(static_cast<size_t>(row_size));
    std::vector<float> one(static_cast<size_t>(resized.classes()));
    for (int64_t r = begin; r < end; ++r) {
      const BilinearTap& tap = down[static_cast<size_t>(r)];
      const float* values = two.row(tap.low);
      if (tap.share != 0) {
        blend(values, two.row(tap.high), tap.share, row_size, blended.data());
        values = blended.data();
      }
      best_classes(values, across, resized.classes(), one.data(), to + r * cols);
    }
  });
  return map_HW;
}

}  // namespace fcm::eval
