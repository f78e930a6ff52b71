#pragma once

namespace fcm::apps {

// Makes threads that wait at the end of a parallel loop spin only briefly, then sleep. If another
// program wants a core, a spinning thread burns the time that its partner needs: on two busy cores
// training fell to a hundredth of its speed. OpenMP reads its environment before main, so this
// starts the program again (same process id). Does nothing if the user has set OMP_WAIT_POLICY or
// GOMP_SPINCOUNT.
void sleep_while_waiting(char** arguments);

}  // namespace fcm::apps
