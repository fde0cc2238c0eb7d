/* test/fuzz/fuzz_hook.c - any text as a program with its arguments. */
#include "cli/hook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(mem_context_free) MemContext *ctx = mem_context(NULL, "fuzz");
    Error err = ERROR_INIT;
    const char *text = mem_strndup(ctx, (const char *) data, size);
    const Hook *hook = hook_parse(ctx, "fuzz", text, &err);
    if ((hook == NULL) != error_is_set(&err) || (hook != NULL && hook->argv[0] == NULL))
        abort();
    /* No word is longer than all of them. */
    for (size_t i = 0; hook != NULL && hook->argv[i] != NULL; i++)
    {
        if (strlen(hook->argv[i]) > strlen(text))
            abort();
    }
    return 0;
}
