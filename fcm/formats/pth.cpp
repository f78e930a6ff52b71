#include "fcm/formats/pth.h"

#include <new>
#include <optional>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/formats/file_kind.h"
#include "fcm/formats/input_file.h"
#include "fcm/formats/legacy_container.h"
#include "fcm/formats/pickle_interpreter.h"
#include "fcm/formats/pickle_tree.h"
#include "fcm/formats/pth_parts.h"
#include "fcm/formats/safetensors_header.h"
#include "fcm/formats/strided.h"
#include "fcm/formats/zip_directory.h"

namespace fcm::formats {
namespace {

// Non-contiguous tensors are copied, and an expanded tensor may be far larger than the file. The
// copies may have as many bytes as the file (enough if all its tensors are channels-last) plus
// kMaxCopiedBytes.
constexpr uint64_t kMaxCopiedBytes = 16 << 20;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

PthParts parts_of_zip(const ZipDirectory& directory, const std::string& file) {
  const ZipMember* const order = directory.find("byteorder");
  if (order != nullptr && text_of(order->bytes) != "little") {
    fail(ExitCode::kCheckpoint, "{}: byteorder is {}; only little is read", file,
         shown(text_of(order->bytes)));
  }
  const ZipMember* const pickle = directory.find("data.pkl");
  if (pickle == nullptr) {
    fail(ExitCode::kCheckpoint, "{}: it contains no data.pkl, so it is not a PyTorch file", file);
  }
  PthParts parts;
  parts.graph = run_pickle(pickle->bytes, fmt::format("{}: data.pkl", file));
  if (parts.graph.end != pickle->bytes.size()) {
    fail(ExitCode::kCheckpoint, "{}: data.pkl has bytes after its end at byte {}", file,
         parts.graph.end);
  }
  for (const PickledStorage& storage : parts.graph.storages) {
    const ZipMember* const member = directory.find("data/" + storage.key);
    if (member == nullptr) {
      fail(ExitCode::kCheckpoint, "{}: storage {} is not in the archive", file, shown(storage.key));
    }
    if (member->bytes.size() != storage_bytes(storage, file)) {
      fail(ExitCode::kCheckpoint, "{}: storage {} has {} bytes, expected {} elements of {}", file,
           shown(storage.key), member->bytes.size(), storage.elements, storage.dtype);
    }
    parts.storages.push_back(member->bytes);
  }
  return parts;
}

// Converts descriptions of tensors into views: of the storage if the tensor is contiguous, else of
// a copy. Memory for all copies is allocated at once, after all checks.
class TensorBuilder {
 public:
  TensorBuilder(const PthParts& parts, uint64_t file_bytes, const std::string& file)
      : parts_(parts), budget_(file_bytes + kMaxCopiedBytes), file_(file) {}

  void add(const NamedTensor& named) {
    const PickledTensor& tensor = parts_.graph.tensors[named.tensor];
    const PickledStorage& storage = parts_.graph.storages[tensor.storage];
    Plan plan{named.tensor, {tensor.offset, extents(tensor.sizes), extents(tensor.strides)}, {}};
    const std::string what = fmt::format("{}: tensor {}", file_, shown(named.name));
    plan.extent = check_strided(plan.view, storage.elements, what);
    if (!plan.extent.contiguous && copies_.emplace(named.tensor, copied_).second) {
      uint64_t bytes = 0;
      if (__builtin_mul_overflow(plan.extent.elements, *bytes_per_element(storage.dtype), &bytes) ||
          bytes > budget_ - copied_) {
        fail(ExitCode::kCheckpoint,
             "{}: with it, non-contiguous tensors have more than {} bytes (the file's size plus "
             "{})",
             what, budget_, kMaxCopiedBytes);
      }
      copied_ += bytes;
    }
    plans_.push_back(std::move(plan));
    views_.push_back({named.name, std::string(storage.dtype), plans_.back().view.sizes, {}});
  }

  std::vector<TensorView> build(Buffer& copies) {
    copies = Buffer(copied_);
    for (const auto& [index, begin] : copies_) fill(index, copies.bytes().subspan(begin));
    for (size_t i = 0; i < plans_.size(); ++i) views_[i].bytes = bytes_of_plan(plans_[i], copies);
    return std::move(views_);
  }

 private:
  struct Plan {
    size_t tensor = 0;  // index into PickleGraph::tensors
    StridedView view;
    StridedExtent extent;
  };

  std::vector<int64_t> extents(uint64_t container) const {
    std::vector<int64_t> numbers;
    for (const NodeRef item : parts_.graph.containers[container]) {
      numbers.push_back(static_cast<int64_t>(parts_.graph.nodes[item].value));
    }
    return numbers;
  }

  std::span<const std::byte> bytes_of_plan(const Plan& plan, const Buffer& copies) const {
    const PickledTensor& tensor = parts_.graph.tensors[plan.tensor];
    const uint64_t width = *bytes_per_element(parts_.graph.storages[tensor.storage].dtype);
    const uint64_t count = plan.extent.elements * width;
    if (!plan.extent.contiguous) return copies.bytes().subspan(copies_.at(plan.tensor), count);
    return parts_.storages[tensor.storage].subspan(static_cast<uint64_t>(plan.view.offset) * width,
                                                   count);
  }

  void fill(size_t index, std::span<std::byte> rest) const {
    const PickledTensor& tensor = parts_.graph.tensors[index];
    const uint64_t width = *bytes_per_element(parts_.graph.storages[tensor.storage].dtype);
    const StridedView view{tensor.offset, extents(tensor.sizes), extents(tensor.strides)};
    uint64_t elements = 1;
    for (const int64_t size : view.sizes) elements *= static_cast<uint64_t>(size);
    copy_strided(view, parts_.storages[tensor.storage], width, rest.first(elements * width));
  }

  const PthParts& parts_;
  uint64_t budget_;
  const std::string& file_;
  std::vector<Plan> plans_;
  std::vector<TensorView> views_;
  std::map<size_t, uint64_t> copies_;  // tensor -> offset of its copy; several names share one copy
  uint64_t copied_ = 0;
};

// Recognises by its member names a zip archive that PyTorch did not write, such as those of numpy
// and Keras. Empty: it contains data.pkl, as PyTorch's do.
std::string other_zip(std::span<const std::byte> bytes) {
  // Bytes at the end of the file, where the central directory lists all members.
  constexpr size_t kNames = 1 << 16;
  const std::string_view text = text_of(bytes),
                         last = text.substr(text.size() - std::min(text.size(), kNames));
  const std::string_view first = text.substr(0, 512);
  const auto has = [&](std::string_view name) {
    return first.find(name) != std::string_view::npos || last.find(name) != std::string_view::npos;
  };
  if (has("data.pkl")) return {};
  if (has(".npy")) return "an archive of numpy arrays (.npz); save a state_dict with torch.save";
  if (has("model.weights.h5")) return "a Keras model; use the PyTorch file of the model";
  if (has("archive_format"))
    return "a program of torch.export; save its state_dict with torch.save";
  for (const char* ending : {".pth", ".pt", ".bin", ".ckpt", ".safetensors"}) {
    if (has(ending)) return fmt::format("an archive that contains a {} file: unpack it", ending);
  }
  return "an archive that PyTorch did not write (it contains no data.pkl)";
}

PthParts parts_of(std::span<const std::byte> bytes, const std::string& file) {
  if (begins_as_zip(bytes)) {
    try {
      return parts_of_zip(parse_zip(bytes, file), file);
    } catch (const Error& error) {
      const std::string other = other_zip(bytes);
      if (other.empty()) throw;
      const std::string rule = error.what();  // begins with the file's name
      fail(ExitCode::kCheckpoint, "{}: it is {} ({})", file, other,
           rule.substr(std::min(rule.size(), file.size() + 2)));
    }
  }
  if (begins_as_legacy(bytes)) return parse_legacy(bytes, file);
  constexpr const char* kRule =
      "it begins neither as a zip archive nor as PyTorch's legacy container";
  const std::string what = describe_other_format(bytes, bytes.size());
  if (what.empty()) fail(ExitCode::kCheckpoint, "{}: {}", file, kRule);
  fail(ExitCode::kCheckpoint, "{}: it is {} ({})", file, what, kRule);
}

PthFile parse_owned(Buffer storage, const std::string& file) {
  PthFile result;
  result.storage = std::move(storage);
  const PthParts parts = parts_of(result.storage.bytes(), file);
  PickleTree tree = expand(parts.graph, file);
  TensorBuilder builder(parts, result.storage.size(), file);
  for (const NamedTensor& named : tree.tensors) builder.add(named);
  result.tensors = builder.build(result.copies);
  result.root = std::move(tree.root);
  return result;
}

Buffer read_whole(const std::filesystem::path& path, int64_t threads) {
  InputFile input(path, nullptr, threads);
  Buffer bytes(static_cast<size_t>(input.size()));
  input.read(bytes.bytes());
  return bytes;
}

[[noreturn]] void fail_for_memory(const std::filesystem::path& path) {
  fail(ExitCode::kDevice, "not enough memory to read {}", path.string());
}

}  // namespace

uint64_t storage_bytes(const PickledStorage& storage, const std::string& file) {
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(storage.elements, *bytes_per_element(storage.dtype), &bytes)) {
    fail(ExitCode::kCheckpoint, "{}: the size of storage {} overflows 64 bits", file,
         shown(storage.key));
  }
  return bytes;
}

PthFile read_pth(const std::filesystem::path& path, int64_t threads) try {
  return parse_owned(read_whole(path, threads), path.string());
} catch (const std::bad_alloc&) {
  fail_for_memory(path);
}

PthFile parse_pth(std::span<const std::byte> bytes, const std::string& name_for_errors) {
  return parse_owned(Buffer::copy_of(bytes), name_for_errors);
}

void verify_pth(const std::filesystem::path& path, int64_t threads) try {
  const PthFile file = parse_owned(read_whole(path, threads), path.string());
  const std::span<const std::byte> bytes = file.storage.bytes();
  if (begins_as_zip(bytes)) check_crcs(parse_zip(bytes, path.string()), path.string());
} catch (const std::bad_alloc&) {
  fail_for_memory(path);
}

}  // namespace fcm::formats
