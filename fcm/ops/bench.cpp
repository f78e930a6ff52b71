#include "fcm/ops/bench.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "fcm/base/stats.h"
#include "fcm/base/stopwatch.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/cuda/device.h"

namespace fcm::ops {
namespace {

double seconds_of(const std::function<void()>& call, at::Device device) {
  if (device.is_cuda()) wait_for_cuda();
  const Stopwatch watch;
  call();
  if (device.is_cuda()) wait_for_cuda();
  return watch.seconds();
}

struct Times {
  std::vector<double> own, reference, library;
};

// Calls each function once without counting it, then alternates: several calls of `own`, one of
// `reference`, one of `library` (may be empty), so that other processes disturb all of them
// equally.
Times time_in_turn(const std::function<void()>& own, const std::function<void()>& reference,
                   const std::function<void()>& library, double seconds, at::Device device) {
  own();
  if (library) library();
  if (device.is_cuda()) reference();  // the first call loads kernels
  const double reference_guess = seconds_of(reference, device);
  const double own_guess = std::max(1e-7, seconds_of(own, device));
  const int own_calls = std::clamp(static_cast<int>(reference_guess / own_guess), 3, 100);
  Times times;
  double spent = 0;
  while (times.own.empty() || spent < seconds) {
    for (int call = 0; call < own_calls; ++call) {
      times.own.push_back(seconds_of(own, device));
      spent += times.own.back();
    }
    times.reference.push_back(seconds_of(reference, device));
    spent += times.reference.back();
    if (!library) continue;
    times.library.push_back(seconds_of(library, device));
    spent += times.library.back();
  }
  return times;
}

using Function = std::function<at::Tensor(const OpCase::Inputs&)>;

// Runs the forward pass, and the backward pass if `upstream`, the gradient of the output, is given.
void run_once(const Function& function, const OpCase::Inputs& inputs,
              const std::optional<at::Tensor>& upstream) {
  if (!upstream) {
    const at::NoGradGuard no_grad;
    function(inputs);
    return;
  }
  OpCase::Inputs wanted;
  for (const at::Tensor& input : inputs) {
    if (input.requires_grad()) wanted.push_back(input);
  }
  torch::autograd::grad({function(inputs)}, wanted, {*upstream});
}

OpTiming timing(const OpCase& op_case, const OpCase::Inputs& inputs,
                const std::optional<at::Tensor>& upstream, at::ScalarType dtype, double seconds) {
  const auto call_of = [&](const Function& function) -> std::function<void()> {
    if (!function) return {};
    return [&] { run_once(function, inputs, upstream); };
  };
  const Times times = time_in_turn(call_of(op_case.run), call_of(op_case.reference),
                                   call_of(op_case.library), seconds, inputs[0].device());
  const Spread spread = spread_of(times.own);
  const double own = spread.median;
  OpTiming result;
  result.case_name = op_case.name;
  result.pass = upstream ? "forward_backward" : "forward";
  result.dtype = dtype == at::kBFloat16 ? "bfloat16" : "float32";
  result.microseconds = own * 1e6;
  result.least_microseconds = spread.min * 1e6;
  result.most_microseconds = spread.max * 1e6;
  const double bytes = op_case.forward_elements * static_cast<double>(c10::elementSize(dtype));
  result.gbytes_per_second = bytes * (upstream ? 2.5 : 1) / own * 1e-9;
  result.gflops = op_case.forward_flops * (upstream ? 3 : 1) / own * 1e-9;
  result.reference_ratio = median(times.reference) / own;
  if (op_case.library) result.library_ratio = median(times.library) / own;
  return result;
}

}  // namespace

std::vector<OpTiming> time_ops(const std::string& filter, double seconds_per_case,
                               at::Device device) {
  std::vector<OpTiming> timings;
  for (const OpCases& table : all_op_cases()) {
    for (const OpCase& op_case : table.cases) {
      const bool asked = (table.op + "/" + op_case.name).find(filter) != std::string::npos;
      if (!op_case.benchmark || !asked) continue;
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        OpCase::Inputs inputs = op_case.inputs(dtype, 1);
        for (at::Tensor& input : inputs) {
          input = input.to(device).set_requires_grad(input.is_floating_point());
        }
        const at::Tensor result = op_case.run(inputs);
        timings.push_back(timing(op_case, inputs, std::nullopt, dtype, seconds_per_case / 4));
        if (result.requires_grad()) {
          timings.push_back(
              timing(op_case, inputs, at::ones_like(result).detach(), dtype, seconds_per_case / 4));
        }
        for (OpTiming& entry : timings) {
          if (entry.op.empty()) entry.op = table.op;
        }
      }
    }
  }
  return timings;
}

}  // namespace fcm::ops
