// Recognises kinds of files by their names.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace fcm::loader {

// Extensions of supported images. If a tar key has several images, the first in this order is used,
// so that a photograph is preferred to a mask or map beside it.
inline constexpr std::array<std::string_view, 9> kImageEndings{
    ".jpg", ".jpeg", ".webp", ".png", ".jpe", ".jfif", ".bmp", ".tif", ".tiff"};
inline constexpr std::string_view kImageEndingsText =
    "*.jpg, *.jpeg, *.jpe, *.jfif, *.png, *.webp, *.bmp, *.tif and *.tiff";

inline std::string lower_case(std::string_view text) {  // of ASCII letters
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return lower;
}

// Index in kImageEndings, or its size if not found; the letter case is ignored (".JPEG").
inline size_t image_rank(std::string_view ending) {
  return static_cast<size_t>(
      std::find(kImageEndings.begin(), kImageEndings.end(), lower_case(ending)) -
      kImageEndings.begin());
}

// Whether files with this extension are listed as images. Their format is detected by content.
inline bool is_image_ending(std::string_view ending) {
  return image_rank(ending) < kImageEndings.size();
}

// Whether this is the extension of an unsupported image or video format.
inline bool is_other_image_ending(std::string_view ending) {
  constexpr std::array<std::string_view, 27> kEndings{
      ".gif", ".heic", ".heif", ".avif", ".svg", ".ppm", ".pgm", ".pbm", ".pnm",
      ".jp2", ".j2k",  ".jxl",  ".exr",  ".hdr", ".ico", ".tga", ".psd", ".dng",
      ".cr2", ".nef",  ".arw",  ".raw",  ".dcm", ".eps", ".mp4", ".avi", ".webm"};
  return std::find(kEndings.begin(), kEndings.end(), lower_case(ending)) != kEndings.end();
}

// The extension, with its dot; "" if the file name has none. A leading dot does not count.
inline std::string_view ending_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  const size_t base = slash == std::string_view::npos ? 0 : slash + 1;
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos || dot <= base ? std::string_view() : path.substr(dot);
}

// The kind under which a skipped file is counted: its extension, if that is short and consists of
// letters and digits. For compressed tar archives the kind is both extensions (".tar.gz").
inline std::string kind_of_name(std::string_view path) {
  constexpr size_t kMostLetters = 12;
  std::string ending = lower_case(ending_of(path));
  const std::string before = lower_case(ending_of(path.substr(0, path.size() - ending.size())));
  if (before == ".tar") ending = before + ending;
  const bool telling = std::all_of(ending.begin(), ending.end(), [](char letter) {
    return letter == '.' || (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
  });
  if (ending.size() < 2) return "without extension";
  return telling && ending.size() <= kMostLetters ? ending : "with unusual extensions";
}

// The kind under which a hidden file is counted; "" if it is not hidden.
inline std::string_view kind_of_hidden(std::string_view name) {
  if (name.starts_with("._")) return "AppleDouble files of macOS";
  return name.starts_with('.') ? "hidden" : "";
}

// Whether an operating system or sync program creates folders of this name, for thumbnails or
// deleted files.
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
