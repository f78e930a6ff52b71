#pragma once

namespace fcm::apps {

// Memory that tensors give back stays with the program. By default every large tensor is fresh
// memory from the system, and touching it for the first time costs more than many of the operations
// done on it.
//
// What tensors make the heap grow by asks for pages of 2 MiB, which systems that give them on
// demand (transparent_hugepage/enabled: madvise) would not give otherwise: matrix products walk
// through more pages of 4 KiB than the processor keeps addresses of.
void keep_memory();

}  // namespace fcm::apps
