#include "fcm/formats/file_kind.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "fcm/base/content.h"
#include "fcm/formats/input_file.h"
#include "fcm/formats/legacy_container.h"
#include "fcm/formats/little_endian.h"
#include "fcm/formats/safetensors_header.h"
#include "fcm/formats/zip_directory.h"

namespace fcm::formats {
namespace {

using namespace std::string_view_literals;

struct Signature {
  size_t offset;
  std::string_view bytes;
  std::string_view what;
};

// Weights in formats that are not read, git-annex pointers and empty archives, with advice on what
// to do. base/content.h recognises formats that never hold weights (a web page, an image, ...).
constexpr std::array kSignatures = {
    Signature{0, "\x93NUMPY"sv,
              "a numpy array (.npy), which holds one tensor without a name; save a state_dict with "
              "torch.save"},
    Signature{0, "\x89HDF\r\n\x1a\n"sv,
              "an HDF5 file (Keras, TensorFlow), which is not read; use the PyTorch or "
              "safetensors file of the model"},
    Signature{0, "GGUF"sv,
              "a GGUF file (llama.cpp), which is not read; use the safetensors file of the model"},
    Signature{4, "TFL3"sv, "a TensorFlow Lite model, which is not read; use the PyTorch file"},
    Signature{0, "/annex/objects/"sv,
              "a git-annex pointer, not the file itself: run git annex get"},
    Signature{0, "../.git/annex/objects/"sv,
              "a git-annex pointer, not the file itself: run git annex get"},
    Signature{0, "PK\5\6"sv, "an empty zip archive"},
};

// ONNX and TensorFlow's saved models begin with a small version number in their first field.
bool is_protobuf_model(std::string_view bytes) {
  if (bytes.size() < 4 || bytes[0] != '\x08' || bytes[1] < 1 || bytes[1] > 32) return false;
  return bytes[2] == '\x12' || bytes[2] == '\x1a' || bytes[2] == '\x3a' || bytes[2] == '\x22';
}

// Flax writes weights as msgpack: a map with few entries whose first key is a short word.
bool is_msgpack(std::string_view bytes) {
  if (bytes.size() < 4) return false;
  const auto map = static_cast<unsigned char>(bytes[0]), key = static_cast<unsigned char>(bytes[1]);
  const std::string_view word = bytes.substr(2, key & 31U);
  const bool is_word = std::all_of(word.begin(), word.end(), [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return map > 0x80 && map < 0x90 && key > 0xa0 && key < 0xc0 && is_word;
}

// Recognises weights of other programs in formats without magic bytes; empty: not recognised.
std::string_view other_weights(std::string_view bytes) {
  const bool json = bytes.starts_with("{") && bytes.find("\"weight_map\"") != bytes.npos;
  if (json) return "an index of several weight files: give the folder that contains it";
  if (is_protobuf_model(bytes)) {
    return "a protobuf file, as ONNX and TensorFlow write models, which is not read; use the "
           "PyTorch or safetensors file of the model";
  }
  if (bytes.size() > 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5) {
    return "a pickle without PyTorch's container, as in some model zoos (.pkl); load it in "
           "Python and save its state_dict with torch.save";
  }
  if (is_msgpack(bytes)) {
    return "a msgpack file, as Flax writes weights, which is not read; use the PyTorch or "
           "safetensors file of the model";
  }
  return {};
}

}  // namespace

WeightsKind weights_kind(std::span<const std::byte> beginning) {
  if (begins_as_zip(beginning) || begins_as_legacy(beginning)) return WeightsKind::kTorch;
  if (beginning.size() > kLengthBytes && beginning[kLengthBytes] == std::byte{'{'}) {
    const auto length = load_le<uint64_t>(beginning, 0);
    if (length >= 2 && length <= kMaxHeaderBytes) return WeightsKind::kSafetensors;
  }
  return WeightsKind::kOther;
}

std::string describe_other_format(std::span<const std::byte> beginning, uint64_t size) {
  if (size == 0) return "an empty file: the download or the copy failed";
  switch (weights_kind(beginning)) {
    case WeightsKind::kTorch:
      return begins_as_zip(beginning) ? "a zip archive" : "a PyTorch file in the legacy format";
    case WeightsKind::kSafetensors:
      return "a safetensors file";
    case WeightsKind::kOther:
      break;
  }
  const auto first = beginning.first(std::min(beginning.size(), kBeginningBytes));
  const std::string_view bytes(reinterpret_cast<const char*>(first.data()), first.size());
  for (const Signature& known : kSignatures) {
    if (bytes.size() > known.offset && bytes.substr(known.offset).starts_with(known.bytes)) {
      return std::string(known.what);
    }
  }
  if (const std::string_view other = other_weights(bytes); !other.empty()) {
    return std::string(other);
  }
  return content_kind(bytes);
}

std::string beginning_of(const std::filesystem::path& path) {
  InputFile input(path, nullptr);
  std::string bytes(std::min<uint64_t>(kBeginningBytes, input.size()), '\0');
  input.read(std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

}  // namespace fcm::formats
