#include "fcm/image/axis_weights.h"

#include "fcm/base/error.h"

namespace fcm::image {

void add_digits(AxisWeights& axis) {
  const size_t words = axis.weight.size() / 4;
  axis.digits.resize(words * 3);
  for (size_t word = 0; word < words; ++word) {
    uint32_t bytes[3] = {0, 0, 0};
    for (size_t tap = 0; tap < 4; ++tap) {
      int32_t rest = axis.weight[word * 4 + tap];
      for (uint32_t& digits : bytes) {
        const auto digit = static_cast<int8_t>(rest & 255);
        digits |= static_cast<uint32_t>(static_cast<uint8_t>(digit)) << (8 * tap);
        rest = (rest - digit) >> 8;
      }
      require(rest == 0, "add_digits: weight {} does not fit three 8-bit digits",
              axis.weight[word * 4 + tap]);
    }
    for (size_t k = 0; k < 3; ++k) axis.digits[word * 3 + k] = static_cast<int32_t>(bytes[k]);
  }
}

}  // namespace fcm::image
