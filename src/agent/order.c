/* agent/order.c - the order of a process; the contract is in order.h. */
#include "agent/order.h"

#include <errno.h>
#include <unistd.h>

typedef struct Kept
{
    json_t *root;
} Kept;

static int kept_free(Kept *kept)
{
    json_decref(kept->root);
    return 0;
}

json_t *agent_json_keep(void *ctx, json_t *root)
{
    Kept *kept = mem_new(ctx, Kept);
    kept->root = root;
    talloc_set_destructor(kept, kept_free);
    return root;
}

static bool no_order(Error *err)
{
    error_set(err, ERR_USAGE, "there is no order on standard input");
    return error_hint(err, "This command is for the extension pgark, which starts it.");
}

/* ---- reading ---- */

static bool read_all(int fd, char *buf, size_t len, Error *err)
{
    for (size_t done = 0; done < len;)
    {
        ssize_t n = read(fd, buf + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return no_order(err);
        done += (size_t) n;
    }
    return true;
}

static bool read_length(int fd, size_t *ret_len, Error *err)
{
    *ret_len = 0;
    for (int digits = 0;; digits++)
    {
        char c;
        if (!read_all(fd, &c, 1, err))
            return false;
        if (c == '\n' && digits > 0)
            return *ret_len <= AGENT_ORDER_MAX ||
                   error_set(err, ERR_USAGE, "the order is longer than %zu bytes", AGENT_ORDER_MAX);
        if (c < '0' || c > '9' || digits > 10)
            return no_order(err);
        *ret_len = *ret_len * 10 + (size_t) (c - '0');
    }
}

bool agent_order_read(int fd, void *ctx, AgentOrder *ret, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "order");
    size_t len;
    if (!read_length(fd, &len, err))
        return false;
    char *text = mem_array(tmp, char, len + 1);
    return read_all(fd, text, len, err) && agent_order_parse(ctx, text, len, ret, err);
}

/* ---- parsing ---- */

static bool check(const AgentOrder *order, int protocol, const char *kind, const char *key,
                  Error *err)
{
    if (protocol != AGENT_PROTOCOL)
    {
        error_set(err, ERR_USAGE, "the extension speaks protocol %d, this program protocol %d",
                  protocol, AGENT_PROTOCOL);
        return error_hint(err, "Install extension and program of one version of pgark.");
    }
    if (strlen(kind) >= AGENT_KIND_LEN || !repo_key_is_date(key))
        return error_set(err, ERR_USAGE, "the order has no sound kind or key");
    if (order->server.socket_dir[0] == '\0' || order->server.port < 1 || order->server.port > 65535)
        return error_set(err, ERR_USAGE, "the order names no server");
    return json_is_object(order->job) || error_set(err, ERR_USAGE, "the order has no job");
}

bool agent_order_parse(void *ctx, const char *text, size_t len, AgentOrder *ret, Error *err)
{
    json_error_t why;
    const char *kind;
    const char *key;
    int protocol;
    memset(ret, 0, sizeof(*ret));
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL)
        return error_set(err, ERR_USAGE, "the order is no JSON: %s", why.text);
    agent_json_keep(ctx, root);
    AgentServer *s = &ret->server;
    if (json_unpack_ex(root, &why, JSON_STRICT,
                       "{s:i, s:s, s:s, s:{s:s, s:i, s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:i}, s:o}",
                       "protocol", &protocol, "kind", &kind, "key", &key, "server", "socket_dir",
                       &s->socket_dir, "port", &s->port, "database", &s->database, "user", &s->user,
                       "pid", &s->pid, "data_directory", &s->data_directory, "bin_directory",
                       &s->bin_directory, "version", &s->version, "content", &s->content, "dbid",
                       &s->dbid, "job", &ret->job) != 0)
        return error_set(err, ERR_USAGE, "the order cannot be understood: %s", why.text);
    if (!check(ret, protocol, kind, key, err))
        return false;
    snprintf(ret->kind, sizeof(ret->kind), "%s", kind);
    memcpy(ret->key, key, SET_KEY_LEN);
    return true;
}
