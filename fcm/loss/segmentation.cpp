#include "fcm/loss/segmentation.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/loss/segmentation_kernel.h"
#include "fcm/nn/upsample.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::loss {
namespace {

const SegmentationKernels& kernels() {
  return ops::pick(ops::isa(), segmentation_plain, segmentation_avx2, segmentation_avx512);
}

std::vector<PixelTap> pixel_taps(int64_t in, int64_t out) {
  std::vector<PixelTap> taps;
  for (const nn::LinearTap& tap : nn::bilinear_taps(in, out)) {
    taps.push_back({tap.first, tap.second, static_cast<float>(tap.share)});
  }
  return taps;
}

// Logits [B, h, w, K], contiguous float32, to be upsampled to rows x columns pixels.
struct Pixels {
  at::Tensor logits;
  std::vector<PixelTap> rows, columns;

  Pixels(const at::Tensor& logits_BHWK, int64_t row_count, int64_t column_count)
      : logits(logits_BHWK.detach().contiguous()),
        rows(pixel_taps(logits.size(1), row_count)),
        columns(pixel_taps(logits.size(2), column_count)) {}

  int64_t row_elements() const { return logits.size(2) * logits.size(3); }
  const float* logits_of(int64_t image, int64_t row) const {
    return logits.const_data_ptr<float>() + (image * logits.size(1) + row) * row_elements();
  }
  std::vector<float> scratch() const {
    return std::vector<float>(
        static_cast<size_t>((logits.size(2) + 1) * kernels().padded(logits.size(3))));
  }
  PixelRow row(int64_t image, int64_t pixel_row, std::vector<float>& scratch) const {
    const PixelTap& tap = rows[static_cast<size_t>(pixel_row)];
    PixelRow made{};
    made.classes = logits.size(3);
    made.in_columns = logits.size(2);
    made.columns = static_cast<int64_t>(columns.size());
    made.upper = logits_of(image, tap.first);
    made.lower = logits_of(image, tap.second);
    made.share = tap.share;
    made.taps = columns.data();
    made.scratch = scratch.data();
    return made;
  }
};

// A chunk of work is the pixel rows whose upper row of logits is in [begin, end), kRowsOfChunk
// rows. Their gradients belong to these rows of logits and to row `end`. Row `end` belongs to the
// next chunk, so its gradients go to below_ and are added after all chunks.
constexpr int64_t kRowsOfChunk = 4;

class FusedLoss {
 public:
  FusedLoss(const at::Tensor& logits_BHWK, const at::Tensor& labels_BHW, bool wants_gradient)
      : pixels_(logits_BHWK, labels_BHW.size(1), labels_BHW.size(2)),
        labels_(labels_BHW.contiguous()),
        chunks_((logits_BHWK.size(1) + kRowsOfChunk - 1) / kRowsOfChunk),
        losses_(static_cast<size_t>(logits_BHWK.size(0) * chunks_)),
        correct_(losses_.size()) {
    if (!wants_gradient) return;
    gradient = at::zeros_like(pixels_.logits);
    below_ = at::zeros({logits_BHWK.size(0), chunks_, logits_BHWK.size(2), logits_BHWK.size(3)},
                       pixels_.logits.options());
  }

  void run() {
    at::parallel_for(0, static_cast<int64_t>(losses_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) chunk(task / chunks_, task % chunks_);
    });
    // In a fixed order, so that the sums do not depend on the number of threads.
    for (size_t task = 0; task < losses_.size(); ++task) {
      loss += losses_[task];
      correct += correct_[task];
    }
    if (!gradient.defined()) return;
    for (int64_t i = 0; i + 1 < chunks_; ++i) {
      gradient.select(1, (i + 1) * kRowsOfChunk).add_(below_.select(1, i));
    }
  }

  at::Tensor gradient;  // of the sum of losses with respect to the logits
  double loss = 0;      // the sum
  int64_t correct = 0;

 private:
  void chunk(int64_t image, int64_t number) {
    const int64_t begin = number * kRowsOfChunk, end = begin + kRowsOfChunk;
    std::vector<float> scratch = pixels_.scratch(), dmixed;
    if (gradient.defined()) dmixed.resize(scratch.size());
    const auto columns = static_cast<int64_t>(pixels_.columns.size());
    const auto rows = static_cast<int64_t>(pixels_.rows.size());
    const auto task = static_cast<size_t>(image * chunks_ + number);
    for (int64_t row = 0; row < rows; ++row) {
      const PixelTap& tap = pixels_.rows[static_cast<size_t>(row)];
      if (tap.first < begin || tap.first >= end) continue;
      LossRow one{.row = pixels_.row(image, row, scratch),
                  .labels = labels_.const_data_ptr<uint8_t>() + (image * rows + row) * columns,
                  .dmixed = nullptr,
                  .dupper = nullptr,
                  .dlower = nullptr};
      if (gradient.defined()) {
        one.dmixed = dmixed.data();
        one.dupper = gradient_of(image, tap.first);
        one.dlower = tap.second < end ? gradient_of(image, tap.second)
                                      : below_.data_ptr<float>() +
                                            static_cast<int64_t>(task) * pixels_.row_elements();
      }
      kernels().loss(one);
      losses_[task] += one.loss;
      correct_[task] += one.correct;
    }
  }

  float* gradient_of(int64_t image, int64_t row) const {
    return gradient.data_ptr<float>() +
           (image * pixels_.logits.size(1) + row) * pixels_.row_elements();
  }

  Pixels pixels_;
  at::Tensor labels_;
  int64_t chunks_;  // chunks of an image
  at::Tensor below_;
  std::vector<double> losses_;
  std::vector<int64_t> correct_;
};

class FusedSegmentationLoss : public torch::autograd::Function<FusedSegmentationLoss> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const at::Tensor& logits_BHWK,
                                                const at::Tensor& labels_BHW, bool wants_gradient) {
    FusedLoss fused(logits_BHWK, labels_BHW, wants_gradient);
    fused.run();
    // The gradient is computed with the loss, so that softmax is not computed twice.
    if (wants_gradient) context->save_for_backward({fused.gradient});
    const auto pixels = static_cast<double>(std::max<int64_t>(1, labels_BHW.numel()));
    context->saved_data["pixels"] = pixels;
    const at::Tensor correct = at::scalar_tensor(fused.correct, at::kLong);
    context->mark_non_differentiable({correct});
    return {at::full({}, fused.loss / pixels, logits_BHWK.options()), correct};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const double pixels = context->saved_data["pixels"].toDouble();
    return {context->get_saved_variables()[0] * (gradients[0] / pixels), at::Tensor(),
            at::Tensor()};
  }
};

void check_labels(const at::Tensor& logits_BHWK, const at::Tensor& labels_BHW) {
  const int64_t classes = logits_BHWK.size(-1);
  require(
      logits_BHWK.dim() == 4 && labels_BHW.dim() == 3 && labels_BHW.scalar_type() == at::kByte &&
          labels_BHW.size(0) == logits_BHWK.size(0) && classes <= kIgnoredLabel,
      "segmentation_loss: expected [B, h, w, K] with at most 255 classes and uint8 [B, H, W], got "
      "logits of {} dimensions and {} classes, labels of {} dimensions",
      logits_BHWK.dim(), classes, labels_BHW.dim());
  // On a GPU the check would need a sync.
  if (!labels_BHW.is_cpu() || labels_BHW.numel() == 0) return;
  const at::Tensor wrong = labels_BHW.ge(classes).logical_and_(labels_BHW.ne(kIgnoredLabel));
  if (!wrong.any().item<bool>()) return;
  fail(ExitCode::kData,
       "a label map holds class {}, but the model has {} classes, 0 to {}, and {} for pixels "
       "without one; check the number of classes and how labels are numbered",
       labels_BHW.masked_select(wrong).max().item<int64_t>(), classes, classes - 1, kIgnoredLabel);
}

bool is_for_kernels(const at::Tensor& logits) {
  return logits.is_cpu() && logits.scalar_type() == at::kFloat;
}

// Upsampled logits [B, K, rows, cols], in LibTorch's channels-last layout.
at::Tensor upsampled_logits(const at::Tensor& logits_BHWK, int64_t rows, int64_t cols) {
  return at::upsample_bilinear2d(logits_BHWK.permute({0, 3, 1, 2}), {rows, cols}, false);
}

}  // namespace

SegmentationLoss segmentation_loss_plain(const at::Tensor& logits_BHWK,
                                         const at::Tensor& labels_BHW) {
  check_labels(logits_BHWK, labels_BHW);
  const at::Tensor logits = upsampled_logits(logits_BHWK, labels_BHW.size(1), labels_BHW.size(2));
  const at::Tensor labels = labels_BHW.to(at::kLong);
  const at::Tensor sum =
      at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum, kIgnoredLabel);
  return {sum / static_cast<double>(std::max<int64_t>(1, labels.numel())),
          logits.detach().argmax(1).eq(labels).sum()};
}

SegmentationLoss segmentation_loss(const at::Tensor& logits_BHWK, const at::Tensor& labels_BHW) {
  check_labels(logits_BHWK, labels_BHW);
  if (!is_for_kernels(logits_BHWK) || logits_BHWK.numel() == 0) {
    return segmentation_loss_plain(logits_BHWK, labels_BHW);
  }
  const bool wants_gradient = at::GradMode::is_enabled() && logits_BHWK.requires_grad();
  const auto results = FusedSegmentationLoss::apply(logits_BHWK, labels_BHW, wants_gradient);
  return {results[0], results[1]};
}

at::Tensor best_classes(const at::Tensor& logits_BHWK, int64_t rows, int64_t cols) {
  require(logits_BHWK.dim() == 4 && logits_BHWK.numel() > 0 && rows > 0 && cols > 0,
          "best_classes: expected logits [B, h, w, K] and pixels, neither empty, got {} dimensions "
          "for {} x {} pixels",
          logits_BHWK.dim(), rows, cols);
  if (!is_for_kernels(logits_BHWK)) {
    return upsampled_logits(logits_BHWK.detach(), rows, cols).argmax(1).to(at::kByte);
  }
  const Pixels pixels(logits_BHWK, rows, cols);
  const at::Tensor best =
      at::empty({logits_BHWK.size(0), rows, cols}, at::TensorOptions(at::kByte));
  auto* to = best.mutable_data_ptr<uint8_t>();
  at::parallel_for(0, logits_BHWK.size(0) * rows, 8, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch = pixels.scratch();
    for (int64_t row = begin; row < end; ++row) {
      kernels().best(pixels.row(row / rows, row % rows, scratch), to + row * cols);
    }
  });
  return best;
}

}  // namespace fcm::loss
