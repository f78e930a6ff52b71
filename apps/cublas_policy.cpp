#include "apps/cublas_policy.h"

#include <cstdlib>

namespace fcm::apps {

void set_cublas_workspace_config() {
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
}

}  // namespace fcm::apps
