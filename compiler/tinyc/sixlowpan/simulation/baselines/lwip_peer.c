/* lwIP's 6LoWPAN as a process of its own: frames in, datagrams out, and the other way round.
 *
 * Linked with Debian's lwIP. Functions of that library that are defined here take the place of its own:
 * ip6_input, behind which a reassembled datagram would go on; the heap, to know what it holds for which
 * datagram; and the clock.
 *
 * Commands on stdin, numbers least significant byte first:
 *   'F' length:2 frame            a frame without check sum
 *   'T' milliseconds:4            time passes
 *   'S' source:2 length:2 datagram    send it from a short address, most significant byte first; the package's
 *                                 hardware addresses have room for 6 bytes, so it cannot from an extended one
 *   'Q'                           what is held
 * Answers on stdout, any number of them and then 'E':
 *   'D' length:2 datagram         handed up
 *   'X' length:2 frame            sent, with its check sum
 *   'H' label:4 bytes:4           held since the frame with this number (from 1)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/init.h"
#include "lwip/mem.h"
#include "lwip/netif.h"
#include "lwip/opt.h"
#include "lwip/pbuf.h"
#include "netif/lowpan6.h"

enum { FRAME_MOST = 127, DATAGRAM_MOST = 1280 };

/* In front of each block of the heap. */
struct block {
    struct block *next;
    struct block *before;
    mem_size_t bytes;
    unsigned label;
    /* What follows stays aligned. */
    max_align_t align[];
};

static struct block blocks = {&blocks, &blocks, 0, 0};
static unsigned label, frames;
static u32_t now, ticks;

static void put(unsigned long value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        putchar((int)(value >> (8 * i) & 0xFF));
}

static unsigned long get(unsigned bytes)
{
    unsigned long value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        int byte = getchar();
        if (byte == EOF)
            exit(0);
        value |= (unsigned long)(unsigned char)byte << (8 * i);
    }
    return value;
}

static void get_bytes(u8_t *to, size_t count)
{
    if (fread(to, 1, count, stdin) != count)
        exit(0);
}

/* Length-prefixed bytes, at most `room` of them; a longer one is an error of the parent. */
static u16_t get_sized(u8_t *to, u16_t room)
{
    u16_t length = (u16_t)get(2);
    if (length > room)
        exit(2);
    get_bytes(to, length);
    return length;
}

static void put_pbuf(char kind, struct pbuf *p)
{
    putchar(kind);
    put(p->tot_len, 2);
    for (; p != NULL; p = p->next) {
        fwrite(p->payload, 1, p->len, stdout);
        if (p->tot_len == p->len)
            break;
    }
}

void *mem_malloc(mem_size_t bytes)
{
    struct block *it = malloc(sizeof *it + bytes);
    if (it == NULL)
        return NULL;
    it->bytes = bytes;
    it->label = label;
    it->next = blocks.next;
    it->before = &blocks;
    it->next->before = it;
    blocks.next = it;
    return it + 1;
}

void *mem_calloc(mem_size_t count, mem_size_t bytes)
{
    void *made = mem_malloc((mem_size_t)(count * bytes));
    if (made != NULL)
        memset(made, 0, count * bytes);
    return made;
}

void mem_free(void *what)
{
    if (what == NULL)
        return;
    struct block *it = (struct block *)what - 1;
    it->before->next = it->next;
    it->next->before = it->before;
    free(it);
}

void *mem_trim(void *what, mem_size_t bytes)
{
    struct block *it = (struct block *)what - 1;
    if (bytes < it->bytes)
        it->bytes = bytes;
    return what;
}

u32_t sys_now(void)
{
    return now;
}

err_t ip6_input(struct pbuf *p, struct netif *netif)
{
    (void)netif;
    put_pbuf('D', p);
    pbuf_free(p);
    return ERR_OK;
}

static err_t sent(struct netif *netif, struct pbuf *p)
{
    (void)netif;
    put_pbuf('X', p);
    return ERR_OK;
}

static err_t start(struct netif *netif)
{
    netif->linkoutput = sent;
    netif->hwaddr_len = sizeof netif->hwaddr;
    return lowpan6_if_init(netif);
}

static void hear(struct netif *netif)
{
    u8_t frame[FRAME_MOST];
    u16_t length = get_sized(frame, sizeof frame);
    label = ++frames;
    struct pbuf *p = pbuf_alloc(PBUF_RAW, length, PBUF_RAM);
    if (p != NULL && pbuf_take(p, frame, length) == ERR_OK)
        lowpan6_input(p, netif);
    label = 0;
}

static void wait_until(u32_t until)
{
    now = until;
    for (; ticks < now / LOWPAN6_TMR_INTERVAL; ticks++)
        lowpan6_tmr();
}

static void send_datagram(struct netif *netif)
{
    u8_t from[2], datagram[DATAGRAM_MOST];
    ip6_addr_t destination;
    get_bytes(from, sizeof from);
    u16_t length = get_sized(datagram, sizeof datagram);
    if (length < 40)
        exit(2);
    lowpan6_set_short_addr(from[0], from[1]);
    memset(&destination, 0, sizeof destination);
    memcpy(destination.addr, datagram + 24, 16);
    ip6_addr_assign_zone(&destination, IP6_UNICAST, netif);
    struct pbuf *p = pbuf_alloc(PBUF_LINK, length, PBUF_RAM);
    if (p != NULL && pbuf_take(p, datagram, length) == ERR_OK)
        lowpan6_output(netif, p, &destination);
    if (p != NULL)
        pbuf_free(p);
}

/* Blocks by the frame in which they were taken; the parent joins those of one datagram. */
static void tell_held(void)
{
    for (struct block *it = blocks.next; it != &blocks; it = it->next) {
        if (it->label == 0)
            continue;
        putchar('H');
        put(it->label, 4);
        put(it->bytes, 4);
    }
}

int main(void)
{
    struct netif netif;
    memset(&netif, 0, sizeof netif);
    lwip_init();
    netif_add_noaddr(&netif, NULL, start, ip6_input);
    netif_set_up(&netif);
    netif_set_link_up(&netif);
    lowpan6_set_pan_id(0xABCD);
    for (;;) {
        switch (get(1)) {
        case 'F':
            hear(&netif);
            break;
        case 'T':
            wait_until((u32_t)get(4));
            break;
        case 'S':
            send_datagram(&netif);
            break;
        case 'Q':
            tell_held();
            break;
        default:
            return 2;
        }
        putchar('E');
        fflush(stdout);
    }
}
