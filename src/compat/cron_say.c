/* compat/cron_say.c - lines of the log; the contract is in cron_say.h. */
#include "compat/cron_say.h"

#include "base/log.h"
#include "base/str.h"

void cron_say_value(const char *label, const char *value)
{
    log_info("%-41s= %s", label, value);
}

void cron_say_command(const char *what, void *ctx, char *const *argv, size_t count)
{
    Str *s = str_new(ctx);
    for (size_t i = 0; i < count; i++)
    {
        bool quoted = argv[i][0] == '\0' || strpbrk(argv[i], " \t\r\n'\"\\$`*?#&;|<>()") != NULL;
        str_add(s, i > 0 ? " " : "");
        for (const char *c = argv[i]; !quoted && *c != '\0'; c++)
            str_addc(s, *c);
        if (!quoted)
            continue;
        str_addc(s, '\'');
        for (const char *c = argv[i]; *c != '\0'; c++)
            str_add(s, *c == '\'' ? "'\\''" : (char[]){*c, '\0'});
        str_addc(s, '\'');
    }
    char *line = mem_block(ctx, s->len + 1);
    log_info("%s %s", what, str_one_line(line, s->len + 1, s->data));
}
