#ifndef ALLOC_GTEST_FORK_LIBRARY_H
#define ALLOC_GTEST_FORK_LIBRARY_H

/* 100 bytes of the drop-in's. */
void *library_block(void);

/* How often the handler has run. */
int handler_calls(void);

/* The loading program's, called by what it loads. */
void wait_in_constructor(void);

#endif
