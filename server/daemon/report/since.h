/* since.h - what changed between two jobs of one schedule: the same class, kind of board, column and test, last night and
 * now. Pure; works on comparisons as docs/API.md has them. */
#pragma once
#include <jansson.h>

/* {"matrix": [{"cache","kind","label","from","to"}], "tests": [{"cache","kind","label","test","change": "broke" | "fixed" |
 * "no verdict" | "verdict","now": "3/3", "then": "0/3","cells": N}]}. Columns go by their label; when none of the labels is
 * there twice, by their place. The caller owns it. */
json_t *since_make(const json_t *now, const json_t *then);

/* Failed of told results of a comparison's cell, and its words "3/3". */
void since_rate(const json_t *cell, char out[48]);
