/*
 * repo/point.h - restore points that are of one instant on all nodes of a fleet, made at any time.
 *
 *   points/<fleet>/<name>.jsonl     one record for each node (doc/format.md)
 *   points/<fleet>/.<name>.begun    nodes may have written it, and there is no such file yet
 *
 * A server's recovery ends at the first restore point of a name. So no name is used twice: were a second try to make
 * it that had failed behind the first node, some nodes would come back to the one and some to the other.
 */
#ifndef PGARK_REPO_POINT_H
#define PGARK_REPO_POINT_H

#include "repo/repo.h"

#define POINT_DIR "points"
#define POINT_OF_SET                                                                               \
    "pgark_" /* begins the names of those that physical sets end with: _KEY_, and what makes it one of its own */
#define POINT_NODES_MAX 4096

typedef struct Point
{
    PointRecord *nodes;
    size_t count, capacity;
} Point;

/* point_begin keeps a name for whoever is about to make the point. ERR_EXISTS: the fleet has one of that name, or
 * somebody has begun to make it. point_give_up lets it go again: it is in no node's WAL. */
bool point_begin(Repo *repo, const char *fleet, const char *name, Error *err) MUST_CHECK;
void point_give_up(Repo *repo, const char *fleet, const char *name);

/* point_write publishes a point that was begun; ERR_EXISTS: the fleet has one of that name. */
bool point_write(Repo *repo, const Point *point, Error *err) MUST_CHECK;

/* point_each reads all points of a fleet, in no order. One that is damaged is passed over with a warning. */
typedef bool (*PointEach)(void *arg, const Point *point, Error *err);
bool point_each(Repo *repo, const char *fleet, PointEach each, void *arg, Error *err) MUST_CHECK;

bool point_remove(Repo *repo, const Point *point, Error *err) MUST_CHECK;

/* point_of gives the node's record of a point; NULL: there is none. */
const PointRecord *point_of(const Point *point, const char *system_identifier);

#endif
