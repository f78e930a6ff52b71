#pragma once

namespace fcm::apps {

// Keeps freed memory in the process for reuse. By default malloc maps fresh memory from the system
// for every large tensor, and the page faults of that memory cost more than many operations on the
// tensor.
//
// Requests huge pages (2 MiB) for the heap, because matrix products access more pages of 4 KiB than
// the TLB holds. Systems with "madvise" in transparent_hugepage/enabled give huge pages only on
// request.
void keep_memory();

}  // namespace fcm::apps
