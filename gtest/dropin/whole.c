/* A program in C that is one file, the C library included. Exit status 0 when malloc is the library's. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    char *text = NULL;
    if (asprintf(&text, "%0999d", 1) != 999)
        return 1;
    return malloc_usable_size(text) == 1024 && malloc_usable_size(strdup(text)) == 1024 ? 0 : 2;
}
