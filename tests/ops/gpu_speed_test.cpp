// Times attention and matrix products on a GPU and compares them with LibTorch's, for the shapes of
// the base recipe at batch 256. Prints the lines quoted in results/gpu.md. The tests fail only if
// results differ, whatever the times.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>

#include "fcm/base/stats.h"
#include "fcm/base/stopwatch.h"
#include "fcm/ops/attention/op.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/cuda/device.h"
#include "fcm/ops/linear/products.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"

namespace fcm::ops {
namespace {

// Median over 11 rounds of 5 calls, after one warm-up round.
double milliseconds_of(const std::function<void()>& work) {
  std::vector<double> rounds;
  for (int round = 0; round < 12; ++round) {
    wait_for_cuda();
    const Stopwatch watch;
    for (int call = 0; call < 5; ++call) work();
    wait_for_cuda();
    if (round > 0) rounds.push_back(watch.seconds() * 1e3 / 5);
  }
  return median(rounds);
}

enum class Fused { kFlash, kEfficient, kCudnn };

// During its lifetime LibTorch uses only one of its fused attention kernels, in deterministic form.
class OnlyFusedKernel {
 public:
  explicit OnlyFusedKernel(Fused fused) {
    set(fused == Fused::kFlash, fused == Fused::kEfficient, fused == Fused::kCudnn, false);
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  }
  ~OnlyFusedKernel() {
    set(true, true, true, true);
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  }
  OnlyFusedKernel(const OnlyFusedKernel&) = delete;
  OnlyFusedKernel& operator=(const OnlyFusedKernel&) = delete;

 private:
  static void set(bool flash, bool efficient, bool cudnn, bool plain) {
    at::Context& context = at::globalContext();
    context.setSDPUseFlash(flash);
    context.setSDPUseMemEfficient(efficient);
    context.setSDPUseCuDNN(cudnn);
    context.setSDPUseMath(plain);
  }
};

at::Tensor fused_attention(const at::Tensor& qkv_NTD, int64_t heads) {
  const int64_t n = qkv_NTD.size(0), t = qkv_NTD.size(1), c = qkv_NTD.size(2) / 3;
  const auto split = qkv_NTD.view({n, t, 3, heads, c / heads}).unbind(2);
  const at::Tensor out = at::scaled_dot_product_attention(
      split[0].transpose(1, 2), split[1].transpose(1, 2), split[2].transpose(1, 2));
  return out.transpose(1, 2).reshape({n, t, c});
}

using Attention = std::function<at::Tensor(const at::Tensor&, int64_t)>;

void time_attention(const char* name, const char* shape, const Attention& function,
                    const at::Tensor& qkv_NTD, int64_t heads) {
  try {
    const at::NoGradGuard no_grad;
    EXPECT_EQ(test::compare(function(qkv_NTD.narrow(0, 0, 2), heads).cpu(),
                            attention_reference(qkv_NTD.narrow(0, 0, 2).cpu(), heads), 1.6e-2)
                  .description,
              "");
    const double forward = milliseconds_of([&] { function(qkv_NTD, heads); });
    const at::AutoGradMode with_grad(true);
    const at::Tensor leaf = qkv_NTD.detach().requires_grad_();
    const double both = milliseconds_of([&] {
      const at::Tensor y = function(leaf, heads);
      torch::autograd::grad({y}, {leaf}, {y.detach()});
    });
    fmt::print("attention {:<10}{:<10}{:9.3f} ms forward{:9.3f} ms forward and backward\n", shape,
               name, forward, both);
  } catch (const c10::Error& error) {
    fmt::print("attention {:<10}{:<10} cannot: {}\n", shape, name, error.what_without_backtrace());
  }
}

class GpuSpeed : public test::GpuTest {};

TEST_F(GpuSpeed, AttentionBesideLibTorch) {
  struct Shape {
    const char* name;
    int64_t sequences, tokens, heads, head_dim;
  };
  for (const Shape& shape : {Shape{"49x64", 1024, 49, 12, 64}, Shape{"196x32", 1024, 196, 16, 32},
                             Shape{"196x64", 256, 196, 12, 64}}) {
    const at::Tensor qkv =
        at::randn({shape.sequences, shape.tokens, 3 * shape.heads * shape.head_dim},
                  at::TensorOptions(at::kBFloat16).device(at::kCUDA));
    time_attention("own", shape.name, attention, qkv, shape.heads);
    for (const auto& [name, fused] :
         {std::pair{"flash", Fused::kFlash}, std::pair{"efficient", Fused::kEfficient},
          std::pair{"cudnn", Fused::kCudnn}}) {
      const OnlyFusedKernel only(fused);
      time_attention(name, shape.name, fused_attention, qkv, shape.heads);
    }
  }
}

TEST_F(GpuSpeed, ProductsBesideLibTorch) {
  struct Shape {
    int64_t rows, inputs, outputs;
  };
  const int64_t images = 256;
  for (const Shape& shape : {Shape{images * 3136, 256, 1024}, Shape{images * 784, 384, 1536},
                             Shape{images * 196, 768, 2304}, Shape{images * 196, 768, 768},
                             Shape{images * 196, 768, 3072}, Shape{images * 196, 3072, 768},
                             Shape{images * 784, 512, 1536}, Shape{images * 784, 512, 2048},
                             Shape{images * 784, 2048, 512}, Shape{images * 196, 4096, 768}}) {
    const auto options = at::TensorOptions(at::kBFloat16).device(at::kCUDA);
    const at::Tensor x = at::randn({shape.rows, shape.inputs}, options),
                     dy = at::randn({shape.rows, shape.outputs}, options),
                     weight = at::randn({shape.outputs, shape.inputs}, options),
                     bias = at::randn({shape.outputs}, options);
    const auto line = [&](const char* form, const std::function<at::Tensor()>& own,
                          const std::function<at::Tensor()>& library) {
      EXPECT_EQ(test::compare(own().slice(0, 0, 64).cpu(), library().slice(0, 0, 64).cpu(), 1.6e-2)
                    .description,
                "")
          << form;
      const double mine = milliseconds_of(own), theirs = milliseconds_of(library);
      const double flops = 2.0 * static_cast<double>(shape.rows * shape.inputs * shape.outputs);
      fmt::print(
          "product {:>7} x {:>4} x {:>4} {:<16}{:9.3f} ms {:6.0f} TFLOP/s, LibTorch x{:.2f}\n",
          shape.rows, shape.inputs, shape.outputs, form, mine, flops / mine * 1e-9, theirs / mine);
    };
    const OwnKernels none;
    line(
        "forward", [&] { return product_with_bias(none, x, weight.t(), bias); },
        [&] { return at::addmm(bias, x, weight.t()); });
    line(
        "input gradient", [&] { return product_with_bias(none, dy, weight, {}); },
        [&] { return at::mm(dy, weight); });
    line(
        "weight gradient", [&] { return weight_gradients(none, dy, x, bias).first; },
        [&] { return at::mm(dy.t(), x); });
  }
}

}  // namespace
}  // namespace fcm::ops
