/* What goes out, and how far it is. What a mail says is not shown: it is in the report of its job. */
#include "server/daemon/store/deliveries.h"

#include "common/err.h"
#include "common/jx.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"

static int deliveries_get(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	const char *kind = http_query_word(req, "kind", "mail hook", &errors);
	const char *state =
		http_query_word(req, "state", "queued sending handed sent failed", &errors);
	struct http_page page;
	json_t *items;

	if (http_query_done(req, &errors) < 0 || http_page_read(req, &page) < 0)
		return -1;
	items = deliveries_list(req->db, kind, state, page.id, page.limit + 1, err);
	return items ? http_reply_page(req, &page, items, "id") : -1;
}

const struct http_route http_deliveries_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/deliveries",
		.operation = "listDeliveries",
		.summary = "Mails and webhooks that went out or are to go, newest first",
		.flags = HTTP_READ,
		.query = "limit cursor kind state",
		.handle = deliveries_get,
	},
	{0},
};
