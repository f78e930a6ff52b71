// Handmade safetensors files that each break one rule; the error must name the rule.
#include <sys/resource.h>
#include <sys/stat.h>

#include <ctime>
#include <optional>

#include "fcm/formats/safetensors.h"
#include "tests/formats/support.h"

namespace fcm::formats {
namespace {

std::vector<std::byte> file_of(const std::string& header, size_t data_bytes,
                               std::optional<uint64_t> announced = {}) {
  const uint64_t length = announced.value_or(header.size());
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return bytes_of_text(text + header + std::string(data_bytes, '\x5a'));
}

std::string reason(const std::vector<std::byte>& bytes) {
  return error_of([&] { parse_safetensors(bytes, "attack"); });
}

struct Attack {
  const char* name;
  std::vector<std::byte> bytes;
  const char* rule;  // a part of the expected message
};

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":)" + tensor(dtype, shape, offsets) + "}";
}

std::string two(const std::string& first, const std::string& second) {
  return R"({"a":)" + tensor("U8", "[4]", first) + R"(,"b":)" + tensor("U8", "[4]", second) + "}";
}

std::vector<Attack> header_attacks() {
  const std::string good = one("U8", "[4]", "[0,4]");
  return {
      {"no bytes", {}, "too few"},
      {"seven bytes", bytes_of_text("1234567"), "too few"},
      {"header past the end", file_of(good, 4, good.size() + 5), "only"},
      {"header length wraps", file_of(good, 4, ~uint64_t{0} - 7), "are allowed"},
      {"header of 100 MB and one byte", file_of(good, 4, 100'000'001), "are allowed"},
      {"empty header", file_of("", 0), "does not begin with {"},
      {"header is a list", file_of("[]", 0), "does not begin with {"},
      {"leading blank", file_of(" " + good, 4), "does not begin with {"},
      {"byte order mark", file_of("\xef\xbb\xbf" + good, 4), "does not begin with {"},
      {"no JSON", file_of("{oops}", 0), "not valid JSON"},
      {"two objects", file_of(good + good, 4), "not valid JSON"},
      {"comment", file_of("{/**/}", 0), "not valid JSON"},
      {"trailing comma", file_of("{\"a\":" + tensor("U8", "[4]", "[0,4]") + ",}", 4),
       "not valid JSON"},
      {"bad UTF-8", file_of("{\"\xff\":" + tensor("U8", "[4]", "[0,4]") + "}", 4),
       "not valid JSON"},
      {"lone surrogate", file_of(R"({"\ud800":)" + tensor("U8", "[4]", "[0,4]") + "}", 4),
       "not valid JSON"},
      {"zero byte hides the rest", file_of(good + std::string("\0garbage", 8), 4), "zero byte"},
      {"header cut", file_of(good.substr(0, good.size() - 1), 4), "not valid JSON"},
  };
}

std::vector<Attack> structure_attacks() {
  const std::string t = tensor("U8", "[4]", "[0,4]");
  const std::string bomb(200000, '[');
  const std::string objects = [] {
    std::string text;
    for (int i = 0; i < 100000; ++i) text += R"({"a":)";
    return text;
  }();
  const std::string deep_shape = R"({"a":{"dtype":"U8","shape":[[4]],"data_offsets":[0,4]}})";
  return {
      {"duplicate tensor", file_of(R"({"a":)" + t + R"(,"a":)" + t + "}", 4), "duplicate tensor"},
      {"duplicate by escape", file_of(R"({"a":)" + t + R"(,"\u0061":)" + t + "}", 4),
       "duplicate tensor"},
      {"duplicate dtype",
       file_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4),
       "duplicate key"},
      {"duplicate offsets",
       file_of(R"({"a":{"dtype":"U8","data_offsets":[0,4],"shape":[4],"data_offsets":[0,4]}})", 4),
       "duplicate key"},
      {"duplicate metadata", file_of(R"({"__metadata__":{},"__metadata__":{}})", 0),
       "duplicate key"},
      {"duplicate metadata key", file_of(R"({"__metadata__":{"x":"1","x":"2"}})", 0),
       "duplicate metadata"},
      {"metadata number", file_of(R"({"__metadata__":{"x":1}})", 0), "must be strings"},
      {"metadata object", file_of(R"({"__metadata__":{"x":{}}})", 0), "must be strings"},
      {"metadata list", file_of(R"({"__metadata__":["x"]})", 0), "in place of an object"},
      {"metadata null", file_of(R"({"__metadata__":null})", 0), "in place of an object"},
      {"tensor is a number", file_of(R"({"a":1})", 0), "in place of"},
      {"tensor is text", file_of(R"({"a":"b"})", 0), "in place of"},
      {"tensor is a list", file_of(R"({"a":[]})", 0), "in place of"},
      {"unknown key",
       file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"strides":[1]}})", 4),
       "unknown key"},
      {"no dtype", file_of(R"({"a":{"shape":[4],"data_offsets":[0,4]}})", 4), "lacks"},
      {"no shape", file_of(R"({"a":{"dtype":"U8","data_offsets":[0,4]}})", 4), "lacks"},
      {"no offsets", file_of(R"({"a":{"dtype":"U8","shape":[4]}})", 4), "lacks"},
      {"no fields", file_of(R"({"a":{}})", 4), "lacks"},
      {"nested shape", file_of(deep_shape, 4), "a list in place of"},
      {"bomb of lists", file_of(R"({"a":{"dtype":"U8","shape":)" + bomb, 0), "a list in place of"},
      {"bomb of objects", file_of(objects, 0), "unknown key"},
      {"bomb of objects in a field", file_of(R"({"a":{"dtype":)" + objects, 0),
       "an object in place of"},
      {"bomb at the top", file_of(R"({"a":)" + bomb, 0), "a list"},
      {"bomb in metadata", file_of(R"({"__metadata__":{"a":)" + bomb, 0), "must be strings"},
  };
}

std::vector<Attack> number_attacks() {
  return {
      {"unknown dtype", file_of(one("F128", "[1]", "[0,16]"), 16), "unknown dtype"},
      {"half a byte", file_of(one("F4", "[2]", "[0,1]"), 1), "unknown dtype"},
      {"dtype in small letters", file_of(one("u8", "[4]", "[0,4]"), 4), "unknown dtype"},
      {"dtype is a number", file_of(R"({"a":{"dtype":8,"shape":[4],"data_offsets":[0,4]}})", 4),
       "dtype as a string"},
      {"dtype with terminal codes", file_of(one("\\u001b[2J", "[4]", "[0,4]"), 4), "\\x1b"},
      {"negative extent", file_of(one("U8", "[-4]", "[0,4]"), 4), "negative"},
      {"two negative extents", file_of(one("U8", "[-2,-2]", "[0,4]"), 4), "negative"},
      {"minus zero", file_of(one("U8", "[-0]", "[0,0]"), 0), "negative"},
      {"extent as float", file_of(one("U8", "[4.0]", "[0,4]"), 4), "an integer"},
      {"extent with exponent", file_of(one("U8", "[4e0]", "[0,4]"), 4), "an integer"},
      {"extent as text", file_of(one("U8", "[\"4\"]", "[0,4]"), 4), "an integer"},
      {"extent null", file_of(one("U8", "[null]", "[0,4]"), 4), "an integer"},
      {"extent true", file_of(one("U8", "[true]", "[0,4]"), 4), "an integer"},
      {"extent of 2^63", file_of(one("U8", "[9223372036854775808]", "[0,4]"), 4), "63 bits"},
      {"extent of 2^64", file_of(one("U8", "[18446744073709551616]", "[0,4]"), 4), "an integer"},
      {"shape wraps to 4", file_of(one("U8", "[4611686018427387905,4]", "[0,4]"), 4), "overflows"},
      {"bytes wrap to 0", file_of(one("F64", "[2305843009213693952]", "[0,0]"), 0), "overflows"},
      {"wraps, then times 0",
       file_of(one("U8", "[4611686018427387904,4611686018427387904,0]", "[0,0]"), 0), "overflows"},
      {"too many dimensions",
       file_of(one("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
                   "[0,1]"),
               1),
       "more than"},
      {"offset as float", file_of(one("U8", "[4]", "[0.0,4]"), 4), "an integer"},
      {"offset negative", file_of(one("U8", "[4]", "[-4,0]"), 4), "negative"},
      {"offset of 2^64", file_of(one("U8", "[4]", "[0,18446744073709551620]"), 4), "an integer"},
      {"one offset", file_of(one("U8", "[4]", "[4]"), 4), "two numbers"},
      {"three offsets", file_of(one("U8", "[4]", "[0,4,4]"), 4), "more than two"},
      {"no offsets at all", file_of(one("U8", "[0]", "[]"), 0), "two numbers"},
      {"offset null", file_of(one("U8", "[4]", "[0,null]"), 4), "an integer"},
      {"end before begin", file_of(one("U8", "[4]", "[4,0]"), 4), "before it begins"},
      {"difference wraps", file_of(one("U8", "[4]", "[18446744073709551615,3]"), 4),
       "before it begins"},
  };
}

std::vector<Attack> span_attacks() {
  return {
      {"shape larger than span", file_of(one("U8", "[5]", "[0,4]"), 4), "shape in U8 needs 5"},
      {"shape smaller than span", file_of(one("U8", "[3]", "[0,4]"), 4), "shape in U8 needs 3"},
      {"element size ignored", file_of(one("F32", "[4]", "[0,4]"), 4), "shape in F32 needs 16"},
      {"span past the end", file_of(one("U8", "[400]", "[0,400]"), 4), "it is truncated"},
      {"exabyte span", file_of(one("U8", "[1152921504606846976]", "[0,1152921504606846976]"), 4),
       "it is truncated"},
      {"begins after 0", file_of(one("U8", "[3]", "[1,4]"), 4), "gap"},
      {"bytes left over", file_of(one("U8", "[4]", "[0,4]"), 5), "appended"},
      {"no tensors, but data", file_of("{}", 4), "appended"},
      {"gap", file_of(two("[0,4]", "[5,9]"), 9), "gap"},
      {"overlap", file_of(two("[0,4]", "[3,7]"), 7), "overlaps"},
      {"same bytes twice", file_of(two("[0,4]", "[0,4]"), 4), "overlaps"},
      {"empty tensor in the middle of another",
       file_of(R"({"a":)" + tensor("U8", "[4]", "[0,4]") + R"(,"b":)" +
                   tensor("U8", "[0]", "[2,2]") + "}",
               4),
       "overlaps"},
      {"empty tensor beyond the end", file_of(one("U8", "[0]", "[9,9]"), 0), "gap"},
  };
}

TEST(Attacks, EachIsRefusedAndTheRuleIsNamed) {
  size_t count = 0;
  for (const auto& group :
       {header_attacks(), structure_attacks(), number_attacks(), span_attacks()}) {
    for (const Attack& attack : group) {
      const std::string message = reason(attack.bytes);
      EXPECT_NE(message.find(attack.rule), std::string::npos) << attack.name << ": " << message;
      EXPECT_EQ(message.substr(0, 7), "attack:") << message;
      EXPECT_LT(message.size(), 400U);
      EXPECT_EQ(message.find('\x1b'), std::string::npos);
      ++count;
    }
  }
  EXPECT_GE(count, 75U);
}

// Control: valid files like those from which the attacks are derived are accepted.
TEST(Attacks, SimilarValidFilesAreAccepted) {
  const std::vector<std::vector<std::byte>> honest = {
      file_of(one("U8", "[4]", "[0,4]"), 4),
      file_of(one("U8", "[4]", "[0,4]") + "   \n", 4),
      file_of(one("F32", "[]", "[0,4]"), 4),
      file_of(one("U8", "[4611686018427387904,0]", "[0,0]"), 0),
      file_of(two("[0,4]", "[4,8]"), 8),
      file_of(two("[4,8]", "[0,4]"), 8),
      file_of(R"({"a":{"data_offsets":[0,4],"shape":[2,2],"dtype":"U8"},"__metadata__":{"x":"1"}})",
              4),
      file_of(R"({"b":)" + tensor("U8", "[4]", "[0,4]") + R"(,"a":)" +
                  tensor("U8", "[0]", "[0,0]") + "}",
              4),
      file_of("{}", 0),
  };
  for (const std::vector<std::byte>& bytes : honest) EXPECT_EQ(reason(bytes), "");
  const TensorFile file = parse_safetensors(honest[5], "honest");
  EXPECT_EQ(file.tensors.front().name, "b");  // in the order of the data; the header has "a" first
}

TEST(Attacks, FloodsOfEntriesEndSoon) {
  std::string tensors = "{", metadata = R"({"__metadata__":{)";
  for (int i = 0; i < 140000; ++i) {
    const char* comma = i == 0 ? "" : ",";
    tensors += fmt::format(R"({}"{}":{})", comma, i, tensor("U8", "[0]", "[0,0]"));
    metadata += fmt::format(R"({}"{}":"")", comma, i);
  }
  const std::clock_t start = std::clock();  // CPU time, because other processes may run
  EXPECT_NE(reason(file_of(tensors + "}", 0)).find("too many tensors"), std::string::npos);
  EXPECT_NE(reason(file_of(metadata + "}}", 0)).find("too many metadata"), std::string::npos);
  EXPECT_LT(std::clock() - start, 5 * CLOCKS_PER_SEC);
}

class FileAttacks : public TemporaryFolderTest {};

// A short file that announces exabytes must not cost memory. The address space is limited, so that
// a large allocation would cause an out-of-memory error instead of the expected message.
TEST_F(FileAttacks, NothingIsAllocatedFromAnnouncedSizes) {
  const std::vector<std::byte> bytes =
      file_of(one("U8", "[1152921504606846976]", "[0,1152921504606846976]"), 4);
  write_file_durably(folder_ / "big.safetensors",
                     std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                     ExitCode::kCheckpoint);
  const int signal = signal_of_child([&] {
    const rlimit limit{uint64_t{1} << 30, uint64_t{1} << 30};
    ::setrlimit(RLIMIT_AS, &limit);
    const std::string message = error_of([&] { read_safetensors(folder_ / "big.safetensors"); });
    if (message.find("it is truncated") == std::string::npos) ::abort();
  });
  EXPECT_EQ(signal, 0);
}

TEST_F(FileAttacks, ASparseFileOfManyTerabytesIsAnErrorAboutMemory) {
  const uint64_t size = uint64_t{1} << 42;
  std::string header = one("U8", fmt::format("[{}]", size), fmt::format("[0,{}]", size));
  const std::vector<std::byte> head = file_of(header, 0);
  const fs::path path = folder_ / "sparse.safetensors";
  write_file_durably(path,
                     std::string_view(reinterpret_cast<const char*>(head.data()), head.size()),
                     ExitCode::kCheckpoint);
  std::error_code unsupported;
  fs::resize_file(path, head.size() + size, unsupported);
  if (unsupported) GTEST_SKIP() << "this file system has no sparse files of 4 TB";
  const int signal = signal_of_child([&] {
    const rlimit limit{uint64_t{1} << 32, uint64_t{1} << 32};
    ::setrlimit(RLIMIT_AS, &limit);
    try {
      read_safetensors(path);
    } catch (const Error& error) {
      if (error.code() == ExitCode::kDevice) return;
    }
    ::abort();
  });
  EXPECT_EQ(signal, 0);
}

TEST_F(FileAttacks, PipesFoldersAndDevicesAreRefusedAtOnce) {
  const fs::path pipe = folder_ / "pipe.safetensors";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const fs::path& path : {pipe, folder_, fs::path("/dev/zero")}) {
    EXPECT_NE(error_of([&] { read_safetensors(path); }).find("not a regular file"),
              std::string::npos);
  }
  EXPECT_NE(error_of([&] { read_safetensors(folder_ / "none"); }).find("No such file"),
            std::string::npos);
}

}  // namespace
}  // namespace fcm::formats
