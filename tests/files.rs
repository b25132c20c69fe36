//! Files that are not what they should be are refused, and what is harmless loads.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::runs::{clock, create, data};
use common::wait;
use reparam::backend::Choice;
use reparam::error::Error;
use reparam::train::Session;
use serde_json::{Value, json};

fn session(options: &Value) -> Session {
    wait(create(options, Choice::Cpu))
}

/// A model small enough to spoil every byte of its file.
fn tiny() -> Value {
    json!({
        "input": { "kind": "vector", "size": 3 }, "encoder": { "kind": "mlp", "hidden": [2] },
        "latent": { "kind": "gaussian", "size": 1 }, "likelihood": { "kind": "gaussian" },
    })
}

fn tiny_file() -> Vec<u8> {
    let mut s = session(&tiny());
    let model = s.model().clone();
    let values = [7, 99, 200, 3, 50, 255];
    wait(s.begin(&data(&values, &model), &json!({ "steps": 3, "batchSize": 2 }), None)).expect("it begins");
    while !wait(s.advance(10.0)).expect("it advances").done {}
    wait(s.save()).expect("it is saved")
}

fn load(bytes: &[u8]) -> Result<Session, Error> {
    wait(Session::load(bytes, Choice::Cpu, clock))
}

/// Two steps, to see that what was loaded runs.
fn goes_on(mut s: Session) -> Result<(), Error> {
    let model = s.model().clone();
    let values = vec![9u8; 2 * model.options.input.shape().size()];
    wait(s.begin(&data(&values, &model), &json!({ "steps": 2, "batchSize": 2 }), None))?;
    while !wait(s.advance(10.0))?.done {}
    wait(s.save()).map(|_| ())
}

#[test]
fn a_file_that_is_cut_or_not_one_of_ours_is_refused() {
    let bytes = tiny_file();
    assert_eq!(load(&bytes).and_then(goes_on), Ok(()));
    for n in 0..bytes.len() {
        let error = load(&bytes[..n]).err();
        assert!(matches!(error, Some(Error::File { .. })), "cut at {n}: {error:?}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(load(&longer).err(), Some(Error::File { .. })));
    for other in [&b"PK\x03\x04 a zip file"[..], &[0; 8], &[0; 4096], &[255; 4096], b"{\"json\": true}", b"\x02\0\0\0\0\0\0\0{}"] {
        let error = load(other).err();
        assert!(matches!(error, Some(Error::File { .. })), "{error:?}");
    }
}

#[test]
fn a_file_with_any_byte_changed_loads_or_is_refused_as_a_file() {
    let bytes = tiny_file();
    let (mut loaded, mut refused) = (0, 0);
    for i in 0..bytes.len() {
        for change in [0x01, 0x10, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[i] ^= change;
            match load(&changed) {
                // A weight or a number in the text may have become another one that is as good, or as bad, as any.
                Ok(s) => {
                    let error = goes_on(s).err();
                    assert!(matches!(error, None | Some(Error::NonFinite { .. })), "byte {i} ^ {change}: {error:?}");
                    loaded += 1;
                }
                Err(Error::File { .. }) => refused += 1,
                Err(other) => panic!("byte {i} ^ {change}: {other:?}"),
            }
        }
    }
    assert!(loaded > 100 && refused > 1000, "{loaded} loaded, {refused} refused");
}

/// The file with its own part of the header changed.
fn with_header(bytes: &[u8], change: impl Fn(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
    let (header, tensors) = bytes[8..].split_at(length);
    let mut header: Value = serde_json::from_slice(header).expect("it is JSON");
    let key = "reparam.1";
    let mut ours: Value = serde_json::from_str(header["__metadata__"][key].as_str().expect("it is text")).expect("it is JSON");
    change(&mut ours);
    header["__metadata__"][key] = json!(ours.to_string());
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), tensors].concat()
}

#[test]
fn a_file_whose_layout_of_kernels_is_none_of_ours_is_refused_and_another_adapters_is_kept() {
    let bytes = tiny_file();
    let said = |kernels: Value| with_header(&bytes, |ours| ours["kernels"] = kernels.clone());
    for kernels in [json!(""), json!("tile-4x4x8"), json!("tile-64x64x64 nvidia|ada|"), json!(4), json!(["reg-8x8 a"])] {
        let error = load(&said(kernels.clone())).err();
        assert!(matches!(error, Some(Error::File { .. })), "{kernels}: {error:?}");
    }
    let mut loaded = load(&said(json!("tile-4x4x8 nvidia|ada|an adapter"))).expect("it may be of any adapter");
    let saved = wait(loaded.save()).expect("it is saved");
    let with_layout = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("tile-4x4x8 nvidia|ada|an adapter");
    assert!(with_layout(&saved) && !with_layout(&bytes));
}

#[test]
fn a_file_whose_header_lies_is_refused_or_harmless() {
    let bytes = tiny_file();
    assert_eq!(load(&with_header(&bytes, |_| {})).and_then(goes_on), Ok(()));
    let most = json!(u64::MAX);
    let cases: [(&str, Value); 21] = [
        ("/options", json!(null)),
        ("/options", json!({})),
        ("/options/input/size", json!(-3)),
        ("/options/input/size", json!(4)),
        ("/options/input/kind", json!("image")),
        ("/options/encoder/hidden", json!([3])),
        ("/options/encoder/hidden", json!([])),
        ("/options/encoder", json!({ "kind": "conv", "channels": [2] })),
        ("/options/latent/size", json!(1e99)),
        ("/options/likelihood/kind", json!("cauchy")),
        ("/step", json!(-1)),
        ("/step", json!("three")),
        ("/step", most.clone()),
        ("/step", json!(1u64 << 60)),
        ("/position", json!(null)),
        ("/position/epoch", json!(u32::MAX)),
        ("/position/epoch", json!(1u64 << 40)),
        ("/position/row", most),
        ("/position/row", json!(-1)),
        ("/controls", json!([])),
        ("/controls/beta", json!(-1e30)),
    ];
    for (at, value) in cases {
        let changed = with_header(&bytes, |ours| *ours.pointer_mut(at).unwrap_or_else(|| panic!("{at} is there")) = value.clone());
        let error = load(&changed).err();
        assert!(matches!(error, Some(Error::File { .. })), "{at} = {value}: {error:?}");
    }
    for (at, value) in
        [("/step", json!(0)), ("/position/row", json!(1000)), ("/controls/beta", json!(7)), ("/options/seed", json!(12))]
    {
        let changed = with_header(&bytes, |ours| match ours.pointer_mut(at) {
            Some(place) => *place = value.clone(),
            None => ours["options"]["seed"] = value.clone(),
        });
        assert_eq!(load(&changed).and_then(goes_on), Ok(()), "{at} = {value}");
    }
}

#[test]
fn a_file_with_a_weight_that_is_not_finite_is_refused() {
    let bytes = tiny_file();
    for x in [f32::NAN, f32::INFINITY] {
        let mut changed = bytes.clone();
        let end = changed.len();
        changed[end - 4..].copy_from_slice(&x.to_le_bytes());
        assert!(matches!(load(&changed).err(), Some(Error::File { got, .. }) if got.contains(&x.to_string())));
    }
}
