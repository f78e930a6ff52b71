#include "fcm/base/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace fcm {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kUnpack = "a compressed file (gzip): unpack it first";

// Magic bytes at offset 0.
constexpr std::array kBeginnings = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"version https://git-lfs.github.com/"sv,
     "a Git LFS pointer: run git lfs pull to fetch the file itself"},
    {"GIF87a"sv, "a GIF"},
    {"GIF89a"sv, "a GIF"},
    {"\xFF\xD8\xFF"sv, "a JPEG"},
    {"\x89PNG\r\n\x1a\n"sv, "a PNG"},
    {"\x1f\x8b"sv, kUnpack},
    {"BZh"sv, "a compressed file (bzip2): unpack it first"},
    {"\xFD"
     "7zXZ\0"sv,
     "a compressed file (xz): unpack it first"},
    {"\x28\xB5\x2F\xFD"sv, "a compressed file (zstd): unpack it first"},
    {"PK\3\4"sv, "a zip archive"},
    {"7z\xBC\xAF\x27\x1C"sv, "a 7-Zip archive"},
    {"Rar!\x1a"sv, "a RAR archive"},
    {"%PDF-"sv, "a PDF"},
    {"%!PS"sv, "PostScript"},
    {"8BPS"sv, "a Photoshop file"},
    {"\xFF\x0A"sv, "a JPEG XL"},
    {"\0\0\0\x0CJXL "sv, "a JPEG XL"},
    {"\0\0\0\x0CjP  "sv, "a JPEG 2000"},
    {"\xFF\x4F\xFF\x51"sv, "a JPEG 2000"},
    {"II\xBC\1"sv, "a JPEG XR"},
    {"FCMPACK\n"sv, "a packed file of images, which --data takes"},
    {"label\tclass\tpicture\n"sv, "a list of images that fastconvmae features wrote"},
    {"FUJIFILMCCD-RAW"sv, "a camera's raw file (Fujifilm)"},
    {"IIRO"sv, "a camera's raw file (Olympus)"},
    {"IIRS"sv, "a camera's raw file (Olympus)"},
    {"IIU\0"sv, "a camera's raw file (Panasonic)"},
    {"II*\0"sv, "a TIFF"},
    {"MM\0*"sv, "a TIFF"},
    {"\0\0\1\0"sv, "an icon (ICO)"},
    {"\x76\x2f\x31\x01"sv, "an OpenEXR"},
    {"#?RADIANCE"sv, "a Radiance HDR image"},
    {"\x89HDF\r\n"sv, "an HDF5 file"},
    {"\x93NUMPY"sv, "a NumPy array"},
    {"PAR1"sv, "a Parquet file"},
    {"ARROW1"sv, "an Arrow file"},
    {"SIMPLE  ="sv, "a FITS file"},
    {"\0\5\x16\7"sv, "an AppleDouble file, which macOS puts beside the real one"},
    {"\xD0\xCF\x11\xE0"sv, "a Microsoft compound file, such as Thumbs.db"},
    {"\x1A\x45\xDF\xA3"sv, "a video (Matroska or WebM)"},
    {"OggS"sv, "an Ogg file"},
    {"\x7F"
     "ELF"sv,
     "a program (ELF)"},
});

// ISO base media: "ftyp" at byte 4, then the brand.
std::string_view kind_of_brand(std::string_view brand) {
  constexpr std::array kHeif{"heic"sv, "heix"sv, "heim"sv, "heis"sv,
                             "hevc"sv, "hevx"sv, "mif1"sv, "msf1"sv};
  if (brand == "avif" || brand == "avis") return "an AVIF";
  if (std::ranges::find(kHeif, brand) != kHeif.end()) return "a HEIC, as phones write them";
  if (brand == "crx ") return "a camera's raw file (Canon)";
  return "a video (MP4 or QuickTime)";
}

bool starts_with_word(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char want, char got) {
           return want == static_cast<char>(std::tolower(static_cast<unsigned char>(got)));
         });
}

bool is_text(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char byte) {
    const auto value = static_cast<unsigned char>(byte);
    return value >= ' ' ? value != 127 : byte == '\n' || byte == '\r' || byte == '\t';
  });
}

constexpr size_t kShownBytes = 40;

// The first line, shortened, with control and non-ASCII bytes replaced by "?".
std::string first_words(std::string_view text) {
  std::string shown(text.substr(0, std::min(text.find_first_of("\r\n"), kShownBytes)));
  std::ranges::replace_if(
      shown, [](unsigned char byte) { return byte < ' ' || byte > '~'; }, '?');
  return shown;
}

// The beginning of a JSON text without line breaks and indentation.
std::string first_members(std::string_view text) {
  std::string shown;
  for (const char letter : text) {
    const bool blank = letter == ' ' || letter == '\n' || letter == '\r' || letter == '\t';
    if (!blank) {
      shown += letter;
    } else if (!shown.ends_with(' ')) {
      shown += ' ';
    }
    if (shown.size() == kShownBytes) break;
  }
  return first_words(shown);
}

std::string kind_of_json(std::string_view text) {
  const auto has = [&](std::string_view member) {
    return text.find(member) != std::string_view::npos;
  };
  if (has("\"fastconvmae checkpoint\"")) return "the manifest of a checkpoint";
  if (has("\"loss\":") && has("\"step\":")) return "the log of a run (lines of JSON)";
  if (has("\"measured_on\":") || has("\"top1\":") || has("\"mIoU\":")) {
    return "a result (JSON): " + first_members(text);
  }
  return "JSON: " + first_members(text);
}

// Whether the text begins with a section's line such as "[row]", after comments and empty lines.
bool begins_as_toml(std::string_view text) {
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (!text.starts_with('#')) break;
    text.remove_prefix(std::min(text.find('\n'), text.size()));
  }
  const size_t close = text.find_first_of("]\n");
  if (!text.starts_with('[') || close == std::string_view::npos || text[close] != ']') return false;
  const std::string_view name = text.substr(1, close - 1);
  const size_t end = text.find_first_not_of(" \t\r", close + 1);
  const bool alone = end == std::string_view::npos || text[end] == '\n' || text[end] == '#';
  return alone && !name.empty() && std::ranges::all_of(name, [](unsigned char letter) {
           return (std::isalpha(letter) != 0) || letter == '_' || letter == '.' || letter == '-';
         });
}

std::string kind_of_text(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (text.empty()) return "";
  if (starts_with_word(text, "<!doctype html") || starts_with_word(text, "<html") ||
      starts_with_word(text, "<head")) {
    if (text.find("content=\"fastconvmae\"") != std::string_view::npos) {
      return "a page that fastconvmae report wrote";
    }
    return "a web page: the download failed or needs a login";
  }
  if (text.find("<svg") != std::string_view::npos) return "an SVG";
  if (starts_with_word(text, "<?xml")) return "XML, perhaps a server's error: the download failed";
  if (!is_text(text)) return "";
  if (begins_as_toml(text)) {
    const bool recipe = text.find("[row]") != std::string_view::npos;
    return recipe ? "a recipe, which --recipe takes" : "TOML: " + first_words(text);
  }
  if (text[0] == '{' || text[0] == '[') return kind_of_json(text);
  return "text that begins \"" + first_words(text) + "\"";
}

}  // namespace

std::string content_kind(std::string_view begin) {
  begin = begin.substr(0, kContentBytes);
  if (begin.empty()) return "an empty file";
  if (begin.size() >= 16 && begin.find_first_not_of('\0') == std::string_view::npos) {
    return "nothing but zero bytes: a copy or download that was not finished";
  }
  if (begin.size() >= 12 && begin.substr(4, 4) == "ftyp") {
    return std::string(kind_of_brand(begin.substr(8, 4)));
  }
  if (begin.size() >= 10 && begin.starts_with("II*") && begin.substr(8, 2) == "CR") {
    return "a camera's raw file (Canon)";
  }
  if (begin.size() >= 12 && begin.starts_with("RIFF")) {
    return begin.substr(8, 4) == "WEBP" ? "a WebP" : "a video or sound (RIFF)";
  }
  constexpr size_t kFirstName = 96;  // these bytes include the name of the first record or member
  const std::string_view first = begin.substr(0, kFirstName);
  if (first.find("brain.Event:") != std::string_view::npos) return "an event file of TensorBoard";
  if (begin.starts_with("PK\3\4") && first.find("/data.pkl") != std::string_view::npos) {
    return "a PyTorch file";
  }
  if (begin.size() >= 10 && begin.substr(5, 5) == "\0\0\0{\""sv) return "a safetensors file";
  for (const auto& [bytes, what] : kBeginnings) {
    if (begin.starts_with(bytes)) return std::string(what);
  }
  if (begin.size() >= 262 && begin.substr(257, 5) == "ustar") return "a tar archive";
  if (begin.size() >= 132 && begin.substr(128, 4) == "DICM") return "a DICOM file";
  if (begin.size() >= 3 && begin[0] == 'P' && begin[1] >= '1' && begin[1] <= '7' &&
      std::isspace(static_cast<unsigned char>(begin[2])) != 0) {
    return "a PPM, PGM or PBM";
  }
  return kind_of_text(begin);
}

}  // namespace fcm
