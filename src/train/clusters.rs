//! Tables of codes begun at clusters of what the encoder gives (k-means: Lloyd 1982; of a codebook: Łańcucki et al. 2020, Section 3.2), before a model's
//! first step: vectors of the first batches, centres drawn among them, a few rounds of moving each to the mean of the vectors nearest to it.
//! A centre that is nearest to none is drawn anew. Each further level clusters what those before it leave.

use crate::backend::Built;
use crate::error::Result;
use crate::expr::{Env, input};
use crate::graph::Graph;
use crate::ops;
use crate::ops::gather::ScatterAdd;
use crate::plan::{Plan, Role};
use crate::rng;
use crate::shape::Meta;
use crate::train::cursor::Cursor;
use crate::train::programs::{self, Resident};
use crate::train::run::{MAX_STEPS, ORDER};
use crate::train::session::Session;
use crate::train::states::in_use;
use crate::vae::codes::codebook::{Codebook, PARAMETER, Update};

const ROUNDS: usize = 10;
/// Vectors for each code, where there are as many.
const PER_CODE: usize = 32;
/// Products of one round: what a processor does in about a second.
const MAX_PRODUCTS: u64 = 1 << 33;
const VECTORS: &str = "clusters.vectors";
const CENTRES: &str = "clusters.centres";

/// (codes, size) and how many vectors each is nearest to.
struct Centres {
    values: Vec<f32>,
    counts: Vec<f32>,
}

impl Session {
    /// Begins the latent's tables so, if it asks for it and nothing has moved them yet. The data set stands on the device as `set`.
    pub(super) async fn begin_tables(&mut self, set: &Resident, batch: usize) -> Result<()> {
        let Some(book) = self.model.options.latent.clustered().filter(|_| self.step == 0).cloned() else { return Ok(()) };
        let mut rest = self.first_vectors(&book, set, batch).await?;
        let n = rest.len() / book.size;
        let plan = self.backend.build(Plan::compile(&round(&book, n)?)?).await?;
        let (mut values, mut counts) = (Vec::new(), Vec::new());
        for level in 0..book.levels {
            let centres = self.cluster(&book, &plan, &mut rest, level).await?;
            values.extend(centres.values);
            counts.extend(centres.counts);
        }
        self.backend.drop_plan(&plan);
        for name in [VECTORS, CENTRES] {
            self.backend.free(&Role::Input(name.into()));
        }
        // A code counts in a batch what its share of all vectors is there.
        let positions = self.model.options.latent.codes().map_or(1, |grid| grid.positions());
        let scale = (batch * positions) as f32 / n as f32;
        counts.iter_mut().for_each(|count| *count *= if *count > 0.0 { scale } else { 1.0 });
        if book.update == Update::Gradient {
            let flat = self.read_state(in_use(&self.model)).await?;
            let (offsets, _) = crate::nn::layout(&self.model.specs);
            let of_table = self.model.specs.iter().zip(offsets).find(|(spec, _)| spec.name == PARAMETER);
            if let Some((spec, offset)) = of_table {
                values.iter_mut().zip(&flat[offset..offset + spec.shape.size()]).for_each(|(x, parameter)| *x -= parameter);
            }
        }
        self.is_fresh = false;
        for (name, values) in book.begun(values, counts) {
            self.backend.write(&Role::State(name.into()), bytemuck::cast_slice(&values))?;
        }
        Ok(())
    }

    /// What the encoder gives for the examples of the run's first batches: (n, size).
    async fn first_vectors(&mut self, book: &Codebook, set: &Resident, batch: usize) -> Result<Vec<f32>> {
        let within = MAX_PRODUCTS / (book.codes * book.size) as u64;
        let n = ((PER_CODE * book.codes) as u64).min(within).max(1) as usize;
        let graph = programs::vectors(&self.model, set, MAX_STEPS, batch)?;
        let plan = self.backend.build(Plan::compile(&graph)?).await?;
        let mut cursor = Cursor::resume(self.model.options.seed, set.data.shape.dims()[0], self.position);
        let mut order: Vec<u32> = (0..MAX_STEPS).flat_map(|_| cursor.batch(batch)).collect();
        order.truncate(MAX_STEPS * batch);
        self.backend.write(&Role::Input(ORDER.into()), bytemuck::cast_slice(&order))?;
        let mut vectors = Vec::new();
        for row in 0..MAX_STEPS {
            let env = Env { row: row as u32, controls: self.controls.clone(), ..Env::default() };
            self.backend.run(&plan, &[env])?;
            vectors.extend(bytemuck::pod_collect_to_vec::<u8, f32>(&self.backend.read_output(&plan, "vectors").await?));
            if vectors.len() >= n * book.size {
                break;
            }
        }
        self.backend.drop_plan(&plan);
        vectors.truncate(n * book.size);
        Ok(vectors)
    }

    /// The centres of one level; `rest` becomes what they leave of it.
    async fn cluster(&mut self, book: &Codebook, plan: &Built, rest: &mut [f32], level: usize) -> Result<Centres> {
        let (size, n) = (book.size, rest.len() / book.size);
        let mut draws = Draws::new(self.model.options.seed, level, n);
        let mut centres = Centres { values: Vec::with_capacity(book.codes * size), counts: vec![0.0; book.codes] };
        for _ in 0..book.codes {
            centres.values.extend_from_slice(&rest[draws.next() * size..][..size]);
        }
        self.backend.write(&Role::Input(VECTORS.into()), bytemuck::cast_slice(rest))?;
        let mut index: Vec<f32> = Vec::new();
        for round in 0..=ROUNDS {
            self.backend.write(&Role::Input(CENTRES.into()), bytemuck::cast_slice(&centres.values))?;
            self.backend.run(plan, &[Env::default()])?;
            let sums: Vec<f32> = bytemuck::pod_collect_to_vec(&self.backend.read_output(plan, "sums").await?);
            index = bytemuck::pod_collect_to_vec(&self.backend.read_output(plan, "index").await?);
            for (k, sum) in sums.chunks_exact(size + 1).enumerate() {
                centres.counts[k] = sum[size];
            }
            if round == ROUNDS {
                break;
            }
            for ((centre, sum), count) in
                centres.values.chunks_exact_mut(size).zip(sums.chunks_exact(size + 1)).zip(&centres.counts)
            {
                if *count > 0.0 {
                    centre.iter_mut().zip(sum).for_each(|(c, s)| *c = s / count);
                } else {
                    centre.copy_from_slice(&rest[draws.next() * size..][..size]);
                }
            }
        }
        for (x, k) in rest.chunks_exact_mut(size).zip(index) {
            x.iter_mut().zip(&centres.values[k as usize * size..]).for_each(|(x, c)| *x -= c);
        }
        Ok(centres)
    }
}

/// Vectors in a random order, over and over.
struct Draws {
    order: Vec<u32>,
    at: usize,
}

impl Draws {
    fn new(seed: u64, level: usize, n: usize) -> Draws {
        const FIRST: u32 = 1 << 30; // beyond all epochs
        Draws { order: rng::permutation(seed, FIRST + level as u32, n), at: 0 }
    }

    fn next(&mut self) -> usize {
        self.at += 1;
        self.order[(self.at - 1) % self.order.len()] as usize
    }
}

/// One round: the sum of the vectors nearest to each centre with their number, (codes, size + 1), and which that is, (n).
fn round(book: &Codebook, n: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let x = g.input(VECTORS, Meta::f32([n, book.size]));
    let centres = g.input(CENTRES, Meta::f32([book.codes, book.size]));
    let index = ops::nearest(&mut g, x, centres)?;
    let ones = ops::fill(&mut g, [n, 1], 1.0)?;
    let rows = ops::concat(&mut g, &[x, ones], 1)?;
    let sums = g.add_op(ScatterAdd { rows: book.codes }, &[index, rows])?;
    g.output("sums", sums);
    let number = ops::map(&mut g, input(0), &[index])?;
    g.output("index", number);
    Ok(g)
}
