#include "fcm/boxes/sampler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "fcm/base/error.h"
#include "fcm/boxes/matcher.h"

namespace fcm::boxes {
namespace {

// Floyd's algorithm: `wanted` draws for `wanted` distinct numbers (Bentley and Floyd, "A sample of
// brilliance", CACM 1987).
std::vector<int64_t> some_below(KeyedRandom& random, int64_t count, int64_t wanted) {
  std::set<int64_t> chosen;
  for (int64_t last = count - wanted; last < count; ++last) {
    const auto drawn = static_cast<int64_t>(random.below(static_cast<uint64_t>(last) + 1));
    if (!chosen.insert(drawn).second) chosen.insert(last);
  }
  return {chosen.begin(), chosen.end()};
}

at::Tensor chosen_of(const at::Tensor& candidates_N, Side side, int64_t most,
                     const Choice& choice) {
  const int64_t count = candidates_N.size(0), wanted = std::min(most, count);
  const std::vector<int64_t> places = choice(side, count, wanted);
  require(std::ssize(places) == wanted, "sample: got {} chosen candidates of {}, expected {}",
          places.size(), count, wanted);
  return candidates_N.index_select(
      0, at::tensor(at::ArrayRef<int64_t>(places), at::kLong).to(candidates_N.device()));
}

}  // namespace

Choice keyed_choice(uint64_t seed, Purpose purpose, uint64_t epoch, uint64_t sample_id) {
  return [=](Side side, int64_t count, int64_t wanted) {
    const std::string_view name = side == Side::kPositives ? "positives" : "negatives";
    KeyedRandom random(seed ^ fnv1a64(name.data(), name.size()), purpose, epoch, sample_id);
    return some_below(random, count, wanted);
  };
}

Sampled sample(const at::Tensor& label_N, const SampleOptions& options, const Choice& choice) {
  const auto candidates = [&](int8_t label) { return label_N.eq(label).nonzero().flatten(); };
  Sampled sampled;
  sampled.positive_P =
      chosen_of(candidates(kPositive), Side::kPositives, options.most_positive, choice);
  sampled.negative_Q = chosen_of(candidates(kNegative), Side::kNegatives,
                                 options.total - sampled.positive_P.size(0), choice);
  return sampled;
}

}  // namespace fcm::boxes
