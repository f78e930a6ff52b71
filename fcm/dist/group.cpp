#include "fcm/dist/group.h"

namespace fcm::dist {
namespace {

class GroupOfOne final : public Group {
 public:
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 1; }
  int64_t agree(int64_t mine, Agree how) override {
    const bool is_truth = how == Agree::kAny || how == Agree::kAll;
    return is_truth ? (mine != 0 ? 1 : 0) : mine;
  }
};

}  // namespace

std::shared_ptr<Group> group_of_one() { return std::make_shared<GroupOfOne>(); }

}  // namespace fcm::dist
