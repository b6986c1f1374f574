/* findings.h - what of a comparison is worth showing evidence of. Pure. */
#pragma once
#include <jansson.h>

/* One a class and test, the worst change first: {"cache","kind","test","cell","change","label","rate","result"}; result is the
 * id of the telling result: of the last column, or of the first where the last column fixed it. The caller owns it. */
json_t *findings_make(const json_t *compare);

/* The column that a report is about: the last that is no control. */
size_t findings_column(const json_t *compare);

/* The changes of docs/API.md that a report tells, worst first; NULL behind the last. */
const char *findings_change(size_t i);
