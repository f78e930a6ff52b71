// The message of an error that a test expects.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "fcm/base/error.h"

namespace fcm::test {

// The message of the Error that `action` throws; empty if it throws none. The Error must have this
// code.
template <class Action>
std::string error_of(ExitCode code, const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return {};
}

}  // namespace fcm::test
