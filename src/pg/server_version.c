/* pg/server_version.c - which product a server is; the contract is in server_version.h. */
#include "pg/server_version.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define NUMBER_MAX 9999

static const struct
{
    const char *text;
    ServerProduct product;
} products[] = {{"Greenplum Database ", SERVER_GREENPLUM},
                {"WarehousePG ", SERVER_GREENPLUM},
                {"Cloudberry Database ", SERVER_CLOUDBERRY},
                {"Apache Cloudberry ", SERVER_CLOUDBERRY}};

/* A number at *p, which is moved behind it and behind the dot that follows. */
static int take_number(const char **p)
{
    int number = 0;
    while (isdigit((unsigned char) **p))
    {
        number = number > NUMBER_MAX ? number : number * 10 + (**p - '0');
        (*p)++;
    }
    if (**p == '.')
        (*p)++;
    return number;
}

ServerVersion server_version_parse(const char *text)
{
    static const char start[] = "PostgreSQL ";
    ServerVersion version = {.product = SERVER_POSTGRESQL};
    if (strncmp(text, start, strlen(start)) != 0)
        return version;
    const char *p = text + strlen(start);
    p += strcspn(p, " ");
    if (p[0] != ' ' || p[1] != '(')
        return version;
    p += 2;
    for (size_t i = 0; i < LENGTH_OF(products); i++)
    {
        size_t len = strlen(products[i].text);
        if (strncmp(p, products[i].text, len) != 0 || !isdigit((unsigned char) p[len]))
            continue;
        p += len;
        version.product = products[i].product;
        version.major = take_number(&p);
        version.minor = take_number(&p);
        version.patch = take_number(&p);
        return version;
    }
    return version;
}

const char *server_version_name(ServerProduct product)
{
    return product == SERVER_GREENPLUM    ? "Greenplum"
           : product == SERVER_CLOUDBERRY ? "Cloudberry"
                                          : "PostgreSQL";
}

int server_version_major(int version_num)
{
    return version_num >= 100000 ? version_num / 10000 : version_num / 100;
}

char *server_version_major_text(char text[SERVER_VERSION_TEXT_LEN], int version_num)
{
    int major = server_version_major(version_num);
    if (version_num >= 100000)
        snprintf(text, SERVER_VERSION_TEXT_LEN, "%d", major);
    else
        snprintf(text, SERVER_VERSION_TEXT_LEN, "%d.%d", major / 100, major % 100);
    return text;
}
