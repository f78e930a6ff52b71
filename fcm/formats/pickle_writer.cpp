#include "fcm/formats/pickle_writer.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/formats/pickle_interpreter.h"
#include "fcm/formats/pickle_opcodes.h"
#include "fcm/formats/pickle_tree.h"
#include "fcm/formats/safetensors_header.h"
#include "fcm/formats/storage_types.h"

namespace fcm::formats {
namespace {

constexpr size_t kBatch = 1000;  // items per MARK, as in Python's pickler

class Writer {
 public:
  Writer(std::span<const TensorView> tensors, const std::string& file)
      : tensors_(tensors), file_(file) {}

  PickledObject run(const Value& root) {
    op(Opcode::kProto);
    text_ += '\x02';
    put(root, 0);
    op(Opcode::kStop);
    return {std::move(text_), std::move(storages_)};
  }

 private:
  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ExitCode::kCheckpoint, "{}: cannot be written: {}", file_,
         fmt::format(format, std::forward<Args>(args)...));
  }

  void op(Opcode code) { text_ += static_cast<char>(code); }

  template <typename T>
  void number(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }

  void put(const Value& value, size_t depth) {
    if (depth > kMaxDepth) refuse("nested deeper than {} levels", kMaxDepth);
    std::visit([&](const auto& held) { put_one(held, depth); }, value.data);
  }

  void put_one(std::monostate, size_t) { op(Opcode::kNone); }
  void put_one(bool flag, size_t) { op(flag ? Opcode::kNewTrue : Opcode::kNewFalse); }
  void put_one(int64_t value, size_t) { put_int(value); }
  void put_one(const std::string& text, size_t) { put_text(text); }
  void put_one(const Value::Namespace&, size_t) {
    refuse("an argparse.Namespace, which weights_only=True refuses; use a dict");
  }
  void put_one(const Value::Path&, size_t) {
    refuse("a path, which weights_only=True refuses; use text");
  }

  void put_one(const Value::Opaque& opaque, size_t) {
    refuse("{}, which was not read", shown(opaque.what));
  }

  void put_one(double value, size_t) {
    op(Opcode::kBinFloat);
    number(__builtin_bswap64(std::bit_cast<uint64_t>(value)));
  }

  // Protocol 2 has no opcode for bytes; writes them as text, with a call that encodes it.
  void put_one(const Value::Bytes& bytes, size_t) {
    put_global("_codecs", "encode");
    put_text(utf8_from_latin1(bytes.data));
    put_text("latin1");
    op(Opcode::kTuple2);
    op(Opcode::kReduce);
  }

  void put_one(const Value::List& items, size_t depth) {
    op(Opcode::kEmptyList);
    for (size_t begin = 0; begin < items.size(); begin += kBatch) {
      op(Opcode::kMark);
      const size_t end = std::min(begin + kBatch, items.size());
      for (size_t i = begin; i < end; ++i) put(items[i], depth + 1);
      op(Opcode::kAppends);
    }
  }

  void put_one(const Value::Tuple& tuple, size_t depth) {
    op(Opcode::kMark);
    for (const Value& item : tuple.items) put(item, depth + 1);
    op(Opcode::kTuple);
  }

  void put_one(const Value::Size& size, size_t) {
    put_global("torch", "Size");
    put_ints(size.extents);
    op(Opcode::kTuple1);
    op(Opcode::kReduce);
  }

  void put_one(const Value::Dict& dict, size_t depth) {
    if (dict.ordered) {
      put_empty_ordered_dict();
    } else {
      op(Opcode::kEmptyDict);
    }
    for (size_t begin = 0; begin < dict.items.size(); begin += kBatch) {
      op(Opcode::kMark);
      const size_t end = std::min(begin + kBatch, dict.items.size());
      for (size_t i = begin; i < end; ++i) {
        put(dict.items[i].key, depth + 1);
        put(dict.items[i].value, depth + 1);
      }
      op(Opcode::kSetItems);
    }
  }

  void put_one(const Value::Tensor& tensor, size_t) {
    require(tensor.index < tensors_.size(),
            "pickle: a value has tensor index {}, but there are only {} tensors", tensor.index,
            tensors_.size());
    if (!tensor.parameter) return put_tensor(tensors_[tensor.index]);
    put_global("torch._utils", "_rebuild_parameter");
    put_tensor(tensors_[tensor.index]);
    op(Opcode::kNewTrue);  // requires_grad
    put_empty_ordered_dict();
    op(Opcode::kTuple3);
    op(Opcode::kReduce);
  }

  void put_tensor(const TensorView& tensor) {
    const auto* const type =
        std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                     [&](const StorageType& candidate) { return candidate.dtype == tensor.dtype; });
    if (type == kStorageTypes.end()) {
      refuse("tensor {} has type {}, for which PyTorch has no storage", shown(tensor.name),
             shown(tensor.dtype));
    }
    if (bytes_of(tensor.dtype, tensor.shape) != tensor.bytes.size()) {
      refuse("tensor {} has {} bytes, which does not match its shape [{}] of {}",
             shown(tensor.name), tensor.bytes.size(), fmt::join(tensor.shape, ", "), tensor.dtype);
    }
    put_global("torch._utils", "_rebuild_tensor_v2");
    op(Opcode::kMark);
    put_storage(tensor, type->name);
    put_int(0);  // offset
    put_ints(tensor.shape);
    put_ints(row_major_strides(tensor.shape));
    op(Opcode::kNewFalse);  // requires_grad
    put_empty_ordered_dict();
    op(Opcode::kTuple);
    op(Opcode::kReduce);
  }

  void put_storage(const TensorView& tensor, std::string_view type) {
    const auto [place, is_new] =
        keys_.emplace(std::tuple(tensor.bytes.data(), tensor.bytes.size(), type), storages_.size());
    if (is_new) storages_.push_back(tensor.bytes);
    op(Opcode::kMark);
    put_shared_text("storage");
    put_global("torch", type);
    put_text(std::to_string(place->second));
    put_shared_text("cpu");
    put_int(static_cast<int64_t>(tensor.bytes.size() / *bytes_per_element(tensor.dtype)));
    op(Opcode::kTuple);
    op(Opcode::kBinPersId);
  }

  // As in PyTorch, an extent of 0 counts as 1.
  static std::vector<int64_t> row_major_strides(const std::vector<int64_t>& shape) {
    std::vector<int64_t> strides(shape.size(), 1);
    for (size_t i = shape.size(); i-- > 1;) {
      strides[i - 1] = strides[i] * std::max<int64_t>(1, shape[i]);
    }
    return strides;
  }

  void put_ints(const std::vector<int64_t>& numbers) {
    op(Opcode::kMark);
    for (const int64_t value : numbers) put_int(value);
    op(Opcode::kTuple);
  }

  void put_int(int64_t value) {
    if (value >= 0 && value <= 0xff) {
      op(Opcode::kBinInt1);
      number(static_cast<uint8_t>(value));
    } else if (value >= std::numeric_limits<int32_t>::min() &&
               value <= std::numeric_limits<int32_t>::max()) {
      op(Opcode::kBinInt);
      number(static_cast<int32_t>(value));
    } else {
      op(Opcode::kLong1);
      text_ += '\x08';
      number(value);
    }
  }

  void put_text(std::string_view text) {
    if (text.size() > kMaxTextBytes) refuse("a text of {} bytes", text.size());
    op(Opcode::kBinUnicode);
    number(static_cast<uint32_t>(text.size()));
    text_ += text;
  }

  void put_empty_ordered_dict() {
    put_global("collections", "OrderedDict");
    op(Opcode::kEmptyTuple);
    op(Opcode::kReduce);
  }

  void put_shared_text(std::string_view text) {
    put_once("text " + std::string(text), [&] { put_text(text); });
  }

  void put_global(std::string_view module, std::string_view name) {
    put_once(fmt::format("{} {}", module, name),
             [&] { text_ += fmt::format("c{}\n{}\n", module, name); });
  }

  // Calls `action` at the first use of `what`; later uses fetch the result from the memo.
  template <typename Action>
  void put_once(const std::string& what, const Action& action) {
    const auto [place, is_new] = memo_.emplace(what, static_cast<uint8_t>(memo_.size()));
    if (is_new) action();
    op(is_new ? Opcode::kBinPut : Opcode::kBinGet);
    number(place->second);
  }

  std::span<const TensorView> tensors_;
  const std::string& file_;
  std::string text_;
  std::vector<std::span<const std::byte>> storages_;
  std::map<std::tuple<const std::byte*, size_t, std::string_view>, size_t> keys_;
  std::map<std::string, uint8_t> memo_;  // globals and two texts: fewer than 20
};

}  // namespace

PickledObject to_pickle(const Value& root, std::span<const TensorView> tensors,
                        const std::string& file) {
  PickledObject object = Writer(tensors, file).run(root);
  // Reads the new pickle, so that no file is written that could not be read.
  const std::string what = file + ": cannot be written";
  expand(run_pickle(std::as_bytes(std::span(object.pickle)), what), what);
  return object;
}

}  // namespace fcm::formats
