#include "fcm/ops/part.h"

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

Part::Part(const char* name, double flops, double bytes, int64_t inputs, int64_t outputs)
    : work_{name, flops, bytes, inputs, outputs}, listener_(listening) {
  if (listener_ != nullptr) listener_->begin();
}

Part::~Part() {
  if (listener_ != nullptr) listener_->end(work_);
}

}  // namespace fcm::ops
