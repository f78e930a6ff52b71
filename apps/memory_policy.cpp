#include "apps/memory_policy.h"

#include <malloc.h>

namespace fcm::apps {

void keep_memory() {
  ::mallopt(M_MMAP_MAX, 0);         // large blocks come from the heap as well
  ::mallopt(M_TRIM_THRESHOLD, -1);  // which never shrinks
}

}  // namespace fcm::apps
