/*
 * The store of counters on this machine: `main PAGES CUT` keeps its two pages in the file PAGES, and ends in the middle
 * of the flash operation CUT (a word written, a page erased). It prints the epoch and what peers are resumed at. Then
 * for each line `PEER TOP NOW EPOCH` on stdin that is the peer's counter, and the store is polled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lowpan_store.h"
#include "lpc.h"

#define CUT_STATUS 7

static uint32_t pages[2][LOWPAN_STORE_WORDS], tops[LPC_PEERS];
static const char *path;
static long left;

static void keep(void) {
    FILE *const file = fopen(path, "wb");
    if (file == 0 || fwrite(pages, sizeof pages, 1, file) != 1u || fclose(file) != 0) {
        exit(1);
    }
}

static void power(void) {
    if (--left == 0) {
        keep();
        exit(CUT_STATUS);
    }
}

uint32_t lowpan_page_read(uint32_t page, uint32_t word) {
    return pages[page][word];
}

void lowpan_page_write(uint32_t page, uint32_t word, const uint32_t words[2]) {
    for (uint32_t i = 0; i < 2u; i++) {
        if (pages[page][word + i] != 0xFFFFFFFFu) {
            fprintf(stderr, "a word is written twice\n");
            exit(1);
        }
        /* Half of its bits are there when the power goes. */
        pages[page][word + i] = words[i] | 0x55555555u;
        power();
        pages[page][word + i] = words[i];
    }
}

void lowpan_page_erase(uint32_t page) {
    memset(pages[page], 0xFF, sizeof pages[page] / 2u);
    power();
    memset(pages[page], 0xFF, sizeof pages[page]);
}

uint32_t lpc_peer_top(uint32_t peer) {
    return tops[peer];
}

void lpc_peer_resume(uint32_t peer, uint32_t top) {
    tops[peer] = top;
}

int main(int count, char **arguments) {
    unsigned peer, top, now, epoch;
    if (count != 3) {
        return 1;
    }
    path = arguments[1];
    left = strtol(arguments[2], 0, 10);
    FILE *const file = fopen(path, "rb");
    memset(pages, 0xFF, sizeof pages);
    if (file != 0) {
        if (fread(pages, sizeof pages, 1, file) != 1u) {
            return 1;
        }
        fclose(file);
    }
    printf("%u", (unsigned)lowpan_store_begin());
    for (uint32_t i = 0; i < LPC_PEERS; i++) {
        printf(" %u", (unsigned)tops[i]);
    }
    printf("\n");
    fflush(stdout);
    while (scanf("%u %u %u %u", &peer, &top, &now, &epoch) == 4) {
        tops[peer] = top;
        lowpan_store_poll(now, (uint16_t)epoch);
    }
    keep();
    return 0;
}
