/* The numbers of the flash areas. There is one image, so the argument is always 0. */
#ifndef TINYC_SYSFLASH_H
#define TINYC_SYSFLASH_H

#define FLASH_AREA_IMAGE_PRIMARY(image) ((image) == 0 ? 1 : 1)
#define FLASH_AREA_IMAGE_SECONDARY(image) ((image) == 0 ? 2 : 2)
#define FLASH_AREA_IMAGE_SCRATCH 3

#endif
