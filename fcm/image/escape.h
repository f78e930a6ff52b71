// libjpeg and libpng report an error by calling back a function that must not return. That function
// jumps (`std::longjmp`) out to `try_steps`.
#pragma once

#include <csetjmp>

namespace fcm::image {

// Runs `steps`; false if it was left by a jump to `escape`. Between here and the jump no object
// with a destructor may live: neither in `steps` nor in the callbacks. What the steps need is
// created by the caller and captured by reference.
template <class Steps>
bool try_steps(std::jmp_buf& escape, const Steps& steps) {
  if (setjmp(escape) != 0) return false;
  steps();
  return true;
}

}  // namespace fcm::image
