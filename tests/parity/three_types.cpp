#include "tests/parity/three_types.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <map>

#include "fcm/ops/isa.h"
#include "tests/parity/golden.h"

namespace fcm::parity {
namespace {

void in_float32(CaseResult& result, const Entry& entry, const Subject& subject, Path path) {
  compare_with_stored(result, entry, subject.stored, subject.run(path, kFp32), Stored::kFloat32,
                      float32_tolerance(entry));
}

void in_float64(CaseResult& result, const Entry& entry, const Subject& subject, Path path) {
  const Run run = subject.run(path, kFp64);
  if (subject.from_float64) {
    // The bound in the set's README. Rounding of the stored values alone is 6e-8.
    constexpr double kStored = 1e-6;
    return compare_with_stored(result, entry, subject.stored, run, Stored::kFloat32,
                               [](const std::string&, Quantity) { return kStored; });
  }
  compare_with_stored(result, entry, subject.stored, run, Stored::kFloat32,
                      float64_tolerance(entry));
  // The stored values are float64 results rounded to float32, so only this rounding differs.
  compare_with_stored(result, entry, subject.stored, run, Stored::kFloat64,
                      [](const std::string&, Quantity) { return 4 * 0x1p-24; });
  const nlohmann::json losses = entry.about.value("loss_fp64", nlohmann::json::object());
  for (const auto& [tag, loss] : losses.items()) {
    compare_number(result, "loss_fp64." + tag, run.values.at("loss." + tag).item<double>(),
                   loss.get<double>(), 1e-12);
  }
}

// Estimates the error of a bfloat16 run. bfloat16 has 8 significant bits: one rounding has a
// relative error of at most 2^-8, and of about 2^-9 on average (rms).
class BFloat16 {
 public:
  // The embedding before the blocks and the head after them count as one block each.
  explicit BFloat16(int64_t blocks) : blocks_(static_cast<double>(blocks + 2)) {}

  // A block rounds about ten times (norm, four products with their rounded weights, softmax, GELU,
  // two sums), and as often again in backward. Independent errors add up like a random walk. The
  // bound of single elements is four std.
  double largest(Quantity quantity) const { return 4 * walk(10, quantity); }

  // The fast path keeps the residual stream in bfloat16, upstream under autocast in float32. That
  // adds two roundings per block.
  double stream(Quantity quantity) const { return walk(2, quantity); }

 private:
  double walk(double roundings_of_a_block, Quantity quantity) const {
    const double ways = quantity == Quantity::kGradient ? 2 : 1;
    return 0x1p-9 * std::sqrt(ways * roundings_of_a_block * blocks_);
  }

  double blocks_;
};

// Compares L2 norms over whole tensors, where random errors average out. The fast path's error may
// be at most twice the reference's error in the same dtype, plus cost.stream(). An error over n
// elements is itself random by one part in sqrt(n), which matters for biases of a few elements; two
// such std are permitted. `signs_l2` is for a loss whose gradient consists of signs: the relative
// L2 error of this gradient if rounding changes as many signs as in the reference. It is added,
// because each path changes other signs, so the reference's error does not bound the fast path's.
void compare_with_plain(CaseResult& result, const Run& fast, const Run& plain, const Run& exact,
                        const BFloat16& cost, double signs_l2) {
  for (const auto& [name, value] : fast.values) {
    const bool gradient = name.starts_with("grad.");
    if (!gradient && !name.starts_with("act.") && name != "pred" && name != "logits") continue;
    if (!exact.values.contains(name)) continue;
    const auto part = fast.computed.find(name);
    const auto computed = [&](const at::Tensor& tensor) {
      const at::Tensor clean = without_key_bias(name, tensor);
      return part == fast.computed.end() ? clean : clean.masked_select(part->second);
    };
    const at::Tensor wanted = computed(exact.values.at(name));
    const double chance = 2 / std::sqrt(static_cast<double>(wanted.numel()));
    const double allowed = 2 * (1 + chance) * relative_l2(computed(plain.values.at(name)), wanted) +
                           cost.stream(gradient ? Quantity::kGradient : Quantity::kActivation) +
                           (gradient ? signs_l2 : 0);
    compare_l2(result, name + " (L2)", computed(value), wanted, allowed);
  }
}

void in_bfloat16(CaseResult& result, const Entry& entry, const Subject& subject, Path path) {
  const BFloat16 cost(subject.blocks);
  // Rounding can change the sign of a small difference. The gradient of a pixel's bias sums one
  // sign per hidden patch. Up to three changed signs are permitted: each changes the sum by 2.
  const double flips = subject.signs > 0 ? 6.0 / static_cast<double>(subject.signs) : 0;
  const Tolerance largest = [&](const std::string&, Quantity quantity) {
    return cost.largest(quantity) + (quantity == Quantity::kGradient ? flips : 0);
  };
  const Run run = subject.run(path, kBf16);
  compare_with_stored(result, entry, subject.stored, run, Stored::kFloat32, largest);
  if (path == Path::kFast) {
    const Run plain = subject.run(Path::kReference, kBf16);
    const Run exact = subject.run(Path::kReference, kFp32);
    // m changed signs among n are an error of L2 norm 2 sqrt(m) in a vector of norm sqrt(n).
    const double signs_l2 =
        subject.signs > 0 ? 2 * std::sqrt(subject.changed_signs(plain, exact)) : 0;
    compare_with_plain(result, run, plain, exact, cost, signs_l2);
  }
}

// True for models of the upstream sizes on a CPU that emulates bfloat16 products.
bool takes_minutes_in_bfloat16(const Entry& entry) {
  return entry.kind().ends_with("base") && !ops::has_bf16_instructions();
}

}  // namespace

int64_t blocks_of(const PublishedModel& model) {
  int64_t blocks = model.classes > 0 ? 0 : model.options.decoder_depth;
  for (const int64_t depth : model.options.depths) blocks += depth;
  return blocks;
}

std::vector<CaseResult> in_three_types(const Entry& entry, const Request& request,
                                       const std::function<Subject()>& make) {
  std::vector<CaseResult> results;
  Subject subject;  // made when a case first needs it
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
    if (!takes_minutes_in_bfloat16(entry)) add("bf16", in_bfloat16);
  }
  return results;
}

}  // namespace fcm::parity
