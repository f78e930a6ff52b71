// Compares the JSON reader, which reads files in chunks, with a general parser.
#include "fcm/loader/sources/json_reader.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "fcm/base/random.h"
#include "tests/image/support.h"
#include "tests/support/scratch.h"

namespace fcm::loader {
namespace {

using test::data_error;
using Tree = nlohmann::json;

class JsonReaderTest : public testing::Test {
 protected:
  JsonReader reader(const std::string& text) { return JsonReader(folder_.write("x.json", text)); }

  // Reads the next value with everything in it.
  static Tree tree_of(JsonReader& json) {
    switch (json.kind()) {
      case JsonReader::Kind::kObject: {
        Tree tree = Tree::object();
        json.object([&](std::string_view key) {
          const std::string name(key);
          tree[name] = tree_of(json);
        });
        return tree;
      }
      case JsonReader::Kind::kArray: {
        Tree tree = Tree::array();
        json.array([&] { tree.push_back(tree_of(json)); });
        return tree;
      }
      case JsonReader::Kind::kText:
        return std::string(json.text());
      case JsonReader::Kind::kNumber:
        return json.number();
      case JsonReader::Kind::kWord:
        break;
    }
    const std::string_view word = json.word();
    return word == "null" ? Tree() : Tree(word == "true");
  }
  Tree read_whole(const std::string& text) {
    JsonReader json = reader(text);
    Tree tree = tree_of(json);
    json.end();
    return tree;
  }
  void skip_whole(const std::string& text) {
    JsonReader json = reader(text);
    json.skip();
    json.end();
  }

  test::Scratch folder_;
};

constexpr const char* kSmall =
    " {\"a\" : [1, -2.5e3, 0.1, [] , {}, {\"b\":null}], \"\\u00e9\\n\\\"\":\"x\\\\\\/\\ud83d\\ude00\",\n"
    "\t\"c\": [true,false,[[[\"\"]]]] }\r\n";

TEST_F(JsonReaderTest, ReadsWhatAGeneralParserReads) {
  EXPECT_EQ(read_whole(kSmall), Tree::parse(kSmall));
  EXPECT_EQ(read_whole("\xEF\xBB\xBF[3]"), Tree::parse("[3]"));
  EXPECT_EQ(read_whole("7"), Tree(7));
  EXPECT_EQ(read_whole("\"\""), Tree(""));
  skip_whole(kSmall);
}

TEST_F(JsonReaderTest, EveryCutIsRefused) {
  const std::string whole = std::string(kSmall).substr(0, std::string(kSmall).rfind('}') + 1);
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    EXPECT_NE(data_error([&] { read_whole(cut); }).find("x.json cannot be read as JSON: at byte"),
              std::string::npos);
    EXPECT_NE(data_error([&] { skip_whole(cut); }), "") << size;
  }
}

TEST_F(JsonReaderTest, WhatIsNoJsonIsRefused) {
  for (const char* text : {"[1 2]",
                           "[1,]",
                           "{\"a\" 1}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "[nul]",
                           "[tru]",
                           "[+1]",
                           "[--1]",
                           "[\"\\x\"]",
                           "[\"\\u12\"]",
                           "[\"\\ud800\"]",
                           "[\"\\ud800\\u0041\"]",
                           "[1]]",
                           "{]",
                           "[}",
                           "[1.2.3]",
                           "\"",
                           "[\"a]",
                           "{\"a\":}",
                           "[,1]",
                           "[-]"}) {
    EXPECT_NE(data_error([&] { read_whole(text); }), "") << text;
    EXPECT_NE(data_error([&] { skip_whole(text); }), "") << text;
  }
  JsonReader json = reader("{\"a\": 1}");
  EXPECT_NE(data_error([&] { json.number(); }).find("expected a number"), std::string::npos);
  EXPECT_NE(data_error([&] { json.text(); }).find("expected a string"), std::string::npos);
  EXPECT_NE(data_error([&] { json.array([] {}); }).find("expected a JSON list"), std::string::npos);
}

TEST_F(JsonReaderTest, NumbersAsPythonWritesThem) {
  JsonReader json =
      reader("[NaN, Infinity, -Infinity, 1e999, -1e999, 1e-999, 12345678901234567890]");
  std::vector<double> numbers;
  json.array([&] { numbers.push_back(json.number()); });
  ASSERT_EQ(numbers.size(), 7u);
  EXPECT_TRUE(std::isnan(numbers[0]));
  EXPECT_EQ(numbers[1], INFINITY);
  EXPECT_EQ(numbers[2], -INFINITY);
  EXPECT_EQ(numbers[3], INFINITY);
  EXPECT_EQ(numbers[4], -INFINITY);
  EXPECT_EQ(numbers[5], 0);
  EXPECT_EQ(numbers[6], 12345678901234567890.0);

  JsonReader whole =
      reader("[1, -3, 4.0, 2e3, 0.5, 1e300, 9223372036854775807, 9223372036854775808, NaN]");
  std::vector<std::optional<int64_t>> got;
  whole.array([&] { got.push_back(whole.whole_number()); });
  EXPECT_EQ(got, (std::vector<std::optional<int64_t>>{1, -3, 4, 2000, std::nullopt, std::nullopt,
                                                      INT64_MAX, std::nullopt, std::nullopt}));
}

// The texts are larger than the chunks in which files are read, so that every kind of value crosses
// a boundary between chunks.
TEST_F(JsonReaderTest, LargeFilesAcrossTheirSeams) {
  for (uint64_t number = 0; number < 4; ++number) {
    KeyedRandom random(4, Purpose::kSynthetic, 0, number);
    Tree tree = Tree::array();
    for (int i = 0; i < 60'000; ++i) {
      switch (random.below(4)) {
        case 0:
          tree.push_back(std::round(1e5 * random.uniform_double()) / 100);
          break;
        case 1:
          tree.push_back(std::string(random.below(90), 'a') + (random.below(2) == 0 ? "\n\"" : ""));
          break;
        case 2:
          tree.push_back({{std::string(1 + random.below(9), 'k'), {1, true, nullptr}}});
          break;
        default:
          tree.push_back(random.normal());
      }
    }
    tree.push_back(std::string(3'000'000 + random.below(1000), 'x'));
    tree.push_back(7);
    const std::string text = tree.dump(number % 2 == 0 ? -1 : 1);
    ASSERT_GT(text.size(), size_t{1} << 22);
    EXPECT_TRUE(read_whole(text) == tree) << number;
    skip_whole(text);
  }
}

TEST_F(JsonReaderTest, WhatIsTooDeepOrTooLongIsRefused) {
  skip_whole(std::string(5000, '[') + std::string(5000, ']'));
  EXPECT_NE(
      data_error([&] { skip_whole(std::string(1'000'000, '[')); }).find("10000 open brackets"),
      std::string::npos);
  EXPECT_NE(data_error([&] {
              read_whole("[" + std::string(600, '1') + "]");
            }).find("more than 511 characters"),
            std::string::npos);
  EXPECT_NE(data_error([&] {
              skip_whole("\"" + std::string(140'000'000, 'a') + "\"");
            }).find("more than 67108864 bytes"),
            std::string::npos);
}

// The limit of a string's length does not depend on where in the buffer it begins.
TEST_F(JsonReaderTest, TheLongestStringIsReadAndOneByteMoreIsNot) {
  constexpr size_t kLongest = size_t{1} << 26;
  for (const std::string& before : {std::string(), std::string("[1,  "), std::string(999, ' ')}) {
    const std::string after = before.starts_with('[') ? "\"]" : "\"";
    skip_whole(before + "\"" + std::string(kLongest, 'a') + after);
    skip_whole(before + "\"" + std::string(kLongest - 2, 'a') + "\\n" + after);
    for (const std::string& text :
         {std::string(kLongest + 1, 'a'), std::string(kLongest - 1, 'a') + "\\n"}) {
      EXPECT_NE(
          data_error([&] { skip_whole(before + "\"" + text + after); }).find("more than 67108864"),
          std::string::npos);
    }
  }
}

TEST_F(JsonReaderTest, AFileOfAnotherKindIsNamed) {
  for (const auto& [text, kind] : std::vector<std::pair<std::string, std::string>>{
           {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "a Git LFS pointer"},
           {"\x1f\x8b\x08", "gzip"},
           {"<!DOCTYPE html><html>", "a web page"},
           {std::string("\xFF\xFE{\0}\0", 6), "UTF-16 text: save it as UTF-8"}}) {
    const std::string message = data_error([&] { reader(text).kind(); });
    EXPECT_NE(message.find("at byte 0 of"), std::string::npos) << message;
    EXPECT_NE(message.find("expected a value, but the file is "), std::string::npos) << message;
    EXPECT_NE(message.find(kind), std::string::npos) << message;
  }
  const std::string later = data_error([&] { read_whole("[<svg"); });
  EXPECT_TRUE(later.ends_with("at byte 1 of 5: expected a value")) << later;
}

}  // namespace
}  // namespace fcm::loader
