#include "fcm/loader/until_stopped.h"

#include <utility>

namespace fcm::loader {
namespace {

class UntilStopped final : public Dataset {
 public:
  UntilStopped(std::shared_ptr<const Dataset> pictures, const std::atomic<bool>* stop)
      : pictures_(std::move(pictures)), stop_(stop) {
    remarks_ = pictures_->remarks();
  }

  int64_t size() const override { return pictures_->size(); }
  image::Image get(int64_t index, int64_t channels) const override {
    throw_if_stopped();
    return pictures_->get(index, channels);
  }
  image::Section get_section(int64_t index, int64_t channels,
                             const image::ChooseBox& choose) const override {
    throw_if_stopped();
    return pictures_->get_section(index, channels, choose);
  }
  int64_t label(int64_t index) const override { return pictures_->label(index); }
  std::string name(int64_t index) const override { return pictures_->name(index); }
  const std::vector<std::string>& classes() const override { return pictures_->classes(); }

 private:
  void throw_if_stopped() const {
    if (*stop_) throw AskedToStop();
  }

  std::shared_ptr<const Dataset> pictures_;
  const std::atomic<bool>* stop_;
};

}  // namespace

std::shared_ptr<const Dataset> until_stopped(std::shared_ptr<const Dataset> pictures,
                                             const std::atomic<bool>* stop) {
  if (stop == nullptr) return pictures;
  return std::make_shared<UntilStopped>(std::move(pictures), stop);
}

}  // namespace fcm::loader
