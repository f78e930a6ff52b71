#include "fcm/loader/sources/json_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "fcm/base/content.h"
#include "fcm/base/error.h"

namespace fcm::loader {
namespace {

constexpr size_t kChunk = size_t{1} << 20;
constexpr size_t kLongestString = size_t{1} << 26;
constexpr size_t kLongestNumber = 512;
constexpr size_t kDeepest = 10'000;

bool is_blank(char letter) {
  return letter == ' ' || letter == '\n' || letter == '\r' || letter == '\t';
}

void append_utf8(std::string& text, uint32_t point) {
  const auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  const auto rest = [&](int shift) { put(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) return put(point);
  if (point < 0x800) return put(0xC0 | point >> 6), rest(0);
  if (point < 0x10000) return put(0xE0 | point >> 12), rest(6), rest(0);
  put(0xF0 | point >> 18), rest(12), rest(6), rest(0);
}

}  // namespace

JsonReader::JsonReader(const std::filesystem::path& path)
    : file_(path), buffer_(static_cast<size_t>(std::min<uint64_t>(file_.size() + 1, kChunk))) {
  constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";
  more();
  if (std::string_view(at(), end_ - begin_).starts_with(kUtf8Mark)) begin_ += kUtf8Mark.size();
}

void JsonReader::refuse(std::string_view why) const {
  fail(ExitCode::kData, "{} cannot be read as JSON: at byte {} of {}: {}", file_.path().string(),
       read_ - (end_ - begin_), file_.size(), why);
}

void JsonReader::refuse_value() const {
  std::string begin(std::min<uint64_t>(file_.size(), kContentBytes), '\0');
  file_.read(0, {reinterpret_cast<uint8_t*>(begin.data()), begin.size()});
  const bool is_beginning = std::ranges::all_of(begin.substr(0, read_ - (end_ - begin_)), is_blank);
  const bool is_utf16 = begin.starts_with("\xFF\xFE") || begin.starts_with("\xFE\xFF");
  const std::string kind = is_utf16 ? "UTF-16 text: save it as UTF-8" : content_kind(begin);
  if (!is_beginning || kind.empty()) refuse("expected a value");
  refuse("expected a value, but the file is " + kind);
}

bool JsonReader::more() {
  const uint64_t left = file_.size() - read_;
  if (left == 0) return false;
  std::memmove(buffer_.data(), at(), end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ * 2 > buffer_.size()) buffer_.resize(buffer_.size() * 2);
  const auto count = static_cast<size_t>(std::min<uint64_t>(left, buffer_.size() - end_));
  file_.read(read_, {reinterpret_cast<uint8_t*>(buffer_.data()) + end_, count});
  end_ += count;
  read_ += count;
  return true;
}

void JsonReader::need(size_t bytes) {
  while (end_ - begin_ < bytes && more()) {
  }
}

char JsonReader::peek() {
  while (true) {
    while (begin_ < end_ && is_blank(buffer_[begin_])) ++begin_;
    if (begin_ < end_) return buffer_[begin_];
    if (!more()) refuse("unexpected end of the file");
  }
}

JsonReader::Kind JsonReader::kind() {
  const char first = peek();
  switch (first) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kText;
    case 't':
    case 'f':
    case 'n':
      return Kind::kWord;
    case '-':
    case 'N':
    case 'I':
      return Kind::kNumber;
    default:
      if (first < '0' || first > '9') refuse_value();
      return Kind::kNumber;
  }
}

double JsonReader::number() {
  if (kind() != Kind::kNumber) refuse("expected a number");
  need(kLongestNumber);
  double value = 0;
  const auto [stop, fault] = std::from_chars(at(), end_of_buffer(), value);
  if (fault == std::errc::invalid_argument) refuse("expected a number");
  const auto length = static_cast<size_t>(stop - at());
  if (length >= kLongestNumber) refuse("a number of more than 511 characters");
  if (fault == std::errc::result_out_of_range) {  // overflow or underflow
    value = std::strtod(std::string(at(), length).c_str(), nullptr);
  }
  begin_ += length;
  return value;
}

std::optional<int64_t> JsonReader::whole_number() {
  if (kind() != Kind::kNumber) refuse("expected a number");
  need(kLongestNumber);
  int64_t whole = 0;
  const auto [stop, fault] = std::from_chars(at(), end_of_buffer(), whole);
  const bool goes_on = stop != end_of_buffer() && (*stop == '.' || *stop == 'e' || *stop == 'E');
  if (fault == std::errc() && !goes_on) {
    begin_ += static_cast<size_t>(stop - at());
    return whole;
  }
  constexpr double kExact = 9007199254740992.0;  // 2^53: up to here doubles hold every integer
  const double value = number();
  if (!(std::abs(value) <= kExact) || value != std::floor(value)) return std::nullopt;
  return static_cast<int64_t>(value);
}

size_t JsonReader::end_of_text(bool& escaped) {
  escaped = false;
  size_t place = begin_ + 1;
  while (true) {
    while (place < end_ && buffer_[place] != '"' && buffer_[place] != '\\') ++place;
    // Checked before more(), so that memory stays bounded.
    if (place - begin_ - 1 > kLongestString) refuse("a string of more than 67108864 bytes");
    if (place + 1 < end_ || (place < end_ && buffer_[place] == '"')) {
      if (buffer_[place] == '"') return place;
      escaped = true;
      place += 2;
      continue;
    }
    const size_t taken = place - begin_;
    if (!more()) refuse("an unterminated string");
    place = begin_ + taken;
  }
}

std::string_view JsonReader::text() {
  if (peek() != '"') refuse("expected a string");
  bool escaped = false;
  const size_t end = end_of_text(escaped);
  const std::string_view inside(buffer_.data() + begin_ + 1, end - begin_ - 1);
  const std::string_view value = escaped ? unescaped(inside) : inside;
  begin_ = end + 1;
  return value;
}

uint32_t JsonReader::code_unit(std::string_view text, size_t at) const {
  uint32_t unit = 0;
  const std::string_view digits = text.substr(std::min(at, text.size()), 4);
  const auto [stop, fault] =
      std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
  if (digits.size() < 4 || fault != std::errc() || stop != digits.data() + 4) {
    refuse("a string with \\u but without four hexadecimal digits after it");
  }
  return unit;
}

std::string_view JsonReader::unescaped(std::string_view text) {
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
  unescaped_.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      unescaped_.push_back(text[i]);
      continue;
    }
    const char letter = text[++i];  // exists, as end_of_text checked
    if (const size_t known = kLetters.find(letter); known != kLetters.npos) {
      unescaped_.push_back(kMeant[known]);
      continue;
    }
    if (letter != 'u') refuse("a string with an unknown escape");
    uint32_t point = code_unit(text, i + 1);
    i += 4;
    if (point >= 0xD800 && point < 0xDC00) {
      if (text.substr(i + 1, 2) != "\\u") refuse("a string with an unpaired surrogate");
      const uint32_t low = code_unit(text, i + 3);
      if (low < 0xDC00 || low >= 0xE000) refuse("a string with an unpaired surrogate");
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
      i += 6;
    } else if (point >= 0xDC80 && point < 0xDD00) {  // Python's surrogateescape
      unescaped_.push_back(static_cast<char>(point - 0xDC00));
      continue;
    }
    append_utf8(unescaped_, point);
  }
  return unescaped_;
}

std::string_view JsonReader::word() {
  constexpr std::string_view kWords[] = {"true", "false", "null"};
  peek();
  need(kWords[1].size());
  for (const std::string_view word : kWords) {
    if (!std::string_view(at(), end_ - begin_).starts_with(word)) continue;
    begin_ += word.size();
    return word;
  }
  refuse("expected a value");
}

void JsonReader::open(char bracket, std::string_view what) {
  if (peek() != bracket) refuse(fmt::format("expected a JSON {}", what.substr(what.find(' ') + 1)));
  ++begin_;
}

bool JsonReader::has_next(bool first, char closing) {
  const char next = peek();
  if (next == closing) {
    ++begin_;
    return false;
  }
  if (first) return true;
  if (next != ',') refuse("expected a comma or a closing bracket");
  ++begin_;
  return true;
}

std::string_view JsonReader::key() {
  key_ = text();
  if (peek() != ':') refuse("expected a colon after a key");
  ++begin_;
  return key_;
}

void JsonReader::skip_scalar() {
  switch (kind()) {
    case Kind::kText:
      text();
      return;
    case Kind::kNumber:
      number();
      return;
    default:
      word();
  }
}

void JsonReader::skip() {
  brackets_.clear();  // the closing brackets of the objects and lists that are open
  while (true) {
    const char first = peek();
    bool is_value = true;
    if (first == '{' || first == '[') {
      ++begin_;
      if (brackets_.size() == kDeepest) refuse("more than 10000 open brackets");
      brackets_.push_back(first == '{' ? '}' : ']');
      is_value = !has_next(/*first=*/true, brackets_.back());
      if (is_value) brackets_.pop_back();
    } else {
      skip_scalar();
    }
    while (is_value && !brackets_.empty()) {  // after a value
      if (has_next(/*first=*/false, brackets_.back())) break;
      brackets_.pop_back();
    }
    if (brackets_.empty()) return;
    if (brackets_.back() == '}') key();
  }
}

void JsonReader::end() {
  while (begin_ < end_ || more()) {
    if (!is_blank(buffer_[begin_])) refuse("unexpected text after the end of the JSON value");
    ++begin_;
  }
}

}  // namespace fcm::loader
