/* An array that grows one by one, and a string that does. */
#include <alloc/alloc_ext.h>
#include <stdio.h>

struct text {
    char *bytes;
    size_t length, capacity;
};

static int append(struct text *text, const char *string)
{
    size_t length = strlen(string);
    char *bytes = alloc_grow_array(char, text->bytes, &text->capacity, text->length + length + 1);
    if (bytes == NULL)
        return -1; /* the text is as it was */
    text->bytes = bytes;
    memcpy(bytes + text->length, string, length + 1);
    text->length += length;
    return 0;
}

int main(void)
{
    int *numbers = NULL;
    size_t used = 0, capacity = 0, steps = 0;
    while (used < 1000000) {
        size_t before = capacity;
        int *grown = alloc_grow_array(int, numbers, &capacity, used + 1);
        if (grown == NULL)
            break;
        numbers = grown;
        steps += capacity != before;
        numbers[used] = (int)used;
        used++;
    }
    printf("%zu numbers, the last one is %d, the array grew %zu times\n", used, numbers[used - 1], steps);
    alloc_delete_array(numbers, capacity);

    struct text text = {NULL, 0, 0};
    for (int i = 0; i < 10; i++)
        if (append(&text, i == 0 ? "grows" : " and grows") != 0)
            return 1;
    printf("%s\n", text.bytes);
    alloc_delete_array(text.bytes, text.capacity);
    return 0;
}
