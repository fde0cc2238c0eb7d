/* pg/acl_text.c - the contract is in acl_text.h. */
#include "pg/acl_text.h"

#include "base/str.h"

/* One element of the array, its quotes taken away: *p is behind it then. */
static bool take_element(const char **p, Str *element)
{
    const char *q = *p;
    bool quoted = *q == '"';
    str_clear(element);
    if (quoted)
        q++;
    while (*q != '\0' && (quoted ? *q != '"' : *q != ',' && *q != '}'))
    {
        if (*q == '\\' && *++q == '\0')
            return false;
        str_addc(element, *q++);
    }
    if (quoted && *q++ != '"')
        return false;
    *p = q;
    return true;
}

/* A role's name up to one of the ends; in double quotes where it has other than plain characters,
 * and a double quote doubled. */
static char *take_role(void *ctx, const char **p, char end)
{
    Str *name = str_new(ctx);
    bool quoted = false;
    const char *q = *p;
    for (; *q != '\0' && (quoted || *q != end); q++)
    {
        if (*q != '"')
            str_addc(name, *q);
        else if (quoted && q[1] == '"')
            str_addc(name, *q++);
        else
            quoted = !quoted;
    }
    *p = q;
    return quoted || *q != end ? NULL : name->data;
}

static bool take_item(void *ctx, const char *text, AclItem *ret)
{
    const char *p = text;
    ret->grantee = take_role(ctx, &p, '=');
    if (ret->grantee == NULL)
        return false;
    const char *privileges = ++p;
    while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
           (*p == '*' && p > privileges && p[-1] != '*'))
        p++;
    if (*p != '/')
        return false;
    ret->privileges = mem_strndup(ctx, privileges, (size_t) (p - privileges));
    p++;
    ret->grantor = take_role(ctx, &p, '\0');
    return ret->grantor != NULL && ret->grantor[0] != '\0';
}

static bool parse(void *ctx, const char *text, AclItem **ret, size_t *ret_count)
{
    const char *p = text;
    size_t capacity = 0;
    Str *element = str_new(ctx);
    *ret = NULL;
    *ret_count = 0;
    if (*p++ != '{')
        return false;
    if (strcmp(p, "}") == 0)
        return true;
    for (;;)
    {
        AclItem *item = mem_push(ctx, *ret, *ret_count, capacity, AclItem);
        if (!take_element(&p, element) || !take_item(ctx, element->data, item))
            return false;
        if (*p == '}')
            return p[1] == '\0';
        if (*p++ != ',')
            return false;
    }
}

bool acl_text_parse(void *ctx, const char *text, AclItem **ret, size_t *ret_count, Error *err)
{
    char shown[100];
    return parse(ctx, text, ret, ret_count) ||
           error_set(err, ERR_CORRUPT, "not an access control list: %s",
                     str_one_line(shown, sizeof(shown), text));
}
