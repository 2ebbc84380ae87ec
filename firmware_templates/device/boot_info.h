/*
 * Slots and bootloader, as hello tells them: entries `slots` and `boot` of a map.
 */
#ifndef TINYC_BOOT_INFO_H
#define TINYC_BOOT_INFO_H

#define BOOT_INFO_ENTRIES 2u
void boot_info_put(void);

#endif
