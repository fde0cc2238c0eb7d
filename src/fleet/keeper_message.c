/* fleet/keeper_message.c - texts over a socket; the contract is in keeper_message.h. */
#include "fleet/keeper_message.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"

#define MESSAGE_MAX ((uint64_t) 1 << 30)

void keeper_message_add(void *ctx, KeeperMessage *m, const char *text)
{
    *mem_push(ctx, m->texts, m->count, m->capacity, const char *) = text;
}

static bool send_all(int fd, const void *data, size_t len, Error *err)
{
    const char *p = data;
    while (len > 0)
    {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_errno(err, ERR_INTERNAL, "could not write to the other process");
        p += n;
        len -= (size_t) n;
    }
    return true;
}

bool keeper_message_send(int fd, const KeeperMessage *m, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "message");
    Str *body = str_new(tmp);
    for (size_t i = 0; i < m->count; i++)
    {
        str_addc(body, m->texts[i] == NULL ? '-' : '+');
        if (m->texts[i] != NULL)
            str_add(body, m->texts[i]);
        str_addn(body, "", 1);
    }
    uint64_t len = body->len;
    return send_all(fd, &len, sizeof(len), err) && send_all(fd, body->data, body->len, err);
}

/* *ret_end: the other side had closed before the first byte. */
static bool receive_all(int fd, void *data, size_t len, int64_t deadline_ms, const Cancel *cancel,
                        bool *ret_end, Error *err)
{
    char *p = data;
    size_t done = 0;
    *ret_end = false;
    while (done < len)
    {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = cancel_fd(cancel), .events = POLLIN}};
        int64_t left = deadline_ms == 0 ? -1 : deadline_ms - clock_ms();
        int ready = deadline_ms != 0 && left <= 0 ? 0 : poll(fds, 2, (int) left);
        if (!cancel_check(cancel, err))
            return false;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return error_set(err, ERR_INTERNAL, "the other process did not answer in time");
        ssize_t n = ready < 0 ? -1 : recv(fd, p + done, len - done, 0);
        if (n < 0 && errno == EINTR)
            continue;
        *ret_end = n == 0 && done == 0;
        if (*ret_end)
            return true;
        if (n <= 0)
            return error_set(err, ERR_INTERNAL, "the other process has ended");
        done += (size_t) n;
    }
    return true;
}

static bool split(void *ctx, const char *body, size_t len, KeeperMessage *ret, Error *err)
{
    for (size_t at = 0; at < len;)
    {
        size_t n = strnlen(body + at, len - at);
        if (n == len - at || (body[at] != '+' && body[at] != '-'))
            return error_set(err, ERR_INTERNAL, "no message came from the other process");
        keeper_message_add(ctx, ret, body[at] == '+' ? body + at + 1 : NULL);
        at += n + 1;
    }
    return true;
}

bool keeper_message_receive(int fd, void *ctx, int64_t deadline_ms, const Cancel *cancel,
                            KeeperMessage *ret, Error *err)
{
    uint64_t len = 0;
    bool end = false;
    *ret = (KeeperMessage){.count = 0};
    if (!receive_all(fd, &len, sizeof(len), deadline_ms, cancel, &end, err))
        return false;
    if (end)
        return true;
    if (len > MESSAGE_MAX)
        return error_set(err, ERR_INTERNAL, "no message came from the other process");
    char *body = mem_array(ctx, char, len + 1);
    if (!receive_all(fd, body, len, deadline_ms, cancel, &end, err))
        return false;
    return end ? error_set(err, ERR_INTERNAL, "the other process has ended")
               : split(ctx, body, len, ret, err);
}
