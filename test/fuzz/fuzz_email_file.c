/* test/fuzz/fuzz_email_file.c - any bytes as the YAML file of gpcrondump --email-file. */
#include "compat/email_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Error err = ERROR_INIT;
    if (size > EMAIL_FILE_MAX)
        return 0;
    const EmailFile *file = email_file_parse(ctx, "fuzz", (const char *) data, size, &err);
    if ((file == NULL) != error_is_set(&err))
        abort();
    for (size_t i = 0; file != NULL && i < file->count; i++)
    {
        if (file->items[i].database == NULL || file->items[i].database[0] == '\0' ||
            email_file_find(file, file->items[i].database) != &file->items[i])
            abort();
    }
    return 0;
}
