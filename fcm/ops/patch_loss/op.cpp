#include "fcm/ops/patch_loss/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/patch_loss/cuda.h"
#include "fcm/ops/patch_loss/kernel.h"
#include "fcm/ops/profile_scope.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/simd/blocks.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const PatchLossKernels& kernels() {
  return pick(isa(), patch_loss_plain, patch_loss_avx2, patch_loss_avx512);
}

template <class T, class A>
PatchLossRows<T, A> rows_of(const at::Tensor& predictions, const at::Tensor& targets,
                            const at::Tensor& slots, bool absolute) {
  PatchLossRows<T, A> rows;
  rows.begin = 0;
  rows.end = predictions.numel() / predictions.size(3);
  rows.rows = slots.numel();
  rows.slots = targets.size(1);
  rows.values = targets.size(2);
  rows.predictions = static_cast<const T*>(predictions.const_data_ptr());
  rows.targets = targets.const_data_ptr<A>();
  rows.slot = slots.const_data_ptr<int64_t>();
  rows.absolute = absolute;
  return rows;
}

Blocks in_blocks(int64_t rows, int64_t values) {
  return make_blocks(rows, std::max<int64_t>(1, 16384 / values));
}

template <class T, class A>
double run_forward(double (*kernel)(const PatchLossRows<T, A>&), const PatchLossRows<T, A>& all) {
  const Blocks blocks = in_blocks(all.end, all.values);
  std::vector<double> sums(static_cast<size_t>(blocks.count()));
  for_each_block(blocks, [&](int64_t block) {
    PatchLossRows<T, A> part = all;
    part.begin = blocks.begin(block);
    part.end = part.begin + blocks.size(block);
    sums[static_cast<size_t>(block)] = kernel(part);
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

template <class T, class A>
void run_backward(void (*kernel)(const PatchLossBackward<T, A>&), const PatchLossRows<T, A>& all,
                  double factor, const at::Tensor& dpredictions) {
  const Blocks blocks = in_blocks(all.end, all.values);
  for_each_block(blocks, [&](int64_t block) {
    PatchLossBackward<T, A> part{all, static_cast<A>(factor),
                                 static_cast<T*>(dpredictions.data_ptr())};
    part.rows.begin = blocks.begin(block);
    part.rows.end = part.rows.begin + blocks.size(block);
    kernel(part);
  });
}

template <class T, class A>
at::Tensor forward_on_cuda(const at::Tensor& predictions, const at::Tensor& targets,
                           const at::Tensor& slots, bool absolute) {
  const auto rows = rows_of<T, A>(predictions, targets, slots, absolute);
  const at::Tensor loss = at::empty({}, targets.options());
  const at::Tensor parts =
      at::empty({patch_loss_parts_cuda(rows.end)}, targets.options().dtype(at::kDouble));
  patch_loss_forward_cuda(rows, parts.data_ptr<double>(), loss.data_ptr<A>(),
                          cuda_stream_for(predictions));
  return loss;
}

template <class T, class A>
void backward_on_cuda(const at::Tensor& dloss, const at::Tensor& predictions,
                      const at::Tensor& targets, const at::Tensor& slots, bool absolute,
                      const at::Tensor& dpredictions) {
  patch_loss_backward_cuda(rows_of<T, A>(predictions, targets, slots, absolute),
                           dloss.const_data_ptr<A>(), static_cast<T*>(dpredictions.data_ptr()),
                           cuda_stream_for(predictions));
}

class PatchLoss : public torch::autograd::Function<PatchLoss> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& predictions_BGHD,
                            const at::Tensor& targets_BLD, const at::Tensor& slots_GH,
                            bool absolute) {
    const at::Tensor predictions = predictions_BGHD.contiguous();
    const auto type = predictions.scalar_type();
    const auto wide = type == at::kDouble ? at::kDouble : at::kFloat;
    const at::Tensor targets = targets_BLD.to(wide).contiguous(), slots = slots_GH.contiguous();
    context->save_for_backward({predictions, targets, slots});
    context->saved_data["absolute"] = absolute;
    const ProfileScope timed("loss", 0,
                             static_cast<double>(predictions.nbytes() + targets.nbytes()));
    if (on_cuda(predictions, {targets, slots})) {
      if (type == at::kFloat)
        return forward_on_cuda<float, float>(predictions, targets, slots, absolute);
      if (type == at::kBFloat16) {
        return forward_on_cuda<Bfloat16, float>(predictions, targets, slots, absolute);
      }
      return forward_on_cuda<double, double>(predictions, targets, slots, absolute);
    }
    const PatchLossKernels& k = kernels();
    double sum = 0;
    if (type == at::kFloat) {
      sum = run_forward(k.forward_float,
                        rows_of<float, float>(predictions, targets, slots, absolute));
    } else if (type == at::kBFloat16) {
      sum = run_forward(k.forward_bfloat16,
                        rows_of<Bfloat16, float>(predictions, targets, slots, absolute));
    } else {
      sum = run_forward(k.forward_double,
                        rows_of<double, double>(predictions, targets, slots, absolute));
    }
    return at::full({}, sum / static_cast<double>(targets.size(2)), targets.options());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &predictions = saved[0], targets = saved[1], slots = saved[2];
    const bool absolute = context->saved_data["absolute"].toBool();
    const ProfileScope timed("loss gradient", 0,
                             static_cast<double>(2 * predictions.nbytes() + targets.nbytes()));
    const at::Tensor dpredictions = at::empty_like(predictions);
    if (on_cuda(predictions)) {
      const at::Tensor& dloss = gradients[0];
      if (predictions.scalar_type() == at::kFloat) {
        backward_on_cuda<float, float>(dloss, predictions, targets, slots, absolute, dpredictions);
      } else if (predictions.scalar_type() == at::kBFloat16) {
        backward_on_cuda<Bfloat16, float>(dloss, predictions, targets, slots, absolute,
                                          dpredictions);
      } else {
        backward_on_cuda<double, double>(dloss, predictions, targets, slots, absolute,
                                         dpredictions);
      }
      return {dpredictions, at::Tensor(), at::Tensor(), at::Tensor()};
    }
    const double factor =
        (absolute ? 1 : 2) * gradients[0].item<double>() / static_cast<double>(targets.size(2));
    const PatchLossKernels& k = kernels();
    if (predictions.scalar_type() == at::kFloat) {
      run_backward(k.backward_float, rows_of<float, float>(predictions, targets, slots, absolute),
                   factor, dpredictions);
    } else if (predictions.scalar_type() == at::kBFloat16) {
      run_backward(k.backward_bfloat16,
                   rows_of<Bfloat16, float>(predictions, targets, slots, absolute), factor,
                   dpredictions);
    } else {
      run_backward(k.backward_double,
                   rows_of<double, double>(predictions, targets, slots, absolute), factor,
                   dpredictions);
    }
    return {dpredictions, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor patch_loss(const at::Tensor& predictions_BGHD, const at::Tensor& targets_BLD,
                      const at::Tensor& hidden_slots_GH, PatchError error) {
  require(predictions_BGHD.dim() == 4 && targets_BLD.dim() == 3 && hidden_slots_GH.dim() == 2 &&
              predictions_BGHD.size(0) == targets_BLD.size(0) &&
              predictions_BGHD.size(3) == targets_BLD.size(2) &&
              hidden_slots_GH.sizes() == predictions_BGHD.sizes().slice(1, 2),
          "patch_loss: expected predictions, targets and slots that fit, got predictions of {} "
          "dimensions, the last of {}, and targets of {} values",
          predictions_BGHD.dim(), predictions_BGHD.size(-1), targets_BLD.size(-1));
  require(!hidden_slots_GH.is_cpu() || hidden_slots_GH.numel() == 0 ||  // on a GPU it would sync
              (hidden_slots_GH.min().item<int64_t>() >= 0 &&
               hidden_slots_GH.max().item<int64_t>() < targets_BLD.size(1)),
          "patch_loss: expected slots 0..{}", targets_BLD.size(1) - 1);
  if (predictions_BGHD.numel() == 0 || reference_ops()) {
    return patch_loss_reference(predictions_BGHD, targets_BLD, hidden_slots_GH, error);
  }
  return PatchLoss::apply(predictions_BGHD, targets_BLD, hidden_slots_GH,
                          error == PatchError::kAbsolute);
}

}  // namespace fcm::ops
