//! How the kernels of a run are laid out on a GPU: by the adapter's table, as tuning found or had found before, or as a file says. It is settled
//! when a model's first run begins and stays: another layout rounds differently, and the same seed would give another run.

use serde_json::{Value, json};

use crate::backend::Built;
use crate::backend::gpu::{Config, Gpu, Products};
use crate::error::{Error, Result};
use crate::shape::DType;
use crate::train::session::Session;

/// When layouts are timed, within about 300 ms, before a model's first run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tune {
    /// On a real adapter on which no choice is remembered.
    Auto,
    Off,
    /// Whatever is remembered, and on software adapters too.
    Always,
}

impl Tune {
    pub const NAMES: &[&str] = &["auto", "off", "always"];

    pub fn from_name(name: &str) -> Tune {
        match name {
            "off" => Tune::Off,
            "always" => Tune::Always,
            _ => Tune::Auto,
        }
    }
}

/// What a run was made with: it binds on the adapter that it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    adapter: String,
    products: Products,
    activations: DType,
}

impl Settled {
    fn of(gpu: &Gpu, activations: DType) -> Settled {
        Settled { adapter: gpu.info().identity(), products: gpu.config().products, activations }
    }

    /// As files hold it: the layout, marked where activations are halves, then the adapter.
    pub(super) fn text(&self) -> String {
        let mark = if self.activations == DType::F16 { HALVES } else { "" };
        format!("{}{mark} {}", self.products.name(), self.adapter)
    }

    pub(super) fn read(text: &str) -> Result<Settled> {
        let read = text.split_once(' ').and_then(|(name, adapter)| {
            let plain = name.strip_suffix(HALVES);
            let activations = if plain.is_some() { DType::F16 } else { DType::F32 };
            Some((Products::from_name(plain.unwrap_or(name))?, activations, adapter))
        });
        let (products, activations, adapter) = read
            .ok_or_else(|| Error::file(format!("kernels = {text}"), format!("{} and an adapter", Products::names().join(", "))))?;
        Ok(Settled { adapter: adapter.into(), products, activations })
    }
}

/// Behind the name of a layout, of a run whose activations are halves.
const HALVES: &str = "+f16";

fn lay_out(gpu: &mut Gpu, products: Products) {
    gpu.set_config(Config { products, ..gpu.config() });
}

/// Of a session.
#[derive(Clone, Debug)]
pub struct Kernels {
    tune: Tune,
    /// Where the present layout is from.
    from: &'static str,
    pub(super) settled: Option<Settled>,
}

impl Kernels {
    pub(super) fn new() -> Kernels {
        Kernels { tune: Tune::Auto, from: "table", settled: None }
    }
}

impl Session {
    pub fn set_tuning(&mut self, tune: Tune) {
        self.kernels.tune = tune;
    }

    /// Whether a run on this device has settled the layout.
    fn is_settled(&self) -> bool {
        let identity = self.backend.gpu().map(|gpu| gpu.info().identity());
        self.kernels.settled.as_ref().map(|settled| &settled.adapter) == identity.as_ref()
    }

    /// Lays kernels out as was found on this device before. Nothing is changed where that is settled, or means nothing any more.
    pub fn recall(&mut self, name: &str) {
        if self.is_settled() {
            return;
        }
        if let (Some(gpu), Some(products)) = (self.backend.gpu_mut(), Products::from_name(name)) {
            lay_out(gpu, products);
            self.kernels.from = "remembered";
            self.drop_all_plans();
        }
    }

    /// Goes on as a file says, where it is of this device.
    pub(super) fn resume_kernels(&mut self, settled: Option<Settled>) {
        self.kernels.settled = settled;
        if !self.is_settled() {
            return;
        }
        if let (Some(gpu), Some(settled)) = (self.backend.gpu_mut(), &self.kernels.settled) {
            lay_out(gpu, settled.products);
            self.kernels.from = "file";
            // A run that began in single precision stays in it; one in half precision needs a device that has it still.
            if settled.activations == DType::F32 {
                self.activations = DType::F32;
            }
        }
    }

    /// The plan of a run that begins, with the layout that it and all that follow keep.
    pub(super) async fn settle(&mut self, built: Built) -> Result<Built> {
        let mut built = built;
        let is_software = self.backend.gpu().is_none_or(|gpu| gpu.info().is_software);
        let is_wanted = match self.kernels.tune {
            Tune::Auto => self.kernels.from == "table" && !is_software,
            Tune::Off => false,
            Tune::Always => self.backend.gpu().is_some(),
        };
        if is_wanted && !self.is_settled() {
            if self.backend.tune(&built, self.clock).await? {
                self.backend.drop_plan(&built);
                built = self.backend.build((*built.plan).clone()).await?;
                self.drop_all_plans();
            }
            self.kernels.from = "tuned";
        }
        self.keep_kernels();
        Ok(built)
    }

    /// The layout there is stays, of a run that begins without a look at the clock.
    pub(super) fn keep_kernels(&mut self) {
        if !self.is_settled()
            && let Some(gpu) = self.backend.gpu()
        {
            self.kernels.settled = Some(Settled::of(gpu, self.activations));
        }
    }

    /// For `info`; nothing on the CPU.
    pub(super) fn kernels_info(&self) -> Option<Value> {
        let from = self.kernels.from;
        let gpu = self.backend.gpu()?;
        Some(json!({ "products": gpu.config().products.name(), "from": from, "key": gpu.info().key() }))
    }
}
