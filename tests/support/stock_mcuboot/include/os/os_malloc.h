/* bootutil asks for this header, but needs nothing of it: <stdlib.h> has malloc. */
#ifndef TINYC_OS_MALLOC_H
#define TINYC_OS_MALLOC_H

#include <stdlib.h>

#endif
