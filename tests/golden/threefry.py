"""Threefry-2x32-20 in numpy, and the batch order built on it. Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".

Written from the paper, apart from the Rust and WGSL versions, so that agreement says something.
"""

import numpy as np

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)  # ibid., Table 2 as in the Random123 distribution
PARITY = 0x1BD11BDA
ORDER = 0x6F726465  # "orde": the stream of the batch order, mixed into the high key word

KNOWN_ANSWERS = [  # Random123, kat_vectors: (key, counter, output)
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


def threefry2x32(key, counter):
    """(k0, k1), (c0, c1) -> (x0, x1), all uint32; scalars broadcast against arrays."""
    k = [np.asarray(word, np.uint32) for word in key]
    k.append(k[0] ^ k[1] ^ np.uint32(PARITY))
    x0, x1 = np.broadcast_arrays(*(np.asarray(word, np.uint32) for word in counter))
    with np.errstate(over="ignore"):  # sums are modulo 2^32
        x0, x1 = x0 + k[0], x1 + k[1]
        for i in range(20):
            r = ROTATIONS[i % 8]
            x0 = x0 + x1
            x1 = ((x1 << np.uint32(r)) | (x1 >> np.uint32(32 - r))) ^ x0
            if i % 4 == 3:
                j = i // 4 + 1
                x0, x1 = x0 + k[j % 3], x1 + k[(j + 1) % 3] + np.uint32(j)
    return x0, x1


def permutation(seed, epoch, n):
    """The order of n rows in an epoch (0-based): indices sorted by (word 0 of their key, index)."""
    lo, hi = seed & 0xFFFFFFFF, seed >> 32
    word, _ = threefry2x32((lo, hi ^ ORDER), (np.uint32(epoch), np.arange(n, dtype=np.uint32)))
    return np.argsort(word, kind="stable")


def batches(seed, n, batch):
    """Full batches without end, cut from the epochs' permutations laid end to end."""
    epoch, rest = 0, np.empty(0, np.int64)
    while True:
        while len(rest) < batch:
            rest = np.concatenate([rest, permutation(seed, epoch, n)])
            epoch += 1
        yield rest[:batch]
        rest = rest[batch:]


for _key, _counter, _output in KNOWN_ANSWERS:
    assert tuple(int(word) for word in threefry2x32(_key, _counter)) == _output, _output
