/* Lines on standard error, and assertions. Allocates nothing; any thread may report. */
#ifndef ALLOC_REPORT_H
#define ALLOC_REPORT_H

/* Writes one line, as printf would: at most 255 bytes of it, the last of them its end. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, then abort(). */
_Noreturn void report_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Aborts a debug build (ALLOC_DEBUG) unless the expression holds, and is nothing in others. */
#if ALLOC_DEBUG
#define check(expression) \
    ((expression) ? (void)0 : report_fatal("alloc: internal error: %s:%d: %s\n", __FILE__, __LINE__, #expression))
#else
#define check(expression) ((void)0)
#endif

#endif
