# Turns a definition into a C array: cmake -DNAME=… -DINPUT=… -DOUTPUT=… -DRECOGNISED_BY=a,b -P builtin.cmake
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n    "
       bytes "${bytes}")
string(REPLACE "," "\", \"" files "${RECOGNISED_BY}")
file(WRITE ${OUTPUT}.new "/* Made by cmake/builtin.cmake from procfiles/; see stack/builtin.h. */
#include \"stack/builtin.h\"

static const unsigned char text[] = {
    ${bytes}
};

static const char *const files[] = {\"${files}\", NULL};

const struct builtin builtins[] = {
    {.name = \"${NAME}\", .recognised_by = files, .text = text, .len = sizeof text},
};
const size_t builtin_count = sizeof builtins / sizeof builtins[0];
")
file(RENAME ${OUTPUT}.new ${OUTPUT})
