/* Probes for tracers (USDT): where memory changes hands on slow paths, a nop and a note of where it is and where its arguments are. Nothing
 * on the hot path, and nothing at all where the build has no <sys/sdt.h>.
 */
#ifndef ALLOC_PROBE_H
#define ALLOC_PROBE_H

#if ALLOC_PROBES
#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#define probe(name, ...) STAP_PROBEV(alloc, name, __VA_ARGS__)
#else
#define probe(name, ...) ((void)0)
#endif

#endif
