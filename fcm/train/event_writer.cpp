#include "fcm/train/event_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "fcm/base/error.h"
#include "fcm/base/process.h"
#include "fcm/base/system_call.h"

namespace fcm::train {
namespace {

constexpr const char* kEvents = "events";
constexpr std::string_view kBeginning = "events.out.tfevents.";

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
    table[byte] = crc;
  }
  return table;
}();

// CRC-32C, rotated and offset as the TFRecord format requires.
uint32_t masked_crc(std::string_view bytes) {
  uint32_t crc = ~0U;
  for (const unsigned char byte : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ byte) & 0xff];
  return std::rotr(~crc, 15) + 0xa282ead8U;
}

template <typename Number>
void put_raw(std::string& out, Number number) {
  static_assert(std::endian::native == std::endian::little);
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// Protobuf: a field is its number and wire type, then its value.
enum class Wire : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_key(std::string& out, uint64_t field, Wire wire) {
  put_varint(out, field << 3 | static_cast<uint64_t>(wire));
}

void put_bytes(std::string& out, uint64_t field, std::string_view bytes) {
  put_key(out, field, Wire::kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}

// Field numbers of Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
std::string event(double wall_time, int64_t step) {
  std::string out;
  put_key(out, 1, Wire::kFixed64);
  put_raw(out, wall_time);
  if (step != 0) {
    put_key(out, 2, Wire::kVarint);
    put_varint(out, static_cast<uint64_t>(step));
  }
  return out;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

bool is_event_file(const std::string& name) {
  if (!name.starts_with(kBeginning)) return false;
  const auto is_number = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char letter) { return letter >= '0' && letter <= '9'; });
  };
  const std::string_view rest = std::string_view(name).substr(kBeginning.size());
  const size_t host = rest.find('.'), process = rest.rfind('.');
  return host != rest.npos && process > host + 1 && is_number(rest.substr(0, host)) &&
         is_number(rest.substr(process + 1));
}

EventWriter::EventWriter(const std::filesystem::path& folder) {
  make_folders(folder, ExitCode::kCheckpoint, kEvents);
  const double time = now();
  const std::string name = fmt::format("{}{:010d}.{}.{}", kBeginning, static_cast<int64_t>(time),
                                       host_name(), ::getpid());
  // A second writer that this process creates within the same second appends a number to the name.
  for (int attempt = 0; !file_.is_open(); ++attempt) {
    path_ = folder / (attempt == 0 ? name : fmt::format("{}.{}", name, attempt));
    file_ = Descriptor(system_call::open(kEvents, path_, O_WRONLY | O_CREAT | O_EXCL | O_APPEND));
    if (!file_.is_open() && errno != EEXIST) {
      fail(ExitCode::kCheckpoint, "cannot create {}: {}", path_.string(), std::strerror(errno));
    }
  }
  std::string version = event(time, 0);
  put_bytes(version, 3, "brain.Event:2");
  append(version);
}

void EventWriter::resume_at(int64_t step) {
  std::string start;  // SessionLog: field 1 is status, value 1 is START
  put_key(start, 1, Wire::kVarint);
  put_varint(start, 1);
  std::string session = event(now(), step);
  put_bytes(session, 7, start);
  append(session);
}

void EventWriter::add(int64_t step, std::span<const Scalar> scalars, double wall_time) {
  // Summary: field 1 is value (repeated). Value: field 1 is tag, field 2 is simple_value.
  std::string summary;
  for (const Scalar& scalar : scalars) {
    std::string value;
    put_bytes(value, 1, scalar.tag);
    put_key(value, 2, Wire::kFixed32);
    put_raw(value, scalar.value);
    put_bytes(summary, 1, value);
  }
  std::string message = event(wall_time, step);
  put_bytes(message, 5, summary);
  append(message);
}

void EventWriter::add(int64_t step, std::span<const Scalar> scalars) { add(step, scalars, now()); }

void EventWriter::scalar(std::string_view tag, double value, int64_t step) {
  const Scalar one{tag, static_cast<float>(value)};
  add(step, std::span(&one, 1));
}

void EventWriter::append(std::string_view message) {
  std::string record;  // TFRecord: length, CRC of the length, message, CRC of the message
  put_raw(record, static_cast<uint64_t>(message.size()));
  put_raw(record, masked_crc(record));
  record += message;
  put_raw(record, masked_crc(message));
  const ssize_t put =
      system_call::write(kEvents, file_.get(), std::as_bytes(std::span(record)), path_);
  if (put == static_cast<ssize_t>(record.size())) {
    size_ += put;
    return;
  }
  // TensorBoard stops reading at an incomplete record, so truncate to the end of the last whole
  // one.
  const int reason = put < 0 ? errno : ENOSPC;
  system_call::truncate(kEvents, file_.get(), size_, path_);
  fail(ExitCode::kCheckpoint, "cannot write {}: {}", path_.string(), std::strerror(reason));
}

}  // namespace fcm::train
