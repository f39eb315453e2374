#include "report.h"

#include "os/os.h"

#include <stdarg.h>
#include <stdio.h>

struct line {
    char text[256];
    size_t length;
};

/* A line that is too long is cut, its end kept. */
static struct line format_line(const char *format, va_list arguments)
{
    struct line line;
    int length = vsnprintf(line.text, sizeof line.text, format, arguments);
    line.length = length < 0 ? 0 : (size_t)length < sizeof line.text ? (size_t)length : sizeof line.text - 1;
    if (line.length > 0)
        line.text[line.length - 1] = '\n';
    return line;
}

void report(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct line line = format_line(format, arguments);
    va_end(arguments);
    os_write(line.text, line.length);
}

_Noreturn void report_fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct line line = format_line(format, arguments);
    va_end(arguments);
    os_fatal(line.text, line.length);
}
