#include "fcm/interop/detectron2.h"

#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "fcm/formats/pth.h"
#include "fcm/interop/about.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/batch_counts.h"
#include "fcm/interop/values.h"

namespace fcm::interop {

using formats::TensorView;
using formats::Value;

void take_iteration(const Value& root, checkpoint::Checkpoint& checkpoint) {
  const Value* iteration = root.find("iteration");
  if (iteration == nullptr) return;
  const auto* last = std::get_if<int64_t>(&iteration->data);
  if (last != nullptr && *last >= 0 && *last < INT64_MAX) checkpoint.step = *last + 1;
}

void write_detectron2(const std::filesystem::path& path, const Detectron2File& content) {
  std::vector<TensorView> model(content.model.begin(), content.model.end());
  sort_as_published(model);
  std::vector<TensorView> written;
  std::deque<int64_t> counts;  // a deque, so that addresses stay valid when it grows
  std::vector<std::pair<std::string_view, Value>> state;
  for (const TensorView& tensor : model) {
    TensorView one = tensor;
    if (tensor.name.ends_with(kBatchesSeen) && tensor.dtype == "F32") {
      const int64_t& count = counts.emplace_back(whole_count(tensor, path.string()));
      one = {tensor.name, "I64", tensor.shape, std::as_bytes(std::span(&count, 1))};
    }
    written.push_back(std::move(one));
    state.emplace_back(tensor.name, Value{Value::Tensor{written.size() - 1, false}});
  }
  std::vector<std::pair<std::string_view, Value>> entries;
  entries.emplace_back("model", dict_of(std::move(state), /*ordered=*/true));
  entries.emplace_back("iteration", Value{content.steps - 1});
  if (!content.recipe.empty()) entries.emplace_back("recipe", text_of(content.recipe));
  if (!content.about.empty()) entries.emplace_back(kAboutKey, text_of(content.about));
  formats::write_pth(path, dict_of(std::move(entries)), written);
}

}  // namespace fcm::interop
