#pragma once

namespace fcm::apps {

// Makes threads that wait at the end of a parallel loop spin only briefly, then sleep. If other
// programs use the cores too, a spinning thread takes time from the thread that it waits for: on
// two busy cores training fell to a hundredth of its speed. OpenMP reads its environment before
// main, so this starts the program again (same process id). Does nothing if the user has set
// OMP_WAIT_POLICY or GOMP_SPINCOUNT.
void sleep_while_waiting(char** arguments);

}  // namespace fcm::apps
