/* What a library's constructor allocated. */
#ifndef ALLOC_TEST_EARLY_H
#define ALLOC_TEST_EARLY_H

void *early_block(int number);

#endif
