// Reads the headers of a zip archive, one at a time. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fcm::formats::zip {

// Signatures and fixed sizes of PKWARE's APPNOTE.
constexpr uint32_t kLocal = 0x04034b50;
constexpr uint32_t kDescriptor = 0x08074b50;
constexpr uint32_t kCentral = 0x02014b50;
constexpr uint32_t kZip64End = 0x06064b50;
constexpr uint32_t kZip64Locator = 0x07064b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr uint64_t kLocalBytes = 30;
constexpr uint64_t kCentralBytes = 46;
constexpr uint64_t kZip64EndBytes = 56;
constexpr uint64_t kZip64LocatorBytes = 20;
constexpr uint64_t kEndBytes = 22;

constexpr uint64_t kSentinel16 = 0xffff;  // in place of a value that a zip64 record holds
constexpr uint64_t kSentinel32 = 0xffffffff;
constexpr uint16_t kZip64Extra = 0x0001;
constexpr uint16_t kPaddingExtra = 0x4246;    // "FB": PyTorch's padding, which aligns the data
constexpr uint16_t kDescriptorFlag = 1 << 3;  // sizes and CRC follow the data
constexpr uint16_t kUtf8Flag = 1 << 11;

constexpr uint16_t kStored = 0, kDeflated = 8;  // methods

struct CentralHeader {
  std::string_view name;
  uint16_t flags = 0;
  uint32_t crc32 = 0;
  uint16_t method = kStored;
  uint64_t size = 0;    // of the data
  uint64_t packed = 0;  // of the data in the archive; equals `size` for stored members
  uint64_t offset = 0;  // of the local header
  uint64_t end = 0;     // of this header
};

struct LocalSpan {
  uint64_t data = 0;  // offset of the member's bytes
  uint64_t end = 0;   // offset after the bytes and the data descriptor
};

// Reads the central header at `offset`; `bytes` ends with the directory. Throws Error(kCheckpoint).
CentralHeader read_central(std::span<const std::byte> bytes, uint64_t offset,
                           const std::string& file);

// Reads the local header that `central` refers to and compares both headers; `bytes` ends with the
// last member. Throws Error(kCheckpoint).
LocalSpan read_local(std::span<const std::byte> bytes, const CentralHeader& central,
                     const std::string& file);

}  // namespace fcm::formats::zip
