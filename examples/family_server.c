/* A server in small: what a request allocates is its family's, and goes when the request is answered, without a free for each
 * block. What is to stay is allocated outside. */
#include <alloc/alloc_ext.h>
#include <alloc/alloc_family.h>
#include <stdio.h>
#include <string.h>

struct word {
    struct word *next;
    char *text;
};

/* Knows nothing of families: it allocates as ever, and frees nothing, for this it need not know how long its words live. */
static struct word *split(const char *line)
{
    struct word *words = NULL;
    for (size_t length; *(line += strspn(line, " ")) != '\0'; line += length) {
        length = strcspn(line, " ");
        struct word *word = alloc_new(struct word);
        char *text = alloc_malloc(length + 1);
        if (word == NULL || text == NULL)
            return NULL; /* what there is goes with the request */
        memcpy(text, line, length);
        text[length] = '\0';
        *word = (struct word){words, text};
        words = word;
    }
    return words;
}

/* The longest word, outside of the request's family. */
static char *answer(const char *line)
{
    const char *longest = "";
    for (const struct word *word = split(line); word != NULL; word = word->next)
        if (strlen(word->text) >= strlen(longest))
            longest = word->text;
    alloc_family *request = alloc_family_swap(NULL);
    char *kept = alloc_strdup(longest);
    (void)alloc_family_swap(request);
    return kept;
}

int main(void)
{
    static const char *const requests[] = {"what lives together", "lies  together and", "goes at once"};
    struct alloc_family_info info = {.name = "request", .limit = (size_t)16 << 20}; /* no request takes more */
    alloc_family *request = alloc_family_create(&info, sizeof info);
    if (request == NULL)
        return 1;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct alloc_family_stats before, after;
        alloc_family *outer = alloc_family_swap(request); /* what this thread allocates now is the request's */
        char *kept = answer(requests[i]);
        (void)alloc_family_swap(outer);
        (void)alloc_family_stats(request, &before, sizeof before);
        alloc_family_reset(request);
        (void)alloc_family_stats(request, &after, sizeof after);
        if (kept == NULL)
            return 1;
        printf("%s; the request had %s, and has %zu bytes\n", kept, before.used_bytes > 0 ? "memory" : "none",
               after.slab_bytes + after.large_bytes);
        alloc_free(kept, strlen(kept) + 1);
    }
    alloc_family_destroy(request);
    return 0;
}
