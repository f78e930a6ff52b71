// TensorBoard event files, read back by a reader that shares no code with the writer.
#include "fcm/train/event_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <vector>

#include "tests/support/crash.h"
#include "tests/support/event_records.h"

namespace fcm::train {
namespace {

using test::crc32c;
using test::take;

uint64_t take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<uint8_t>(bytes);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

// Fields of a protobuf message: field number -> raw values, one for each occurrence.
std::multimap<uint64_t, std::string> fields_of(std::string_view message) {
  std::multimap<uint64_t, std::string> fields;
  while (!message.empty()) {
    const uint64_t key = take_varint(message);
    size_t size = 0;
    std::string value;
    switch (key & 7) {
      case 0: {
        const uint64_t number = take_varint(message);
        value.assign(reinterpret_cast<const char*>(&number), sizeof number);
        break;
      }
      case 1:
        size = 8;
        break;
      case 2:
        size = take_varint(message);
        break;
      case 5:
        size = 4;
        break;
      default:
        throw std::runtime_error("wire type");
    }
    if (size > message.size()) throw std::runtime_error("too short");
    if ((key & 7) != 0) value = message.substr(0, size);
    message.remove_prefix(size);
    fields.emplace(key >> 3, value);
  }
  return fields;
}

template <typename Number>
Number number_of(const std::string& raw) {
  std::string_view bytes = raw;
  return take<Number>(bytes);
}

struct Event {
  double wall_time = 0;
  int64_t step = 0;
  std::string version;
  bool starts_session = false;
  std::vector<std::pair<std::string, float>> scalars;
};

Event decoded(std::string_view message) {
  Event event;
  for (const auto& [field, raw] : fields_of(message)) {
    if (field == 1) event.wall_time = number_of<double>(raw);
    if (field == 2) event.step = number_of<int64_t>(raw);
    if (field == 3) event.version = raw;
    if (field == 7) event.starts_session = number_of<int64_t>(fields_of(raw).find(1)->second) == 1;
    if (field != 5) continue;
    for (const auto& [ignored, value] : fields_of(raw)) {
      const auto parts = fields_of(value);
      event.scalars.emplace_back(parts.find(1)->second, number_of<float>(parts.find(2)->second));
    }
  }
  return event;
}

// All events of a file. Throws if a length or a checksum is wrong.
std::vector<Event> events_in(std::string_view bytes) {
  std::vector<Event> events;
  while (!bytes.empty()) events.push_back(decoded(test::take_record(bytes)));
  return events;
}

class EventWriterTest : public test::TemporaryFolderTest {
 protected:
  static std::string content(const EventWriter& writer) {
    return read_file(writer.path(), ExitCode::kData);
  }
};

TEST(Crc32c, KnownValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
}

TEST_F(EventWriterTest, ScalarsComeBack) {
  EventWriter writer(folder_ / "run" / "events");
  writer.add(0, std::vector<Scalar>{{"loss", 1.5F}}, 1700000000.25);
  writer.add(300, std::vector<Scalar>{{"loss", 0.5F}, {"lr", 1e-4F}, {"grad norm/ü", -2}}, 1e9);
  writer.scalar("loss", 0.1, int64_t{1} << 40);
  const std::vector<Event> events = events_in(content(writer));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_EQ(events[1].wall_time, 1700000000.25);
  EXPECT_EQ(events[1].step, 0);
  ASSERT_EQ(events[1].scalars.size(), 1U);
  EXPECT_EQ(events[1].scalars[0], (std::pair<std::string, float>("loss", 1.5F)));
  EXPECT_EQ(events[2].step, 300);
  ASSERT_EQ(events[2].scalars.size(), 3U);
  EXPECT_EQ(events[2].scalars[1], (std::pair<std::string, float>("lr", 1e-4F)));
  EXPECT_EQ(events[2].scalars[2], (std::pair<std::string, float>("grad norm/ü", -2.0F)));
  EXPECT_EQ(events[3].step, int64_t{1} << 40);
  EXPECT_EQ(events[3].scalars[0], (std::pair<std::string, float>("loss", 0.1F)));
  EXPECT_GT(events[3].wall_time, 1.7e9);
}

TEST_F(EventWriterTest, TheFirstRecordIsTheKnownOne) {
  EventWriter writer(folder_);
  const std::string bytes = content(writer);
  // 24 bytes: wall time (9), file version (2 + 13).
  ASSERT_EQ(bytes.size(), 8U + 4 + 24 + 4);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x18\0\0\0\0\0\0\0", 8));
  // The masked checksum of the length 24, with which every event file begins.
  EXPECT_EQ(bytes.substr(8, 4), "\xa3\x7f\x4b\x22");
  EXPECT_EQ(bytes.substr(21, 15),
            "\x1a\x0d"
            "brain.Event:2");
}

TEST_F(EventWriterTest, NamesAreThoseViewersLookFor) {
  const EventWriter first(folder_), second(folder_);
  EXPECT_NE(first.path(), second.path());
  for (const EventWriter* writer : {&first, &second}) {
    const std::string name = writer->path().filename();
    EXPECT_EQ(name.rfind("events.out.tfevents.", 0), 0U);
    EXPECT_NE(name.find(fmt::format(".{}", ::getpid())), std::string::npos);
    EXPECT_EQ(events_in(content(*writer)).size(), 1U);
  }
}

TEST_F(EventWriterTest, NotFiniteValuesAreKept) {
  EventWriter writer(folder_);
  const float infinity = std::numeric_limits<float>::infinity();
  writer.add(1, std::vector<Scalar>{{"a", std::nanf("")}, {"b", -infinity}});
  const std::vector<Event> events = events_in(content(writer));
  EXPECT_TRUE(std::isnan(events[1].scalars[0].second));
  EXPECT_EQ(events[1].scalars[1].second, -infinity);
}

TEST_F(EventWriterTest, AResumedRunMarksWhereItBegins) {
  EventWriter writer(folder_);
  writer.resume_at(101);
  const std::vector<Event> events = events_in(content(writer));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_FALSE(events[0].starts_session);
  EXPECT_TRUE(events[1].starts_session);
  EXPECT_EQ(events[1].step, 101);
}

TEST_F(EventWriterTest, EachEventIsThereAsSoonAsItIsAdded) {
  EventWriter writer(folder_);
  for (int64_t step = 1; step <= 20; ++step) {
    writer.add(step, std::vector<Scalar>{{"loss", 1}});
    EXPECT_EQ(events_in(content(writer)).size(), static_cast<size_t>(step) + 1);
  }
}

TEST_F(EventWriterTest, AFailedWriteLeavesNoTornRecord) {
  EventWriter writer(folder_);
  writer.add(1, std::vector<Scalar>{{"loss", 1}});
  for (const char* spec : {"events.write.before:1:ENOSPC", "events.write.before:1:short"}) {
    failpoint::arm(spec);
    EXPECT_THROW(writer.add(2, std::vector<Scalar>{{"loss", 2}}), Error) << spec;
    failpoint::disarm();
    EXPECT_EQ(events_in(content(writer)).size(), 2U) << spec;
  }
  writer.add(3, std::vector<Scalar>{{"loss", 3}});
  EXPECT_EQ(events_in(content(writer)).back().step, 3);
}

TEST_F(EventWriterTest, TheReaderOfThisTestSeesDamage) {
  EventWriter writer(folder_);
  writer.add(1, std::vector<Scalar>{{"loss", 1}});
  const std::string whole = content(writer);
  for (size_t place = 0; place < whole.size(); ++place) {
    std::string damaged = whole;
    damaged[place] ^= 4;
    EXPECT_THROW(events_in(damaged), std::exception) << place;
  }
  EXPECT_THROW(events_in(whole.substr(0, whole.size() - 1)), std::exception);
}

}  // namespace
}  // namespace fcm::train
