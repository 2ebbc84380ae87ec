/*
 * Options for a build of MCUboot's bootutil that knows tinyc's slots. The way of the update is a flag of
 * the compiler: one of MCUBOOT_SWAP_USING_OFFSET, MCUBOOT_SWAP_USING_MOVE and MCUBOOT_SWAP_USING_SCRATCH.
 */
#ifndef TINYC_MCUBOOT_CONFIG_H
#define TINYC_MCUBOOT_CONFIG_H

/* Release 2.2 uses INT_MAX without it. */
#include <limits.h>

#define MCUBOOT_SIGN_ED25519
#define MCUBOOT_USE_TINYCRYPT
#define MCUBOOT_VALIDATE_PRIMARY_SLOT
#define MCUBOOT_USE_TLV_ALLOW_LIST 1
#define MCUBOOT_HW_ROLLBACK_PROT

#define MCUBOOT_IMAGE_NUMBER 1
#define MCUBOOT_MAX_IMG_SECTORS 128
#define MCUBOOT_BOOT_MAX_ALIGN 8
#define MCUBOOT_USE_FLASH_AREA_GET_SECTORS

#define MCUBOOT_HAVE_LOGGING

#define MCUBOOT_WATCHDOG_FEED() ((void)0)
#define MCUBOOT_CPU_IDLE() ((void)0)

#endif
