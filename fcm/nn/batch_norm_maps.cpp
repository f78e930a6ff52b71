#include "fcm/nn/batch_norm_maps.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Splits the rows of a matrix into runs of about 65536 values (256 KiB of float32); a few of them
// fit into a core's own cache. Run borders depend on sizes alone, so threads do not change a sum.
struct Runs {
  int64_t rows, size;
  int64_t count() const { return (rows + size - 1) / size; }

  // Calls task(run, first row, rows), in parallel, without gradients.
  template <class Task>
  void for_each(const Task& task) const {
    at::parallel_for(0, count(), 1, [&](int64_t begin, int64_t end) {
      const at::NoGradGuard no_grad;
      for (int64_t run = begin; run < end; ++run) {
        task(run, run * size, std::min(size, rows - run * size));
      }
    });
  }
};

Runs runs_of(const at::Tensor& x_PC) {
  return {x_PC.size(0), std::max<int64_t>(1, 65536 / std::max<int64_t>(1, x_PC.size(1)))};
}

at::Tensor rows_of(const at::Tensor& x) {
  return x.detach().reshape({-1, x.size(-1)}).contiguous();
}

// (x - mean) * inverse for a run of rows, in the type of the mean.
at::Tensor standardised(const at::Tensor& rows_RC, const at::Tensor& mean_C,
                        const at::Tensor& inverse_C) {
  at::Tensor centred = at::sub(rows_RC, mean_C);  // has the wider type of the two
  return centred.mul_(inverse_C);
}

at::Tensor scaled_and_shifted(at::Tensor standard_RC, const at::Tensor& weight_C,
                              const at::Tensor& bias_C, bool relu) {
  standard_RC.mul_(weight_C).add_(bias_C);
  return relu ? standard_RC.relu_() : standard_RC;
}

// Number of rows, mean, and sum of squares around the mean, for every run; float64.
struct RunMoments {
  at::Tensor sizes_R1, means_RC, squares_RC;
};

RunMoments moments_of_runs(const at::Tensor& x_PC, at::ScalarType wide) {
  const Runs runs = runs_of(x_PC);
  const auto options = x_PC.options().dtype(at::kDouble);
  RunMoments of{at::empty({runs.count(), 1}, options),
                at::empty({runs.count(), x_PC.size(1)}, options),
                at::empty({runs.count(), x_PC.size(1)}, options)};
  runs.for_each([&](int64_t run, int64_t first, int64_t rows) {
    const at::Tensor x_RC = x_PC.narrow(0, first, rows).to(wide);
    const at::Tensor mean_C = x_RC.mean(0);
    of.sizes_R1[run].fill_(static_cast<double>(rows));
    of.means_RC[run].copy_(mean_C);
    of.squares_RC[run].copy_(at::sub(x_RC, mean_C).square_().sum(0));
  });
  return of;
}

struct HeldMoments : torch::CustomClassHolder {
  explicit HeldMoments(Moments held) : moments(std::move(held)) {}
  Moments moments;
};

// The gradient at the input of the ReLU, and the standardised x, for a run of rows.
struct RunGradients {
  at::Tensor before_relu_RC, standard_RC;
};

RunGradients gradients_of_run(const at::Tensor& dy_RC, const at::Tensor& x_RC,
                              const at::Tensor& weight_C, const at::Tensor& bias_C,
                              const Moments& moments, bool relu) {
  const at::Tensor standard_RC = standardised(x_RC, moments.mean_C, moments.inverse_C);
  const at::Tensor dy = dy_RC.to(standard_RC.scalar_type());
  if (!relu) return {dy, standard_RC};
  const at::Tensor y_RC = scaled_and_shifted(standard_RC.clone(), weight_C, bias_C, false);
  return {at::threshold_backward(dy, y_RC, 0), standard_RC};
}

class Normalised : public torch::autograd::Function<Normalised> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight_C, const at::Tensor& bias_C,
                            const c10::intrusive_ptr<HeldMoments>& held, bool relu) {
    const Moments& moments = held->moments;
    const at::Tensor x_PC = rows_of(x), weight = weight_C.detach(), bias = bias_C.detach();
    const at::Tensor y_PC = at::empty_like(x_PC);
    runs_of(x_PC).for_each([&](int64_t, int64_t first, int64_t rows) {
      const at::Tensor standard_RC =
          standardised(x_PC.narrow(0, first, rows), moments.mean_C, moments.inverse_C);
      y_PC.narrow(0, first, rows).copy_(scaled_and_shifted(standard_RC, weight, bias, relu));
    });
    context->save_for_backward({x, weight_C, bias_C});
    context->saved_data["moments"] = c10::IValue::make_capsule(held);
    context->saved_data["relu"] = relu;
    return y_PC.view(x.sizes());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const bool relu = context->saved_data["relu"].toBool();
    const auto held = context->saved_data["moments"].toCapsule();
    const Moments& moments = static_cast<HeldMoments&>(*held).moments;
    const at::Tensor x_PC = rows_of(saved[0]), dy_PC = rows_of(gradients[0]);
    const at::Tensor weight_C = saved[1].detach(), bias_C = saved[2].detach();
    const auto of_run = [&](int64_t first, int64_t rows) {
      return gradients_of_run(dy_PC.narrow(0, first, rows), x_PC.narrow(0, first, rows), weight_C,
                              bias_C, moments, relu);
    };

    // Sums of the gradient and of its product with standardised x, [2, C].
    const Runs runs = runs_of(x_PC);
    const at::Tensor parts_R2C =
        at::empty({runs.count(), 2, x_PC.size(1)}, x_PC.options().dtype(at::kDouble));
    runs.for_each([&](int64_t run, int64_t first, int64_t rows) {
      const RunGradients g = of_run(first, rows);
      parts_R2C[run][0].copy_(g.before_relu_RC.sum(0));
      parts_R2C[run][1].copy_(at::mul(g.before_relu_RC, g.standard_RC).sum(0));
    });
    const at::Tensor own_2C = parts_R2C.sum(0);
    const at::Tensor dweight_C = own_2C[1].to(weight_C.scalar_type());
    const at::Tensor dbias_C = own_2C[0].to(bias_C.scalar_type());

    at::Tensor means_2C;  // undefined: the moments are constants
    if (moments.ranks) {
      at::Tensor all_2C = own_2C.clone();
      moments.ranks->sum(all_2C);
      means_2C = all_2C.div_(moments.count).to(weight_C.scalar_type());
    }
    const at::Tensor scale_C = moments.inverse_C * weight_C;
    const at::Tensor dx_PC = at::empty_like(x_PC);
    runs.for_each([&](int64_t, int64_t first, int64_t rows) {
      RunGradients g = of_run(first, rows);
      at::Tensor dx_RC = g.before_relu_RC;
      if (means_2C.defined()) {
        dx_RC = dx_RC - g.standard_RC.mul_(means_2C[1]).add_(means_2C[0]);
      }
      dx_PC.narrow(0, first, rows).copy_(at::mul(dx_RC, scale_C));
    });
    return {dx_PC.view(saved[0].sizes()), dweight_C, dbias_C, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor normalised(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      const Moments& moments, bool relu) {
  require(x.size(-1) == weight_C.numel(), "normalised: expected weights for {} channels, got {}",
          x.size(-1), weight_C.numel());
  return Normalised::apply(x, weight_C, bias_C, c10::make_intrusive<HeldMoments>(moments), relu);
}

at::Tensor normalised_in_place(const at::Tensor& x, const at::Tensor& weight_C,
                               const at::Tensor& bias_C, const Moments& moments, bool relu) {
  const at::Tensor x_PC = x.detach().view({-1, x.size(-1)});
  const at::Tensor weight = weight_C.detach(), bias = bias_C.detach();
  const bool same_type = x.scalar_type() == weight.scalar_type();
  runs_of(x_PC).for_each([&](int64_t, int64_t first, int64_t rows) {
    at::Tensor run_RC = x_PC.narrow(0, first, rows);
    const at::Tensor centred_RC = same_type ? run_RC.sub_(moments.mean_C) : run_RC - moments.mean_C;
    const at::Tensor y_RC =
        scaled_and_shifted(centred_RC.mul_(moments.inverse_C), weight, bias, relu);
    if (!same_type) run_RC.copy_(y_RC);
  });
  return x;
}

BatchNorm::BatchNorm(const Scope& scope, int64_t channels, const BatchNormOptions& options)
    : weight_C_(scope.add("weight", {channels}, Init::kOnes)),
      bias_C_(scope.add("bias", {channels}, Init::kZeros)),
      running_{scope.add_table("running_mean", at::zeros({channels}), false),
               scope.add_table("running_var", at::ones({channels}), false)},
      batches_(scope.add_table("num_batches_tracked", at::zeros({}), false)),
      options_(options) {}

Moments BatchNorm::moments(const at::Tensor& x, const Ranks& ranks) const {
  const at::NoGradGuard no_grad;
  if (!ranks) {
    return {running_.mean_C, (running_.variance_C + options_.epsilon).rsqrt(), 0, nullptr};
  }
  const RunMoments own = moments_of_runs(rows_of(x), weight_C_.scalar_type());
  // Two all-reduces, the mean first: the mean of squares minus the squared mean would lose
  // precision if the mean is far from 0.
  const at::Tensor sums_C1 =
      at::cat({(own.means_RC * own.sizes_R1).sum(0), own.sizes_R1.sum().view({1})});
  ranks->sum(sums_C1);
  const double count = sums_C1[-1].item<double>();
  if (count == 0 && options_.over_ranks == OverRanks::kWeightedRanks) return moments(x, nullptr);
  if (count < 2) {
    fail(ExitCode::kUsage,
         "batch normalisation got one value per channel, which has no variance: images are pooled "
         "to one value here, and the batch of all processes has one image; train with "
         "batches of two images or more");
  }
  const at::Tensor mean_C = sums_C1.narrow(0, 0, x.size(-1)) / count;
  const at::Tensor squares_C =
      (own.squares_RC + own.sizes_R1 * (own.means_RC - mean_C).square()).sum(0);
  ranks->sum(squares_C);
  const auto type = running_.mean_C.scalar_type();
  running_.mean_C.lerp_(mean_C.to(type), options_.momentum);
  running_.variance_C.lerp_((squares_C / running_divisor(count, *ranks, options_)).to(type),
                            options_.momentum);
  batches_.add_(1);
  return {mean_C.to(type), (squares_C / count + options_.epsilon).rsqrt().to(type), count, ranks};
}

at::Tensor BatchNorm::operator()(const at::Tensor& x, const Ranks& ranks, bool relu) const {
  return normalised(x, weight_C_, bias_C_, moments(x, ranks), relu);
}

}  // namespace fcm::nn
