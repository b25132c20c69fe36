//! Every shader against what it computes, written as plain loops in double precision, on the machine's Vulkan device.
//! Sizes are 1, odd, and beyond a workgroup. What stands around an output must not change.

mod kit;
mod products;

use kit::{Kit, Sum, assert_near, assert_sums, configs, core_kernel, families, floats, map_kernel, target, values, whole};
use products::{
    convolutions_and_their_gradients_convolve, convolutions_of_many_images_convolve, convolutions_with_long_sums_convolve,
    matmul_fuses_loads_and_stores, matmul_multiplies, matmul_multiplies_large_matrices,
};
use reparam::backend::gpu::Gpu;
use reparam::expr::{Env, Law, Unary, control, input, noise, position, select};
use reparam::graph::{Dim, Index, View, coordinates};
use reparam::plan::{Bound, Target};
use reparam::rng;
use reparam::shape::{Meta, Shape};

/// Every test runs with all layouts that are named before it.
macro_rules! tests {
    ($($layouts:ident: $($name:ident)*;)*) => {
        #[cfg(not(target_arch = "wasm32"))]
        mod native {
            $($(
                #[test]
                fn $name() {
                    crate::kit::on_gpu(|gpu| {
                        for config in super::$layouts() {
                            gpu.set_config(config);
                            pollster::block_on(super::$name(gpu));
                        }
                    });
                }
            )*)*
        }

        #[cfg(target_arch = "wasm32")]
        mod web {
            use reparam::backend::gpu::Gpu;
            use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

            wasm_bindgen_test_configure!(run_in_dedicated_worker);

            $($(
                #[wasm_bindgen_test]
                async fn $name() {
                    let mut gpu = Gpu::new().await.expect("the browser offers WebGPU");
                    for config in super::$layouts() {
                        gpu.set_config(config);
                        super::$name(&mut gpu).await;
                    }
                }
            )*)*
        }
    };
}

tests! {
    configs:
    matmul_multiplies
    matmul_fuses_loads_and_stores
    convolutions_and_their_gradients_convolve
    convolutions_with_long_sums_convolve;

    families:
    matmul_multiplies_large_matrices
    convolutions_of_many_images_convolve
    a_map_computes_every_function_of_the_tables
    a_map_writes_several_outputs_and_reads_controls
    a_map_may_write_where_it_reads
    more_elements_than_fit_into_one_row_of_workgroups_are_computed
    views_are_read_as_they_say
    rows_are_looked_up_by_index_and_by_step
    noise_has_the_same_bits_as_on_the_host
    reduce_sums_and_finds_maxima
    softmax_and_logsumexp_take_any_offset
    group_norm_and_its_gradient_take_every_grouping
    argmin_takes_the_first_of_equals
    nearest_takes_the_first_of_equals
    scatter_add_sums_the_rows_of_each_index
    reparameterize_draws_around_the_mean;
}

async fn a_map_computes_every_function_of_the_tables(gpu: &mut Gpu) {
    for n in [1, 63, 1000] {
        let x: Vec<f32> = (0..n).map(|i| (i as f32 - n as f32 / 2.0) * 12.0 / n as f32 + 0.013).collect();
        for f in Unary::ALL {
            let x: Vec<f32> = x.iter().map(|x| if matches!(f, Unary::Log | Unary::Sqrt) { x.abs() } else { *x }).collect();
            let mut kit = Kit::default();
            let (a, y) = (kit.f32([n], &x), kit.out(Meta::f32([n])));
            let kernel = map_kernel(&Shape::from([n]), whole(&a).operands, &[input(0).unary(*f)], vec![target(&y)]);
            let got = kit.run(gpu, kernel, Env::default()).await;
            let want: Vec<f64> = x.iter().map(|x| f.f64(f64::from(*x))).collect();
            // WGSL allows exp an error of 3 + 2|x| units in the last place: 2e-6 at |x| = 6.
            assert_near(f.name(), &got[0], &want, 3e-6);
        }
    }
}

async fn a_map_writes_several_outputs_and_reads_controls(gpu: &mut Gpu) {
    let n = 777;
    let (a, b) = (values(1, n), values(2, n));
    let mut kit = Kit::default();
    let (pa, pb) = (kit.f32([n], &a), kit.f32([n], &b));
    let (sum, scaled, rounded) = (kit.out(Meta::f32([n])), kit.out(Meta::f32([n])), kit.out(Meta::u32([n])));
    let operands = [whole(&pa).operands, whole(&pb).operands].concat();
    let (x, y) = (input(0), input(1));
    let roots = [&x + &y, select(&x, &(&y * control("beta")), &control("rate")), position() + 0.25];
    let kernel = map_kernel(&Shape::from([n]), operands, &roots, vec![target(&sum), target(&scaled), target(&rounded)]);
    let env = Env { controls: vec![("rate", 0.5), ("x", 0.0), ("y", 0.0), ("z", 0.0), ("beta", 3.0)], ..Env::default() };
    let got = kit.run(gpu, kernel, env).await;
    let pairs = || a.iter().zip(&b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    assert_near("sum", &got[0], &pairs().map(|(a, b)| a + b).collect::<Vec<_>>(), 1e-6);
    assert_near("select", &got[1], &pairs().map(|(a, b)| if a > 0.0 { 3.0 * b } else { 0.5 }).collect::<Vec<_>>(), 1e-6);
    assert_eq!(got[2], (0..n as u32).collect::<Vec<_>>());
}

async fn a_map_may_write_where_it_reads(gpu: &mut Gpu) {
    let n = 300;
    let a = values(1, n);
    let mut kit = Kit::default();
    let place = kit.f32([n], &a);
    let kernel = map_kernel(&Shape::from([n]), whole(&place).operands, &[input(0) * 2.0], vec![target(&place)]);
    let got = kit.run(gpu, kernel, Env::default()).await;
    assert_eq!(floats(&got[0]), a.iter().map(|a| a * 2.0).collect::<Vec<_>>());
}

async fn more_elements_than_fit_into_one_row_of_workgroups_are_computed(gpu: &mut Gpu) {
    let n = 65_535 * 256 + 1000;
    let mut kit = Kit::default();
    let y = kit.out(Meta::u32([n]));
    let low = position() - (position() * (1.0 / 4096.0)).unary(Unary::Floor) * 4096.0;
    let kernel = map_kernel(&Shape::from([n]), Vec::new(), &[low], vec![target(&y)]);
    let got = kit.run(gpu, kernel, Env::default()).await;
    // The position is a float: exact up to 2²⁴, even numbers beyond.
    assert!(got[0].iter().enumerate().all(|(i, y)| *y == (i as f32 as u32) % 4096));
}

/// Every way in which a view can read, against `View::at`.
async fn views_are_read_as_they_say(gpu: &mut Gpu) {
    let dim = |low, high, divisor, exact, stride| Dim { low, high, divisor, exact, stride };
    let full = |len, stride| Dim::new(len, stride);
    let view = |dims: &[Dim], offset| View { dims: dims.to_vec(), offset, row: None, index: None, sum: None };
    let cases: Vec<(&'static str, Vec<usize>, View)> = vec![
        ("scalar", vec![], view(&[], 3)),
        ("identity", vec![3, 5, 7], view(&[full(3, 35), full(5, 7), full(7, 1)], 0)),
        ("transposed", vec![5, 3], view(&[full(5, 1), full(3, 5)], 0)),
        ("bias", vec![9, 5], view(&[full(9, 0), full(5, 1)], 2)),
        ("column", vec![9, 5], view(&[full(9, 1), full(5, 0)], 0)),
        ("slice", vec![4, 6], view(&[full(4, 10), full(6, 1)], 13)),
        ("padded", vec![6, 8], view(&[dim(1, 5, 1, false, 6), dim(1, 7, 1, false, 1)], 0)),
        ("upsampled", vec![6, 8], view(&[dim(0, 6, 2, false, 4), dim(0, 8, 2, false, 1)], 0)),
        ("dilated", vec![7, 9], view(&[dim(1, 7, 3, true, 3), dim(0, 9, 4, true, 1)], 0)),
        ("powers of two", vec![4, 8, 16], view(&[full(4, 0), full(8, 16), full(16, 1)], 5)),
        ("ones", vec![1, 4, 1, 3], view(&[full(1, 0), full(4, 3), dim(0, 1, 1, false, 7), full(3, 1)], 0)),
        ("a missing one", vec![1, 4], view(&[dim(1, 1, 1, false, 1), full(4, 1)], 0)),
    ];
    let source = values(3, 200);
    let bytes: Vec<u8> = (0..200).map(|i| (i * 37 % 256) as u8).collect();
    for (name, dims, view) in &cases {
        let domain = Shape::from(dims.clone());
        let want = |at: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..domain.size()).map(|i| view.at(&coordinates(&domain, i)).map_or(0.0, at)).collect()
        };
        let mut kit = Kit::default();
        let place = kit.f32([200], &source);
        let out = kit.out(Meta::f32(domain.clone()));
        let operands = vec![Bound { place, view: view.clone() }];
        let got = kit.run(gpu, map_kernel(&domain, operands, &[input(0)], vec![target(&out)]), Env::default()).await;
        assert_near(name, &got[0], &want(&|i| f64::from(source[i])), 0.0);

        let mut kit = Kit::default();
        let place = kit.u8([200], &bytes);
        let out = kit.out(Meta::f32(domain.clone()));
        let operands = vec![Bound { place, view: view.clone() }];
        let got = kit.run(gpu, map_kernel(&domain, operands, &[input(0)], vec![target(&out)]), Env::default()).await;
        assert_near(name, &got[0], &want(&|i| f64::from(bytes[i])), 0.0);
    }
}

/// A batch of rows looked up in a table of bytes by an order that has a row for every step.
async fn rows_are_looked_up_by_index_and_by_step(gpu: &mut Gpu) {
    let (rows, cols, batch, steps) = (11, 8, 5, 3);
    let table: Vec<u8> = (0..rows * cols).map(|i| (i * 29 % 256) as u8).collect();
    let order: Vec<u32> = (0..steps * batch).map(|i| (i as u32 * 7 + 2) % 13).collect();
    let domain = Shape::from([batch, cols]);
    let mut kit = Kit::default();
    let (data, index) = (kit.u8([rows, cols], &table), kit.u32([steps, batch], &order));
    let out = kit.out(Meta::f32([4 * batch, cols]));
    let operands = vec![
        Bound {
            place: data,
            view: View {
                dims: vec![Dim::new(batch, 0), Dim::new(cols, 1)],
                offset: 0,
                row: None,
                index: Some(Index { operand: 1, stride: cols, len: rows }),
                sum: None,
            },
        },
        Bound {
            place: index,
            view: View { dims: vec![Dim::new(batch, 1), Dim::new(cols, 0)], offset: 0, row: Some(batch), index: None, sum: None },
        },
    ];
    let outputs = vec![Target { place: out, row: Some(batch * cols), span: None }];
    let kernel = map_kernel(&domain, operands, &[input(0) * (1.0 / 255.0)], outputs);
    let got = kit.run(gpu, kernel, Env { row: 2, ..Env::default() }).await;
    let want: Vec<f64> = (0..batch * cols)
        .map(|i| {
            let row = (order[2 * batch + i / cols] as usize).min(rows - 1);
            f64::from(table[row * cols + i % cols]) / 255.0
        })
        .collect();
    assert_near("gather", &got[0], &want, 1e-6);
}

async fn noise_has_the_same_bits_as_on_the_host(gpu: &mut Gpu) {
    let n = 5000;
    let env = Env { seed: [0xDEAD_BEEF, 77], step: 12_345, ..Env::default() };
    let mut kit = Kit::default();
    let (uniform, normal) = (kit.out(Meta::f32([n])), kit.out(Meta::f32([n])));
    let roots = [noise(3, Law::Uniform), noise(9, Law::Normal)];
    let kernel = map_kernel(&Shape::from([n]), Vec::new(), &roots, vec![target(&uniform), target(&normal)]);
    let got = kit.run(gpu, kernel, env.clone()).await;
    let draw = |stream, i| rng::word(env.seed, stream, env.step, i);
    assert_eq!(got[0], (0..n as u32).map(|i| rng::unit(draw(3, i)).to_bits()).collect::<Vec<_>>());
    // The logarithm inside erfinv is the device's.
    assert_near("normal", &got[1], &(0..n as u32).map(|i| f64::from(rng::normal(draw(9, i)))).collect::<Vec<_>>(), 2e-6);
}

async fn reduce_sums_and_finds_maxima(gpu: &mut Gpu) {
    for (outer, count, inner) in
        [(1, 1, 1), (1, 1000, 1), (3, 7, 5), (65, 3, 1), (5, 300, 1), (1, 129, 70), (2, 64, 400), (1, 20_001, 1), (300, 2, 64)]
    {
        let x = values(4, outer * count * inner);
        for kind in [0, 1] {
            let mut kit = Kit::default();
            let (place, out) = (kit.f32([outer, count, inner], &x), kit.out(Meta::f32([outer, inner])));
            let consts = [("OUTER", outer), ("COUNT", count), ("INNER", inner), ("KIND", kind)];
            let got = kit.run(gpu, core_kernel("reduce", &consts, vec![whole(&place)], &out), Env::default()).await;
            let terms =
                |i: usize| (0..count).map(|c| f64::from(x[(i / inner * count + c) * inner + i % inner])).collect::<Vec<_>>();
            let what = format!("reduce {outer} {count} {inner} {kind}");
            if kind == 1 {
                let want: Vec<f64> = (0..outer * inner).map(|i| terms(i).into_iter().fold(f64::MIN, f64::max)).collect();
                assert_near(&what, &got[0], &want, 0.0);
            } else {
                let mut want = vec![Sum::default(); outer * inner];
                want.iter_mut().enumerate().for_each(|(i, sum)| terms(i).into_iter().for_each(|t| sum.add(t)));
                assert_sums(&what, &got[0], &want);
            }
        }
    }
}

async fn softmax_and_logsumexp_take_any_offset(gpu: &mut Gpu) {
    for (rows, cols) in [(1, 1), (3, 5), (65, 3), (7, 64), (5, 1000), (200, 10)] {
        for offset in [0.0, 300.0, -300.0] {
            let x: Vec<f32> = values(6, rows * cols).iter().map(|x| x * 8.0 + offset).collect();
            let row = |r: usize| x[r * cols..(r + 1) * cols].iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
            let lse: Vec<f64> = (0..rows)
                .map(|r| {
                    let largest = row(r).into_iter().fold(f64::MIN, f64::max);
                    largest + row(r).into_iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
                })
                .collect();
            let consts = [("ROWS", rows), ("COLS", cols)];
            let mut kit = Kit::default();
            let (place, out) = (kit.f32([rows, cols], &x), kit.out(Meta::f32([rows])));
            let got = kit.run(gpu, core_kernel("logsumexp", &consts, vec![whole(&place)], &out), Env::default()).await;
            assert_near("logsumexp", &got[0], &lse, 1e-6);
            let mut kit = Kit::default();
            let (place, out) = (kit.f32([rows, cols], &x), kit.out(Meta::f32([rows, cols])));
            let got = kit.run(gpu, core_kernel("softmax", &consts, vec![whole(&place)], &out), Env::default()).await;
            let want: Vec<f64> =
                (0..rows).flat_map(|r| row(r).into_iter().map(|x| (x - lse[r]).exp()).collect::<Vec<_>>()).collect();
            assert_near("softmax", &got[0], &want, 4e-6);
        }
    }
}

async fn group_norm_and_its_gradient_take_every_grouping(gpu: &mut Gpu) {
    for (batch, pixels, groups, width) in [(1, 1, 1, 5), (3, 1, 1, 130), (5, 6, 4, 3), (70, 4, 2, 5), (2, 65, 1, 80)] {
        let (n_rows, count, size) = (batch * groups, pixels * width, batch * pixels * groups * width);
        let (x, dy) = (values(8, size).iter().map(|x| x * 3.0 + 1.0).collect::<Vec<f32>>(), values(9, size));
        let (mut y, mut dx) = (vec![0.0; size], vec![0.0; size]);
        for row in 0..n_rows {
            let at = |c: usize| ((row / groups * pixels + c / width) * groups + row % groups) * width + c % width;
            let mean = |f: &dyn Fn(usize) -> f64| (0..count).map(|c| f(at(c))).sum::<f64>() / count as f64;
            let middle = mean(&|i| f64::from(x[i]));
            let scale = 1.0 / (mean(&|i| (f64::from(x[i]) - middle).powi(2)) + f64::from(1e-5f32)).sqrt();
            (0..count).for_each(|c| y[at(c)] = (f64::from(x[at(c)]) - middle) * scale);
            let (level, along) = (mean(&|i| f64::from(dy[i])), mean(&|i| f64::from(dy[i]) * y[i]));
            (0..count).for_each(|c| dx[at(c)] = scale * (f64::from(dy[at(c)]) - level - y[at(c)] * along));
        }
        let epsilon = 1e-5f32.to_bits() as usize;
        let consts = [("ROWS", n_rows), ("COLS", count), ("GROUPS", groups), ("WIDTH", width), ("EPSILON", epsilon)];
        let shape = [batch, pixels, groups * width];
        let mut kit = Kit::default();
        let (place, out) = (kit.f32(shape, &x), kit.out(Meta::f32(shape)));
        let got = kit.run(gpu, core_kernel("group_norm", &consts, vec![whole(&place)], &out), Env::default()).await;
        // Sums of up to 5,200 terms by one thread, each rounded by 6e-8 of what is there, the roundings of either sign.
        assert_near("group_norm", &got[0], &y, 4e-6);
        let mut kit = Kit::default();
        let (place, given, out) = (kit.f32(shape, &x), kit.f32(shape, &dy), kit.out(Meta::f32(shape)));
        let kernel = core_kernel("group_norm_dx", &consts, vec![whole(&place), whole(&given)], &out);
        assert_near("group_norm_dx", &kit.run(gpu, kernel, Env::default()).await[0], &dx, 4e-6);
    }
}

async fn argmin_takes_the_first_of_equals(gpu: &mut Gpu) {
    for (rows, cols) in [(1, 1), (3, 5), (65, 3), (7, 64), (5, 1000)] {
        // Coarse values, so that there are ties.
        let x: Vec<f32> = values(7, rows * cols).iter().map(|x| (x * 6.0).round()).collect();
        for kind in [0, 1] {
            let mut kit = Kit::default();
            let (place, out) = (kit.f32([rows, cols], &x), kit.out(Meta::u32([rows])));
            let consts = [("ROWS", rows), ("COLS", cols), ("KIND", kind)];
            let got = kit.run(gpu, core_kernel("argmin", &consts, vec![whole(&place)], &out), Env::default()).await;
            let want: Vec<u32> = (0..rows)
                .map(|r| {
                    let row = &x[r * cols..(r + 1) * cols];
                    let best = row.iter().copied().reduce(|a, b| if kind == 0 { a.min(b) } else { a.max(b) }).expect("cols > 0");
                    row.iter().position(|x| *x == best).expect("it is one of them") as u32
                })
                .collect();
            assert_eq!(got[0], want, "{rows} {cols} {kind}");
        }
    }
}

async fn nearest_takes_the_first_of_equals(gpu: &mut Gpu) {
    for (rows, codes, size) in [(1, 1, 1), (3, 5, 2), (65, 3, 1), (7, 64, 2), (5, 1000, 3)] {
        // Whole numbers, so that there are ties and every distance is exact.
        let whole_numbers = |seed: u32, n: usize| values(seed, n).iter().map(|x| (x * 3.0).round()).collect::<Vec<f32>>();
        let (x, table) = (whole_numbers(7, rows * size), whole_numbers(8, codes * size));
        let mut kit = Kit::default();
        let (px, pt) = (kit.f32([rows, size], &x), kit.f32([codes, size], &table));
        let out = kit.out(Meta::u32([rows]));
        let consts = [("ROWS", rows), ("COLS", codes), ("DEPTH", size)];
        let got = kit.run(gpu, core_kernel("nearest", &consts, vec![whole(&px), whole(&pt)], &out), Env::default()).await;
        let distance = |x: &[f32], c: &[f32]| x.iter().zip(c).map(|(x, c)| (x - c).powi(2)).sum::<f32>();
        let want: Vec<u32> = x
            .chunks(size)
            .map(|x| {
                let all: Vec<f32> = table.chunks(size).map(|c| distance(x, c)).collect();
                let least = all.iter().copied().fold(f32::INFINITY, f32::min);
                all.iter().position(|d| *d == least).expect("it is one of them") as u32
            })
            .collect();
        assert_eq!(got[0], want, "{rows} {codes} {size}");
    }
}

async fn scatter_add_sums_the_rows_of_each_index(gpu: &mut Gpu) {
    for (rows, cols, count) in [(1, 1, 1), (5, 3, 70), (40, 16, 300), (7, 64, 2)] {
        let index: Vec<u32> = (0..count as u32).map(|i| i * i * 7 % rows as u32).collect();
        let dy = values(8, count * cols);
        let mut kit = Kit::default();
        let (pi, pd, out) = (kit.u32([count], &index), kit.f32([count, cols], &dy), kit.out(Meta::f32([rows, cols])));
        let consts = [("ROWS", rows), ("COLS", cols), ("COUNT", count)];
        let got = kit.run(gpu, core_kernel("scatter_add", &consts, vec![whole(&pi), whole(&pd)], &out), Env::default()).await;
        let mut want = vec![Sum::default(); rows * cols];
        for (i, dy) in dy.iter().enumerate() {
            want[index[i / cols] as usize * cols + i % cols].add(f64::from(*dy));
        }
        assert_sums("scatter_add", &got[0], &want);
    }
}

async fn reparameterize_draws_around_the_mean(gpu: &mut Gpu) {
    let n = 130;
    let (mean, logvar) = (values(1, n), values(2, n));
    let env = Env { seed: [5, 6], step: 9, ..Env::default() };
    let mut kit = Kit::default();
    let (pm, pv, out) = (kit.f32([n], &mean), kit.f32([n], &logvar), kit.out(Meta::f32([n])));
    let kernel = core_kernel("reparameterize", &[("STREAM", 4), ("SIZE", n)], vec![whole(&pm), whole(&pv)], &out);
    let got = kit.run(gpu, kernel, env.clone()).await;
    let epsilon = |i| f64::from(rng::normal(rng::word(env.seed, 4, env.step, i as u32)));
    let want: Vec<f64> = (0..n).map(|i| f64::from(mean[i]) + (0.5 * f64::from(logvar[i])).exp() * epsilon(i)).collect();
    assert_near("reparameterize", &got[0], &want, 3e-6);
}
