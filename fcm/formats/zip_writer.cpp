#include "fcm/formats/zip_writer.h"

#include <algorithm>
#include <concepts>

#include "fcm/formats/crc32.h"
#include "fcm/formats/zip_records.h"

namespace fcm::formats {
namespace {

using zip::kSentinel32;

constexpr size_t kZipPieceBytes = 256 << 10;  // bytes per write(); larger writes are slower
constexpr uint64_t kAlignment = 64;
constexpr uint16_t kVersion = 45;       // 4.5, the version with zip64
constexpr uint16_t kDate = 1 << 5 | 1;  // 1980-01-01, so that the same tensors give the same file

template <std::integral T>
void put(std::string& text, T value) {
  text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Returns the value. If it needs more than 32 bits, appends it to `zip64` and returns the sentinel.
uint32_t narrow(uint64_t value, std::string& zip64) {
  if (value < kSentinel32) return static_cast<uint32_t>(value);
  put(zip64, value);
  return kSentinel32;
}

std::string zip64_field(const std::string& values) {
  std::string field;
  if (values.empty()) return field;
  put(field, zip::kZip64Extra);
  put(field, static_cast<uint16_t>(values.size()));
  return field + values;
}

// Appends the fields from flags to sizes, which are the same in local and central headers.
void put_common(std::string& text, uint32_t crc, uint32_t size) {
  put(text, zip::kUtf8Flag);
  put(text, uint16_t{0});  // stored
  put(text, uint16_t{0});  // midnight
  put(text, kDate);
  put(text, crc);
  put(text, size);
  put(text, size);
}

}  // namespace

void ZipWriter::add(std::string_view name, std::span<const std::byte> bytes) {
  const std::string path = "archive/" + std::string(name);
  const uint32_t crc = crc32(bytes);
  std::string local_values, central_values, local, extra;
  const uint32_t size = narrow(bytes.size(), local_values);
  if (!local_values.empty()) put(local_values, uint64_t{bytes.size()});  // both sizes
  extra = zip64_field(local_values);
  const uint64_t unpadded = position_ + zip::kLocalBytes + path.size() + extra.size() + 4;
  const auto padding = static_cast<uint16_t>((kAlignment - unpadded % kAlignment) % kAlignment);
  put(extra, zip::kPaddingExtra);
  put(extra, padding);
  extra.append(padding, 'Z');

  put(local, zip::kLocal);
  put(local, kVersion);
  put_common(local, crc, size);
  put(local, static_cast<uint16_t>(path.size()));
  put(local, static_cast<uint16_t>(extra.size()));
  file_.write(local + path + extra);
  for (size_t begin = 0; begin < bytes.size(); begin += kZipPieceBytes) {
    file_.write(bytes.subspan(begin, std::min(kZipPieceBytes, bytes.size() - begin)));
  }

  central_values = local_values;
  const uint32_t offset = narrow(position_, central_values);
  const std::string central_extra = zip64_field(central_values);
  put(central_, zip::kCentral);
  put(central_, kVersion);  // made by
  put(central_, kVersion);  // needed
  put_common(central_, crc, size);
  put(central_, static_cast<uint16_t>(path.size()));
  put(central_, static_cast<uint16_t>(central_extra.size()));
  put(central_, uint16_t{0});  // comment
  put(central_, uint16_t{0});  // disk
  put(central_, uint16_t{0});  // attributes
  put(central_, uint32_t{0});
  put(central_, offset);
  central_ += path + central_extra;

  position_ += local.size() + path.size() + extra.size() + bytes.size();
  ++members_;
}

// Always writes the zip64 records, as PyTorch does. 16 and 32-bit fields repeat values that fit.
void ZipWriter::finish() {
  std::string end;
  put(end, zip::kZip64End);
  put(end, zip::kZip64EndBytes - 12);
  put(end, kVersion);
  put(end, kVersion);
  put(end, uint64_t{0});  // both disk numbers
  put(end, members_);
  put(end, members_);
  put(end, uint64_t{central_.size()});
  put(end, position_);

  put(end, zip::kZip64Locator);
  put(end, uint32_t{0});
  put(end, position_ + central_.size());
  put(end, uint32_t{1});  // disks

  put(end, zip::kEnd);
  put(end, uint32_t{0});  // both disk numbers
  const auto members = static_cast<uint16_t>(std::min(members_, zip::kSentinel16));
  put(end, members);
  put(end, members);
  put(end, static_cast<uint32_t>(std::min(uint64_t{central_.size()}, kSentinel32)));
  put(end, static_cast<uint32_t>(std::min(position_, kSentinel32)));
  put(end, uint16_t{0});  // comment
  file_.write(central_);
  file_.write(end);
}

}  // namespace fcm::formats
