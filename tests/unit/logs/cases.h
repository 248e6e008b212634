/* Tables of cases: tab-separated, `#` comments, \e \xNN \t \r \n \\ in the columns. */
#ifndef ROADIE_TESTS_LOGS_CASES_H
#define ROADIE_TESTS_LOGS_CASES_H

#include "base/bytes.h"

enum { CASE_COLUMNS = 4 };

struct case_row {
    struct buf columns[CASE_COLUMNS];
    unsigned count;
};

/* Calls each() for every row of tests/cases/NAME; fails when there is none. */
void cases_run(const char *name, void (*each)(void *ctx, const struct case_row *row), void *ctx);

#endif
