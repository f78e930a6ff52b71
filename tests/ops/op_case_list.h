// The cases of all operators in one list.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "fcm/ops/cases.h"

namespace fcm::ops {

// Larger cases are not compared: this bounds the reference's float64 tensors to a few hundred MB.
constexpr double kMostElements = 2e6;

struct NamedCase {
  std::string op;
  Tolerance tolerance;
  OpCase op_case;

  friend std::ostream& operator<<(std::ostream& out, const NamedCase& named) {
    return out << named.op << " " << named.op_case.name;
  }
};

inline std::vector<NamedCase> cases_to_compare() {
  std::vector<NamedCase> all;
  for (const OpCases& table : all_op_cases()) {
    for (const OpCase& op_case : table.cases) {
      if (op_case.forward_elements > kMostElements) continue;
      all.push_back({table.op, table.tolerance, op_case});
    }
  }
  return all;
}

inline std::string name_of(const testing::TestParamInfo<NamedCase>& named) {
  return named.param.op + "_" + named.param.op_case.name;
}

}  // namespace fcm::ops
