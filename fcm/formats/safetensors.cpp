#include "fcm/formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "fcm/base/file.h"
#include "fcm/formats/file_kind.h"
#include "fcm/formats/input_file.h"
#include "fcm/formats/safetensors_header.h"
#include "fcm/formats/tensor_io.h"

namespace fcm::formats {
namespace {

// Bytes per write; few enough to stay in cache between hashing and writing.
constexpr size_t kChunkBytes = 256 << 10;

// What is wrong with the header length at the beginning of a file; empty: it is valid.
std::string length_fault(uint64_t length, uint64_t file_bytes) {
  if (file_bytes < kLengthBytes) {
    return fmt::format("{} bytes are too few for a safetensors file", file_bytes);
  }
  if (length > kMaxHeaderBytes) {
    return fmt::format("a header of {} bytes is announced, at most {} are allowed", length,
                       kMaxHeaderBytes);
  }
  if (length > file_bytes - kLengthBytes) {
    return fmt::format("a header of {} bytes is announced, but only {} follow", length,
                       file_bytes - kLengthBytes);
  }
  return {};
}

// The header length at the beginning of the file, checked against the file's size. On failure,
// beginning() returns the file's first bytes, by which the message describes the file.
template <typename Beginning>
uint64_t checked_header_length(std::span<const std::byte> length_bytes, uint64_t file_bytes,
                               const std::string& file, Beginning&& beginning) {
  uint64_t length = 0;
  if (!length_bytes.empty()) std::memcpy(&length, length_bytes.data(), length_bytes.size());
  const std::string fault = length_fault(length, file_bytes);
  if (fault.empty()) return length;
  const std::string first = beginning();
  const std::string what = describe_other_format(std::as_bytes(std::span(first)), file_bytes);
  if (what.empty()) fail(ExitCode::kCheckpoint, "{}: {}", file, fault);
  fail(ExitCode::kCheckpoint, "{}: it is {} ({})", file, what, fault);
}

struct Head {
  Buffer bytes;  // length and header
  SafetensorsHeader header;
};

Head read_head(InputFile& input) {
  Buffer length_bytes(static_cast<size_t>(std::min(input.size(), kLengthBytes)));
  input.read(length_bytes.bytes());
  const uint64_t length = checked_header_length(length_bytes.bytes(), input.size(), input.name(),
                                                [&] { return beginning_of(input.name()); });
  Head head{Buffer(kLengthBytes + length), {}};
  std::memcpy(head.bytes.data(), length_bytes.data(), kLengthBytes);
  input.read(head.bytes.bytes().subspan(kLengthBytes));
  const std::string_view text(reinterpret_cast<const char*>(head.bytes.data()) + kLengthBytes,
                              length);
  head.header = parse_safetensors_header(text, input.left(), input.name());
  return head;
}

TensorFile with_views(Buffer data, SafetensorsHeader header, uint64_t begin) {
  TensorFile file;
  file.data = std::move(data);
  file.metadata = std::move(header.metadata);
  file.tensors.reserve(header.tensors.size());
  const std::span<const std::byte> bytes = file.data.bytes().subspan(begin);
  for (TensorPlace& place : header.tensors) {
    file.tensors.push_back({std::move(place.name), std::move(place.dtype), std::move(place.shape),
                            bytes.subspan(place.begin, place.end - place.begin)});
  }
  return file;
}

// Memory for the tensors is allocated after the header was checked against the file's size.
TensorFile read_all(InputFile& input) try {
  Head head = read_head(input);
  const uint64_t begin = head.bytes.size();
  Buffer data(static_cast<size_t>(input.size()));
  std::memcpy(data.data(), head.bytes.data(), begin);
  head.bytes = Buffer();
  input.read(data.bytes().subspan(begin));
  return with_views(std::move(data), std::move(head.header), begin);
} catch (const std::bad_alloc&) {
  fail(ExitCode::kDevice, "not enough memory to read {} ({} bytes)", input.name(), input.size());
}

void check_expected_size(const InputFile& input, const FileRecord& expected) {
  if (input.size() != expected.size) {
    fail(ExitCode::kCheckpoint, "{} has {} bytes, its manifest says {}", input.name(), input.size(),
         expected.size);
  }
}

void check_expected_hash(const InputFile& input, const Digest& digest, const FileRecord& expected) {
  if (const std::string found = digest.hex(); found != expected.xxh3_128) {
    fail(ExitCode::kCheckpoint, "{} is damaged: its XXH3-128 hash is {}, its manifest says {}",
         input.name(), found, expected.xxh3_128);
  }
}

}  // namespace

const TensorView* TensorFile::find(const std::string& name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const TensorView& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

FileRecord write_tensor_file(const std::filesystem::path& path, std::span<const TensorView> tensors,
                             const std::map<std::string, std::string>& metadata) {
  const std::string header = safetensors_header(tensors, metadata, path.string());
  FileWriter file(path, ExitCode::kCheckpoint, "checkpoint");
  Digest digest;
  uint64_t size = 0;
  const auto put = [&](std::span<const std::byte> bytes) {
    digest.update(bytes);
    file.write(bytes);
    size += bytes.size();
  };
  put(std::as_bytes(std::span(header)));
  for (const TensorView& tensor : tensors) {
    for (std::span<const std::byte> rest = tensor.bytes; !rest.empty();) {
      const size_t count = std::min(kChunkBytes, rest.size());
      put(rest.first(count));
      rest = rest.subspan(count);
    }
  }
  file.finish();
  return {size, digest.hex()};
}

TensorFile read_tensor_file(const std::filesystem::path& path, const FileRecord& expected) {
  Digest digest;
  InputFile input(path, &digest);
  check_expected_size(input, expected);
  TensorFile file = read_all(input);
  check_expected_hash(input, digest, expected);
  return file;
}

void check_tensor_file(const std::filesystem::path& path, const FileRecord& expected) {
  Digest digest;
  InputFile input(path, &digest);
  check_expected_size(input, expected);
  read_head(input);
  input.skip_rest();
  check_expected_hash(input, digest, expected);
}

void check_size(const std::filesystem::path& path, const FileRecord& expected) {
  check_expected_size(InputFile(path, nullptr), expected);
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  // Writes a temporary file first, so that an existing file is replaced as a whole or not at all.
  const std::filesystem::path temporary = path.string() + ".tmp";
  write_tensor_file(temporary, tensors, metadata);
  move_into_place(temporary, path, ExitCode::kCheckpoint, "checkpoint");
}

TensorFile read_safetensors(const std::filesystem::path& path, int64_t threads) {
  InputFile input(path, nullptr, threads);
  return read_all(input);
}

TensorFile parse_safetensors(std::span<const std::byte> bytes, const std::string& name_for_errors) {
  const uint64_t length = checked_header_length(
      bytes.first(std::min<size_t>(bytes.size(), kLengthBytes)), bytes.size(), name_for_errors,
      [&] {
        const auto first = bytes.first(std::min(bytes.size(), kBeginningBytes));
        return std::string(reinterpret_cast<const char*>(first.data()), first.size());
      });
  const uint64_t begin = kLengthBytes + length;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  SafetensorsHeader header = parse_safetensors_header(text, bytes.size() - begin, name_for_errors);
  return with_views(Buffer::copy_of(bytes), std::move(header), begin);
}

}  // namespace fcm::formats
