#pragma once

namespace fcm::apps {

// Keeps freed memory in the process. By default every large tensor is fresh memory from the system,
// and its page faults cost more than many operations on it.
//
// Requests huge pages (2 MiB) for the heap, which systems set to madvise in
// transparent_hugepage/enabled give only on request: matrix products walk through more pages of
// 4 KiB than the TLB holds.
void keep_memory();

}  // namespace fcm::apps
