#include "fcm/config/assign.h"

#include <fmt/format.h>

#include <utility>

namespace fcm::config {
namespace {

// Each `take` stores a value of the target's type and returns true; a double also takes an integer.
// It returns false for a value of another type.
bool take(const Scalar& scalar, bool& target) {
  const auto* flag = std::get_if<bool>(&scalar);
  if (flag != nullptr) target = *flag;
  return flag != nullptr;
}

bool take(const Scalar& scalar, int64_t& target) {
  const auto* whole = std::get_if<int64_t>(&scalar);
  if (whole != nullptr) target = *whole;
  return whole != nullptr;
}

bool take(const Scalar& scalar, double& target) {
  int64_t whole = 0;
  if (take(scalar, whole)) {
    target = static_cast<double>(whole);
    return true;
  }
  const auto* number = std::get_if<double>(&scalar);
  if (number != nullptr) target = *number;
  return number != nullptr;
}

bool take(const Scalar& scalar, std::string& target) {
  const auto* text = std::get_if<std::string>(&scalar);
  if (text != nullptr) target = *text;
  return text != nullptr;
}

bool take(const Scalar& scalar, CountOrAll& target) {
  const auto* word = std::get_if<std::string>(&scalar);
  if (word != nullptr && *word == "all") {
    target.count = 0;
    return true;
  }
  // 0 means "all" internally, so a literal 0 becomes -1, which is out of range for every count.
  if (!take(scalar, target.count)) return false;
  if (target.count == 0) target.count = -1;
  return true;
}

template <class Target>
bool take(const Value& value, Target& target) {
  return !value.is_list && take(value.items.front(), target);
}

template <class Element>
bool take(const Value& value, std::vector<Element>& target) {
  if (!value.is_list) return false;
  target.assign(value.items.size(), Element{});
  for (size_t i = 0; i < target.size(); ++i) {
    if (!take(value.items[i], target[i])) return false;
  }
  return true;
}

bool take(const Value& value, OneOrMore& target) {
  int64_t one = 0;
  if (!value.is_list) {
    if (!take(value.items.front(), one)) return false;
    target = one;
    return true;
  }
  return take(value, target.values);
}

}  // namespace

std::string assign(const Field& field, const Value& value) {
  return std::visit(
      [&](auto* target) -> std::string {
        auto candidate = *target;
        if (!take(value, candidate)) return fmt::format("must be {}", kind_of(field));
        Field probe = field;
        probe.target = &candidate;
        std::string fault = fault_of(probe);
        if (fault.empty()) *target = std::move(candidate);
        return fault;
      },
      field.target);
}

}  // namespace fcm::config
