// A learner that wraps another one; a subclass defines update().
#pragma once

#include "fcm/train/learner.h"

namespace fcm::train {

// The wrapped learner must outlive this object.
template <class Inner>
class WrappedLearner : public Learner {
 public:
  explicit WrappedLearner(Inner& inner) : inner_(inner) {}

  void configure_loader(loader::LoaderRequest& request) const override {
    inner_.configure_loader(request);
  }
  at::Device device() const override { return inner_.device(); }
  int64_t trainable_elements() const override { return inner_.trainable_elements(); }
  int64_t updates() const override { return inner_.updates(); }
  PublishedTensors model_state() const override { return inner_.model_state(); }
  PublishedTensors optimizer_state() const override { return inner_.optimizer_state(); }
  void restore(const checkpoint::Checkpoint& from) override { inner_.restore(from); }

 protected:
  Inner& inner_;
};

}  // namespace fcm::train
