/* A write behind a block, one to a freed block, and a leak. */
#include <stdlib.h>

static void *volatile hidden;

int main(void)
{
    char *volatile block = malloc(100);
    block[100] = 1;
    free(block);
    block[5] = 2;
    hidden = malloc(50);
    hidden = NULL;
    return 0;
}
