//! How a code is drawn from its logits: softmax(logits/temperature), cut to the `top_k` most probable codes (Fan et al. 2018, Section 5.1), of
//! those to the fewest that together have `top_p` of the mass (Holtzman et al. 2020, Section 3.1), and what is left drawn in proportion.
//! Guidance moves the logits away from those without a condition (Ho & Salimans 2022, Eq. 6).

/// Temperature 0 takes the most probable code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    pub temperature: f64,
    pub top_k: Option<usize>,
    pub top_p: Option<f64>,
}

impl Choice {
    /// The probabilities that codes are drawn by: (codes). Of equal logits the earlier code counts as the more probable.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f64> {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        let mut p = vec![0.0; logits.len()];
        let Some(first) = order.first().copied() else { return p };
        if self.temperature == 0.0 {
            p[first] = 1.0;
            return p;
        }
        let top = f64::from(logits[first]);
        let weight = |k: usize| ((f64::from(logits[k]) - top) / self.temperature).exp();
        order.truncate(self.top_k.unwrap_or(logits.len()).max(1));
        let total: f64 = order.iter().map(|k| weight(*k)).sum();
        if let Some(top_p) = self.top_p {
            let mut mass = 0.0;
            let enough = order.iter().position(|k| {
                mass += weight(*k) / total;
                mass >= top_p
            });
            order.truncate(enough.map_or(order.len(), |last| last + 1));
        }
        let total: f64 = order.iter().map(|k| weight(*k)).sum();
        order.into_iter().for_each(|k| p[k] = weight(k) / total);
        p
    }

    /// The code that a uniform number in [0, 1) draws: the first at which the sum of the probabilities passes it.
    pub fn draw(&self, logits: &[f32], uniform: f64) -> usize {
        let p = self.probabilities(logits);
        let mut mass = 0.0;
        let passed = p.iter().position(|p| {
            mass += p;
            mass > uniform
        });
        // The sum may end a rounding short of 1.
        passed.or_else(|| p.iter().rposition(|p| *p > 0.0)).unwrap_or(0)
    }
}

/// With guidance γ: plain + γ·(told − plain), into `told`.
pub fn guide(told: &mut [f32], plain: &[f32], guidance: f64) {
    for (told, plain) in told.iter_mut().zip(plain) {
        *told = (f64::from(*plain) + guidance * (f64::from(*told) - f64::from(*plain))) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: [f64; 5] = [0.1, 0.4, 0.05, 0.25, 0.2];

    fn logits() -> Vec<f32> {
        P.iter().map(|p| (p.ln() + 3.0) as f32).collect()
    }

    fn near(choice: Choice, want: [f64; 5]) {
        for (k, (got, want)) in choice.probabilities(&logits()).into_iter().zip(want).enumerate() {
            assert!((got - want).abs() < 1e-6, "{choice:?}: code {k} has {got}, wants {want}");
        }
    }

    const ALL: Choice = Choice { temperature: 1.0, top_k: None, top_p: None };

    #[test]
    fn cut_laws_are_those_worked_out_by_hand() {
        near(ALL, P);
        near(Choice { temperature: 0.0, ..ALL }, [0.0, 1.0, 0.0, 0.0, 0.0]);
        near(Choice { top_k: Some(2), ..ALL }, [0.0, 0.4 / 0.65, 0.0, 0.25 / 0.65, 0.0]);
        // 0.4 + 0.25 is below 0.7, with 0.2 above.
        near(Choice { top_p: Some(0.7), ..ALL }, [0.0, 0.4 / 0.85, 0.0, 0.25 / 0.85, 0.2 / 0.85]);
        near(Choice { top_p: Some(0.01), ..ALL }, [0.0, 1.0, 0.0, 0.0, 0.0]);
        // Of the two that are left 0.4/0.65 is enough.
        near(Choice { top_k: Some(2), top_p: Some(0.6), ..ALL }, [0.0, 1.0, 0.0, 0.0, 0.0]);
        let squares: f64 = P.iter().map(|p| p * p).sum();
        near(Choice { temperature: 0.5, ..ALL }, P.map(|p| p * p / squares));
    }

    #[test]
    fn uniform_numbers_draw_every_code_by_its_share() {
        let n = 100_000;
        let mut counts = [0usize; 5];
        for i in 0..n {
            counts[ALL.draw(&logits(), (f64::from(i) + 0.5) / f64::from(n))] += 1;
        }
        for (count, p) in counts.into_iter().zip(P) {
            assert!((count as f64 - p * f64::from(n)).abs() <= 2.0, "{count} of {n} wants {p}");
        }
        assert_eq!(ALL.draw(&logits(), 1.0), 4, "a number that no sum passes draws the last code");
    }

    #[test]
    fn guidance_is_linear_in_the_logits() {
        let mut told = [1.0f32, 2.0, -1.0];
        guide(&mut told, &[0.5, 2.0, 0.0], 3.0);
        assert_eq!(told, [2.0, 2.0, -3.0]);
    }
}
