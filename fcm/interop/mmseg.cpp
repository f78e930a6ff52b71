#include "fcm/interop/mmseg.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <deque>
#include <string_view>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/formats/plain_data.h"
#include "fcm/formats/pth.h"
#include "fcm/interop/about.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/batch_counts.h"
#include "fcm/interop/segmenter_names.h"
#include "fcm/interop/values.h"

namespace fcm::interop {
namespace {

using formats::TensorView;
using formats::Value;
using nlohmann::json;

constexpr const char* kClassNames = "CLASSES";
constexpr const char* kPalette = "PALETTE";

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

bool is_colour(const json& value) {
  const auto is_byte = [](const json& one) {
    return one.is_number_integer() && one.get<int64_t>() >= 0 && one.get<int64_t>() <= 255;
  };
  return value.is_array() && value.size() == 3 && std::ranges::all_of(value, is_byte);
}

}  // namespace

void read_meta(const Value& root, checkpoint::Checkpoint& checkpoint) {
  const Value* meta = root.find("meta");
  if (meta == nullptr || !std::holds_alternative<Value::Dict>(meta->data)) return;
  json said = formats::to_json(*meta);
  const json iterations = said.value("iter", json());
  if (iterations.is_number_integer()) {
    checkpoint.step = std::max<int64_t>(iterations.get<int64_t>(), 0);
  }
  const json names = said.value(kClassNames, json());
  std::vector<std::string> classes;
  for (size_t i = 0; names.is_array() && i < names.size(); ++i) {
    if (names[i].is_string()) classes.push_back(trimmed(names[i].get<std::string>()));
  }
  if (!classes.empty() && !checkpoint.state.contains("trained_on")) {
    json& trained_on = checkpoint.state["trained_on"];
    trained_on = {{"classes", std::move(classes)}, {"only_numbered", false}};
    const json palette = said.value(kPalette, json());
    if (palette.is_array() && std::ranges::all_of(palette, is_colour)) {
      trained_on["colours"] = palette;
    }
  }
  checkpoint.state[kMetaKey] = std::move(said);
}

namespace {

// The recipe as Python comments, because mmcv reads this text as a configuration when it resumes.
std::string config_text(const MmsegFile& content) {
  std::string text =
      fmt::format("# Written by fastconvmae. Recipe: {}\n",
                  content.name.empty() ? std::string_view("not known") : content.name);
  std::string_view rest = content.recipe;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    text += fmt::format("# {}\n", rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return text;
}

// In the format of Python's time.asctime(), in UTC.
std::string time_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 64> text{};
  const size_t size = std::strftime(text.data(), text.size(), "%a %b %e %H:%M:%S %Y", &parts);
  return {text.data(), size};
}

class MmsegWriter {
 public:
  MmsegWriter(const MmsegFile& content, std::string path)
      : content_(content), path_(std::move(path)) {
    model_.assign(content.model.begin(), content.model.end());
    sort_as_published(model_);
  }

  Value root() {
    std::vector<std::pair<std::string_view, Value>> entries;
    entries.emplace_back("meta", meta());
    entries.emplace_back("state_dict", state_dict());
    if (!content_.recipe.empty()) entries.emplace_back("recipe", text_of(content_.recipe));
    if (!content_.about.empty()) entries.emplace_back(kAboutKey, text_of(content_.about));
    return dict_of(std::move(entries));
  }
  std::span<const TensorView> tensors() const { return tensors_; }

 private:
  Value meta() const {
    if (content_.meta.is_object()) return meta_as_it_was();
    Value::Tuple classes;
    for (const std::string& name : content_.classes) classes.items.push_back(text_of(name));
    Value::List palette;
    for (const auto& colour : content_.palette) {
      Value::List values;
      for (const uint8_t one : colour) values.push_back(Value{int64_t{one}});
      palette.push_back(Value{std::move(values)});
    }
    constexpr const char* kNone = "none: written by fastconvmae";
    return dict_of({{"exp_name", text_of(content_.name)},
                    {"mmseg_version", text_of(kNone)},
                    {"mmcv_version", text_of(kNone)},
                    {"config", text_of(config_text(content_))},
                    {kClassNames, Value{std::move(classes)}},
                    {kPalette, Value{std::move(palette)}},
                    {"epoch", Value{content_.epoch}},
                    {"iter", Value{content_.iterations}},
                    {"time", text_of(time_text())}});
  }

  // JSON has only lists, but mmsegmentation expects a tuple of class names.
  Value meta_as_it_was() const {
    Value value = formats::from_json(content_.meta);
    for (Value::Item& item : std::get<Value::Dict>(value.data).items) {
      auto* list = std::get_if<Value::List>(&item.value.data);
      const auto* key = std::get_if<std::string>(&item.key.data);
      if (list == nullptr || key == nullptr || *key != kClassNames) continue;
      Value::Tuple names{std::move(*list)};
      item.value = Value{std::move(names)};
    }
    return value;
  }

  Value state_dict() {
    std::vector<std::pair<std::string_view, Value>> entries;
    for (const TensorView& tensor : model_) {
      const bool counts = tensor.name.ends_with(kBatchesSeen);
      entries.emplace_back(kept(mmseg_name(tensor.name)),
                           add(counts ? as_integer(tensor) : tensor));
      if (tensor.name.ends_with(kRelativeTable)) {
        std::string name = mmseg_name(tensor.name);
        name.replace(name.size() - kRelativeTable.size(), kRelativeTable.size(),
                     "relative_position_index");
        entries.emplace_back(kept(std::move(name)), index_of(tensor));
      }
    }
    return dict_of(std::move(entries), /*ordered=*/true);
  }

  Value add(TensorView tensor) {
    tensors_.push_back(std::move(tensor));
    return {Value::Tensor{tensors_.size() - 1, false}};
  }

  // Stores a name, because the entries of a dict only view their keys.
  std::string_view kept(std::string name) { return names_.emplace_back(std::move(name)); }

  TensorView as_integer(const TensorView& tensor) {
    if (tensor.dtype != "F32" || tensor.bytes.size() != sizeof(float)) return tensor;
    const int64_t& count = counts_.emplace_back(whole_count(tensor, path_));
    return {tensor.name, "I64", tensor.shape, std::as_bytes(std::span(&count, 1))};
  }

  // The table row of each (query, key) pair. It is the same for all blocks, which share a storage.
  Value index_of(const TensorView& table) {
    const int64_t rows = content_.rows, cols = content_.cols,
                  of_patches = (2 * rows - 1) * (2 * cols - 1);
    const int64_t behind = table.shape.empty() ? -1 : table.shape[0] - of_patches;
    constexpr int64_t kOfClassToken = 3;
    if (rows < 1 || cols < 1 || (behind != 0 && behind != kOfClassToken)) {
      fail(ExitCode::kCheckpoint,
           "{}: {} has [{}] rows, which are not those of a grid of {} x {} patches", path_,
           table.name, table.shape.empty() ? 0 : table.shape[0], rows, cols);
    }
    if (index_.empty()) fill_index(of_patches, behind == 0 ? 0 : 1);
    const int64_t side = rows * cols + (behind == 0 ? 0 : 1);
    return add({"", "I64", {side, side}, std::as_bytes(std::span(index_))});
  }

  void fill_index(int64_t of_patches, int64_t class_tokens) {
    const int64_t rows = content_.rows, cols = content_.cols;
    const int64_t side = rows * cols + class_tokens;
    index_.reserve(static_cast<size_t>(side * side));
    for (int64_t query = -class_tokens; query < rows * cols; ++query) {
      for (int64_t key = -class_tokens; key < rows * cols; ++key) {
        if (query >= 0 && key >= 0) {
          const int64_t down = query / cols - key / cols, right = query % cols - key % cols;
          index_.push_back((down + rows - 1) * (2 * cols - 1) + right + cols - 1);
        } else {  // three rows after those of patches: class token as query, as key, as both
          const int64_t last = query >= 0 ? 1 : 2;
          index_.push_back(of_patches + (key >= 0 ? 0 : last));
        }
      }
    }
  }

  const MmsegFile& content_;
  std::string path_;
  std::vector<TensorView> model_, tensors_;
  std::vector<int64_t> index_;
  std::deque<int64_t> counts_;
  std::deque<std::string> names_;
};

}  // namespace

void write_mmseg(const std::filesystem::path& path, const MmsegFile& content) {
  MmsegWriter writer(content, path.string());
  const Value root = writer.root();
  formats::write_pth(path, root, writer.tensors());
}

}  // namespace fcm::interop
