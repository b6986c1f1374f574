/* knobfile.h - what settings were, for the case that the runner is killed before it put them back.
 *
 * One file a runner, named by its label, one line a setting: name, space, old value. The process that writes it
 * keeps it open and locked, and so do its children: a test that was killed may still be inside the
 * write to a setting (that of KSM waits for ksmd), and what is put back before that returns is changed again
 * behind our back. The lock goes with the last process of the test. */
#pragma once

struct ledger;

/* Write a line into the file of this ledger, where there is room for one. Called by the test's process. */
void knobfile_note(const struct ledger *ledger, const char *name, const char *value);

/* Everything of this ledger is restored: its file may go. */
void knobfile_forget(const struct ledger *ledger);

/* Restore what runners that no longer live have left; is_orphan() knows them by the name of their file.
 * Waits up to 5 s for the end of a test that still dies; if it lives on, the file stays for the
 * next sweep. Returns how many settings were put back. */
unsigned int knobfile_sweep(int (*is_orphan)(const char *name, void *context), void *context);
