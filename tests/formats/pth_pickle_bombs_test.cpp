// Handmade pickles that would exhaust memory or time if no limit refused them.
#include <sys/resource.h>

#include <ctime>

#include "tests/formats/pth_support.h"

namespace fcm::formats {
namespace {

// A "billion laughs" pickle: nested tuples, each of which holds the previous one `width` times.
std::string billion_laughs(size_t width, uint8_t levels) {
  std::string text = ")q" + le<uint8_t>(0);
  for (uint8_t i = 1; i < levels; ++i) {
    text += "0(" + repeat("h" + le<uint8_t>(i - 1), width) + "tq" + le(i);
  }
  return text;
}

TEST(PthPickleAttacks, Bombs) {
  const std::string megabyte = text_op(std::string(1 << 20, 'a'));
  const std::clock_t start = std::clock();  // CPU time, because other processes may run
  expect_refused({
      {"memo index", pth_of("Nr\xff\xff\xff\x7f"), "memo index 2147483647"},
      {"memo index 2", pth_of("Nr\xff\xff\xff\xff"), "memo index 4294967295"},
      {"nesting", pth_of(repeat("]", 100) + repeat("a", 99)), "nested deeper than 64"},
      {"nesting of a hundred thousand", pth_of(repeat("]", 100000) + repeat("a", 99999)),
       "nested deeper than 64"},
      {"nested tuples", pth_of(")" + repeat("\x85", 100000)), "nested deeper than 64"},
      {"list that holds itself",
       pth_of("]q\x01h\x01"
              "a"),
       "nested deeper than 64"},
      {"dict that holds itself", pth_of("}q\x01" + text_op("a") + "h\x01s"),
       "nested deeper than 64"},
      {"billion laughs", pth_of(billion_laughs(10, 60)), "more than 262144 values"},
      {"one tensor many times",
       pth_of(good_tensor() + "q\x01" + "0(" + repeat("h\x01", 70000) + "t"),
       "more than 65536 tensors"},
      {"laughing texts", pth_of(megabyte + "q\x01(" + repeat("h\x01", 40) + "t\x86"),
       "more than 33554432 bytes"},
      {"laughing names",
       pth_of(good_tensor() +
              "q\x02"
              "0}" +
              megabyte + "(" + repeat("h\x02", 40) + "ts"),
       "more than 33554432 bytes"},
      {"opcodes", pth_of(repeat("N0", 300000)), "more than 524288 opcodes"},
      {"stack", pth_of(repeat("N", 300000)), "the stack grows beyond"},
      {"marks", pth_of(repeat("(", 300000)), "the stack grows beyond"},
      {"copies of a long tuple",
       pth_of("(" + repeat("N", 200000) +
              "tq\x01"
              "0" +
              repeat(global("pathlib", "Path") + "h\x01R0", 100000) + "N"),
       "more than 524288 opcodes"},
  });
  EXPECT_LT(std::clock() - start, 5 * CLOCKS_PER_SEC);
}

// By how many kB the peak memory of the process grows while it reads. Call it in a child process,
// because the peak never falls.
long grown_by_reading(std::span<const std::byte> bytes) {
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  try {
    parse_pth(bytes, "bomb");
  } catch (const Error&) {
  }
  ::getrusage(RUSAGE_SELF, &after);
  return after.ru_maxrss - before.ru_maxrss;
}

// The limit is twice the size of the file plus 64 MB.
TEST(PthPickleAttacks, MemoryStaysWithinTheBudgets) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer's own memory would be counted";
#endif
  const std::string many = std::string("0(") + repeat("h\x01", 200000) + "t";
  const std::vector<std::string> bombs = {
      pth_of(repeat("]", 250000)),
      pth_of("(" + repeat(")\x85", 200000) + "t"),
      pth_of(repeat("}0", 260000) + "N"),
      pth_of("(" + repeat("}", 200000) + "t"),
      pth_of(billion_laughs(4, 30)),
      pth_of("Nr" + le<uint32_t>((1 << 19) - 1)),
      pth_of("Nq\x01" + many),
      pth_of(good_tensor() + "q\x01" + "0(" + repeat("h\x01", 200000) + "t"),
      pth_of(global("torch._utils", "_rebuild_tensor_v2") + "q\x01" + "(" + good_storage() +
             integer(0) + integers({3, 4}) + integers({1, 3}) + "\x89NtRq\x02" + "0" + many),
      pth_of(tensor_of(good_storage(), 0, {4 << 20}, {0})),
      pth_of(text_op(std::string(20 << 20, 'a')) + "q\x01h\x01\x86"),
  };
  for (size_t i = 0; i < bombs.size(); ++i) {
    const std::vector<std::byte> bytes = bytes_of_text(bombs[i]);
    const int signal = signal_of_child([&] {
      const long grown = grown_by_reading(bytes);
      if (grown > (64 << 10) + 2 * static_cast<long>(bytes.size() >> 10)) {
        std::fprintf(stderr, "bomb %zu: %ld KB\n", i, grown);
        ::abort();
      }
    });
    EXPECT_EQ(signal, 0) << i;
  }
}

}  // namespace
}  // namespace fcm::formats
