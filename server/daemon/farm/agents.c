#include "server/daemon/farm/agents.h"

#include "common/err.h"
#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct agent *agent_slot(struct agents *agents, const char *dir, const char *arch)
{
	for (size_t i = 0; i < agents->count; i++)
		if (strcmp(agents->list[i].arch, arch) == 0)
			return &agents->list[i];
	agents->list = xrealloc(agents->list, (agents->count + 1) * sizeof(*agents->list));
	agents->list[agents->count] = (struct agent){
		.arch = xstrdup(arch), .path = xasprintf("%s/cohort-agent-%s", dir, arch)};
	return &agents->list[agents->count++];
}

const struct agent *agents_get(struct agents *agents, const char *dir, const char *arch,
                               struct err *err)
{
	struct agent *agent = agent_slot(agents, dir, arch);
	struct stat st;

	if (stat(agent->path, &st) < 0) {
		(void)err_errno(err, ERR_NOTFOUND, "the agent %s", agent->path);
		return NULL;
	}
	/* ctime, not mtime: a copy may bring an old mtime along. */
	if (agent->size > 0 && agent->changed.tv_sec == st.st_ctim.tv_sec &&
	    agent->changed.tv_nsec == st.st_ctim.tv_nsec)
		return agent;
	if (sha256_file(agent->path, agent->sha256, &agent->size, err) < 0)
		return NULL;
	agent->changed = st.st_ctim;
	return agent;
}

void agents_release(struct agents *agents)
{
	for (size_t i = 0; i < agents->count; i++) {
		free(agents->list[i].arch);
		free(agents->list[i].path);
	}
	free(agents->list);
	*agents = (struct agents){0};
}
