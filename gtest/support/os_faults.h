/* A system that fails: the calls of the OS layer, counted, and made to fail from a given one on.
 *
 * A test that links os_faults.c lets the linker send these calls here, wherever in the program they are made:
 * mmap, mprotect, munmap, madvise, mremap, clock_gettime, pthread_key_create, pthread_setspecific.
 */
#ifndef OS_FAULTS_H
#define OS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Counts calls from now on, whoever makes them; the `first` of them (from 1) fails, and with `for_good` all later ones. */
void os_faults_arm(long first, bool for_good);
/* Ends that. */
void os_faults_disarm(void);
/* How many calls failed since they were armed, and the name of the first that did; NULL: none. */
long os_faults_count(void);
const char *os_faults_first(void);

/* Calls `watch` before each call from now on, in the thread that makes it; NULL: no more. `purges`: it gives the memory
 * at some addresses back to the system, which stay. */
void os_faults_watch(void (*watch)(bool purges));

/* From now on each reading of a thread's processor time comes so many nanoseconds after the one before; 0: as it is. */
void os_faults_take_time(uint64_t nanoseconds);

#if ALLOC_THREADS
#include <pthread.h>

/* The real one, for the test itself. */
int os_faults_set_specific(pthread_key_t key, const void *value);
#endif

/* Set in the environment, the engine's own creation of a key fails, at load. */
#define OS_FAULTS_NO_KEY "ALLOC_TEST_NO_KEY"

#ifdef __cplusplus
}
#endif

#endif
