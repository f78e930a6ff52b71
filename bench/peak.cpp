// The machine's peaks, and how close the matrix products of recipes come to them.
#include "fcm/ops/peak/peak.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "bench/bench.h"
#include "bench/library_products.h"
#include "fcm/base/cores.h"
#include "fcm/base/processor.h"
#include "fcm/base/stopwatch.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/isa.h"
#include "fcm/ops/linear/products.h"
#include "fcm/recipe/setup.h"
#include "fcm/tasks/machine.h"

namespace fcm::bench {
namespace {

using nlohmann::json;

// The threads of a measurement, and the prefix of its key in the result.
struct Placement {
  std::string name;
  ops::PeakThreads threads;
  int64_t libtorch_threads = 0;  // number of unbound threads; 0: `threads` are bound to cores
  bool measurable = true;
};

std::vector<Placement> placements(int64_t threads) {
  const std::vector<std::vector<int>> cores = physical_cores();
  ops::PeakThreads each, all;
  for (const std::vector<int>& core : cores) {
    each.hyperthreads.push_back(core.front());
    all.hyperthreads.insert(all.hyperthreads.end(), core.begin(), core.end());
  }
  const bool has_hyperthreads = all.hyperthreads.size() > each.hyperthreads.size();
  return {{"one_thread", {}, 1, true},
          {"all_threads", {}, threads, true},
          {"every_core", each, 0, has_hyperthreads},
          {"every_hyperthread", all, 0, has_hyperthreads}};
}

// Adds a figure for each placement, in billions, under the key "<placement>_<unit>".
void add_figures(json& row, const char* unit, int64_t threads,
                 const std::function<double(const ops::PeakThreads&)>& measure) {
  for (const Placement& placement : placements(threads)) {
    const std::string key = fmt::format("{}_{}", placement.name, unit);
    row[key] = nullptr;
    if (!placement.measurable) continue;
    if (placement.libtorch_threads > 0) at::set_num_threads(placement.libtorch_threads);
    row[key] = measure(placement.threads) * 1e-9;
    at::set_num_threads(threads);
  }
}

struct Candidate {
  std::string name;
  std::function<at::Tensor()> product;
};

// For each candidate the shortest time of several calls, alternating, after a warm-up round.
std::vector<double> seconds_of(const std::vector<Candidate>& candidates) {
  constexpr int kRounds = 5;
  std::vector<double> seconds(candidates.size(), std::numeric_limits<double>::infinity());
  for (int round = 0; round <= kRounds; ++round) {
    for (size_t i = 0; i < candidates.size(); ++i) {
      const Stopwatch watch;
      candidates[i].product();
      if (round > 0) seconds[i] = std::min(seconds[i], watch.seconds());
    }
  }
  return seconds;
}

// The two matrices that one of the three products of a linear layer multiplies.
struct ProductOperands {
  const char* pass;
  at::Tensor left, right;
};

// `own`: the product as the program computes it.
json product_row(const std::string& name, const ProductOperands& operands, at::ScalarType type,
                 double flops, double peak, const std::function<at::Tensor()>& own) {
  std::vector<Candidate> candidates = {{"", own}};
  for (const LibraryProduct& library : library_products(type)) {
    candidates.push_back({library.name, [&operands, multiply = library.multiply] {
                            return multiply(operands.left, operands.right);
                          }});
  }
  const std::vector<double> seconds = seconds_of(candidates);
  json row = {{"case", name}, {"pass", operands.pass}, {"dtype", recipe::compute_name(type)}};
  row["gflops"] = flops / seconds[0] * 1e-9;
  row["peak_share"] = flops / seconds[0] / peak;
  for (const char* library : {"mkl", "onednn", "openblas"}) row[library] = nullptr;
  double best = 0;
  for (size_t i = 1; i < candidates.size(); ++i) {
    row[candidates[i].name] = flops / seconds[i] * 1e-9;
    best = std::max(best, flops / seconds[i] * 1e-9);
  }
  row["best_library_share"] = best * 1e9 / peak;
  return row;
}

json products(at::ScalarType type, Reporter& reporter) {
  const at::NoGradGuard no_grad;
  const double peak = ops::peak_flops(type);
  json rows = json::array();
  for (const ops::OpCase& op_case : ops::linear_cases().cases) {
    if (!op_case.benchmark) continue;
    const ops::OpCase::Inputs inputs = op_case.inputs(type, 1);
    const at::Tensor &x_MI = inputs[0], weight_OI = inputs[1].to(type), bias_O = inputs[2].to(type);
    const at::Tensor dy_MO = at::mm(x_MI, weight_OI.t());
    const ops::OwnKernels kernels = ops::fastest_products(x_MI);
    const auto add = [&](const ProductOperands& operands, const std::function<at::Tensor()>& own) {
      rows.push_back(product_row(op_case.name, operands, type, op_case.forward_flops, peak, own));
      rows.back()["by"] = kernels ? "own" : "library";
    };
    add({"forward", x_MI, weight_OI.t()},
        [&] { return ops::product_with_bias(kernels, x_MI, weight_OI.t(), bias_O); });
    add({"input gradient", dy_MO, weight_OI},
        [&] { return ops::product_with_bias(kernels, dy_MO, weight_OI, {}); });
    add({"weight gradient", dy_MO.t(), x_MI},
        [&] { return ops::weight_gradients(kernels, dy_MO, x_MI).first; });
    reporter.progress(
        fmt::format("bench peak: {} of {}", op_case.name, recipe::compute_name(type)));
  }
  return rows;
}

}  // namespace

json bench_peak(tasks::MachineOptions machine, Reporter& reporter) {
  machine.device = "cpu";
  const int64_t threads = tasks::set_up_machine(machine);
  reporter.info("bench peak: nothing else should run on this machine now");
  json units = json::array(), memory = json::array();
  for (const ops::PeakUnit& unit : ops::peak_units()) {
    json row = {{"dtype", recipe::compute_name(unit.type)}, {"by", unit.by}};
    add_figures(row, "gflops", threads, [&](const ops::PeakThreads& placed) {
      return ops::measure_multiply_adds(unit, placed);
    });
    units.push_back(row);
  }
  for (const bool read : {true, false}) {
    json row = {{"what", read ? "read" : "copy"}};
    add_figures(row, "gbytes_per_second", threads, [&](const ops::PeakThreads& placed) {
      return read ? ops::measure_read(placed) : ops::measure_copy(placed);
    });
    memory.push_back(row);
  }
  json rows = products(at::kFloat, reporter);
  if (ops::has_bf16_instructions()) {
    for (const json& row : products(at::kBFloat16, reporter)) rows.push_back(row);
  }
  int64_t hyperthreads = 0;
  const auto cores = physical_cores();
  for (const auto& core : cores) hyperthreads += std::ssize(core);
  return {{"processor", name_of(processor_class())},
          {"threads", threads},
          {"cores", cores.empty() ? json() : json(cores.size())},
          {"hyperthreads", cores.empty() ? json() : json(hyperthreads)},
          {"multiply_adds", units},
          {"memory", memory},
          {"products", rows}};
}

}  // namespace fcm::bench
