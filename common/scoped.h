/* scoped.h - locals that clean up after themselves when their scope ends. */
#pragma once
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void scoped_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void scoped_free(void *p)
{
	free(*(void **)p);
}

static inline void scoped_fclose(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static inline void scoped_closedir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static inline void scoped_json(json_t **j)
{
	json_decref(*j);
}

#define SCOPED_FD   __attribute__((cleanup(scoped_close))) int
#define SCOPED_STR  __attribute__((cleanup(scoped_free))) char *
#define SCOPED_MEM  __attribute__((cleanup(scoped_free))) void *
#define SCOPED_FILE __attribute__((cleanup(scoped_fclose))) FILE *
#define SCOPED_DIR  __attribute__((cleanup(scoped_closedir))) DIR *
#define SCOPED_JSON __attribute__((cleanup(scoped_json))) json_t *

/* Hand a scoped value over to its new owner. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline char *take_str(char **s)
{
	char *taken = *s;

	*s = NULL;
	return taken;
}

static inline json_t *take_json(json_t **j)
{
	json_t *taken = *j;

	*j = NULL;
	return taken;
}
