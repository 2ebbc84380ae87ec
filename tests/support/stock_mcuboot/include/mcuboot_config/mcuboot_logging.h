/* Errors and what is going on go to stderr, for the messages of tests that fail. */
#ifndef TINYC_MCUBOOT_LOGGING_H
#define TINYC_MCUBOOT_LOGGING_H

#include <stdio.h>

#define MCUBOOT_LOG_MODULE_DECLARE(name)
#define MCUBOOT_LOG_MODULE_REGISTER(name)

#define TINYC_LOG(kind, ...) \
    ((void)fputs(kind, stderr), (void)fprintf(stderr, __VA_ARGS__), (void)fputc('\n', stderr))
#define MCUBOOT_LOG_ERR(...) TINYC_LOG("error: ", __VA_ARGS__)
#define MCUBOOT_LOG_WRN(...) TINYC_LOG("warning: ", __VA_ARGS__)
#define MCUBOOT_LOG_INF(...) TINYC_LOG("", __VA_ARGS__)
#define MCUBOOT_LOG_DBG(...) ((void)0)
#define MCUBOOT_LOG_SIM(...) ((void)0)

#endif
