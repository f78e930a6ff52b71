#include "fcm/loader/frame_testing.h"

#include "fcm/loader/each_readable.h"
#include "fcm/loader/frame_pixels.h"

namespace fcm::loader {
TestFrame frame_for_testing(const image::Image& image, const FrameOptions& options) {
  const FrameLayout layout = layout_for_testing({image.rows, image.cols}, options.side());
  TestFrame test{0, {layout.side, layout.side, 3, {}}, layout.image, layout.shown()};
  test.frame.pixels.resize(static_cast<size_t>(layout.side * layout.side * 3));
  fill_frame(image, layout, static_cast<uint8_t>(options.jitter.pad), test.frame.pixels.data());
  return test;
}

TestFrame read_frame_for_testing(const Dataset& dataset, int64_t index,
                                 const FrameOptions& options) {
  TestFrame test = frame_for_testing(dataset.get(index, 3), options);
  test.index = index;
  return test;
}

std::vector<BadSample> for_each_frame(const FrameRequest& request,
                                      const std::function<void(TestFrame&&)>& take) {
  check_frame_options(request.options);
  return for_each_readable(
      request.slice.of(request.dataset->size()), request.threads, request.options.data,
      [&](int64_t i) { return read_frame_for_testing(*request.dataset, i, request.options); },
      take);
}

}  // namespace fcm::loader
