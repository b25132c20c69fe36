//! safetensors files of f32 tensors, by the format's own crate, within limits.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors};

use crate::error::{Error, Result};
use crate::sorted::order;

/// A header longer than this is not one of ours.
const MAX_HEADER: u64 = 1 << 20;
const MAX_FILE: usize = 1 << 30;

pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

pub struct File<'a> {
    tensors: SafeTensors<'a>,
    metadata: HashMap<String, String>,
}

impl<'a> File<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<File<'a>> {
        let wanted = "a safetensors file";
        let length = bytes.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
        match length {
            None => return Err(Error::file(format!("{} bytes", bytes.len()), wanted)),
            Some(n) if n > MAX_HEADER => {
                return Err(Error::file(
                    format!("a header of {n} bytes"),
                    format!("{wanted} with a header of at most {MAX_HEADER}"),
                ));
            }
            Some(_) if bytes.len() > MAX_FILE => {
                return Err(Error::file(format!("{} bytes", bytes.len()), format!("at most {MAX_FILE}")));
            }
            Some(_) => {}
        }
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| Error::file(e, wanted))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| Error::file(e, wanted))?;
        Ok(File { tensors, metadata: header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect() })
    }

    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// A tensor that must be there, of this shape, f32 and finite.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| Error::file(format!("no tensor {name}"), format!("{name} of shape {shape:?}")))?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            return Err(Error::file(
                format!("{name} of {:?} {:?}", view.dtype(), view.shape()),
                format!("{name} of F32 {shape:?}"),
            ));
        }
        let values: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        match values.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(Error::file(format!("{name}[{i}] = {}", values[i]), "finite numbers")),
            None => Ok(values),
        }
    }
}

/// The tensors in the order of their names, as the format's own crate writes them, in a fraction of its code.
pub fn write(tensors: &[Tensor], metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
    let quoted = |text: &str| serde_json::to_string(text).map_err(|e| Error::internal(e.to_string()));
    let mut texts = Vec::with_capacity(metadata.len());
    for (key, value) in metadata {
        texts.push(format!("{}:{}", quoted(key)?, quoted(value)?));
    }
    let mut header = format!("{{\"__metadata__\":{{{}}}", texts.join(","));
    let order = order(tensors.len(), |k| &tensors[k].name);
    let mut end = 0;
    for tensor in order.iter().map(|k| &tensors[*k]) {
        if tensor.values.len() != tensor.shape.iter().product::<usize>() {
            return Err(Error::internal(format!("{}: {} values of {:?}", tensor.name, tensor.values.len(), tensor.shape)));
        }
        let sizes: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
        let (name, shape, begin) = (quoted(&tensor.name)?, sizes.join(","), end);
        end += 4 * tensor.values.len();
        header += &format!(",{name}:{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[{begin},{end}]}}");
    }
    header.push('}');
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    for tensor in order.iter().map(|k| &tensors[*k]) {
        bytes.extend(tensor.values.iter().flat_map(|x| x.to_le_bytes()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{TensorView, serialize};

    use super::*;

    fn file() -> Vec<u8> {
        let tensor = Tensor { name: "w".into(), shape: vec![2, 3], values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        write(&[tensor], &[("k", "v")]).expect("it is a valid file")
    }

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = file();
        let read = File::read(&bytes).expect("it was just written");
        assert_eq!(read.tensor("w", &[2, 3]).expect("it is there"), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(read.metadata("k"), Some("v"));
        assert!(read.tensor("w", &[3, 2]).is_err() && read.tensor("x", &[1]).is_err());
    }

    #[test]
    fn files_are_those_of_the_formats_own_crate() {
        let tensor = |name: &str, shape: &[usize]| {
            let values = (0..shape.iter().product()).map(|k| k as f32 - 1.5).collect();
            Tensor { name: name.into(), shape: shape.to_vec(), values }
        };
        let tensors = [tensor("w.\"b\"", &[2, 3]), tensor("empty", &[0]), tensor("ä", &[]), tensor("a", &[5])];
        let bytes: Vec<Vec<u8>> = tensors.iter().map(|t| t.values.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
        let view =
            |(t, b): (&Tensor, _)| (t.name.clone(), TensorView::new(Dtype::F32, t.shape.clone(), b).expect("the sizes agree"));
        let views: Vec<_> = tensors.iter().zip(bytes.iter().map(Vec::as_slice)).map(view).collect();
        let expected =
            serialize(views, Some([("k".into(), "{\"v\": 1}\n".into())].into_iter().collect())).expect("it is a valid file");
        assert_eq!(write(&tensors, &[("k", "{\"v\": 1}\n")]).expect("it is a valid file"), expected);
    }

    #[test]
    fn cut_and_changed_files_give_errors() {
        let bytes = file();
        for n in 0..bytes.len() {
            assert!(File::read(&bytes[..n]).is_err(), "cut at {n}");
        }
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 0xFF;
            if let Ok(read) = File::read(&changed) {
                let _ = read.tensor("w", &[2, 3]);
            }
        }
    }
}
