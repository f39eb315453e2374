#include "option.h"

#include "os/os.h"
#include "report.h"

#include <stdint.h>
#include <string.h>

#define AGE_MAX INT32_MAX /* ages are compared as signed differences of 32 bits */

_Atomic size_t option_values[OPTION_COUNT] = {
    [OPTION_HUGE_PAGES] = HUGE_PAGES_AUTO,          [OPTION_PURGE_AGE] = 500,  [OPTION_CACHE_LIMIT] = (size_t)32 << 20,
    [OPTION_LARGE_CACHE_LIMIT] = (size_t)384 << 20, [OPTION_MAPPED_LIMIT] = 0, [OPTION_VERBOSITY] = 1,
};

static const struct {
    const char *variable;
    size_t maximum;
    const char *words[3]; /* names for 0, 1 and 2, where it has names */
} options[OPTION_COUNT] = {
    [OPTION_HUGE_PAGES] = {"ALLOC_HUGE_PAGES", HUGE_PAGES_ALWAYS, {"off", "auto", "always"}},
    [OPTION_PURGE_AGE] = {"ALLOC_PURGE_AGE", AGE_MAX, {NULL}},
    [OPTION_CACHE_LIMIT] = {"ALLOC_CACHE_LIMIT", SIZE_MAX, {NULL}},
    [OPTION_LARGE_CACHE_LIMIT] = {"ALLOC_LARGE_CACHE_LIMIT", SIZE_MAX, {NULL}},
    [OPTION_MAPPED_LIMIT] = {"ALLOC_MAPPED_LIMIT", SIZE_MAX, {NULL}},
    [OPTION_VERBOSITY] = {"ALLOC_VERBOSITY", 2, {NULL}},
    [OPTION_STRICT] = {"ALLOC_STRICT", 1, {NULL}},
};

bool option_set(size_t option, size_t value)
{
    if (option >= OPTION_COUNT || value > options[option].maximum)
        return false;
    atomic_store_explicit(&option_values[option], value, memory_order_relaxed);
    return true;
}

/* ---- the environment --------------------------------------------------------------------------------------------- */

/* Decimal digits, and K, M or G for powers of 1024. */
static bool parse_number(const char *text, size_t *value)
{
    static const char units[] = "KkMmGg";
    size_t number = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(number, (size_t)10, &number) ||
            __builtin_add_overflow(number, (size_t)(*text - '0'), &number))
            return false;
    const char *unit = *text == '\0' ? NULL : strchr(units, *text);
    if (unit != NULL) {
        if (__builtin_mul_overflow(number, (size_t)1024 << (10 * ((unit - units) / 2)), &number))
            return false;
        text++;
    }
    *value = number;
    return *text == '\0';
}

static bool parse(enum option option, const char *text)
{
    size_t value;
    for (value = 0; value < 3; value++)
        if (options[option].words[value] != NULL && strcmp(text, options[option].words[value]) == 0)
            return option_set(option, value);
    return parse_number(text, &value) && option_set(option, value);
}

static void report_ignored(enum option option, const char *value)
{
    char text[64] = "";
    for (size_t i = 0; i < sizeof text - 1 && value[i] != '\0'; i++)
        text[i] = value[i] < ' ' || value[i] > '~' ? '?' : value[i]; /* what a terminal might obey */
    const char *const *words = options[option].words;
    if (words[0] != NULL)
        report("alloc: %s=%s: ignored: not %s, %s or %s\n", options[option].variable, text, words[0], words[1],
               words[2]);
    else
        report("alloc: %s=%s: ignored: not a number up to %zu\n", options[option].variable, text,
               options[option].maximum);
}

void option_start(void)
{
    OS_SMALL_STATE static atomic_bool started;
    if (atomic_exchange(&started, true))
        return;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        size_t option = (OPTION_VERBOSITY + i) % OPTION_COUNT; /* how much is said is known first */
        const char *text = os_environment(options[option].variable);
        if (text != NULL && !parse((enum option)option, text) && option_values[OPTION_VERBOSITY] != 0)
            report_ignored((enum option)option, text);
    }
}
