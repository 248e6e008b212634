/* The version, handed down by CMake (project VERSION). */
#ifndef ROADIE_UI_VERSION_H
#define ROADIE_UI_VERSION_H

#ifndef ROADIE_VERSION
#define ROADIE_VERSION "0"
#endif

#endif
