// What names of files say of them.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace fcm::loader {

// Endings of what can be read, in the order of preference where one key has several pictures: a
// photograph before a mask or a map beside it.
inline constexpr std::array<std::string_view, 9> kPictureEndings{
    ".jpg", ".jpeg", ".webp", ".png", ".jpe", ".jfif", ".bmp", ".tif", ".tiff"};
inline constexpr std::string_view kPictureEndingsText =
    "*.jpg, *.jpeg, *.jpe, *.jfif, *.png, *.webp, *.bmp, *.tif and *.tiff";

inline std::string lower_case(std::string_view text) {  // of ASCII letters
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return lower;
}

// The place in kPictureEndings, or as many where it is none; in any case: ".JPEG".
inline size_t picture_rank(std::string_view ending) {
  return static_cast<size_t>(
      std::find(kPictureEndings.begin(), kPictureEndings.end(), lower_case(ending)) -
      kPictureEndings.begin());
}

// Whether files whose names end so are listed as pictures. What a listed file holds is told by its
// content.
inline bool is_picture_ending(std::string_view ending) {
  return picture_rank(ending) < kPictureEndings.size();
}

// Whether it is that of pictures or films of kinds that are not read.
inline bool is_other_picture_ending(std::string_view ending) {
  constexpr std::array<std::string_view, 27> kEndings{
      ".gif", ".heic", ".heif", ".avif", ".svg", ".ppm", ".pgm", ".pbm", ".pnm",
      ".jp2", ".j2k",  ".jxl",  ".exr",  ".hdr", ".ico", ".tga", ".psd", ".dng",
      ".cr2", ".nef",  ".arw",  ".raw",  ".dcm", ".eps", ".mp4", ".avi", ".webm"};
  return std::find(kEndings.begin(), kEndings.end(), lower_case(ending)) != kEndings.end();
}

// From the last dot on; "" where there is none behind the first letter of the last part.
inline std::string_view ending_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  const size_t base = slash == std::string_view::npos ? 0 : slash + 1;
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos || dot <= base ? std::string_view() : path.substr(dot);
}

// Under what a file that is passed over is counted: its ending where that says something. Tar
// archives that are compressed count by both their endings.
inline std::string kind_of_name(std::string_view path) {
  constexpr size_t kMostLetters = 12;
  std::string ending = lower_case(ending_of(path));
  const std::string before = lower_case(ending_of(path.substr(0, path.size() - ending.size())));
  if (before == ".tar") ending = before + ending;
  const bool telling = std::all_of(ending.begin(), ending.end(), [](char letter) {
    return letter == '.' || (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
  });
  if (ending.size() < 2) return "without ending";
  return telling && ending.size() <= kMostLetters ? ending : "of odd endings";
}

// What stands for a hidden file, "" for one that is not.
inline std::string_view kind_of_hidden(std::string_view name) {
  if (name.starts_with("._")) return "AppleDouble files of macOS";
  return name.starts_with('.') ? "hidden" : "";
}

// Folders that systems and sync programs put among others: thumbnails, deleted files.
inline bool is_of_the_system(std::string_view folder) {
  constexpr std::array<std::string_view, 7> kNames{"__macosx",
                                                   "@eadir",
                                                   "$recycle.bin",
                                                   "lost+found",
                                                   "#recycle",
                                                   "@recycle",
                                                   "system volume information"};
  return std::find(kNames.begin(), kNames.end(), lower_case(folder)) != kNames.end();
}

}  // namespace fcm::loader
