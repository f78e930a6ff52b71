#include "fcm/base/random.h"

#include <cmath>
#include <numbers>

namespace fcm {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0];
    const uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

KeyedRandom::KeyedRandom(uint64_t seed, Purpose purpose, uint64_t epoch, uint64_t sample)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      counter_{0, (static_cast<uint32_t>(purpose) << 24) ^ static_cast<uint32_t>(epoch),
               static_cast<uint32_t>(sample), static_cast<uint32_t>(sample >> 32)} {}

uint32_t KeyedRandom::next() {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[static_cast<size_t>(used_++)];
}

float KeyedRandom::uniform() { return static_cast<float>(next() >> 8) * 0x1p-24F; }

double KeyedRandom::uniform_double() {
  const uint64_t high = next();
  const uint64_t low = next();
  return static_cast<double>(((high << 32) | low) >> 11) * 0x1p-53;
}

uint64_t KeyedRandom::below(uint64_t bound) {
  // Lemire's method with rejection, on 64 bits.
  while (true) {
    const uint64_t high = next();
    const uint64_t bits = (high << 32) | next();
    const __uint128_t product = static_cast<__uint128_t>(bits) * bound;
    if (static_cast<uint64_t>(product) >= (0 - bound) % bound) {
      return static_cast<uint64_t>(product >> 64);
    }
  }
}

double KeyedRandom::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform_double()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform_double());
}

// Marsaglia and Tsang, "A simple method for generating gamma variables", TOMS 2000. For shape < 1,
// a draw of shape + 1 is scaled down (their section 6).
double KeyedRandom::gamma(double shape) {
  if (shape < 1) {
    const double power = std::pow(1.0 - uniform_double(), 1.0 / shape);
    return gamma(shape + 1) * power;
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double x = normal();
    const double root = 1.0 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(1.0 - uniform_double()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double KeyedRandom::beta(double a, double b) {
  const double first = gamma(a), second = gamma(b);
  // For tiny shapes both draws may underflow to 0. The limit distribution is 1 with probability
  // a / (a + b), else 0.
  if (first + second == 0) return uniform_double() < a / (a + b) ? 1 : 0;
  return first / (first + second);
}

KeyedPermutation::KeyedPermutation(uint64_t size, uint64_t seed, Purpose purpose, uint64_t epoch)
    : size_(size), half_bits_(1) {
  while (half_bits_ < 32 && (uint64_t{1} << (2 * half_bits_)) < size) ++half_bits_;
  KeyedRandom random(seed, purpose, epoch, ~uint64_t{0});
  for (uint32_t& round_key : round_keys_) round_key = random.next();
}

uint64_t KeyedPermutation::operator()(uint64_t place) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  do {
    uint64_t left = place >> half_bits_;
    uint64_t right = place & mask;
    for (uint32_t round_key : round_keys_) {
      // A round function from the 64-bit finaliser of MurmurHash3.
      uint64_t mixed = right + (static_cast<uint64_t>(round_key) << 32 | round_key);
      mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccdULL;
      mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53ULL;
      mixed ^= mixed >> 33;
      const uint64_t next_right = left ^ (mixed & mask);
      left = right;
      right = next_right;
    }
    place = (left << half_bits_) | right;
  } while (place >= size_);  // cycle walking, back into the range
  return place;
}

uint64_t fnv1a64(const char* text, uint64_t length) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (uint64_t i = 0; i < length; ++i) {
    hash = (hash ^ static_cast<unsigned char>(text[i])) * 0x100000001b3ULL;
  }
  return hash;
}

}  // namespace fcm
