// x in half precision (IEEE 754-2008, binary16), nearest first. What is beyond its largest finite value, 65504, or not finite is infinite with
// x's sign, by bits: a conversion of a value out of range is left open by WGSL and stays finite on some devices, that of an infinity is an
// infinity everywhere.

fn as_half(x: f32) -> f16 {
  let bits = bitcast<u32>(x);
  let infinity = (bits & 0x80000000u) | 0x7f800000u;
  return f16(bitcast<f32>(select(bits, infinity, (bits & 0x7fffffffu) > 0x477fe000u)));
}
