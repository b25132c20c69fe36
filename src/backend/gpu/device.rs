//! The adapter and the device: which one it is, what it allows, and how its loss and its errors become known.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};

/// Which device it is, as far as the driver or the browser says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdapterInfo {
    pub name: String,
    /// Lower case, such as `apple`, `nvidia`, `intel`, `google`; empty where it is not known.
    pub vendor: String,
    pub architecture: String,
    /// The device is a program on the CPU; this library's own CPU backend is faster.
    pub is_software: bool,
    /// Four threads side by side can exchange values. Asked for of programs alone, and always so there where it is offered.
    pub has_quads: bool,
}

/// What the device's callbacks have reported.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    lost: Arc<OnceLock<String>>,
    uncaptured: Arc<OnceLock<String>>,
}

impl Faults {
    pub fn check(&self) -> Result<()> {
        if let Some(reason) = self.lost.get() {
            return Err(Error::DeviceLost { reason: reason.clone() });
        }
        match self.uncaptured.get() {
            Some(message) => Err(Error::internal(message.clone())),
            None => Ok(()),
        }
    }
}

pub struct Opened {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: AdapterInfo,
    pub faults: Faults,
    pub has_halves: bool,
}

/// `wants_halves`: with half precision in kernels, where the adapter offers it.
pub async fn open(wants_halves: bool) -> Result<Opened> {
    let unavailable = |reason: &str| Error::WebGpuUnavailable { reason: reason.to_string() };
    if !is_supported() {
        return Err(unavailable("this browser does not offer WebGPU, or the page is not served over https"));
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options = wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    let adapter = instance
        .request_adapter(&options)
        .await
        .map_err(|_| unavailable("the browser or the driver offers no graphics adapter"))?;
    let adapter_info = adapter.get_info();
    let has_halves = wants_halves && adapter.features().contains(wgpu::Features::SHADER_F16);
    let required_features = if has_halves { wgpu::Features::SHADER_F16 } else { wgpu::Features::empty() };
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("reparam"),
        required_features,
        required_limits: adapter.limits(),
        ..Default::default()
    };
    let (device, queue) = request_device(&adapter, descriptor, adapter_info.device_type == wgpu::DeviceType::Cpu)
        .await
        .map_err(|_| unavailable("the graphics adapter refused to give a device"))?;
    let faults = Faults::default();
    let lost = faults.lost.clone();
    device.set_device_lost_callback(move |_, message| {
        // A device is lost once; a second report would say the same.
        let _ = lost.set(if message.is_empty() { "no reason was given".to_string() } else { message });
    });
    listen(&device, &faults);
    let info = describe(&device, &adapter_info);
    Ok(Opened { device, queue, info, faults, has_halves })
}

type Descriptor<'a> = wgpu::DeviceDescriptor<'a>;
type Requested = std::result::Result<(wgpu::Device, wgpu::Queue), wgpu::RequestDeviceError>;

fn is_software_name(name: &str) -> bool {
    ["swiftshader", "llvmpipe", "lavapipe", "softpipe", "basic render", "warp"]
        .iter()
        .any(|word| name.to_ascii_lowercase().contains(word))
}

#[cfg(not(target_arch = "wasm32"))]
mod platform {
    use super::{AdapterInfo, Descriptor, Faults, Requested, is_software_name};
    use std::sync::Arc;

    pub fn is_supported() -> bool {
        true
    }

    pub fn listen(device: &wgpu::Device, faults: &Faults) {
        let uncaptured = faults.uncaptured.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            // The first error is the one that explains the others.
            let _ = uncaptured.set(error.to_string());
        }));
    }

    /// `wants_quads`: with what lets threads exchange values, where it is offered.
    pub fn request_device(adapter: &wgpu::Adapter, descriptor: Descriptor, wants_quads: bool) -> impl Future<Output = Requested> {
        let mut descriptor = descriptor;
        if wants_quads {
            descriptor.required_features |= adapter.features() & wgpu::Features::SUBGROUP;
        }
        adapter.request_device(&descriptor)
    }

    /// Whether the device fails by itself meanwhile, as by a kernel that its driver cannot compile.
    pub struct InternalScope(wgpu::ErrorScopeGuard);

    impl InternalScope {
        pub fn push(device: &wgpu::Device) -> InternalScope {
            InternalScope(device.push_error_scope(wgpu::ErrorFilter::Internal))
        }

        pub fn pop(self) -> impl Future<Output = bool> {
            let popped = self.0.pop();
            async { popped.await.is_some() }
        }
    }

    pub fn describe(device: &wgpu::Device, info: &wgpu::AdapterInfo) -> AdapterInfo {
        // PCI vendor ids, and those that Khronos gives to vendors without one.
        let vendor = match info.vendor {
            0x1002 => "amd",
            0x1010 => "img-tec",
            0x106B => "apple",
            0x10DE => "nvidia",
            0x13B5 => "arm",
            0x1AE0 => "google",
            0x5143 => "qualcomm",
            0x8086 => "intel",
            0x1_0005 => "mesa",
            _ => "",
        };
        AdapterInfo {
            name: info.name.clone(),
            vendor: vendor.to_string(),
            architecture: String::new(),
            is_software: info.device_type == wgpu::DeviceType::Cpu || is_software_name(&info.name),
            has_quads: device.features().contains(wgpu::Features::SUBGROUP),
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod platform {
    use super::{AdapterInfo, Descriptor, Faults, Requested, is_software_name};
    use wasm_bindgen::closure::Closure;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;

    fn get(object: &JsValue, name: &str) -> JsValue {
        js_sys::Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
    }

    /// wgpu panics where there is neither a window nor a worker.
    pub fn is_supported() -> bool {
        let navigator = get(&js_sys::global(), "navigator");
        navigator.is_object() && get(&navigator, "gpu").is_object()
    }

    /// Of an adapter or a device.
    fn has_quads(of: &JsValue) -> bool {
        let features = get(of, "features");
        let has = get(&features, "has").dyn_into::<js_sys::Function>();
        has.and_then(|has| has.call1(&features, &JsValue::from_str(SUBGROUPS))).is_ok_and(|has| has.is_truthy())
    }

    /// `wants_quads`: with what lets threads exchange values, where it is offered.
    pub async fn request_device(adapter: &wgpu::Adapter, descriptor: Descriptor<'_>, wants_quads: bool) -> Requested {
        let sharing = if wants_quads { Sharing::begin().await } else { None };
        // wgpu asks at once, and before its answer is awaited.
        let requested = adapter.request_device(&descriptor);
        drop(sharing);
        requested.await
    }

    const SUBGROUPS: &str = "subgroups";

    /// As long as it lives a device that is asked for comes with subgroups, and from an adapter of our own: wgpu 30 neither asks browsers for
    /// them nor hands its adapter out. It can go when wgpu does (gfx-rs/wgpu#5555).
    struct Sharing {
        prototype: JsValue,
        original: JsValue,
        _asks: Closure<dyn FnMut(JsValue) -> JsValue>,
    }

    impl Sharing {
        /// Nothing where the adapter does not offer them.
        async fn begin() -> Option<Sharing> {
            let gpu = get(&get(&js_sys::global(), "navigator"), "gpu");
            let promise = get(&gpu, "requestAdapter").dyn_ref::<js_sys::Function>()?.call0(&gpu).ok()?;
            let adapter = JsFuture::from(promise.dyn_into::<js_sys::Promise>().ok()?).await.ok().filter(has_quads)?;
            let prototype = get(&get(&js_sys::global(), "GPUAdapter"), "prototype");
            let original = get(&prototype, REQUEST).dyn_into::<js_sys::Function>().ok()?;
            let request = original.clone();
            let asks = Closure::<dyn FnMut(JsValue) -> JsValue>::new(move |descriptor: JsValue| {
                if let Some(features) = get(&descriptor, "requiredFeatures").dyn_ref::<js_sys::Array>() {
                    features.push(&JsValue::from_str(SUBGROUPS));
                }
                request.call1(&adapter, &descriptor).unwrap_or_else(|thrown| js_sys::Promise::reject(&thrown).into())
            });
            set(&prototype, REQUEST, asks.as_ref());
            Some(Sharing { prototype, original: original.into(), _asks: asks })
        }
    }

    impl Drop for Sharing {
        fn drop(&mut self) {
            set(&self.prototype, REQUEST, &self.original);
        }
    }

    const REQUEST: &str = "requestDevice";

    fn set(object: &JsValue, name: &str, value: &JsValue) {
        // A prototype that takes no property is left as it is, and there are no subgroups.
        let _ = js_sys::Reflect::set(object, &JsValue::from_str(name), value);
    }

    /// Listens on the device itself: wgpu 30.0.1's own handler panics on a GPUInternalError (gfx-rs/wgpu#9914); wgpu's handler can be
    /// used from the release on that has its fix, #9919.
    pub fn listen(device: &wgpu::Device, faults: &Faults) {
        let uncaptured = faults.uncaptured.clone();
        let report = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            // The first error is the one that explains the others.
            let _ = uncaptured.set(get(&get(&event, "error"), "message").as_string().unwrap_or_default());
        });
        if let Some(device) = device.as_webgpu() {
            let add = get(device.as_ref(), "addEventListener");
            if let Some(add) = add.dyn_ref::<js_sys::Function>() {
                // It fails only where the device is not an event target, and then there is nothing to listen to.
                let _ = add.call2(device.as_ref(), &JsValue::from_str("uncapturederror"), report.as_ref());
            }
        }
        // One closure a device, which lives as long as the device may report.
        report.forget();
    }

    /// Whether the device fails by itself meanwhile, as by a kernel that its driver cannot compile. The scope is the device's own: wgpu's
    /// panics on a GPUInternalError, as its handler does.
    pub struct InternalScope(Option<wgpu::Device>);

    impl InternalScope {
        pub fn push(device: &wgpu::Device) -> InternalScope {
            let pushed = call(device, "pushErrorScope", &JsValue::from_str("internal"));
            InternalScope(pushed.map(|_| device.clone()))
        }

        pub fn pop(self) -> impl Future<Output = bool> {
            let popped = self.0.and_then(|device| call(&device, "popErrorScope", &JsValue::UNDEFINED));
            async {
                match popped.and_then(|popped| popped.dyn_into::<js_sys::Promise>().ok()) {
                    Some(promise) => JsFuture::from(promise).await.is_ok_and(|error| !error.is_null()),
                    None => false,
                }
            }
        }
    }

    /// Calls a method of the browser's own device.
    fn call(device: &wgpu::Device, method: &str, argument: &JsValue) -> Option<JsValue> {
        let device = device.as_webgpu()?;
        let device: &JsValue = device.as_ref();
        get(device, method).dyn_ref::<js_sys::Function>()?.call1(device, argument).ok()
    }

    pub fn describe(device: &wgpu::Device, info: &wgpu::AdapterInfo) -> AdapterInfo {
        let adapter = device.as_webgpu().map_or(JsValue::UNDEFINED, |device| get(device.as_ref(), "adapterInfo"));
        let text =
            |name: &str| if adapter.is_object() { get(&adapter, name).as_string().unwrap_or_default() } else { String::new() };
        let (vendor, architecture) = (text("vendor"), text("architecture"));
        let described = [text("device"), text("description")].into_iter().find(|t| !t.is_empty());
        let name = described.unwrap_or_else(|| format!("{vendor} {architecture}").trim().to_string());
        let is_fallback = adapter.is_object() && get(&adapter, "isFallbackAdapter").is_truthy();
        let is_software =
            is_fallback || info.device_type == wgpu::DeviceType::Cpu || is_software_name(&name) || is_software_name(&architecture);
        let has_quads = device.as_webgpu().is_some_and(|device| has_quads(device.as_ref()));
        AdapterInfo { name, vendor, architecture, is_software, has_quads }
    }
}

pub use platform::InternalScope;
use platform::{describe, is_supported, listen, request_device};
