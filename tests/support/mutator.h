// Random changes of files, such as a broken disk or an attacker makes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "fcm/base/random.h"

namespace fcm::test {

// Flips, replaces, inserts, removes or copies bytes, or truncates the file. Half of the changes are
// near the beginning and a quarter near the end, where file formats have their headers and indexes.
// The rest is anywhere.
class Mutator {
 public:
  Mutator(const std::vector<std::byte>& whole, uint64_t number, uint64_t seed = 3)
      : bytes_(whole), random_(seed, Purpose::kSynthetic, 0, number) {}

  std::vector<std::byte> run() {
    for (uint64_t changes = 1 + random_.below(3); changes > 0 && !bytes_.empty(); --changes) {
      change(place());
    }
    return std::move(bytes_);
  }

 private:
  size_t place() {
    const size_t near = std::min<size_t>(bytes_.size(), 4096);
    switch (random_.below(4)) {
      case 0:
        return random_.below(bytes_.size());
      case 1:
        return bytes_.size() - 1 - random_.below(near);
      default:
        return random_.below(near);
    }
  }

  void change(size_t at) {
    const auto where = bytes_.begin() + static_cast<ptrdiff_t>(at);
    const auto value = static_cast<std::byte>(random_.next());
    const size_t count = std::min<size_t>(1 + random_.below(16), bytes_.size() - at);
    switch (random_.below(8)) {
      case 0:
      case 1:
        *where ^= static_cast<std::byte>(1U << random_.below(8));
        break;
      case 2:
      case 3:
        *where = value;
        break;
      case 4:
        *where = random_.below(2) == 0 ? std::byte{0xff} : std::byte{0};
        break;
      case 5:
        bytes_.insert(where, value);
        break;
      case 6:
        bytes_.erase(where, where + static_cast<ptrdiff_t>(count));
        break;
      default:
        if (random_.below(8) == 0) {
          bytes_.resize(at);
        } else {
          const size_t from = random_.below(bytes_.size() - count + 1);
          std::memmove(bytes_.data() + at, bytes_.data() + from, count);
        }
    }
  }

  std::vector<std::byte> bytes_;
  KeyedRandom random_;
};

}  // namespace fcm::test
