// CRC-32C (Castagnoli), by the processor's instruction where it has one and by tables where not.
//
// The instructions are called by clang's builtins: the headers that name them are modules of their own, which
// this module cannot see when Swift imports it.
//
// All functions take and return the running register: start with 0xFFFFFFFF, and complement the last one.
#ifndef CUNDERSTUDY_CRC_H
#define CUNDERSTUDY_CRC_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#define UNDERSTUDY_CRC32C_POLYNOMIAL 0x82F63B78u

static inline uint64_t understudy_crc32c_load(const unsigned char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

// Entry [n][b] is the register after byte b and n zero bytes. Each Swift module that calls has tables of its own.
static uint32_t understudy_crc32c_tables[8][256] = {{0}};
static pthread_once_t understudy_crc32c_tables_once = PTHREAD_ONCE_INIT;

static void understudy_crc32c_make_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? UNDERSTUDY_CRC32C_POLYNOMIAL : 0);
        understudy_crc32c_tables[0][byte] = crc;
    }
    for (int n = 1; n < 8; n++) {
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = understudy_crc32c_tables[n - 1][byte];
            understudy_crc32c_tables[n][byte] = (crc >> 8) ^ understudy_crc32c_tables[0][crc & 0xFF];
        }
    }
}

/// Eight bytes at a time by eight tables; for processors without the instruction, and to test the others against.
static inline uint32_t understudy_crc32c_portable(uint32_t crc, const void *data, size_t length) {
    const unsigned char *bytes = data;
    pthread_once(&understudy_crc32c_tables_once, understudy_crc32c_make_tables);
    const uint32_t(*table)[256] = (const uint32_t(*)[256])understudy_crc32c_tables;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; length >= 8; bytes += 8, length -= 8) {
        uint64_t word = understudy_crc32c_load(bytes) ^ crc;
        crc = 0;
        for (int n = 0; n < 8; n++) crc ^= table[7 - n][(word >> (8 * n)) & 0xFF];
    }
#endif
    for (; length > 0; bytes++, length--) crc = (crc >> 8) ^ table[0][(crc ^ *bytes) & 0xFF];
    return crc;
}

#if defined(__x86_64__)

// The instruction takes one word a cycle, but gives its result after three: so three parts of a stretch are
// run side by side, and the registers of the first two are then moved on over the parts that follow them.
// To move a register over n bytes is to multiply it by x^(8n) modulo the polynomial. A carry-less product
// gains x^1 by its bit order, and the instruction that reduces it x^32; so the factors are x^(8n - 33).
#define UNDERSTUDY_CRC32C_PART 1024
#define UNDERSTUDY_CRC32C_OVER_ONE_PART 0x170076FAu
#define UNDERSTUDY_CRC32C_OVER_TWO_PARTS 0xA51B6135u

typedef long long understudy_two_words __attribute__((vector_size(16)));

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t
understudy_crc32c_product(uint64_t crc, uint32_t factor) {
    understudy_two_words left = {(long long)crc, 0}, right = {factor, 0};
    return (uint64_t)((understudy_two_words)__builtin_ia32_pclmulqdq128(left, right, 0))[0];
}

__attribute__((target("sse4.2,pclmul"))) static inline uint32_t
understudy_crc32c_hardware(uint32_t start, const void *data, size_t length) {
    const unsigned char *bytes = data;
    const size_t part = UNDERSTUDY_CRC32C_PART;
    uint64_t crc = start;
    for (; length >= 3 * part; bytes += 3 * part, length -= 3 * part) {
        uint64_t first = crc, second = 0, third = 0;
        for (size_t i = 0; i < part; i += 8) {
            // The next stretch, which may lie behind the end: that asks for nothing. Memory is the limit here.
            if (i % 64 == 0) {
                __builtin_prefetch(bytes + 3 * part + i);
                __builtin_prefetch(bytes + 4 * part + i);
                __builtin_prefetch(bytes + 5 * part + i);
            }
            first = __builtin_ia32_crc32di(first, understudy_crc32c_load(bytes + i));
            second = __builtin_ia32_crc32di(second, understudy_crc32c_load(bytes + part + i));
            third = __builtin_ia32_crc32di(third, understudy_crc32c_load(bytes + 2 * part + i));
        }
        uint64_t product = understudy_crc32c_product(first, UNDERSTUDY_CRC32C_OVER_TWO_PARTS) ^
                           understudy_crc32c_product(second, UNDERSTUDY_CRC32C_OVER_ONE_PART);
        crc = __builtin_ia32_crc32di(0, product) ^ third;
    }
    for (; length >= 8; bytes += 8, length -= 8) crc = __builtin_ia32_crc32di(crc, understudy_crc32c_load(bytes));
    for (; length > 0; bytes++, length--) crc = __builtin_ia32_crc32qi((uint32_t)crc, *bytes);
    return (uint32_t)crc;
}

static inline int understudy_crc32c_has_hardware(void) {
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#elif defined(__aarch64__) && defined(__linux__)

__attribute__((target("crc"))) static inline uint32_t
understudy_crc32c_hardware(uint32_t crc, const void *data, size_t length) {
    const unsigned char *bytes = data;
    for (; length >= 8; bytes += 8, length -= 8) crc = __builtin_arm_crc32cd(crc, understudy_crc32c_load(bytes));
    for (; length > 0; bytes++, length--) crc = __builtin_arm_crc32cb(crc, *bytes);
    return crc;
}

// Bit 7 of the auxiliary vector's AT_HWCAP is HWCAP_CRC32. The C library keeps the vector: no system call.
static inline int understudy_crc32c_has_hardware(void) { return (getauxval(AT_HWCAP) >> 7) & 1; }

#else

static inline uint32_t understudy_crc32c_hardware(uint32_t crc, const void *data, size_t length) {
    return understudy_crc32c_portable(crc, data, length);
}

static inline int understudy_crc32c_has_hardware(void) { return 0; }

#endif

/// Moves `crc` on over `length` bytes. To ask what the processor can do costs next to nothing: it was found out at
/// program start.
static inline uint32_t understudy_crc32c(uint32_t crc, const void *data, size_t length) {
    return understudy_crc32c_has_hardware() ? understudy_crc32c_hardware(crc, data, length)
                                            : understudy_crc32c_portable(crc, data, length);
}

#endif
