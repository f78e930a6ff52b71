#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/image/colour.h"
#include "fcm/loader/sources/labels.h"
#include "fcm/loader/sources/sources.h"

namespace fcm::loader {
namespace {

class InMemory final : public Dataset {
 public:
  explicit InMemory(RawImages images) : held_(std::move(images)) {
    require(image_bytes() > 0 && held_.pixels.size() % image_bytes() == 0,
            "{}: got {} bytes of pixels, expected a multiple of {}, the size of an image",
            held_.origin, held_.pixels.size(), image_bytes());
    count_ = held_.pixels.size() / image_bytes();
    if (count_ == 0) fail(ExitCode::kData, "{} holds no images", held_.origin);
    remarks_ = std::move(held_.remarks);
    take_labels();
    remark_bad_labels(*this, labels_, remarks_);
  }

  int64_t size() const override { return static_cast<int64_t>(count_); }
  int64_t label(int64_t index) const override { return labels_.at(index, *this); }
  const std::vector<std::string>& classes() const override { return labels_.classes; }
  std::string name(int64_t index) const override {
    return fmt::format("{} record {}", held_.origin, index);
  }

  image::Image get(int64_t index, int64_t channels) const override {
    const uint8_t* const from = held_.pixels.data() + static_cast<size_t>(index) * image_bytes();
    image::Image image{held_.rows, held_.cols, channels, {}};
    if (channels == held_.channels) {
      image.pixels.assign(from, from + image_bytes());
      return image;
    }
    const int64_t pixels = held_.rows * held_.cols;
    image.pixels.resize(static_cast<size_t>(pixels * channels));
    const auto convert = channels == 1 ? image::grey_from_rgb : image::rgb_from_grey;
    convert(from, pixels, image.pixels.data());
    return image;
  }

 private:
  size_t image_bytes() const {
    return static_cast<size_t>(held_.rows * held_.cols * held_.channels);
  }

  void take_labels() {
    labels_.numbers.assign(count_, -1);
    if (!held_.label_fault.empty()) {
      remarks_.no_labels = held_.label_fault;
      remarks_.notes.push_back("no labels: " + held_.label_fault);
      return;
    }
    require(held_.labels.size() == count_, "{}: got {} labels, expected one for each of {} images",
            held_.origin, held_.labels.size(), count_);
    labels_.classes = std::move(held_.classes);
    for (size_t i = 0; i < count_; ++i) {
      const uint8_t label = held_.labels[i];
      if (label < labels_.classes.size()) {
        labels_.numbers[i] = label;
      } else {
        labels_.faults[static_cast<int64_t>(i)] = fmt::format(
            "it has label {}, but there {} {}; the file is damaged or of another "
            "kind",
            label, noun(std::ssize(labels_.classes), "is", "are"),
            counted(std::ssize(labels_.classes), "class", "classes"));
      }
    }
  }

  RawImages held_;
  size_t count_ = 0;
  Labels labels_;
};

}  // namespace

std::unique_ptr<Dataset> hold_in_memory(RawImages images) {
  return std::make_unique<InMemory>(std::move(images));
}

}  // namespace fcm::loader
