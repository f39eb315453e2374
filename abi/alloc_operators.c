#include "alloc_operators.h"

/* A file of its own: beside their definitions, the compiler would take these for what is defined there. NOLINTBEGIN(bugprone-reserved-identifier) */
#define ELSEWHERE __attribute__((visibility("default")))

ELSEWHERE void *_Znwm(size_t);
ELSEWHERE void *_Znam(size_t);
ELSEWHERE void _ZdlPv(void *);
ELSEWHERE void _ZdaPv(void *);
ELSEWHERE void *_ZnwmSt11align_val_t(size_t, size_t);
ELSEWHERE void *_ZnamSt11align_val_t(size_t, size_t);
ELSEWHERE void _ZdlPvSt11align_val_t(void *, size_t);
ELSEWHERE void _ZdaPvSt11align_val_t(void *, size_t);

const struct operators operators = {
    _Znwm,
    _Znam,
    _ZdlPv,
    _ZdaPv,
    _ZnwmSt11align_val_t,
    _ZnamSt11align_val_t,
    _ZdlPvSt11align_val_t,
    _ZdaPvSt11align_val_t,
};
/* NOLINTEND(bugprone-reserved-identifier) */
