#pragma once

namespace fcm::apps {

// cuBLAS gives the same bits in every run only with workspaces of fixed size. It reads
// CUBLAS_WORKSPACE_CONFIG when a GPU is first used; without it LibTorch warns at every product.
// Does nothing if the user has set the variable.
void set_cublas_workspace_config();

}  // namespace fcm::apps
