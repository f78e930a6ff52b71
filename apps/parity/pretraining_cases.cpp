// forward, pred, grads, compact and base files: one case for each path and compute type. And the
// oracle: Fast ConvMAE's loss is the mean of four ConvMAEs.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/parity/cases.h"
#include "apps/parity/golden.h"
#include "apps/parity/pretraining_case.h"
#include "apps/parity/run.h"

namespace fcm::parity {
namespace {

constexpr Types kFloat32{at::kFloat, at::kFloat};
constexpr Types kFloat64{at::kDouble, at::kDouble};
constexpr Types kBFloat16{at::kFloat, at::kBFloat16};

void in_float32(CaseResult& result, const Entry& entry, const Request& request, Path path) {
  const PretrainingCase the = pretraining_case(entry, request);
  const Run run = run_pretraining(the.model, the.inputs, path, kFloat32);
  compare_with_stored(result, entry, the.stored, run, Stored::kFloat32, float32_tolerance(entry));
}

void in_float64(CaseResult& result, const Entry& entry, const Request& request, Path path) {
  const PretrainingCase the = pretraining_case(entry, request);
  const Run run = run_pretraining(the.model, the.inputs, path, kFloat64);
  compare_with_stored(result, entry, the.stored, run, Stored::kFloat32, float64_tolerance(entry));
  // Stored from float64, in float32: all that is left is that rounding.
  compare_with_stored(result, entry, the.stored, run, Stored::kFloat64,
                      [](const std::string&, Quantity) { return 4 * 0x1p-24; });
  const nlohmann::json losses = entry.about.value("loss_fp64", nlohmann::json::object());
  for (const auto& [tag, loss] : losses.items()) {
    compare_number(result, "loss_fp64." + tag, run.values.at("loss." + tag).item<double>(),
                   loss.get<double>(), 1e-12);
  }
}

// bfloat16 keeps 8 bits, so an operation is off by up to 2^-9 of its result. If all errors added
// up, a residual stream would gather 2^-8 a block, and gradients as much again on the way back.
double worst_of_bfloat16(double blocks, Quantity quantity) {
  return 0x1p-8 * blocks * (quantity == Quantity::kGradient ? 2 : 1);
}

// The fast path holds the residual stream in bfloat16, where the published form under autocast
// holds it in float32: two more roundings a block, which gather like the steps of a random walk.
double stream_of_bfloat16(double blocks, Quantity quantity) {
  return 0x1p-9 * std::sqrt(2 * blocks * (quantity == Quantity::kGradient ? 2 : 1));
}

double blocks_of(const PublishedModel& model) {
  int64_t blocks = model.options.decoder_depth;
  for (const int64_t depth : model.options.depths) blocks += depth;
  return static_cast<double>(blocks);
}

// The plain form against the worst that bfloat16 allows; the fast path also against twice the error
// that the plain form has in that tensor, and the stream's.
void in_bfloat16(CaseResult& result, const Entry& entry, const Request& request, Path path) {
  const PretrainingCase the = pretraining_case(entry, request);
  const double blocks = blocks_of(the.model);
  const Run plain = run_pretraining(the.model, the.inputs, Path::kReference, kBFloat16);
  if (path == Path::kReference) {
    compare_with_stored(
        result, entry, the.stored, plain, Stored::kFloat32,
        [&](const std::string&, Quantity quantity) { return worst_of_bfloat16(blocks, quantity); });
    return;
  }
  const Run exact = run_pretraining(the.model, the.inputs, Path::kReference, kFloat32);
  const Tolerance beside_plain = [&](const std::string& tensor, Quantity quantity) {
    const at::Tensor wanted = without_key_bias(tensor, exact.values.at(tensor));
    const at::Tensor got = without_key_bias(tensor, plain.values.at(tensor));
    const double scale = wanted.abs().max().item<double>();
    const double error = (got - wanted).abs().max().item<double>() / scale;
    return std::min(worst_of_bfloat16(blocks, quantity),
                    2 * error + stream_of_bfloat16(blocks, quantity));
  };
  const Run run = run_pretraining(the.model, the.inputs, Path::kFast, kBFloat16);
  compare_with_stored(result, entry, the.stored, run, Stored::kFloat32, beside_plain);
}

}  // namespace

std::vector<CaseResult> pretraining_cases(const Entry& entry, const Request& request) {
  std::vector<CaseResult> results;
  for (const Path path : {Path::kFast, Path::kReference}) {
    const auto add = [&](const char* type, auto&& body) {
      add_case(results, request, fmt::format("{} [{} {}]", entry.file, path_name(path), type),
               [&](CaseResult& result) { body(result, entry, request, path); });
    };
    add("fp32", in_float32);
    add("fp64", in_float64);
    add("bf16", in_bfloat16);
  }
  return results;
}

}  // namespace fcm::parity
