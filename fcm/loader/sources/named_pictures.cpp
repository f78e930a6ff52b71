#include "fcm/loader/sources/named_pictures.h"

#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

NamedPictures::NamedPictures(std::filesystem::path folder, PictureNames pictures)
    : folder_(std::move(folder)), pictures_(std::move(pictures)) {
  pictures_.names.shrink();
  pictures_.labels.numbers.shrink_to_fit();
  remarks_ = std::move(pictures_.remarks);
  remark_bad_labels(*this, pictures_.labels, remarks_);
}

int64_t NamedPictures::size() const { return std::ssize(pictures_.labels.numbers); }

int64_t NamedPictures::label(int64_t index) const { return pictures_.labels.at(index, *this); }

const std::vector<std::string>& NamedPictures::classes() const { return pictures_.labels.classes; }

std::string NamedPictures::name(int64_t index) const {
  return (folder_ / pictures_.names.at(index)).string();
}

std::string NamedPictures::read(int64_t index) const {
  const RandomAccessFile file(name(index));
  std::string bytes(file.size(), '\0');
  file.read(0, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  return bytes;
}

}  // namespace fcm::loader
