/* judge.h - the verdict on a revision in one class: good, bad, costs, or none, with one sentence of why. Pure.
 * docs/COMPARE.md, "The verdict on a revision", has the rules in words. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum judgement { JUDGED_NOT, JUDGED_GOOD, JUDGED_BAD, JUDGED_COSTS, JUDGED_OPEN };

/* Can the tests of this class see the bug that the controls have? */
enum judge_sense {
	SENSE_UNASKED, /* no control must fail here */
	SENSE_SENSITIVE,
	SENSE_UNKNOWN, /* a control has no verdict yet */
	SENSE_NOT,     /* a control passed */
};

/* Some tests, and the first of them: of a revision, none of them known to fail. */
struct judge_tests {
	size_t count;
	const char *test, *last;                   /* last: the one that was counted last */
	size_t bad_before, told_before, bad, told; /* of the row that says so */
};

struct judge_facts {
	bool ran, running;
	const char *build_failed;   /* why it does not build; NULL: it does */
	const char *proves_nothing; /* why a pass here says nothing; NULL: it does say something */
	struct judge_tests regressed; /* base passed, this fails */
	struct judge_tests lost;      /* an earlier revision fixed it, this fails again */
	struct judge_tests added;     /* base does not have it, this fails */
	struct judge_tests
		left; /* base failed, another revision (left_by) fixes it, this does not */
	const char *left_by;
	struct judge_tests unfixed;   /* base failed, nobody fixes it */
	struct judge_tests flaky;     /* one of both fails now and then: more trials are needed */
	size_t needed;                /* so many, for the first of them; 0: no number will do */
	struct judge_tests unmatched; /* this fails, base has no verdict */
	struct judge_tests conflict;  /* boards of the class disagree */
	struct judge_tests gone;      /* base has it, this does not */
	struct judge_tests fixed;
	size_t passed, known; /* contract results */
	size_t without; /* contract results that are missing, broke, or were inconclusive; runs that broke */
	size_t warnings, base_warnings; /* of the kernel */
	bool base_ran;
	enum judge_sense sense;
	const char *control, *control_test; /* the first that is not seen failing */
	size_t compared,
		dearer; /* measured numbers beside base's; those that are more than they were */
	const char *cost_test, *cost_cell;     /* the dearest */
	double cost_more, cost_low, cost_high; /* as a ratio less 1 */
};

/* *why (may be NULL) gets the sentence, which the caller frees. */
enum judgement judge_revision(const struct judge_facts *facts, char **why);

const char *judgement_name(enum judgement judgement); /* NULL of JUDGED_NOT */
const char *judge_sense_name(enum judge_sense sense); /* NULL of SENSE_UNASKED */
