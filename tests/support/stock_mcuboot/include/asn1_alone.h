/* What image_ed25519.c needs of Mbed TLS: the reader of DER, to find the bytes of the key in it. */
#ifndef TINYC_ASN1_ALONE_H
#define TINYC_ASN1_ALONE_H

#define MBEDTLS_ASN1_PARSE_C

#endif
