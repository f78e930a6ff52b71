#include "apps/cublas_policy.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace fcm::apps {
namespace {

TEST(CublasPolicy, FixesWorkspacesUnlessTheUserDid) {
  ::unsetenv("CUBLAS_WORKSPACE_CONFIG");
  set_cublas_workspace_config();
  EXPECT_EQ(std::string(std::getenv("CUBLAS_WORKSPACE_CONFIG")), ":4096:8");
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8", 1);
  set_cublas_workspace_config();
  EXPECT_EQ(std::string(std::getenv("CUBLAS_WORKSPACE_CONFIG")), ":16:8");
  ::unsetenv("CUBLAS_WORKSPACE_CONFIG");
}

}  // namespace
}  // namespace fcm::apps
