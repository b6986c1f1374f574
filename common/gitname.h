/* gitname.h - what of git's names for commits may be handed on to a builder: letters that mean nothing to git's revision
 * syntax, a shell or an option parser. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* A whole id: 40 or 64 lower-case hex digits. It is the same commit always. */
bool git_id_valid(const char *text);

/* May it be a commit, a tag or a branch? Letters, digits and . _ + / -, not beginning with one of - . / and without "..". */
bool git_name_valid(const char *text);

/* Are these two names with ".." between them? */
bool git_range_valid(const char *text);
