/* config/doc_text.c - the contract is in doc_text.h. */
#include "config/doc_text.h"

/* ---- manual pages ---- */

static void put_bytes(FILE *out, const char *text, size_t len, bool at_start)
{
    for (size_t i = 0; i < len; i++)
    {
        if (at_start && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", out);
        if (text[i] == '\\')
            fputs("\\e", out);
        else if (text[i] == '-')
            fputs("\\-", out);
        else
            fputc(text[i], out);
        at_start = text[i] == '\n';
    }
}

void doc_text_man(FILE *out, const char *text, bool at_start)
{
    put_bytes(out, text, strlen(text), at_start);
}

void doc_text_man_paragraphs(FILE *out, const char *text)
{
    while (text != NULL)
    {
        size_t len = strcspn(text, "\n");
        put_bytes(out, text, len, true);
        text = text[len] == '\n' ? text + len + 1 : NULL;
        fputs(text != NULL ? "\n.PP\n" : "\n", out);
    }
}

char doc_text_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

void doc_text_man_head(FILE *out, const char *page, const char *summary)
{
    fputs(".TH ", out);
    for (const char *c = page; *c != '\0'; c++)
        fputc(doc_text_upper(*c), out);
    fprintf(out, " 1 \"\" \"pgark %s\" \"pgark Manual\"\n", PGARK_VERSION);
    fprintf(out, ".SH NAME\n");
    doc_text_man(out, page, true);
    fputs(" \\- ", out);
    doc_text_man(out, summary, false);
    fputc('\n', out);
}

/* ---- zsh ---- */

void doc_text_zsh(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
    {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}
