// A checkpoint as a published training file.
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/checkpoint/adapters.h"
#include "fcm/checkpoint/plain_data.h"
#include "fcm/checkpoint/published.h"

namespace fcm::checkpoint {
namespace {

Value text(std::string_view content) { return {std::string(content)}; }

Value dict(std::vector<std::pair<std::string_view, Value>> entries, bool ordered = false) {
  Value::Dict result;
  result.ordered = ordered;
  for (auto& [key, value] : entries) result.items.push_back({text(key), std::move(value)});
  return {std::move(result)};
}

// A tree whose tensors are collected beside it.
class Writer {
 public:
  explicit Writer(const PublishedFile& content) : content_(content) {
    model_.assign(content.model.begin(), content.model.end());
    sort_as_published(model_);
  }

  Value root() {
    std::vector<std::pair<std::string_view, Value>> entries = {{"model", state_dict()}};
    if (!content_.moments.empty()) {
      entries.emplace_back("optimizer", dict({{"state", states()}, {"param_groups", groups()}}));
    }
    entries.emplace_back("epoch", Value{content_.epoch});
    if (!content_.moments.empty()) entries.emplace_back("scaler", scaler());
    entries.emplace_back("args", from_json(content_.args));
    if (!content_.recipe.empty()) entries.emplace_back("recipe", text(content_.recipe));
    return dict(std::move(entries));
  }
  std::span<const TensorView> tensors() const { return tensors_; }

 private:
  Value add(const TensorView& tensor) {
    tensors_.push_back(tensor);
    return {Value::Tensor{tensors_.size() - 1, false}};
  }

  Value state_dict() {
    std::vector<std::pair<std::string_view, Value>> entries;
    for (const TensorView& tensor : model_) entries.emplace_back(tensor.name, add(tensor));
    return dict(std::move(entries), true);
  }

  // A tensor and bytes of its own for each: loaded ones are counted up in place.
  Value step(size_t number) {
    return add({"step", "F32", {}, std::as_bytes(std::span(steps_).subspan(number, 1))});
  }

  Value states() {
    std::map<std::string_view, const TensorView*> by_name;
    for (const TensorView& moment : content_.moments) by_name[moment.name] = &moment;
    const auto moment = [&](const char* key, const TensorView& parameter) {
      const auto found = by_name.find(fmt::format("{}.{}", key, parameter.name));
      if (found == by_name.end()) {
        fail(ExitCode::kCheckpoint, "there is no {} of {}, so no optimizer can be written", key,
             parameter.name);
      }
      return add(*found->second);
    };
    steps_.assign(model_.size(), static_cast<float>(content_.optimizer.steps));
    Value::Dict states;
    for (const TensorView* parameter : optimizer_order(model_)) {
      const size_t index = states.items.size();
      const Value number{static_cast<int64_t>(index)};
      states.items.push_back({number, dict({{"step", step(index)},
                                            {"exp_avg", moment("exp_avg", *parameter)},
                                            {"exp_avg_sq", moment("exp_avg_sq", *parameter)}})});
    }
    return {std::move(states)};
  }

  Value group(double weight_decay, Value::List numbers) const {
    const PublishedOptimizer& optimizer = content_.optimizer;
    return dict({{"weight_decay", Value{weight_decay}},
                 {"lr", Value{optimizer.lr}},
                 {"betas", Value{Value::Tuple{{Value{optimizer.beta1}, Value{optimizer.beta2}}}}},
                 {"eps", Value{optimizer.epsilon}},
                 {"amsgrad", Value{false}},
                 {"maximize", Value{false}},
                 {"foreach", Value{}},
                 {"capturable", Value{false}},
                 {"differentiable", Value{false}},
                 {"fused", Value{}},
                 {"decoupled_weight_decay", Value{true}},
                 {"params", Value{std::move(numbers)}}});
  }

  Value groups() const {
    Value::List without, with;
    for (const TensorView* parameter : optimizer_order(model_)) {
      const auto number = static_cast<int64_t>(without.size() + with.size());
      (decays(*parameter) ? with : without).push_back(Value{number});
    }
    Value::List list;
    list.push_back(group(0.0, std::move(without)));
    list.push_back(group(content_.optimizer.weight_decay, std::move(with)));
    return {std::move(list)};
  }

  // As torch's GradScaler starts.
  Value scaler() const {
    if (!content_.scaler.is_null()) return from_json(content_.scaler);
    return dict({{"scale", Value{65536.0}},
                 {"growth_factor", Value{2.0}},
                 {"backoff_factor", Value{0.5}},
                 {"growth_interval", Value{int64_t{2000}}},
                 {"_growth_tracker", Value{int64_t{0}}}});
  }

  const PublishedFile& content_;
  std::vector<TensorView> model_, tensors_;
  std::vector<float> steps_;
};

}  // namespace

void write_published(const std::filesystem::path& path, const PublishedFile& content) {
  Writer writer(content);
  const Value root = writer.root();
  write_pth(path, root, writer.tensors());
}

}  // namespace fcm::checkpoint
