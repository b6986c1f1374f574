/* facts.h - from a class's rows to what judge.h and the controls need to know. For compare.c only. */
#pragma once
#include "server/daemon/compare/compare.h"

/* What the controls say: class->controls and class->sense. */
void facts_controls(struct compare_class *class, const struct compare_input *input);

/* The verdict on the revision in that column. The states of all columns are there, those of controls too. */
void facts_judge(struct compare_class *class, const struct compare_input *input, size_t column,
                 size_t revisions);

/* No column is green where a control passes what it must fail; a control's own state says whether it does. */
void facts_sense(struct compare_class *class, size_t columns, size_t revisions);
