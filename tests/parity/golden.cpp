#include "tests/parity/golden.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <set>

#include "fcm/base/error.h"

namespace fcm::parity {
namespace {

bool is_gradient(const std::string& name) {
  return name.starts_with("grad.") || name.find(".grad.") != std::string::npos;
}

Quantity quantity_of(const std::string& name) {
  if (is_gradient(name)) return Quantity::kGradient;
  return name.starts_with("loss") ? Quantity::kLoss : Quantity::kActivation;
}

double largest_relative_error(const Entry& entry, Quantity quantity) {
  const bool own_list = entry.about.contains("errors_fp32_vs_fp64_grads");
  const char* key = quantity == Quantity::kGradient && own_list ? "errors_fp32_vs_fp64_grads"
                                                                : "errors_fp32_vs_fp64";
  const nlohmann::json errors = entry.about.value(key, nlohmann::json::object());
  for (const char* name : {"max_rel_to_tensor_max", "rel_to_max"}) {
    if (errors.contains(name)) return errors.at(name).get<double>();
  }
  return quantity == Quantity::kGradient ? 4e-6 : 2e-6;  // the bounds in the set's README
}

std::optional<double> stored_error(const Entry& entry, const std::string& tensor,
                                   const char* measure) {
  if (!entry.errors.is_object()) return std::nullopt;
  const auto found = entry.errors.find(tensor);
  if (found == entry.errors.end() || !found->contains(measure)) return std::nullopt;
  return found->at(measure).get<double>();
}

// Compares the tensors of one file. Each way in which files store a tensor has a member function.
class Comparison {
 public:
  Comparison(CaseResult& result, const Entry& entry, const Tensors& stored, const Run& run,
             Stored origin, const Tolerance& tolerance)
      : result_(result),
        entry_(entry),
        stored_(stored),
        run_(run),
        prefix_(origin == Stored::kFloat64 ? "f64." : ""),
        tolerance_(tolerance) {}

  void all() {
    for (const auto& [name, tensor] : stored_) {
      const bool from_float64 = name.starts_with("f64.");
      if (from_float64 == prefix_.empty()) continue;
      one(name.substr(prefix_.size()), tensor);
    }
    every_gradient();
  }

 private:
  // The prefix "grad.<tag>." of a name "grad.<tag>.<key>".
  static std::string tag_of(const std::string& name) {
    return name.substr(0, name.find('.', std::string("grad.").size()) + 1);
  }

  // A file that stores gradients of a loss stores those of all parameters. A computed gradient
  // without a stored one therefore belongs to a parameter that the upstream model lacks.
  void every_gradient() {
    std::set<std::string> tags;
    for (const std::string& name : looked_up_) {
      if (name.starts_with("grad.")) tags.insert(tag_of(name));
    }
    for (const auto& [name, value] : run_.values) {
      if (!name.starts_with("grad.") || !tags.contains(tag_of(name))) continue;
      if (!looked_up_.contains(name)) add_fault(result_, name + " is computed, but not stored");
    }
  }

  void one(const std::string& name, const at::Tensor& wanted) {
    if (is_index(name)) return;  // the comparison of the values reads it
    if (name.find("grad_") != std::string::npos) return summary(name, wanted);
    if (name.ends_with(".val")) return sample(name, name.substr(0, name.size() - 4), ".idx");
    if (name.ends_with("_val")) return sample(name, name.substr(0, name.size() - 4), "_idx");
    if (name.starts_with("actval.")) return activation_sample(name.substr(7));
    if (name.starts_with("actstat.")) return statistics(name, "act." + name.substr(8), wanted);
    if (name.ends_with("_l2")) return norm(name, name.substr(0, name.size() - 3), wanted);
    if (name == "pred_row_mean") return row_means(wanted);
    if (name == "pred.image0") return first_image(wanted);
    if (name.starts_with("loss")) return loss(name, wanted);
    whole(name, wanted);
  }

  static bool is_index(const std::string& name) {
    return name.ends_with(".idx") || name.ends_with("_idx") || name.starts_with("actidx.");
  }

  const at::Tensor* computed(const std::string& name) {
    const auto found = run_.values.find(name);
    looked_up_.insert(name);
    if (found != run_.values.end()) return &found->second;
    add_fault(result_, fmt::format("{} is stored, but no computed tensor has this name", name));
    return nullptr;
  }

  // A flat bool tensor: which elements of a tensor were computed. Undefined if all were.
  at::Tensor computed_part(const std::string& name) const {
    const auto found = run_.computed.find(name);
    return found == run_.computed.end() ? at::Tensor() : found->second.flatten();
  }

  // The largest absolute value of a tensor: the stored one or, without one, that of `value`.
  double scale(const std::string& name, const at::Tensor& value) const {
    if (const auto stored = stored_error(entry_, name, "absmax")) return *stored;
    return value.abs().max().item<double>();
  }

  // Looked up without the prefix "f64.": both upstream runs share the stored indices.
  const at::Tensor* stored(const std::string& name) const {
    const auto found = stored_.find(name);
    return found == stored_.end() ? nullptr : &found->second;
  }

  void numbers(const std::string& name, const std::string& tensor, at::Tensor got,
               at::Tensor wanted, const at::Tensor& part, double largest) {
    if (part.defined()) {
      got = got.masked_select(part);
      wanted = wanted.masked_select(part);
    }
    compare(result_, name, got, wanted, tolerance_(tensor, quantity_of(tensor)), largest);
  }

  void sample(const std::string& name, const std::string& tensor, const char* index_suffix) {
    const at::Tensor* value = computed(tensor);
    const at::Tensor* index = stored(tensor + index_suffix);
    if (value == nullptr || index == nullptr) return missing_index(name, index);
    sample_of(name, tensor, *value, index->flatten(), *stored(prefix_ + name));
  }

  void activation_sample(const std::string& module) {
    const at::Tensor* value = computed("act." + module);
    const at::Tensor* index = stored("actidx." + module);
    if (value == nullptr || index == nullptr) return missing_index("actval." + module, index);
    sample_of("actval." + module, "act." + module, *value, index->flatten(),
              *stored(prefix_ + "actval." + module));
  }

  void missing_index(const std::string& name, const at::Tensor* index) {
    if (index == nullptr) add_fault(result_, name + ": the indices of its values are not stored");
  }

  void sample_of(const std::string& name, const std::string& tensor, const at::Tensor& value,
                 const at::Tensor& index, const at::Tensor& wanted) {
    const at::Tensor part = computed_part(tensor);
    const at::Tensor cleaned = without_key_bias(tensor, value);
    numbers(name, tensor, cleaned.flatten().index_select(0, index), wanted.flatten(),
            part.defined() ? part.index_select(0, index) : part, scale(tensor, value));
  }

  void whole(const std::string& name, const at::Tensor& wanted) {
    const at::Tensor* value = computed(name);
    if (value == nullptr) return;
    if (!wanted.is_floating_point() || name.starts_with("mask") || name.starts_with("state.") ||
        name == "noise" || name == "images") {
      return compare_exactly(result_, name, *value, wanted);
    }
    if (value->numel() != wanted.numel()) return compare_exactly(result_, name, *value, wanted);
    numbers(name, name, without_key_bias(name, *value).flatten(),
            without_key_bias(name, wanted).flatten(), computed_part(name), scale(name, *value));
    key_bias(name, *value);
  }

  // The gradient of the keys' bias is zero except for rounding. It is compared with zero, relative
  // to the largest value of the whole qkv bias; in float64 within 1e-12.
  void key_bias(const std::string& name, const at::Tensor& value) {
    if (!is_gradient(name) || !name.ends_with("attn.qkv.bias")) return;
    const bool exact = value.scalar_type() == at::kDouble;
    const at::Tensor keys = value - without_key_bias(name, value);
    compare(result_, name + " (keys)", keys, at::zeros_like(keys),
            exact ? 1e-12 : tolerance_(name, Quantity::kGradient), scale(name, value));
  }

  void loss(const std::string& name, const at::Tensor& wanted) {
    if (name == "losses") return whole(name, wanted);
    if (const at::Tensor* value = computed(name)) {
      compare_number(result_, name, value->item<double>(), wanted.item<double>(),
                     tolerance_(name, Quantity::kLoss));
    }
  }

  // `wanted`: mean, population std and largest absolute value of a whole tensor. Stored errors of
  // single tensors come from samples, so the bound is the largest error of the file.
  void statistics(const std::string& name, const std::string& tensor, const at::Tensor& wanted) {
    const at::Tensor* value = computed(tensor);
    if (value == nullptr || computed_part(tensor).defined()) return;
    const at::Tensor x = value->to(at::kDouble);
    const at::Tensor got = at::stack({x.mean(), x.std(/*unbiased=*/false), x.abs().max()});
    compare(result_, name, got, wanted, tolerance_(name, quantity_of(tensor)),
            wanted[2].item<double>());
  }

  void norm(const std::string& name, const std::string& tensor, const at::Tensor& wanted) {
    const at::Tensor* value = computed(tensor);
    if (value == nullptr || computed_part(tensor).defined()) return;
    compare_number(result_, name, value->to(at::kDouble).norm().item<double>(),
                   wanted.item<double>(), tolerance_(tensor, Quantity::kActivation));
  }

  void row_means(const at::Tensor& wanted) {
    const at::Tensor* value = computed("pred");
    const at::Tensor* index = stored("pred_row_idx");
    if (value == nullptr || index == nullptr) return missing_index("pred_row_mean", index);
    const int64_t width = value->size(-1);
    const at::Tensor rows = value->reshape({-1, width}).index_select(0, *index);
    at::Tensor part = computed_part("pred");
    if (part.defined()) part = part.reshape({-1, width}).index_select(0, *index).all(1);
    numbers("pred_row_mean", "pred", rows.to(at::kDouble).mean(1), wanted, part,
            scale("pred", *value));
  }

  // Compares the predictions for the first image; predictions are in view-major order.
  void first_image(const at::Tensor& wanted) {
    const at::Tensor* value = computed("pred");
    if (value == nullptr) return;
    const auto of_first = [&](const at::Tensor& all) {
      return all.reshape({wanted.size(0), -1, wanted.size(1), wanted.size(2)})
          .select(1, 0)
          .flatten();
    };
    const at::Tensor part = computed_part("pred");
    numbers("pred.image0", "pred", of_first(*value), wanted.flatten(),
            part.defined() ? of_first(part) : part, scale("pred", *value));
  }

  // "[summary.]<tag>.grad_l2", "grad_sum" and "grad_absmax" have a value for each of P parameters;
  // "grad_val" [P, 4] has the elements at the indices "grad_idx".
  void summary(const std::string& name, const at::Tensor& wanted) {
    const size_t dot = name.rfind('.');
    std::string tag = name.substr(0, dot);
    const std::string what = name.substr(dot + 1);
    const at::Tensor* index = stored(tag + ".grad_idx");
    if (tag.starts_with("summary.")) tag = tag.substr(8);
    const std::vector<std::string> parameters = names();
    if (static_cast<int64_t>(parameters.size()) != wanted.size(0)) {
      return add_fault(result_, fmt::format("{}: {} rows for {} parameters of the manifest", name,
                                            wanted.size(0), parameters.size()));
    }
    for (size_t row = 0; row < parameters.size(); ++row) {
      const std::string tensor = "grad." + tag + "." + parameters[row];
      const at::Tensor* value = computed(tensor);
      if (value == nullptr) continue;
      if (what == "grad_l2") key_bias(tensor, *value);
      summary_row(what, tensor, without_key_bias(tensor, *value).to(at::kDouble).flatten(),
                  wanted[static_cast<int64_t>(row)],
                  index != nullptr ? (*index)[static_cast<int64_t>(row)] : at::Tensor());
    }
  }

  void summary_row(const std::string& what, const std::string& tensor, const at::Tensor& x,
                   const at::Tensor& wanted, const at::Tensor& index) {
    const double tolerance = tolerance_(tensor, Quantity::kGradient);
    const std::string name = tensor + " " + what;
    if (what == "grad_l2") {
      compare_number(result_, name, x.norm().item<double>(), wanted.item<double>(), tolerance);
    } else if (what == "grad_absmax") {
      compare_number(result_, name, x.abs().max().item<double>(), wanted.item<double>(), tolerance);
    } else if (what == "grad_val") {
      compare(result_, name, x.index_select(0, index), wanted, tolerance,
              x.abs().max().item<double>());
    } else if (what == "grad_sum") {  // relative to L2 norm * sqrt(elements), because terms cancel
      compare(result_, name, x.sum(), wanted, tolerance,
              x.norm().item<double>() * std::sqrt(static_cast<double>(x.numel())));
    } else {
      add_fault(result_, name + " is stored, but this case does not know the name");
    }
  }

  std::vector<std::string> names() const {
    for (const char* key : {"trainable", "parameters"}) {
      if (!entry_.about.contains(key)) continue;
      const nlohmann::json& list = entry_.about.at(key);
      if (list.is_array()) return list.get<std::vector<std::string>>();
    }
    return {};
  }

  CaseResult& result_;
  const Entry& entry_;
  const Tensors& stored_;
  const Run& run_;
  std::string prefix_;
  const Tolerance& tolerance_;
  std::set<std::string> looked_up_;  // names of computed tensors that were looked up
};

}  // namespace

Tolerance float32_tolerance(const Entry& entry) {
  constexpr double kHeadroom = 10;  // both programs round, and their orders of summation differ
  return [&entry](const std::string&, Quantity quantity) {
    if (quantity == Quantity::kLoss) return 1e-6;
    return kHeadroom * largest_relative_error(entry, quantity);
  };
}

Tolerance float64_tolerance(const Entry& entry) {
  return [&entry](const std::string& tensor, Quantity quantity) {
    constexpr double kDigits = 1.5, kFloatRounding = 0x1p-24;
    if (quantity == Quantity::kLoss) return 1e-6;
    const std::optional<double> own = stored_error(entry, tensor, "rel_to_max");
    return kDigits * (own ? *own : largest_relative_error(entry, quantity)) + kFloatRounding;
  };
}

at::Tensor without_key_bias(const std::string& name, const at::Tensor& value) {
  if (!name.ends_with("attn.qkv.bias")) return value;
  const int64_t third = value.numel() / 3;
  at::Tensor copy = value.clone();
  copy.flatten().narrow(0, third, third).zero_();
  return copy;
}

void compare_with_stored(CaseResult& result, const Entry& entry, const Tensors& stored,
                         const Run& run, Stored origin, const Tolerance& tolerance) {
  Comparison(result, entry, stored, run, origin, tolerance).all();
}

}  // namespace fcm::parity
