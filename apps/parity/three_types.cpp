#include "apps/parity/three_types.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "apps/parity/golden.h"

namespace fcm::parity {
namespace {

void in_float32(CaseResult& result, const Entry& entry, const Subject& subject, Path path) {
  compare_with_stored(result, entry, subject.stored, subject.run(path, kFp32), Stored::kFloat32,
                      float32_tolerance(entry));
}

void in_float64(CaseResult& result, const Entry& entry, const Subject& subject, Path path) {
  const Run run = subject.run(path, kFp64);
  compare_with_stored(result, entry, subject.stored, run, Stored::kFloat32,
                      float64_tolerance(entry));
  // Stored from float64, in float32: all that is left is that rounding.
  compare_with_stored(result, entry, subject.stored, run, Stored::kFloat64,
                      [](const std::string&, Quantity) { return 4 * 0x1p-24; });
  const nlohmann::json losses = entry.about.value("loss_fp64", nlohmann::json::object());
  for (const auto& [tag, loss] : losses.items()) {
    compare_number(result, "loss_fp64." + tag, run.values.at("loss." + tag).item<double>(),
                   loss.get<double>(), 1e-12);
  }
}

// What bfloat16 may cost. It keeps 8 bits, so an operation is off by up to 2^-9 of its result.
class BFloat16 {
 public:
  explicit BFloat16(const PublishedModel& model) {
    const reference::ReferenceOptions& options = model.options;
    int64_t blocks = model.classes > 0 ? 0 : options.decoder_depth;
    for (const int64_t depth : options.depths) blocks += depth;
    blocks_ = static_cast<double>(blocks);
  }

  // If all errors added up, a residual stream would gather 2^-8 a block, and gradients as much
  // again on the way back.
  double worst(Quantity quantity) const {
    return 0x1p-8 * blocks_ * (quantity == Quantity::kGradient ? 2 : 1);
  }

  // The fast path holds the residual stream in bfloat16, where the published form under autocast
  // holds it in float32: two more roundings a block, which gather like the steps of a random walk.
  double stream(Quantity quantity) const {
    return 0x1p-9 * std::sqrt(2 * blocks_ * (quantity == Quantity::kGradient ? 2 : 1));
  }

 private:
  double blocks_ = 0;
};

// Largest error of the plain form in bfloat16, over the tensor's largest value.
double error_of(const std::string& tensor, const Run& plain, const Run& exact) {
  const at::Tensor wanted = without_key_bias(tensor, exact.values.at(tensor));
  const at::Tensor got = without_key_bias(tensor, plain.values.at(tensor));
  return (got - wanted).abs().max().item<double>() / wanted.abs().max().item<double>();
}

// The plain form against the worst that bfloat16 allows; the fast path also against twice the error
// that the plain form has in that tensor, and the stream's.
void in_bfloat16(CaseResult& result, const Entry& entry, const Subject& subject, Path path) {
  const BFloat16 cost(subject.model);
  const Run plain = subject.run(Path::kReference, kBf16);
  if (path == Path::kReference) {
    compare_with_stored(
        result, entry, subject.stored, plain, Stored::kFloat32,
        [&](const std::string&, Quantity quantity) { return cost.worst(quantity); });
    return;
  }
  const Run exact = subject.run(Path::kReference, kFp32);
  const Tolerance beside_plain = [&](const std::string& tensor, Quantity quantity) {
    return std::min(cost.worst(quantity),
                    2 * error_of(tensor, plain, exact) + cost.stream(quantity));
  };
  compare_with_stored(result, entry, subject.stored, subject.run(Path::kFast, kBf16),
                      Stored::kFloat32, beside_plain);
}

}  // namespace

std::vector<CaseResult> in_three_types(const Entry& entry, const Request& request,
                                       const std::function<Subject()>& make) {
  std::vector<CaseResult> results;
  Subject subject;  // made once, when a case first needs it; the plain form's runs serve two cases
  std::map<at::ScalarType, Run> plain_runs;
  const auto subject_of_case = [&]() -> const Subject& {
    if (subject.run) return subject;
    subject = make();
    subject.run = [&plain_runs, compute = subject.run](Path path, Types types) {
      if (path == Path::kFast || types.parameters == at::kDouble) return compute(path, types);
      const auto found = plain_runs.find(types.compute);
      if (found != plain_runs.end()) return found->second;
      return plain_runs.emplace(types.compute, compute(path, types)).first->second;
    };
    return subject;
  };
  for (const Path path : {Path::kFast, Path::kReference}) {
    const auto add = [&](const char* type, auto&& body) {
      add_case(results, request, fmt::format("{} [{} {}]", entry.file, path_name(path), type),
               [&](CaseResult& result) { body(result, entry, subject_of_case(), path); });
    };
    add("fp32", in_float32);
    add("fp64", in_float64);
    add("bf16", in_bfloat16);
  }
  return results;
}

}  // namespace fcm::parity
