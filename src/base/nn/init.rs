//! Initial values of weights: uniform in ±limit, a pure function of (seed, name's number, element).

use crate::rng;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Zeros,
    Ones,
    /// Within ±limit.
    Uniform {
        limit: f64,
    },
    /// limit = √(6/(fan_in + fan_out)) (Glorot & Bengio 2010, Eq. 16)
    Glorot {
        fan_in: usize,
        fan_out: usize,
    },
    /// limit = √(6/fan_in) (He et al. 2015, Eq. 10, as a uniform law of the same variance)
    Kaiming {
        fan_in: usize,
    },
}

/// Parameters draw from the streams from this one on, a stream each, far from those of noise.
const FIRST_STREAM: u32 = 1 << 16;

impl Init {
    pub fn values(self, seed: u64, parameter: usize, n: usize) -> Vec<f32> {
        let mut values = vec![0.0; n];
        self.fill(seed, parameter, &mut values);
        values
    }

    /// Gives a parameter its values, by its number.
    pub fn fill(self, seed: u64, parameter: usize, values: &mut [f32]) {
        let limit = match self {
            Init::Zeros => return values.fill(0.0),
            Init::Ones => return values.fill(1.0),
            Init::Uniform { limit } => limit,
            Init::Glorot { fan_in, fan_out } => (6.0 / (fan_in + fan_out) as f64).sqrt(),
            Init::Kaiming { fan_in } => (6.0 / fan_in as f64).sqrt(),
        };
        let (seed, stream) = (rng::seed_words(seed), FIRST_STREAM + parameter as u32);
        let mut words = [0u32; 256];
        for (start, values) in (0..).step_by(words.len()).zip(values.chunks_mut(words.len())) {
            rng::words(seed, stream, 0, start, &mut words);
            for (value, word) in values.iter_mut().zip(words) {
                *value = rng::symmetric(word) * limit as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A uniform law on ±limit has variance limit²/3; its estimate from n draws has a relative standard error of √(0.8/n).
    #[test]
    fn initial_values_have_the_variance_of_their_law() {
        let n = 50_000;
        for (init, variance) in
            [(Init::Glorot { fan_in: 300, fan_out: 100 }, 2.0 / 400.0), (Init::Kaiming { fan_in: 50 }, 2.0 / 50.0)]
        {
            let values = init.values(3, 1, n);
            let got = values.iter().map(|x| f64::from(x * x)).sum::<f64>() / n as f64;
            assert!((got / variance - 1.0).abs() < 0.017, "{init:?}: {got} wants {variance}");
        }
    }
}
