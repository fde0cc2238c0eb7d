/* test/fuzz/fuzz_metrics.c - any bytes as the file of metrics that a run replaces, and takes the last success from. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "report/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *file_name(void)
{
    static char name[64];
    if (name[0] == '\0')
        snprintf(name, sizeof(name), "%s/pgark-fuzz-%ld.prom",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long) getpid());
    return name;
}

static void put(const void *data, size_t size)
{
    FILE *file = fopen(file_name(), "we");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

/* What is written is lines of a name, labels, and a finite number. */
static void check(void)
{
    char line[4096];
    FILE *file = fopen(file_name(), "re");
    if (file == NULL)
        abort();
    while (fgets(line, (int) sizeof(line), file) != NULL)
    {
        const char *space = strrchr(line, ' ');
        if (line[0] == '#')
            continue;
        if (space == NULL || strncmp(line, "pgark_backup_", 13) != 0 ||
            !isfinite(strtod(space, NULL)))
            abort();
    }
    fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error err = ERROR_INIT;
    Error failure = ERROR_INIT;
    error_set(&failure, ERR_QUERY, "it failed");
    const RunOutcome outcome = {.end = RUN_FAILED,
                                .name = "shop",
                                .repo = "/r",
                                .asked = "",
                                .started_us = 1,
                                .finished_us = 2,
                                .error = &failure};
    put(data, size);
    if (metrics_write(file_name(), &outcome, &err))
        check();
    unlink(file_name());
    return 0;
}
