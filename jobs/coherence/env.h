/* env.h - the environment record: what a result was measured on. */
#pragma once
#include <stdio.h>

/* Print it as one JSON line, {"type":"env",…}. Takes about a second: it times the cache. */
void env_emit(FILE *out);
