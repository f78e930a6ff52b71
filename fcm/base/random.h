// Random numbers without state: every draw is a function of (seed, purpose, epoch, sample, index).
// So no draw depends on threads, on workers or on what was drawn before, and nothing has to be
// saved. Generator: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011).
#pragma once

#include <array>
#include <cstdint>

namespace fcm {

// What a draw is for. Values are part of checkpointed behaviour: append, never renumber.
enum class Purpose : uint32_t {
  kOrder = 1,         // order of samples in an epoch
  kCrop = 2,          // box of the random resized crop
  kFlip = 3,          // horizontal flip
  kMask = 4,          // which patches belong to which view
  kInit = 5,          // initial weights (sample = FNV-1a of the parameter's name)
  kSubstitute = 6,    // replacement for an unreadable picture
  kSynthetic = 7,     // synthetic pictures
  kProbe = 8,         // order of samples in probes
  kDropPath = 9,      // residual branches left out
  kRandAugment = 10,  // which operations, how strong
  kColourJitter = 11,
  kErasing = 12,  // box and noise of random erasing
  kMix = 13,      // mixup and cutmix
  kAnchors = 14,  // which anchors of a picture are learnt from
  kRegions = 15,  // which regions
};

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// A sequence of draws that belongs to one (seed, purpose, epoch, sample).
class KeyedRandom {
 public:
  KeyedRandom(uint64_t seed, Purpose purpose, uint64_t epoch, uint64_t sample);

  uint32_t next();
  float uniform();                  // [0, 1), 24 bits
  double uniform_double();          // [0, 1), 53 bits
  uint64_t below(uint64_t bound);   // [0, bound), without bias; bound > 0
  double normal();                  // mean 0, deviation 1 (Box-Muller, one of the pair)
  double beta(double a, double b);  // [0, 1]; a, b > 0

 private:
  double gamma(double shape);

  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;  // [0] counts blocks of four draws
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

// A permutation of 0..size-1 that can be asked for one place at a time, in constant memory: a keyed
// Feistel network with cycle walking. The order of samples in an epoch.
class KeyedPermutation {
 public:
  KeyedPermutation(uint64_t size, uint64_t seed, Purpose purpose, uint64_t epoch);
  uint64_t operator()(uint64_t place) const;  // place < size

 private:
  uint64_t size_;
  int half_bits_;
  std::array<uint32_t, 8> round_keys_{};
};

uint64_t fnv1a64(const char* text, uint64_t length);

}  // namespace fcm
