// Runs kernels (*.cu) on the CPU; include it before the kernel files, in place of CUDA. It checks
// arithmetic, indexing and synchronisation, but neither speed nor the code that nvcc generates.
//
// Blocks run one after another; the threads of a block are fibers that yield at barriers and
// shuffles. The order of threads is reversed from block to block and from launch to launch, so that
// results that depend on it differ. A launch throws Fault for: threads that wait at different
// barriers or have exited while others wait, shuffles of less than a warp, accesses not aligned to
// their size, writes past the end of shared memory. Shared memory is NaN at the start of each
// block. guarded_memory.h detects accesses outside of global memory.
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <exception>
#include <functional>
#include <new>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#define FCM_CUDA_EMULATOR 1
#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __grid_constant__

#include "fcm/ops/cuda/launch.h"
#include "fcm/ops/simd/bfloat16.h"

namespace fcm::test::emulator {

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class State { kReady, kAtBlockBarrier, kAtWarpBarrier, kDone };

struct Fiber {
  State state = State::kDone;
  std::source_location where;          // of the barrier at which it waits
  uint64_t shuffle_values[2][3] = {};  // its values in the current and the previous shuffle
  unsigned offers = 0;
  bool begun = false;  // whether `here` can be resumed
  char* stack = nullptr;
  ucontext_t entry;
  jmp_buf here;
};

constexpr size_t kStackBytes = size_t{256} << 10;
constexpr size_t kGuardBytes = 256;  // after the shared memory; a write there is a fault

}  // namespace fcm::test::emulator

// Names that CUDA predefines for kernels.
inline fcm::test::emulator::Index3 threadIdx, blockIdx, blockDim, gridDim;

namespace fcm::test::emulator {

// The emulated GPU: it runs one block at a time.
class Machine {
 public:
  static Machine& get() {
    static Machine machine;
    return machine;
  }

  void run(const ops::LaunchShape& shape, const std::function<void()>& kernel) {
    threads_ = static_cast<size_t>(shape.threads);
    while (fibers_.size() < threads_) add_fiber();
    kernel_ = &kernel;
    name_ = shape.name;
    blockDim = {static_cast<unsigned>(shape.threads), 1, 1};
    gridDim = {static_cast<unsigned>(shape.blocks_x), static_cast<unsigned>(shape.blocks_y), 1};
    backwards_ = ++launches_ % 2 == 0;
    for (unsigned y = 0; y < gridDim.y; ++y) {
      for (unsigned x = 0; x < gridDim.x; ++x) {
        blockIdx = {x, y, 0};
        run_block(shape.shared_bytes);
        backwards_ = !backwards_;
      }
    }
  }

  void wait(State state, const std::source_location& where) {
    Fiber& fiber = fibers_[current_];
    fiber.state = state;
    fiber.where = where;
    switch_context(fiber.here, scheduler_);
  }

  // Publishes a value of the current lane. Returns when all lanes of the warp have published one.
  template <class V>
  void offer(const V& value, const std::source_location& where) {
    static_assert(sizeof(V) <= sizeof(Fiber::shuffle_values[0]));
    memcpy(&fibers_[current_].shuffle_values[fibers_[current_].offers++ % 2], &value, sizeof value);
    wait(State::kAtWarpBarrier, where);
  }

  // The value that a lane of the current warp published.
  template <class V>
  V offered_by(unsigned lane) const {
    V value;
    const unsigned place = (fibers_[current_].offers - 1) % 2;
    memcpy(&value, &fibers_[current_ - current_ % ops::kWarp + lane].shuffle_values[place],
           sizeof value);
    return value;
  }

  unsigned launches() const { return launches_; }
  unsigned current_lane() const { return static_cast<unsigned>(current_ % ops::kWarp); }
  void* shared() { return shared_.data(); }

 private:
  struct alignas(16) Sixteen {
    unsigned char bytes[16];
  };

  // These are separate functions, so that callers keep no value in a register across the jump.
  [[gnu::noinline]] static void switch_context(jmp_buf& from, jmp_buf& to) {
    if (_setjmp(from) == 0) _longjmp(to, 1);
  }
  [[gnu::noinline]] void enter(Fiber& fiber) {
    if (_setjmp(scheduler_) == 0) setcontext(&fiber.entry);
  }

  void add_fiber() {
    Fiber fiber;
    void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    fiber.stack = static_cast<char*>(memory);
    fibers_.push_back(fiber);
  }

  // The function of a fiber: runs the kernel once per block.
  static void run_fiber() {
    Machine& machine = get();
    for (;;) {
      try {
        (*machine.kernel_)();
      } catch (...) {
        machine.failure_ = std::current_exception();
      }
      Fiber& fiber = machine.fibers_[machine.current_];
      fiber.state = State::kDone;
      switch_context(fiber.here, machine.scheduler_);
    }
  }

  void resume(size_t index) {
    current_ = index;
    threadIdx = {static_cast<unsigned>(index), 0, 0};
    Fiber& fiber = fibers_[index];
    if (fiber.begun) {
      switch_context(scheduler_, fiber.here);
    } else {
      fiber.begun = true;
      getcontext(&fiber.entry);
      fiber.entry.uc_stack.ss_sp = fiber.stack;
      fiber.entry.uc_stack.ss_size = kStackBytes;
      fiber.entry.uc_link = nullptr;
      makecontext(&fiber.entry, run_fiber, 0);
      enter(fiber);
    }
    if (failure_) {
      const std::exception_ptr failure = std::exchange(failure_, nullptr);
      abandon();
      std::rethrow_exception(failure);
    }
  }

  // After a fault, the fibers' stacks are discarded; the next launch starts them from scratch.
  void abandon() {
    for (Fiber& fiber : fibers_) fiber.begun = false;
  }

  void run_block(size_t shared_bytes) {
    shared_.assign((shared_bytes + kGuardBytes + 15) / 16, Sixteen{});
    memset(shared_.data(), 0xff, shared_.size() * 16);
    for (size_t i = 0; i < threads_; ++i) {
      fibers_[i].state = State::kReady;
      fibers_[i].offers = 0;
    }
    while (!finished()) {
      bool moved = false;
      for (size_t i = 0; i < threads_; ++i) {
        const size_t index = backwards_ ? threads_ - 1 - i : i;
        if (fibers_[index].state != State::kReady) continue;
        resume(index);
        moved = true;
      }
      for (size_t first = 0; first < threads_; first += ops::kWarp) {
        moved |= release(first, first + ops::kWarp, State::kAtWarpBarrier);
      }
      moved |= release(0, threads_, State::kAtBlockBarrier);
      if (!moved) stuck();
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(shared_.data());
    for (size_t i = shared_bytes; i < shared_bytes + kGuardBytes; ++i) {
      if (bytes[i] != 0xff) {
        throw Fault(name_ + ": a write " + std::to_string(i - shared_bytes) +
                    " bytes past the end of shared memory");
      }
    }
  }

  bool finished() const {
    for (size_t i = 0; i < threads_; ++i) {
      if (fibers_[i].state != State::kDone) return false;
    }
    return true;
  }

  static bool same(const std::source_location& a, const std::source_location& b) {
    return a.line() == b.line() && a.column() == b.column() &&
           strcmp(a.file_name(), b.file_name()) == 0;
  }

  // If the fibers [begin, end) all wait at the same barrier, makes them ready and returns true.
  bool release(size_t begin, size_t end, State state) {
    for (size_t i = begin; i < end; ++i) {
      if (fibers_[i].state != state || !same(fibers_[i].where, fibers_[begin].where)) return false;
    }
    for (size_t i = begin; i < end; ++i) fibers_[i].state = State::kReady;
    return true;
  }

  [[noreturn]] void stuck() {
    std::string text = name_ + ": threads of a block do not reach the same barrier:";
    for (size_t i = 0; i < threads_; ++i) {
      const Fiber& fiber = fibers_[i];
      const bool as_before =
          i > 0 && fiber.state == fibers_[i - 1].state && same(fiber.where, fibers_[i - 1].where);
      if (as_before) continue;
      text += " from thread " + std::to_string(i) + " on ";
      text += fiber.state == State::kDone
                  ? "done;"
                  : "waiting at line " + std::to_string(fiber.where.line()) + ";";
    }
    abandon();
    throw Fault(text);
  }

  std::vector<Fiber> fibers_;
  std::vector<Sixteen> shared_;
  const std::function<void()>* kernel_ = nullptr;
  std::string name_;
  std::exception_ptr failure_;
  jmp_buf scheduler_;
  size_t threads_ = 0, current_ = 0;
  unsigned launches_ = 0;
  bool backwards_ = false;
};

inline void check_whole_warp(unsigned mask) {
  if (mask != 0xffffffffu) throw Fault("a shuffle or barrier of less than a warp");
}

}  // namespace fcm::test::emulator

inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __fdividef(float x, float y) { return x / y; }

inline void __syncthreads(const std::source_location& where = std::source_location::current()) {
  using namespace fcm::test::emulator;
  Machine::get().wait(State::kAtBlockBarrier, where);
}

inline void __syncwarp(unsigned mask = 0xffffffffu,
                       const std::source_location& where = std::source_location::current()) {
  using namespace fcm::test::emulator;
  check_whole_warp(mask);
  Machine::get().wait(State::kAtWarpBarrier, where);
}

template <class V>
V __shfl_xor_sync(unsigned mask, V value, int lanes,
                  const std::source_location& where = std::source_location::current()) {
  using namespace fcm::test::emulator;
  check_whole_warp(mask);
  Machine& machine = Machine::get();
  machine.offer(value, where);
  return machine.offered_by<V>(machine.current_lane() ^ static_cast<unsigned>(lanes));
}

template <class V>
V __shfl_sync(unsigned mask, V value, int lane,
              const std::source_location& where = std::source_location::current()) {
  using namespace fcm::test::emulator;
  check_whole_warp(mask);
  Machine::get().offer(value, where);
  return Machine::get().offered_by<V>(static_cast<unsigned>(lane) % 32);
}

namespace fcm::ops {

template <class... Parameters, class... Arguments>
void launch(const LaunchShape& shape, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  check_shape(shape);
  test::emulator::Machine::get().run(shape, [&] { kernel(arguments...); });
}

inline void* shared_memory() { return test::emulator::Machine::get().shared(); }

inline void check_alignment(const void* address, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(address) % bytes != 0) {
    throw test::emulator::Fault("an access of " + std::to_string(bytes) +
                                " bytes that is not aligned to them");
  }
}

// Emulates the matrix product of fcm/ops/cuda/mma.h with its register layouts: every lane collects
// rows of A and columns of B from the lanes of its warp.
inline void multiply_tiles(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                           const std::source_location& where = std::source_location::current()) {
  struct Held {
    uint32_t a[4], b[2];
  };
  const auto element = [](uint32_t pair, int index) {
    const uint32_t bits = index == 0 ? pair << 16 : pair & 0xffff0000u;
    float value;
    memcpy(&value, &bits, sizeof value);
    return static_cast<double>(value);
  };
  auto& machine = test::emulator::Machine::get();
  machine.offer(Held{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, where);
  const unsigned group = machine.current_lane() / 4, pair = machine.current_lane() % 4;
  double sums[4] = {d[0], d[1], d[2], d[3]};
  for (unsigned quarter = 0; quarter < 4; ++quarter) {
    const auto row = machine.offered_by<Held>(4 * group + quarter);
    for (unsigned right = 0; right < 2; ++right) {
      const auto column = machine.offered_by<Held>(4 * (2 * pair + right) + quarter);
      // i / 2 selects the upper or lower 8 rows of B, i % 2 the element of a pair.
      for (unsigned i = 0; i < 4; ++i) {
        const unsigned down = i / 2;
        const int index = static_cast<int>(i % 2);
        for (unsigned below = 0; below < 2; ++below) {
          sums[2 * below + right] +=
              element(row.a[2 * down + below], index) * element(column.b[down], index);
        }
      }
    }
  }
  for (int i = 0; i < 4; ++i) d[i] = static_cast<float>(sums[i]);
}

inline void load_tile_by_rows(uint32_t (&b)[2], const Bfloat16* row,
                              const std::source_location& where = std::source_location::current()) {
  auto& machine = test::emulator::Machine::get();
  if (machine.current_lane() < 16) check_alignment(row, 16);
  machine.offer(row, where);
  const unsigned group = machine.current_lane() / 4, pair = machine.current_lane() % 4;
  for (unsigned half = 0; half < 2; ++half) {
    const auto* first = machine.offered_by<const Bfloat16*>(8 * half + 2 * pair);
    const auto* second = machine.offered_by<const Bfloat16*>(8 * half + 2 * pair + 1);
    b[half] = first[group].bits | static_cast<uint32_t>(second[group].bits) << 16;
  }
}

}  // namespace fcm::ops
