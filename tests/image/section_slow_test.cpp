#include "tests/image/section_support.h"

namespace fcm::image {
namespace {

TEST(DecodeSection, ThreeThousandBoxesOfAllPhotographs) {
  FCM_NEED_FOLDER(test::data_folder() / "imagenet-sample");
  EXPECT_EQ(test::compare_photographs(1, 6), 3000);
}

}  // namespace
}  // namespace fcm::image
