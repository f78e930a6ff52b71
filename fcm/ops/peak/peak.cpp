#include "fcm/ops/peak/peak.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <thread>

#include "fcm/base/cores.h"
#include "fcm/base/error.h"
#include "fcm/base/processor.h"
#include "fcm/base/stopwatch.h"
#include "fcm/ops/cuda/device.h"
#include "fcm/ops/isa.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

using Task = std::function<void(int64_t thread)>;

// Seconds from when the first bound thread begins its task until the last one is done. The threads
// read the clock: the calling thread may run only after they have finished, if it shares a core
// with one of them.
double seconds_of_bound(const std::vector<int>& hyperthreads, const Task& task) {
  using Clock = std::chrono::steady_clock;
  std::barrier together(std::ssize(hyperthreads));
  std::vector<Clock::time_point> begins(hyperthreads.size()), ends(hyperthreads.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < hyperthreads.size(); ++i) {
    threads.emplace_back([&, i] {
      bind_to_hyperthread(hyperthreads[i]);
      together.arrive_and_wait();
      begins[i] = Clock::now();
      task(static_cast<int64_t>(i));
      ends[i] = Clock::now();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return std::chrono::duration<double>(std::ranges::max(ends) - std::ranges::min(begins)).count();
}

double seconds_of(const PeakThreads& threads, const Task& task) {
  if (!threads.hyperthreads.empty()) return seconds_of_bound(threads.hyperthreads, task);
  const Stopwatch watch;
  at::parallel_for(0, threads.count(), 1, [&](int64_t first, int64_t last) {
    for (int64_t thread = first; thread < last; ++thread) task(thread);
  });
  return watch.seconds();
}

double shortest(int repeats, const std::function<double()>& seconds) {
  double best = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < repeats; ++repeat) best = std::min(best, seconds());
  return best;
}

// The shortest time of a call on a GPU, after one call that is not counted.
double shortest_on_gpu(int repeats, const std::function<void()>& call) {
  call();
  wait_for_cuda();
  return shortest(repeats, [&] {
    const Stopwatch watch;
    call();
    wait_for_cuda();
    return watch.seconds();
  });
}

const PeakKernels& kernels() { return pick(isa(), peak_plain, peak_avx2, peak_avx512); }

// Source and target of the passes over memory, with a slice for each thread.
struct Slices {
  at::Tensor from, to;
  int64_t each = 0;  // elements

  explicit Slices(const PeakThreads& threads) {
    constexpr int64_t kBytes = int64_t{256} << 20, kLine = 64;
    each = kBytes / static_cast<int64_t>(sizeof(float)) / threads.count() / kLine * kLine;
    from = at::empty({each * threads.count()}, at::kFloat);
    to = at::empty_like(from);
    // Each thread writes its own slice first, so that the system allocates it near that thread.
    seconds_of(threads, [&](int64_t thread) {
      std::fill_n(from.data_ptr<float>() + thread * each, each, 1.0f);
      std::fill_n(to.data_ptr<float>() + thread * each, each, 0.0f);
    });
  }
  double bytes() const { return static_cast<double>(from.nbytes()); }
};

constexpr int kRepeats = 5;

double product_on_gpu(at::ScalarType type, at::Device device) {
  constexpr int64_t kSide = 8192;
  const at::NoGradGuard no_grad;
  const auto options = at::TensorOptions(type).device(device);
  const at::Tensor x = at::ones({kSide, kSide}, options),
                   weight = at::ones({kSide, kSide}, options);
  const at::Tensor bias = at::zeros({kSide}, options);
  const auto wide = static_cast<double>(kSide);
  return 2 * wide * wide * wide / shortest_on_gpu(kRepeats, [&] { linear(x, weight, bias); });
}

// How many operations on this type one operation of the unit is worth. A float32 unit can compute
// bfloat16 as well.
double share_for(at::ScalarType type, const PeakUnit& unit) {
  if (unit.type == type || type == at::kBFloat16) return 1;
  return unit.kernel == &peak_tiles_amx ? 1.0 / 6 : 0;
}

}  // namespace

int64_t PeakThreads::count() const {
  return hyperthreads.empty() ? at::get_num_threads() : std::ssize(hyperthreads);
}

std::vector<PeakUnit> peak_units() {
  std::vector<PeakUnit> units = {
      {at::kFloat, isa_name(std::min(isa(), Isa::kAvx512)), &kernels().float32}};
  if (has_bf16_instructions()) {
    units.push_back({at::kBFloat16, name_of(ProcessorClass::kAvx512Bf16), &peak_dot_bf16});
  }
  if (isa() == Isa::kAmx) units.push_back({at::kBFloat16, isa_name(isa()), &peak_tiles_amx});
  return units;
}

double measure_multiply_adds(const PeakUnit& unit, const PeakThreads& threads) {
  const auto seconds = [&](int64_t rounds) {
    return seconds_of(threads, [&](int64_t) {
      const double end = unit.kernel->multiply_adds(rounds);
      require(std::isfinite(end) && end > 0, "peak: {} rounds on {} gave {}, expected > 0", rounds,
              unit.by, end);
    });
  };
  constexpr int64_t kGuessRounds = 1 << 18;
  constexpr double kSeconds = 0.02;  // long enough for the clock to settle
  seconds(kGuessRounds);
  const double factor = std::max(1.0, kSeconds / seconds(kGuessRounds));
  const auto rounds = static_cast<int64_t>(kGuessRounds * factor);
  const double flops = static_cast<double>(unit.kernel->flops_per_round) *
                       static_cast<double>(rounds) * static_cast<double>(threads.count());
  return flops / shortest(kRepeats, [&] { return seconds(rounds); });
}

double measure_read(const PeakThreads& threads) {
  const Slices slices(threads);
  return slices.bytes() / shortest(kRepeats, [&] {
           return seconds_of(threads, [&](int64_t thread) {
             const double sum = kernels().memory.read(
                 slices.from.const_data_ptr<float>() + thread * slices.each, slices.each);
             require(sum > 0, "peak: the sum of {} ones is {}", slices.each, sum);
           });
         });
}

double measure_copy(const PeakThreads& threads) {
  const Slices slices(threads);
  const double seconds = shortest(kRepeats, [&] {
    return seconds_of(threads, [&](int64_t thread) {
      kernels().memory.copy(slices.from.const_data_ptr<float>() + thread * slices.each,
                            slices.to.data_ptr<float>() + thread * slices.each, slices.each);
    });
  });
  require(slices.to.equal(slices.from), "peak: a copy differs from what was copied");
  return 2 * slices.bytes() / seconds;
}

double peak_flops(at::ScalarType type, at::Device device) {
  if (device.is_cuda()) return product_on_gpu(type, device);
  double best = 0;
  for (const PeakUnit& unit : peak_units()) {
    const double share = share_for(type, unit);
    if (share > 0) best = std::max(best, share * measure_multiply_adds(unit));
  }
  return best;
}

double peak_bytes_per_second(at::Device device) {
  if (device.is_cpu()) return std::max(measure_read(), measure_copy());
  const at::Tensor from = at::ones({int64_t{512} << 20}, device), to = at::empty_like(from);
  return 2 * static_cast<double>(from.nbytes()) /
         shortest_on_gpu(kRepeats, [&] { to.copy_(from); });
}

}  // namespace fcm::ops
