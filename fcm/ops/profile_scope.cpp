#include "fcm/ops/profile_scope.h"

namespace fcm::ops {
namespace {

thread_local WorkListener* listening = nullptr;

}  // namespace

WorkListener* listen(WorkListener* listener) {
  WorkListener* before = listening;
  listening = listener;
  return before;
}

void enter_phase(const char* name) {
  if (listening != nullptr) listening->phase(name);
}

ProfileScope::ProfileScope(const char* name, double flops, double bytes, int64_t inputs,
                           int64_t outputs)
    : work_{name, flops, bytes, inputs, outputs}, listener_(listening) {
  if (listener_ != nullptr) listener_->begin();
}

ProfileScope::~ProfileScope() {
  if (listener_ != nullptr) listener_->end(work_);
}

}  // namespace fcm::ops
