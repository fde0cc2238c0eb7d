/*
 * physical/manifest_check.c - the server's backup_manifest; the contract is in manifest_check.h.
 *
 * The manifest of a cluster with a million files has a hundred megabytes, so it is not read as a whole: a
 * scanner of quotes and brackets cuts the objects of the array "Files" out of it, and jansson reads each. Of
 * the files that came, sorted by a hash of their paths, only lengths and checksums are kept.
 */
#include "physical/manifest_check.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <xxhash.h>

#include "base/str.h"

#define OBJECT_MAX  ((size_t) 65536)
#define LINE_SIZE   ((size_t) 65536)
#define KEY_MAX     32
#define SHA256_SIZE 32
#define HEX_SIZE    ((size_t) 2 * SHA256_SIZE)

typedef struct Seen
{
    uint64_t path; /* hash of it */
    uint64_t size;
    uint32_t crc;
    bool crc_known;
    bool found;
} Seen;

struct ManifestCheck
{
    Seen *files;
    size_t count, capacity;
    bool sorted;
    size_t found;
    /* the scanner: */
    int depth; /* of brackets */
    bool in_string;
    bool escaped;
    char key[KEY_MAX]; /* the last string at the top level */
    size_t key_len;
    bool done; /* the top level is closed */
    char *object;
    size_t object_len;
    /* the checksum of all lines but the last: */
    EVP_MD_CTX *sha256;
    char *line;
    size_t line_len;
};

ManifestCheck *manifest_check_new(void)
{
    ManifestCheck *c = mem_new(NULL, ManifestCheck);
    c->object = mem_array(c, char, OBJECT_MAX);
    c->line = mem_array(c, char, LINE_SIZE);
    c->sha256 = mem_check(EVP_MD_CTX_new());
    if (EVP_DigestInit_ex(c->sha256, EVP_sha256(), NULL) != 1)
        mem_check(NULL); /* only memory can be lacking here */
    return c;
}

void manifest_check_free(ManifestCheck *c)
{
    if (c == NULL)
        return;
    EVP_MD_CTX_free(c->sha256);
    mem_free(c);
}

void manifest_check_file(ManifestCheck *c, const char *path, uint64_t size, const uint32_t *crc)
{
    *mem_push(c, c->files, c->count, c->capacity,
              Seen) = (Seen){.path = XXH3_64bits(path, strlen(path)),
                             .size = size,
                             .crc = crc != NULL ? *crc : 0,
                             .crc_known = crc != NULL};
    c->sorted = false;
}

/* ---- files ---- */

static int by_path(const void *a, const void *b)
{
    uint64_t x = ((const Seen *) a)->path;
    uint64_t y = ((const Seen *) b)->path;
    return x < y ? -1 : x > y;
}

static Seen *find(ManifestCheck *c, const char *path)
{
    Seen key = {.path = XXH3_64bits(path, strlen(path))};
    if (!c->sorted && c->count > 1)
        qsort(c->files, c->count, sizeof(Seen), by_path);
    c->sorted = true;
    return c->count == 0 ? NULL : bsearch(&key, c->files, c->count, sizeof(Seen), by_path);
}

static int hex_digit(char c)
{
    return str_hex_digit(c >= 'A' && c <= 'F' ? (char) (c + 'a' - 'A') : c);
}

/* A path that is not UTF-8 stands as hexadecimal digits. */
static const char *decode_path(void *ctx, const char *hex)
{
    size_t len = strlen(hex);
    char *path = mem_array(ctx, char, len / 2 + 1);
    for (size_t i = 0; i + 1 < len; i += 2)
    {
        int high = hex_digit(hex[i]);
        int low = hex_digit(hex[i + 1]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return NULL;
        path[i / 2] = (char) (high * 16 + low);
    }
    return len % 2 == 0 ? path : NULL;
}

/* The four bytes of a checksum as the server writes them, lowest first. */
static bool same_crc(const char *text, uint32_t crc)
{
    uint32_t value = 0;
    if (strlen(text) != 8)
        return false;
    for (int i = 0; i < 4; i++)
    {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        value |= (uint32_t) (high * 16 + low) << 8 * i;
    }
    return value == crc;
}

static bool bad_file(const char *path, const char *what, Error *err)
{
    char line[300];
    return error_set(err, ERR_CORRUPT, "file \"%s\" %s", str_one_line(line, sizeof(line), path),
                     what);
}

static bool compare_file(ManifestCheck *c, const char *path, json_t *object, Error *err)
{
    json_t *size = json_object_get(object, "Size");
    const char *algorithm = json_string_value(json_object_get(object, "Checksum-Algorithm"));
    const char *checksum = json_string_value(json_object_get(object, "Checksum"));
    Seen *seen = find(c, path);
    if (seen == NULL)
        return bad_file(path, "is in the server's manifest, and did not come", err);
    if (seen->found)
        return bad_file(path, "is in the server's manifest twice", err);
    if (!json_is_integer(size) || (uint64_t) json_integer_value(size) != seen->size)
        return bad_file(path, "came with another length than the server's manifest says", err);
    if (str_equal(algorithm, "CRC32C") && seen->crc_known &&
        (checksum == NULL || !same_crc(checksum, seen->crc)))
        return bad_file(path, "came with another checksum than the server's manifest says", err);
    seen->found = true;
    c->found++;
    return true;
}

static bool take_object(ManifestCheck *c, Error *err)
{
    AUTO(mem_context_free) MemContext *tmp = mem_context(NULL, "file");
    json_t *object = json_loadb(c->object, c->object_len, JSON_REJECT_DUPLICATES, NULL);
    const char *path = json_string_value(json_object_get(object, "Path"));
    const char *hex = json_string_value(json_object_get(object, "Encoded-Path"));
    if (path == NULL && hex != NULL)
        path = decode_path(tmp, hex);
    bool ok = path != NULL
                  ? compare_file(c, path, object, err)
                  : error_set(err, ERR_CORRUPT, "an entry of the server's manifest cannot be read");
    json_decref(object);
    return ok;
}

/* ---- the scanner ---- */

/* Inside of an object of an array of the top level, at any depth. */
static bool in_object(const ManifestCheck *c)
{
    return c->depth >= 3 && strcmp(c->key, "Files") == 0;
}

static bool keep(ManifestCheck *c, char letter, Error *err)
{
    if (c->object_len == OBJECT_MAX)
        return error_set(err, ERR_CORRUPT, "an entry of the server's manifest is too long");
    c->object[c->object_len++] = letter;
    return true;
}

static void scan_string(ManifestCheck *c, char letter)
{
    if (c->escaped)
        c->escaped = false;
    else if (letter == '\\')
        c->escaped = true;
    else if (letter == '"')
        c->in_string = false;
    if (c->in_string && c->depth == 1 && c->key_len + 1 < KEY_MAX)
    {
        c->key[c->key_len++] = letter;
        c->key[c->key_len] = '\0';
    }
}

static bool scan_open(ManifestCheck *c, Error *err)
{
    c->depth++;
    if (c->depth == 3)
        c->object_len = 0;
    return (!c->done && c->depth < 16) ||
           error_set(err, ERR_CORRUPT, "the server's manifest is no JSON object of its kind");
}

static bool scan(ManifestCheck *c, char letter, Error *err)
{
    if (c->in_string)
    {
        scan_string(c, letter);
        return !in_object(c) || keep(c, letter, err);
    }
    switch (letter)
    {
    case '"':
        c->in_string = true;
        if (c->depth == 1)
        {
            c->key_len = 0;
            c->key[0] = '\0';
        }
        break;
    case '{':
    case '[':
        if (!scan_open(c, err))
            return false;
        break;
    case '}':
    case ']':
        if (in_object(c) && !keep(c, letter, err))
            return false;
        if (c->depth == 3 && in_object(c) && !take_object(c, err))
            return false;
        c->done = --c->depth == 0;
        return c->depth >= 0 || error_set(err, ERR_CORRUPT, "the server's manifest is no JSON");
    default:
        break;
    }
    return !in_object(c) || keep(c, letter, err);
}

/* Lines are hashed when they are complete and another one follows. */
static bool hash(ManifestCheck *c, char letter, Error *err)
{
    if (c->line_len > 0 && c->line[c->line_len - 1] == '\n')
    {
        if (EVP_DigestUpdate(c->sha256, c->line, c->line_len) != 1)
            return error_set(err, ERR_INTERNAL, "SHA-256 failed");
        c->line_len = 0;
    }
    if (c->line_len == LINE_SIZE)
        return error_set(err, ERR_CORRUPT, "a line of the server's manifest is too long");
    c->line[c->line_len++] = letter;
    return true;
}

bool manifest_check_write(ManifestCheck *c, const void *data, size_t len, Error *err)
{
    const char *p = data;
    for (size_t i = 0; i < len; i++)
    {
        if (!hash(c, p[i], err) || !scan(c, p[i], err))
            return false;
    }
    return true;
}

/* The last line, as all servers write it. */
static bool check_sum(ManifestCheck *c, Error *err)
{
    unsigned char digest[SHA256_SIZE];
    char hex[HEX_SIZE + 1];
    char want[HEX_SIZE + 32];
    if (EVP_DigestFinal_ex(c->sha256, digest, NULL) != 1)
        return error_set(err, ERR_INTERNAL, "SHA-256 failed");
    str_hex(hex, digest, sizeof(digest));
    int len = snprintf(want, sizeof(want), "\"Manifest-Checksum\": \"%s\"}\n", hex);
    return (c->line_len == (size_t) len && memcmp(c->line, want, c->line_len) == 0) ||
           error_set(err, ERR_CORRUPT, "the checksum of the server's manifest is not right");
}

bool manifest_check_finish(ManifestCheck *c, Error *err)
{
    if (!c->done || c->in_string)
        return error_set(err, ERR_CORRUPT, "the server's manifest is not complete");
    if (c->found != c->count)
        return error_set(err, ERR_CORRUPT, "%zu files came that are not in the server's manifest",
                         c->count - c->found);
    return check_sum(c, err);
}
