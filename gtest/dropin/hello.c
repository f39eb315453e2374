/* Ten lines with one allocation of their own; waits for the end of its input, so that its memory can be looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    char *text = malloc(100), end;
    if (text == NULL || puts(strcpy(text, "hello")) < 0 || fflush(stdout) != 0 || read(0, &end, 1) != 0)
        return 1;
    free(text);
    return 0;
}
