// Stateless random numbers: every draw is a function of (seed, purpose, epoch, sample, index). No
// draw depends on threads, workers or earlier draws, and there is no generator state to save.
// Generator: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once

#include <array>
#include <cstdint>

namespace fcm {

// What a draw is for. A resumed run must repeat its draws: append new values and never renumber.
enum class Purpose : uint32_t {
  kOrder = 1,         // order of samples in an epoch
  kCrop = 2,          // box of the random resized crop
  kFlip = 3,          // horizontal flip
  kMask = 4,          // which patches belong to which view
  kInit = 5,          // initial weights (sample = FNV-1a of the parameter's name)
  kSubstitute = 6,    // replacement for an unreadable image
  kSynthetic = 7,     // synthetic images
  kProbe = 8,         // order of samples in probes
  kDropPath = 9,      // residual branches dropped (stochastic depth)
  kRandAugment = 10,  // which operations, how strong
  kColourJitter = 11,
  kErasing = 12,  // box and noise of random erasing
  kMix = 13,      // mixup and cutmix
  kAnchors = 14,  // which anchors of an image enter the RPN loss
  kRegions = 15,  // which proposals the detection heads are trained on
};

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// The sequence of draws of one (seed, purpose, epoch, sample).
class KeyedRandom {
 public:
  KeyedRandom(uint64_t seed, Purpose purpose, uint64_t epoch, uint64_t sample);

  uint32_t next();
  float uniform();                  // [0, 1), 24 bits
  double uniform_double();          // [0, 1), 53 bits
  uint64_t below(uint64_t bound);   // [0, bound), unbiased; bound > 0
  double normal();                  // mean 0, std 1 (Box-Muller, the first value of each pair)
  double beta(double a, double b);  // [0, 1]; a, b > 0

 private:
  double gamma(double shape);

  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;  // [0] counts blocks of four draws
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

// A permutation of 0..size-1 with random access in constant memory: a keyed Feistel network with
// cycle walking. Gives the order of samples in an epoch.
class KeyedPermutation {
 public:
  KeyedPermutation(uint64_t size, uint64_t seed, Purpose purpose, uint64_t epoch);
  uint64_t operator()(uint64_t place) const;  // the value at `place`, which must be below size

 private:
  uint64_t size_;
  int half_bits_;
  std::array<uint32_t, 8> round_keys_{};
};

uint64_t fnv1a64(const char* text, uint64_t length);

}  // namespace fcm
