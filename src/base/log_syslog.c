/* base/log_syslog.c - lines of the log to syslog; the contract is in log_syslog.h. */
#include "base/log_syslog.h"

#include <syslog.h>

bool log_syslog_open(const char *facility)
{
    static const struct
    {
        const char *name;
        int value;
    } facilities[] = {
        {"user", LOG_USER},     {"daemon", LOG_DAEMON}, {"local0", LOG_LOCAL0},
        {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
        {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
        {"local7", LOG_LOCAL7},
    };
    for (size_t i = 0; i < LENGTH_OF(facilities); i++)
    {
        if (strcmp(facilities[i].name, facility) != 0)
            continue;
        openlog("pgark", LOG_PID, facilities[i].value);
        return true;
    }
    return false;
}

void log_syslog_line(int severity, const char *line)
{
    static const int priorities[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};
    syslog(priorities[severity], "%s", line);
}
