/* config/option_nearest.c - edit distance; the contract is in option_nearest.h. */
#include "config/option_nearest.h"

#define NAME_MAX_LEN 32

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* How many letters must be put in, taken out, exchanged, or swapped with their neighbour. */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t cost[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
    for (size_t i = 0; i <= a_len; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= b_len; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= a_len; i++)
    {
        for (size_t j = 1; j <= b_len; j++)
        {
            size_t exchanged = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);
            cost[i][j] = least(cost[i - 1][j] + 1, cost[i][j - 1] + 1, exchanged);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && cost[i - 2][j - 2] + 1 < cost[i][j])
                cost[i][j] = cost[i - 2][j - 2] + 1;
        }
    }
    return cost[a_len][b_len];
}

void option_nearest_offer(NearestName *nearest, const char *candidate)
{
    size_t len = strlen(nearest->text);
    size_t candidate_len = strlen(candidate);
    if (len == 0 || len > NAME_MAX_LEN || candidate_len > NAME_MAX_LEN)
        return;
    size_t distance = edit_distance(nearest->text, len, candidate, candidate_len);
    size_t longer = len > candidate_len ? len : candidate_len;
    bool close = distance * 3 <= longer;
    if (close && (nearest->best == NULL || distance < nearest->distance))
    {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}
