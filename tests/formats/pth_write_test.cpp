// Tests .pth files that this program writes; it reads them back, and so does Python's zipfile.
#include <array>
#include <bit>
#include <csignal>
#include <limits>

#include "fcm/base/random.h"
#include "tests/formats/pth_support.h"

namespace fcm::formats {
namespace {

constexpr std::array<std::pair<const char*, size_t>, 10> kWritten = {{{"F64", 8},
                                                                      {"F32", 4},
                                                                      {"F16", 2},
                                                                      {"BF16", 2},
                                                                      {"I64", 8},
                                                                      {"I32", 4},
                                                                      {"I16", 2},
                                                                      {"I8", 1},
                                                                      {"U8", 1},
                                                                      {"BOOL", 1}}};

Value text(const std::string& content) { return {content}; }
Value float_tensor(size_t index, bool parameter = false) {
  return {Value::Tensor{index, parameter}};
}

Value dict(std::vector<Value::Item> items, bool ordered = false) {
  return {Value::Dict{std::move(items), ordered}};
}

// Whether two trees are equal. Doubles are compared by bits, so NaN equals itself.
bool same(const Value& left, const Value& right);

bool same_list(const Value::List& left, const Value::List& right) {
  return std::ranges::equal(left, right, same);
}

bool same_dict(const Value::Dict& left, const Value::Dict& right) {
  return left.ordered == right.ordered &&
         std::ranges::equal(left.items, right.items,
                            [](const Value::Item& one, const Value::Item& other) {
                              return same(one.key, other.key) && same(one.value, other.value);
                            });
}

bool same(const Value& left, const Value& right) {
  if (left.data.index() != right.data.index()) return false;
  return std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        const T& other = std::get<T>(right.data);
        if constexpr (std::is_same_v<T, std::monostate>) {
          return true;
        } else if constexpr (std::is_same_v<T, double>) {
          return std::bit_cast<uint64_t>(held) == std::bit_cast<uint64_t>(other);
        } else if constexpr (std::is_same_v<T, Value::List>) {
          return same_list(held, other);
        } else if constexpr (std::is_same_v<T, Value::Tuple>) {
          return same_list(held.items, other.items);
        } else if constexpr (std::is_same_v<T, Value::Dict>) {
          return same_dict(held, other);
        } else if constexpr (std::is_same_v<T, Value::Namespace>) {
          return same_dict(held.members, other.members);
        } else if constexpr (std::is_same_v<T, Value::Size>) {
          return held.extents == other.extents;
        } else if constexpr (std::is_same_v<T, Value::Bytes>) {
          return held.data == other.data;
        } else if constexpr (std::is_same_v<T, Value::Path>) {
          return held.text == other.text;
        } else if constexpr (std::is_same_v<T, Value::Opaque>) {
          return held.what == other.what && same_dict(held.members, other.members);
        } else if constexpr (std::is_same_v<T, Value::Tensor>) {
          return held.index == other.index && held.parameter == other.parameter;
        } else {
          return held == other;
        }
      },
      left.data);
}

class PthWriteTest : public TemporaryFolderTest {
 protected:
  fs::path path() const { return folder_ / "file.pth"; }
  PthFile written(const Value& root, std::span<const TensorView> tensors) const {
    write_pth(path(), root, tensors);
    return read_pth(path());
  }
};

// The elements are random bytes, so they include NaN payloads, signed zeros and subnormal numbers.
TEST_F(PthWriteTest, EveryTypeComesBackBitByBit) {
  KeyedRandom random(1, Purpose::kSynthetic, 0, 0);
  std::vector<std::vector<std::byte>> owners;
  std::vector<TensorView> tensors;
  Value::Dict root;
  for (const auto& [dtype, size] : kWritten) {
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{3, 5}, std::vector<int64_t>{}, std::vector<int64_t>{2, 0, 7}}) {
      size_t count = size;
      for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
      std::vector<std::byte>& bytes = owners.emplace_back(count);
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
      const std::string name = fmt::format("{}.{}", dtype, shape.size());
      root.items.emplace_back(text(name), float_tensor(tensors.size(), shape.empty()));
      tensors.push_back({name, dtype, shape, bytes});
    }
  }
  const PthFile file = written({root}, tensors);
  EXPECT_TRUE(same(file.root, {root}));
  ASSERT_EQ(file.tensors.size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorView &found = file.tensors[i], &wanted = tensors[i];
    EXPECT_EQ(found.name, wanted.name);
    EXPECT_EQ(found.dtype, wanted.dtype);
    EXPECT_EQ(found.shape, wanted.shape);
    EXPECT_TRUE(std::ranges::equal(found.bytes, wanted.bytes)) << wanted.name;
  }
  EXPECT_EQ(file.copies.size(), 0U);
  EXPECT_NO_THROW(verify_pth(path()));
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{"file.pth"});
}

TEST_F(PthWriteTest, EveryKindOfValueComesBack) {
  const double nan = std::bit_cast<double>(uint64_t{0x7ff8dead'beef0001});
  Value::List numbers = {{int64_t{0}}, {int64_t{255}}, {int64_t{256}}, {int64_t{-1}}};
  for (const int64_t value :
       {int64_t{1} << 31, -(int64_t{1} << 31), int64_t{65536}, std::numeric_limits<int64_t>::max(),
        std::numeric_limits<int64_t>::min()}) {
    numbers.push_back({value});
  }
  for (const double value : {0.1, -0.0, nan, 1e308}) numbers.push_back({value});
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes += static_cast<char>(i);
  const Value root =
      dict({{text("none"), {}},
            {text("flags"), {Value::Tuple{{{true}, {false}}}}},
            {text("numbers"), {numbers}},
            {text("text ü €"), text(std::string("a\0b \xf0\x9f\x98\x80", 8))},
            {text("bytes"), {Value::Bytes{all_bytes}}},
            {text("size"), {Value::Size{{3, 0, int64_t{1} << 40}}}},
            {text("empty"), {Value::Tuple{{{Value::List{}}, {Value::Tuple{}}, dict({})}}}},
            {{int64_t{7}}, dict({{{1.5}, {int64_t{1}}}, {{}, {int64_t{2}}}}, true)},
            {text("many"), {Value::List(2500, {int64_t{4}})}}},
           true);
  EXPECT_TRUE(same(written(root, {}).root, root));
  Value other = root;
  std::get<Value::Dict>(other.data).items[4].value = {Value::Bytes{all_bytes + "x"}};
  EXPECT_FALSE(same(written(root, {}).root, other));
}

TEST_F(PthWriteTest, TensorsOfTheSameBytesAreWrittenOnce) {
  const std::vector<float> values(1000, 2.5F);
  const auto bytes = std::as_bytes(std::span(values));
  const std::vector<TensorView> tensors = {{"a", "F32", {1000}, bytes},
                                           {"b", "F32", {10, 100}, bytes},
                                           {"c", "I32", {1000}, bytes},
                                           {"d", "F32", {500}, bytes.first(2000)}};
  const PthFile file = written(dict({{text("a"), float_tensor(0)},
                                     {text("b"), float_tensor(1)},
                                     {text("c"), float_tensor(2)},
                                     {text("d"), float_tensor(3)},
                                     {text("again"), float_tensor(0)}}),
                               tensors);
  ASSERT_EQ(file.tensors.size(), 5U);
  EXPECT_EQ(file.tensors[0].bytes.data(), file.tensors[1].bytes.data());
  EXPECT_EQ(file.tensors[0].bytes.data(), file.tensors[4].bytes.data());
  EXPECT_EQ(file.tensors[4].name, "again");
  EXPECT_NE(file.tensors[0].bytes.data(), file.tensors[2].bytes.data());
  EXPECT_GT(fs::file_size(path()), 4000U + 4000U + 2000U);
  EXPECT_LT(fs::file_size(path()), 4000U + 4000U + 2000U + 2500U);
}

TEST_F(PthWriteTest, DataBeginsAtMultiplesOf64) {
  const SmallState small(1);
  const PthFile file = written(
      dict({{text("weight"), float_tensor(0)}, {text("count"), float_tensor(1)}}), small.model());
  for (const TensorView& view : file.tensors) {
    EXPECT_EQ((view.bytes.data() - file.storage.data()) % 64, 0) << view.name;
  }
}

TEST_F(PthWriteTest, TheSameStateGivesTheSameFile) {
  const SmallState small(1);
  const Value root = dict({{text("weight"), float_tensor(0)}});
  written(root, small.model());
  const std::vector<std::byte> first = bytes_of_file(path());
  written(root, small.model());
  EXPECT_EQ(first, bytes_of_file(path()));
}

TEST_F(PthWriteTest, WhatCannotBeReadIsNotWritten) {
  const std::vector<float> values(4);
  const auto bytes = std::as_bytes(std::span(values));
  const auto reason = [&](const Value& root, const TensorView& view = {}) {
    return error_of([&] { write_pth(path(), root, std::span(&view, 1)); });
  };
  const auto says = [](const std::string& message, const char* part) {
    return message.find(part) != std::string::npos ? "" : part + (" missing in: " + message);
  };
  EXPECT_EQ(says(reason({Value::Namespace{}}), "Namespace"), "");
  EXPECT_EQ(says(reason({Value::Path{"a"}}), "path"), "");
  EXPECT_EQ(says(reason(text("\xff")), "not UTF-8"), "");
  EXPECT_EQ(says(reason(float_tensor(0), {"t", "F8_E4M3", {16}, bytes}), "no storage"), "");
  EXPECT_EQ(says(reason(float_tensor(0), {"t", "F32", {5}, bytes}), "has 16 bytes"), "");
  EXPECT_EQ(says(reason(float_tensor(0), {"t", "F32", {-4}, bytes}), "has 16 bytes"), "");
  EXPECT_EQ(says(reason(dict({{text("a"), {}}, {text("a"), {}}})), "duplicate key"), "");
  EXPECT_EQ(says(reason(dict({{{int64_t{1}}, {}}, {{true}, {}}})), "duplicate key"), "");
  EXPECT_EQ(says(reason(dict({{{Value::List{}}, {}}})), "key"), "");
  Value deep;
  for (int i = 0; i < 70; ++i) deep = {Value::List{deep}};
  EXPECT_EQ(says(reason(deep), "deeper"), "");
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(PthWriteTest, FailuresKeepTheFileThatWasThere) {
  const SmallState old_state(1), new_state(2);
  const Value root = dict({{text("weight"), float_tensor(0)}, {text("count"), float_tensor(1)}});
  const auto holds = [&](const SmallState& state) {
    const PthFile file = read_pth(path());
    return std::ranges::equal(file.tensors.at(1).bytes, state.model()[1].bytes) &&
           std::ranges::equal(file.tensors.at(0).bytes, state.model()[0].bytes);
  };
  write_pth(path(), root, old_state.model());
  failpoint::arm("checkpoint:0:kill");
  write_pth(path(), root, old_state.model());
  const int64_t points = failpoint::hits();
  ASSERT_GE(points, 20);
  int64_t failed = 0;
  for (int64_t point = 1; point <= points; ++point) {
    failpoint::arm(fmt::format("checkpoint:{}:ENOSPC", point));
    const std::string error = error_of([&] { write_pth(path(), root, new_state.model()); });
    failpoint::disarm();
    failed += error.empty() ? 0 : 1;
    EXPECT_TRUE(holds(new_state) || (!error.empty() && holds(old_state))) << point << error;
    EXPECT_EQ(names_in(folder_).size(), 1U) << point;
    write_pth(path(), root, old_state.model());
  }
  EXPECT_GE(failed, points - 3);  // the failpoints after an open cause no failure
  for (int64_t point = 1; point <= points; ++point) {
    EXPECT_EQ(signal_of_child([&] {
                failpoint::arm(fmt::format("checkpoint:{}:kill", point));
                write_pth(path(), root, new_state.model());
              }),
              SIGKILL);
    EXPECT_TRUE(holds(new_state) || holds(old_state)) << point;
  }
}

// Python's zipfile accepts the archive and its CRCs.
TEST_F(PthWriteTest, PythonsZipfileAcceptsIt) {
  if (std::system("python3 -c 'import zipfile' 2>/dev/null") != 0) GTEST_SKIP() << "no Python here";
  const SmallState small(1);
  const Value root = dict({{text("weight"), float_tensor(0)}, {text("nothing"), float_tensor(2)}});
  written(root, small.model());
  const auto test = [&] {
    return std::system(fmt::format("python3 -m zipfile -t {} >{}/log 2>&1 && ! grep -q corrupt "
                                   "{}/log",
                                   path().string(), folder_.string(), folder_.string())
                           .c_str());
  };
  EXPECT_EQ(test(), 0);
  std::vector<std::byte> bytes = bytes_of_file(path());
  const PthFile file = read_pth(path());
  bytes[static_cast<size_t>(file.tensors[0].bytes.data() - file.storage.data())] ^= std::byte{1};
  write_file_durably(path(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                     ExitCode::kCheckpoint);
  EXPECT_NE(test(), 0);
  EXPECT_NE(error_of([&] { verify_pth(path()); }).find("CRC-32"), std::string::npos);
  EXPECT_NO_THROW(read_pth(path()));  // a plain read does not check CRCs
}

}  // namespace
}  // namespace fcm::formats
