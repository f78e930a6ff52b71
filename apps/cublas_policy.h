#pragma once

namespace fcm::apps {

// cuBLAS gives the same bits in every run only with workspaces of fixed size, which it reads from
// CUBLAS_WORKSPACE_CONFIG when a GPU is first used; LibTorch warns at every product without them.
// Does nothing where the user has decided.
void fix_cublas_workspaces();

}  // namespace fcm::apps
