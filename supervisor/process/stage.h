/* Where starting a child went wrong. libc only: the shim says it, the server's users read it (proc.h). */
#ifndef ROADIE_PROCESS_STAGE_H
#define ROADIE_PROCESS_STAGE_H

enum proc_stage {
    STAGE_NONE,
    STAGE_SHIM,        /* the shim itself could not be started or died */
    STAGE_SETUP,       /* session, group, terminal, limits */
    STAGE_CHDIR,       /* working directory */
    STAGE_EXEC,        /* program not found, not executable, unknown format, argument list too long */
    STAGE_INTERPRETER, /* the program is there, what its first line (or its ELF header) asks for is not */
};

#endif
