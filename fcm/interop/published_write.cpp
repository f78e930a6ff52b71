// Writes a checkpoint as an upstream training file.
#include <deque>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/base/weight_decay.h"
#include "fcm/formats/plain_data.h"
#include "fcm/interop/about.h"
#include "fcm/interop/adapters.h"
#include "fcm/interop/downstream.h"
#include "fcm/interop/published.h"
#include "fcm/interop/values.h"

namespace fcm::interop {
namespace {

// Builds the tree of values, and collects its tensors.
class Writer {
 public:
  explicit Writer(const PublishedFile& content) : content_(content) {
    model_.assign(content.model.begin(), content.model.end());
    sort_as_published(model_);
    average_.assign(content.average.begin(), content.average.end());
    for (formats::TensorView& tensor : average_) {
      tensor.name.erase(0, std::string_view(checkpoint::kEmaPrefix).size());
    }
    sort_as_published(average_);
  }

  formats::Value root() {
    std::vector<std::pair<std::string_view, formats::Value>> entries;
    entries.emplace_back("model", state_dict(model_));
    if (!content_.moments.empty()) {
      entries.emplace_back("optimizer", dict_of({{"state", states()}, {"param_groups", groups()}}));
    }
    entries.emplace_back("epoch", formats::Value{content_.epoch});
    if (!content_.moments.empty()) entries.emplace_back("scaler", scaler());
    entries.emplace_back("args", formats::from_json(content_.args));
    if (optimizer_rule(model_).decayed_first) {  // SimMIM's --resume requires them
      entries.emplace_back("lr_scheduler", dict_of({}));
      entries.emplace_back("max_accuracy", formats::Value{0.0});
    }
    if (!average_.empty()) entries.emplace_back(kAverageKey, state_dict(average_));
    if (!content_.facts.empty()) entries.emplace_back("facts", text_of(content_.facts));
    if (!content_.recipe.empty()) entries.emplace_back("recipe", text_of(content_.recipe));
    if (!content_.about.empty()) entries.emplace_back(kAboutKey, text_of(content_.about));
    return dict_of(std::move(entries));
  }
  std::span<const formats::TensorView> tensors() const { return tensors_; }

 private:
  formats::Value add(const formats::TensorView& tensor) {
    tensors_.push_back(tensor);
    return {formats::Value::Tensor{tensors_.size() - 1, false}};
  }

  formats::Value state_dict(const std::vector<formats::TensorView>& tensors) {
    std::vector<std::pair<std::string_view, formats::Value>> entries;
    // Only a Swin's tables are for windows: a segmenter's are for whole maps, a detector's for
    // both.
    const bool windows = downstream_of(tensors) == Downstream::kNone;
    for (const formats::TensorView& tensor : tensors) {
      entries.emplace_back(keep(name_in_program(tensor.name, tensors)), add(tensor));
      if (windows && tensor.name.ends_with(kRelativeTable)) add_index(tensor, tensors, entries);
    }
    return dict_of(std::move(entries), true);
  }

  // GreenMIM's --resume loads strictly, so a file must also have the buffer of each table: the
  // table row of each pair of cells in a window.
  void add_index(const formats::TensorView& table, const std::vector<formats::TensorView>& all,
                 std::vector<std::pair<std::string_view, formats::Value>>& entries) {
    const int64_t window = window_of_table(table.shape.at(0)), side = 2 * window - 1,
                  cells = window * window;
    std::vector<int64_t>& index = indices_.emplace_back();
    for (int64_t i = 0; i < cells; ++i) {
      for (int64_t j = 0; j < cells; ++j) {
        index.push_back((i / window - j / window + window - 1) * side + i % window - j % window +
                        window - 1);
      }
    }
    std::string name = name_in_program(table.name, all);
    name.replace(name.size() - kRelativeTable.size(), kRelativeTable.size(),
                 "relative_position_index");
    entries.emplace_back(keep(std::move(name)),
                         add({"", "I64", {cells, cells}, std::as_bytes(std::span(index))}));
  }

  // Stores a name, because the entries of a dict only view their keys.
  std::string_view keep(std::string name) { return names_.emplace_back(std::move(name)); }

  // Each parameter's step count has its own bytes, because optimizers increment it in place.
  formats::Value step(size_t number) {
    return add({"step", "F32", {}, std::as_bytes(std::span(steps_).subspan(number, 1))});
  }

  formats::Value states() {
    std::map<std::string_view, const formats::TensorView*> by_name;
    for (const formats::TensorView& moment : content_.moments) by_name[moment.name] = &moment;
    const auto moment = [&](const char* key, const formats::TensorView& parameter) {
      const auto found = by_name.find(fmt::format("{}.{}", key, parameter.name));
      if (found == by_name.end()) {
        fail(ExitCode::kCheckpoint, "{} of {} is missing, so no optimizer can be written", key,
             parameter.name);
      }
      return add(*found->second);
    };
    steps_.assign(model_.size(), static_cast<float>(content_.optimizer.steps));
    formats::Value::Dict states;
    for (const formats::TensorView* parameter : optimizer_order(model_)) {
      const size_t index = states.items.size();
      const formats::Value number{static_cast<int64_t>(index)};
      states.items.push_back({number, dict_of({{"step", step(index)},
                                               {"exp_avg", moment("exp_avg", *parameter)},
                                               {"exp_avg_sq", moment("exp_avg_sq", *parameter)}})});
    }
    return {std::move(states)};
  }

  formats::Value group(double weight_decay, formats::Value::List numbers) const {
    const PublishedOptimizer& optimizer = content_.optimizer;
    return dict_of(
        {{"weight_decay", formats::Value{weight_decay}},
         {"lr", formats::Value{optimizer.lr}},
         {"betas", formats::Value{formats::Value::Tuple{
                       {formats::Value{optimizer.beta1}, formats::Value{optimizer.beta2}}}}},
         {"eps", formats::Value{optimizer.epsilon}},
         {"amsgrad", formats::Value{false}},
         {"maximize", formats::Value{false}},
         {"foreach", formats::Value{}},
         {"capturable", formats::Value{false}},
         {"differentiable", formats::Value{false}},
         {"fused", formats::Value{}},
         {"decoupled_weight_decay", formats::Value{true}},
         {"params", formats::Value{std::move(numbers)}}});
  }

  formats::Value groups() const {
    const OptimizerRule rule = optimizer_rule(model_);
    formats::Value::List without, with;
    for (const formats::TensorView* parameter : optimizer_order(model_)) {
      const auto number = static_cast<int64_t>(without.size() + with.size());
      const bool decays = has_weight_decay(parameter->name, parameter->shape.size(), rule.no_decay);
      (decays ? with : without).push_back(formats::Value{number});
    }
    formats::Value::List list;
    list.push_back(group(0.0, std::move(without)));
    list.push_back(group(content_.optimizer.weight_decay, std::move(with)));
    if (rule.decayed_first) std::swap(list[0], list[1]);
    return {std::move(list)};
  }

  // The given state, or the initial state of torch's GradScaler.
  formats::Value scaler() const {
    if (!content_.scaler.is_null()) return formats::from_json(content_.scaler);
    return dict_of({{"scale", formats::Value{65536.0}},
                    {"growth_factor", formats::Value{2.0}},
                    {"backoff_factor", formats::Value{0.5}},
                    {"growth_interval", formats::Value{int64_t{2000}}},
                    {"_growth_tracker", formats::Value{int64_t{0}}}});
  }

  const PublishedFile& content_;
  std::vector<formats::TensorView> model_, average_, tensors_;
  std::vector<float> steps_;
  std::deque<std::string> names_;
  std::deque<std::vector<int64_t>> indices_;
};

}  // namespace

void write_published(const std::filesystem::path& path, const PublishedFile& content) {
  Writer writer(content);
  const formats::Value root = writer.root();
  formats::write_pth(path, root, writer.tensors());
}

}  // namespace fcm::interop
