/* compare_print.h - the parts of a comparison that are about revisions: their verdicts, costs, and the controls. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* The last revision's column: controls are behind it. */
size_t compare_last_revision(const json_t *doc);

/* A line for each class and revision; nothing when there is no revision. */
void compare_print_verdicts(const json_t *doc);

/* Whether the controls were seen to fail, a line each. */
void compare_print_controls(const json_t *doc);

/* Measured numbers that differ from base's, or all of them. */
void compare_print_costs(const json_t *doc, bool all);
