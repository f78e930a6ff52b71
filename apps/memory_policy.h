#pragma once

namespace fcm::apps {

// Keeps freed memory in the process. By default every large tensor is fresh memory from the system,
// and its page faults cost more than many operations on it.
void keep_memory();

}  // namespace fcm::apps
