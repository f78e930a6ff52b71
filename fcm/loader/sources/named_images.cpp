#include "fcm/loader/sources/named_images.h"

#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

NamedImages::NamedImages(std::filesystem::path folder, ImageNames images)
    : folder_(std::move(folder)), images_(std::move(images)) {
  images_.names.shrink();
  images_.labels.numbers.shrink_to_fit();
  remarks_ = std::move(images_.remarks);
  remark_bad_labels(*this, images_.labels, remarks_);
}

int64_t NamedImages::size() const { return std::ssize(images_.labels.numbers); }

int64_t NamedImages::label(int64_t index) const { return images_.labels.at(index, *this); }

const std::vector<std::string>& NamedImages::classes() const { return images_.labels.classes; }

std::string NamedImages::name(int64_t index) const {
  return (folder_ / images_.names.at(index)).string();
}

std::string NamedImages::read(int64_t index) const {
  const RandomAccessFile file(name(index));
  std::string bytes(file.size(), '\0');
  file.read(0, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  return bytes;
}

}  // namespace fcm::loader
