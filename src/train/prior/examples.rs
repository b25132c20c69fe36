//! A data set on its way to its codes: held on the device, encoded some rows at a time, so that other calls get their turn.

use crate::backend::Built;
use crate::error::Result;
use crate::expr::Env;
use crate::plan::{Plan, Role};
use crate::shape::Meta;
use crate::train::data::Data;
use crate::train::prior::programs;
use crate::train::programs::Resident;
use crate::train::run::MAX_STEPS;
use crate::train::session::Session;
use crate::vae::condition::Condition;

/// The rows of one pass of the encoder.
const ROWS: usize = 256;

/// The data set while its codes are found.
pub struct Examples {
    name: &'static str,
    rows: usize,
    plan: Built,
    /// Those found so far: (…, places).
    codes: Vec<f32>,
    /// What the prior is told of them: (rows, columns).
    labels: Option<Vec<f32>>,
}

/// The codes of a data set, with what the prior is told of each example.
pub struct Codes {
    pub values: Vec<f32>,
    pub labels: Option<Vec<f32>>,
    pub rows: usize,
}

impl Examples {
    pub fn is_done(&self, places: usize) -> bool {
        self.codes.len() == self.rows * places
    }
}

impl Codes {
    pub fn resident(&self) -> Resident {
        let width = |values: &[f32]| values.len() / self.rows;
        Resident { data: Meta::f32([self.rows, width(&self.values)]), labels: self.labels.as_ref().map(|labels| width(labels)) }
    }
}

impl Session {
    /// Puts a data set on the device to be encoded; `condition` is the prior's.
    pub(super) async fn examples(
        &mut self,
        name: &'static str,
        what: &str,
        data: &Data<'_>,
        condition: Option<&Condition>,
    ) -> Result<Examples> {
        let labels = condition.map(|condition| data.labels_of(what, condition)).transpose()?;
        let graph = programs::encoding(&self.model, name, &data.resident(), ROWS)?;
        let plan = self.backend.build(Plan::compile(&graph)?).await?;
        self.backend.write(&Role::Input(format!("{name}.data")), &data.bytes(0, data.rows()))?;
        if let Some(labels) = data.label_rows(0, data.rows()) {
            self.backend.write(&Role::Input(format!("{name}.labels")), bytemuck::cast_slice(&labels))?;
        }
        self.backend.write(&Role::Input(format!("{name}.order")), bytemuck::cast_slice(&[0u32; ROWS]))?;
        Ok(Examples { name, rows: data.rows(), plan, codes: Vec::new(), labels })
    }

    /// Finds codes for about `budget_ms`, of some rows at least.
    pub(super) async fn encode_some(&mut self, set: &mut Examples, budget_ms: f64) -> Result<()> {
        let places = self.model.options.latent.codes().map_or(1, |grid| grid.places());
        let start = (self.clock)();
        loop {
            let done = set.codes.len() / places;
            let rows = ROWS.min(set.rows - done);
            let order: Vec<u32> = (0..ROWS).map(|i| (done + i.min(rows - 1)) as u32).collect();
            self.backend.write(&Role::Input(format!("{}.order", set.name)), bytemuck::cast_slice(&order))?;
            self.backend.run(&set.plan, &[Env { controls: self.controls.clone(), ..Env::default() }])?;
            let got: Vec<f32> = bytemuck::pod_collect_to_vec(&self.backend.read_output(&set.plan, "codes").await?);
            set.codes.extend_from_slice(&got[..rows * places]);
            if done + rows == set.rows || (self.clock)() - start >= budget_ms {
                return Ok(());
            }
        }
    }

    /// Takes the data set from the device and gives its codes.
    pub(super) fn encoded(&mut self, set: Examples) -> Codes {
        self.forget(&set);
        Codes { values: set.codes, labels: set.labels, rows: set.rows }
    }

    /// Takes the data set from the device, encoded or not.
    pub(super) fn forget(&mut self, set: &Examples) {
        self.backend.drop_plan(&set.plan);
        self.let_go(set.name);
    }

    /// The codes of a whole data set.
    pub(super) async fn codes_of(
        &mut self,
        name: &'static str,
        what: &str,
        data: &Data<'_>,
        condition: Option<&Condition>,
    ) -> Result<Codes> {
        let mut set = self.examples(name, what, data, condition).await?;
        let found = self.encode_some(&mut set, f64::INFINITY).await;
        let codes = self.encoded(set);
        found.map(|()| codes)
    }

    /// Puts codes on the device, with an order for batches of `size`.
    pub(super) fn write_codes(&mut self, name: &str, codes: &Codes, size: usize) -> Result<Resident> {
        self.backend.write(&Role::Input(format!("{name}.data")), bytemuck::cast_slice(&codes.values))?;
        if let Some(labels) = &codes.labels {
            self.backend.write(&Role::Input(format!("{name}.labels")), bytemuck::cast_slice(labels))?;
        }
        self.backend.write(&Role::Input(format!("{name}.order")), bytemuck::cast_slice(&vec![0u32; MAX_STEPS * size]))?;
        Ok(codes.resident())
    }
}
