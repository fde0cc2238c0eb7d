/*
 * fleet/keeper_message.h - lists of texts over a socket, between a run and its keeper.
 *
 * Both ends are the same program on the same host. A message is a length (of the host's byte order)
 * and that many bytes: each text as '+' and its bytes, or '-' for NULL, with a NUL behind it.
 */
#ifndef PGARK_FLEET_KEEPER_MESSAGE_H
#define PGARK_FLEET_KEEPER_MESSAGE_H

#include "base/cancel.h"
#include "base/str.h"

typedef struct KeeperMessage
{
    const char **texts;
    size_t count;
    size_t capacity;
} KeeperMessage;

/* keeper_message_add appends a text or NULL; the vector grows below ctx, texts are not copied. */
void keeper_message_add(void *ctx, KeeperMessage *m, const char *text);

/* keeper_message_send blocks until all is taken. ERR_INTERNAL when the other side is gone. */
bool keeper_message_send(int fd, const KeeperMessage *m, Error *err) MUST_CHECK;

/* keeper_message_receive waits until deadline_ms (clock_ms(); 0: none), cancel (may be NULL) or a
 * whole message, which it puts below ctx. No text at all: the other side has closed. ERR_INTERNAL: the
 * deadline passed, or what came is no message. */
bool keeper_message_receive(int fd, void *ctx, int64_t deadline_ms, const Cancel *cancel,
                            KeeperMessage *ret, Error *err) MUST_CHECK;

#endif
