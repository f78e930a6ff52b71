#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

thread_local bool wanted_here = false;

}  // namespace

ReferenceOps::ReferenceOps(bool wanted) : before_(wanted_here) {
  wanted_here = wanted_here || wanted;
}

ReferenceOps::~ReferenceOps() { wanted_here = before_; }

bool reference_ops() { return wanted_here; }

}  // namespace fcm::ops
