/* The light `roadie` program: a client of roadie-server, and a reader of its logs. */
#include "ui/app.h"

extern char **environ;

int main(int argc, char **argv)
{
    return app_run(argc, argv, environ);
}
