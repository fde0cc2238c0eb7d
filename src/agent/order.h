/*
 * agent/order.h - what the process of an agent is told by the server that starts it.
 *
 * The extension (extension/job.c) writes a length in decimal digits, a newline, and that many bytes of
 * JSON to standard input, which stays open: its end says that the server's process is gone.
 */
#ifndef PGARK_AGENT_ORDER_H
#define PGARK_AGENT_ORDER_H

#include <jansson.h>

#include "base/error.h"
#include "base/mem.h"
#include "repo/repo.h"

#define AGENT_PROTOCOL  1
#define AGENT_ORDER_MAX ((size_t) 192 * 1024 * 1024)
#define AGENT_KIND_LEN  33

/* What the server says of itself. */
typedef struct AgentServer
{
    const char *socket_dir;
    int port;
    const char *database;
    const char *user; /* whose session asked for the agent: the agent's own, too */
    int pid;          /* of that session */
    const char *data_directory;
    const char *bin_directory;
    int version; /* 150004 */
    int content; /* as the server numbers itself; -1 where it does not */
    int dbid;
} AgentServer;

typedef struct AgentOrder
{
    char kind[AGENT_KIND_LEN];
    char key[SET_KEY_LEN];
    AgentServer server;
    json_t *job; /* an object; see agent/job.h */
} AgentOrder;

/* agent_order_read reads an order from fd, below ctx. Blocks. ERR_USAGE: what comes is none, or of another
 * protocol. */
bool agent_order_read(int fd, void *ctx, AgentOrder *ret, Error *err) MUST_CHECK;

/* agent_order_parse is its part behind the length: the one that is fuzzed. */
bool agent_order_parse(void *ctx, const char *text, size_t len, AgentOrder *ret, Error *err)
    MUST_CHECK;

/* agent_json_keep hands a reference to root over to ctx, and gives root. */
json_t *agent_json_keep(void *ctx, json_t *root);

#endif
