#pragma once

namespace fcm::apps {

// Memory that tensors give back stays with the program. By default every large tensor is fresh
// memory from the system, and touching it for the first time costs more than many of the operations
// done on it.
void keep_memory();

}  // namespace fcm::apps
