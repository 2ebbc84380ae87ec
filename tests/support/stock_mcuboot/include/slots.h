/*
 * tinyc's slots of the nRF52840, as MCUboot's ways to update need them described. Images and requests lie
 * at the same addresses in all of them: the page in front of the image in the secondary slot is free room.
 */
#ifndef TINYC_STOCK_SLOTS_H
#define TINYC_STOCK_SLOTS_H

#define PAGE 4096u
#define FLASH_BYTES (256u * PAGE)

#define PRIMARY 0x00006000u
#define PRIMARY_PAGES 123u
#if defined(MCUBOOT_SWAP_USING_OFFSET)
#define SECONDARY 0x00081000u
#define SECONDARY_PAGES 124u
#else
#define SECONDARY 0x00082000u
#define SECONDARY_PAGES 123u
#endif
#define SCRATCH 0x00081000u
#define SCRATCH_PAGES 1u

#endif
