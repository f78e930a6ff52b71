#include "fcm/base/error.h"
#include "fcm/image/colour.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

class InMemory final : public Dataset {
 public:
  explicit InMemory(RawPictures pictures) : held_(std::move(pictures)) {
    const auto count = held_.labels.size();
    require(held_.pixels.size() == count * picture_bytes(),
            "{}: {} bytes of pixels for {} pictures of {}", held_.origin, held_.pixels.size(),
            count, picture_bytes());
    if (count == 0) fail(ExitCode::kData, "{} holds no pictures", held_.origin);
    for (size_t i = 0; i < count; ++i) {
      if (held_.labels[i] >= held_.classes.size()) {
        fail(ExitCode::kData,
             "{} record {} has label {}, but there are {} classes; the file is damaged or of "
             "another kind",
             held_.origin, i, held_.labels[i], held_.classes.size());
      }
    }
  }

  int64_t size() const override { return static_cast<int64_t>(held_.labels.size()); }
  int64_t label(int64_t index) const override { return held_.labels[static_cast<size_t>(index)]; }
  const std::vector<std::string>& classes() const override { return held_.classes; }
  std::string name(int64_t index) const override {
    return fmt::format("{} record {}", held_.origin, index);
  }

  image::Image get(int64_t index, int64_t channels) const override {
    const uint8_t* const from = held_.pixels.data() + static_cast<size_t>(index) * picture_bytes();
    image::Image picture{held_.rows, held_.cols, channels, {}};
    if (channels == held_.channels) {
      picture.pixels.assign(from, from + picture_bytes());
      return picture;
    }
    const int64_t pixels = held_.rows * held_.cols;
    picture.pixels.resize(static_cast<size_t>(pixels * channels));
    const auto convert = channels == 1 ? image::grey_from_rgb : image::rgb_from_grey;
    convert(from, pixels, picture.pixels.data());
    return picture;
  }

 private:
  size_t picture_bytes() const {
    return static_cast<size_t>(held_.rows * held_.cols * held_.channels);
  }
  RawPictures held_;
};

}  // namespace

std::unique_ptr<Dataset> hold_in_memory(RawPictures pictures) {
  return std::make_unique<InMemory>(std::move(pictures));
}

}  // namespace fcm::loader
