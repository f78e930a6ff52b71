// libjpeg and libpng report an error through a callback that must not return. It jumps
// (`std::longjmp`) back to `try_steps`.
#pragma once

#include <csetjmp>

namespace fcm::image {

// Runs `steps`; returns false if a jump to `escape` ended it. A jump runs no destructors, so
// `steps` and the callbacks must not create objects that have one: the caller creates what the
// steps need, and `steps` captures it by reference.
template <class Steps>
bool try_steps(std::jmp_buf& escape, const Steps& steps) {
  if (setjmp(escape) != 0) return false;
  steps();
  return true;
}

}  // namespace fcm::image
