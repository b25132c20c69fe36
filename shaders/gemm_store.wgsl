// What becomes of a product's results, four columns of a row at a time (one with ONE_COL): those that exist go to `emit` of the file that imports
// gemm.wgsl or gemm_tile.wgsl, one by one or, with WIDE, in fours.

#if ONE_COL
alias Part = f32;
#else
alias Part = vec4<f32>;
#end

// Of the PRODUCTS that with MANY_SLABS stand behind each other: which one z is, and of which slab.
fn product_of(z: u32) -> u32 {
#if MANY_SLABS
  return z % PRODUCTS;
#else
  return z;
#end
}

fn slab_of(z: u32) -> u32 {
#if MANY_SLABS
  return z / PRODUCTS;
#else
  return 0u;
#end
}

#if HALVES
fn emit_pair(z: u32, row: u32, col: u32, value: vec4<f32>, other: vec4<f32>) {
  if (row < ROWS) {
    for (var j = 0u; j < min(4u, COLS - min(col, COLS)); j++) {
      emit(z, row, col + j, value[j], other[j]);
    }
  }
}
#else
fn emit_part(z: u32, row: u32, col: u32, value: Part) {
  if ((row < ROWS) & (col < COLS)) {
#if WIDE
    emit(z, row, col, value);
#else
#if ONE_COL
    emit(z, row, col, value);
#else
#if UNROLL_STORE
    emit(z, row, col, value.x);
#for j in 3
#if COL_EDGE
    if (col + $ju + 1u < COLS) {
      emit(z, row, col + $ju + 1u, value[$j + 1]);
    }
#else
    emit(z, row, col + $ju + 1u, value[$j + 1]);
#end
#end
#else
    for (var j = 0u; j < min(4u, COLS - col); j++) {
      emit(z, row, col + j, value[j]);
    }
#end
#end
#end
  }
}
#end
