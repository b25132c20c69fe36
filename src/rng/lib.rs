//! The counter-based generator: Threefry-2x32-20 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
//! A draw is a pure function of (seed, stream, step, element); `shaders/random.wgsl` gives the same bits.

const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
/// The key-schedule parity word of the Threefish family.
const PARITY: u32 = 0x1BD1_1BDA;
/// Streams are spread over the key by this odd constant (2³²/φ), so that neighbours differ in many bits.
const STREAM_SPREAD: u32 = 0x9E37_79B9;

#[inline]
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    let keys = [key[0], key[1], PARITY ^ key[0] ^ key[1]];
    let mut x = [counter[0].wrapping_add(keys[0]), counter[1].wrapping_add(keys[1])];
    for group in 0..5usize {
        for rotation in ROTATIONS[group % 2] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(rotation) ^ x[0];
        }
        x[0] = x[0].wrapping_add(keys[(group + 1) % 3]);
        x[1] = x[1].wrapping_add(keys[(group + 2) % 3]).wrapping_add(group as u32 + 1);
    }
    x
}

/// The key of one stream of noise under a 64-bit seed given as two words, low first.
#[inline]
pub fn stream_key(seed: [u32; 2], stream: u32) -> [u32; 2] {
    [seed[0], seed[1] ^ stream.wrapping_mul(STREAM_SPREAD)]
}

pub fn seed_words(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// The random word of (seed, stream, step, element).
pub fn word(seed: [u32; 2], stream: u32, step: u32, element: u32) -> u32 {
    threefry2x32(stream_key(seed, stream), [step, element])[0]
}

/// The words of the elements from `start` on: what `word` gives one by one, in a loop that is vectorised.
pub fn words(seed: [u32; 2], stream: u32, step: u32, start: u32, out: &mut [u32]) {
    let key = stream_key(seed, stream);
    for (i, word) in out.iter_mut().enumerate() {
        *word = threefry2x32(key, [step, start.wrapping_add(i as u32)])[0];
    }
}

/// A word's 23 high bits as a float in [0, 1).
#[inline]
pub fn unit(word: u32) -> f32 {
    f32::from_bits((word >> 9) | 0x3F80_0000) - 1.0
}

/// A word as the centre of one of 2²³ equal cells of (−1, 1): never −1, 0 or 1.
#[inline]
pub fn symmetric(word: u32) -> f32 {
    let cell = (word >> 9) as f32;
    (cell + 0.5) * (1.0 / 4_194_304.0) - 1.0
}

/// A word as a standard normal draw: √2 · erfinv(u).
pub fn normal(word: u32) -> f32 {
    std::f32::consts::SQRT_2 * erfinv(symmetric(word))
}

/// erf⁻¹ in single precision (Giles 2012, "Approximating the erfinv function", Table 5); its stated relative error is below 4e-7.
pub fn erfinv(x: f32) -> f32 {
    erfinv_with(x, f32::ln)
}

/// The same with a logarithm of the caller's; without branches if that has none, so that a loop over it is vectorised.
#[inline(always)]
pub fn erfinv_with(x: f32, log: impl Fn(f32) -> f32) -> f32 {
    const CENTRAL: [f32; 9] = [
        2.810_226_4e-8,
        3.432_739_4e-7,
        -3.523_387_7e-6,
        -4.391_506_4e-6,
        2.185_808_7e-4,
        -1.253_725e-3,
        -4.177_681_6e-3,
        2.466_407_3e-1,
        1.501_409_4,
    ];
    const TAIL: [f32; 9] = [
        -2.002_142_6e-4,
        1.009_505_6e-4,
        1.349_343_2e-3,
        -3.673_428_4e-3,
        5.739_507_7e-3,
        -7.622_461_3e-3,
        9.438_870_5e-3,
        1.001_674,
        2.832_976_8,
    ];
    let w = -log((1.0 - x) * (1.0 + x));
    let is_central = w < 5.0;
    let t = if is_central { w - 2.5 } else { w.sqrt() - 3.0 };
    let mut sum = 0.0;
    for i in 0..9 {
        sum = sum * t + if is_central { CENTRAL[i] } else { TAIL[i] };
    }
    sum * x
}

/// The order of a data set's rows in one epoch: indices sorted by (random word, index).
pub fn permutation(seed: u64, epoch: u32, n: usize) -> Vec<u32> {
    const ORDER: u32 = 0x6F72_6465; // "orde"
    let [low, high] = seed_words(seed);
    let words: Vec<u32> = (0..n as u32).map(|i| threefry2x32([low, high ^ ORDER], [epoch, i])[0]).collect();
    // By the bytes of the words from the lowest on: each pass keeps the order of those before it.
    let (mut order, mut next): (Vec<u32>, Vec<u32>) = ((0..n as u32).collect(), vec![0; n]);
    for byte in 0..4 {
        let digit = |i: u32| (words[i as usize] >> (8 * byte) & 255) as usize;
        let mut at = [0; 257];
        order.iter().for_each(|i| at[digit(*i) + 1] += 1);
        (0..256).for_each(|k| at[k + 1] += at[k]);
        for i in &order {
            next[at[digit(*i)]] = *i;
            at[digit(*i)] += 1;
        }
        std::mem::swap(&mut order, &mut next);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random123's kat_vectors, lines "threefry2x32 20".
    #[test]
    fn threefry_gives_its_published_known_answers() {
        assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6B20_0159, 0x99BA_4EFE]);
        assert_eq!(threefry2x32([!0, !0], [!0, !0]), [0x1CB9_96FC, 0xBB00_2BE7]);
        assert_eq!(threefry2x32([0x1319_8A2E, 0x0370_7344], [0x243F_6A88, 0x85A3_08D3]), [0xC492_3A9C, 0x483D_F7A0]);
    }

    #[test]
    fn normal_draws_have_the_moments_of_a_standard_normal() {
        let n = 200_000u32;
        let draws: Vec<f64> = (0..n).map(|i| f64::from(normal(word([7, 0], 1, 3, i)))).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / f64::from(n);
        // Standard errors of the moments are √(E[x²ᵏ]−E[xᵏ]²)/√n: 0.0022, 0.0032, 0.0087, 0.022; four of each.
        assert!(moment(1).abs() < 0.009, "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.013, "variance {}", moment(2));
        assert!(moment(3).abs() < 0.035, "skewness {}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.09, "kurtosis {}", moment(4));
    }

    #[test]
    fn permutations_hold_every_index_once_and_change_with_the_epoch() {
        let mut order = permutation(5, 0, 1000);
        assert_ne!(order, permutation(5, 1, 1000));
        let word = |i: &u32| threefry2x32([seed_words(5)[0], seed_words(5)[1] ^ 0x6F72_6465], [0, *i])[0];
        assert!(order.is_sorted_by_key(|i| (word(i), *i)));
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<u32>>());
    }
}
