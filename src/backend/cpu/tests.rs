//! Plans on the CPU, against the definitions of what they hold.

use super::trial::{Oracle, Trial, call, target, values};
use super::*;
use reparam_base::expr::{Law, Program, constant, control, core, input, noise, position};
use reparam_base::graph::{Dim, Index, View, coordinates};
use reparam_base::plan::{Stage, Target};
use reparam_base::shape::Shape;

/// The values of one operand under a view, by `View::at` alone.
fn by_definition(data: &[f32], view: &View, domain: &Shape, row: usize, index: &dyn Fn(usize) -> usize) -> Vec<f32> {
    let value = |i: usize| {
        let at = view.at(&coordinates(domain, i))? + view.row.unwrap_or(0) * row;
        Some(data[at + view.index.map_or(0, |x| index(i).min(x.len - 1) * x.stride)])
    };
    (0..domain.size()).map(|i| value(i).unwrap_or(0.0)).collect()
}

fn dim(low: usize, high: usize, divisor: usize, exact: bool, stride: usize) -> Dim {
    Dim { low, high, divisor, exact, stride }
}

#[test]
fn every_view_reads_what_its_definition_says() {
    let s = |dims: &[usize]| Shape::from(dims);
    let plain = |dims: Vec<Dim>, offset: usize, row: Option<usize>| View { dims, offset, row, index: None, sum: None };
    let cases = [
        (s(&[]), View::broadcast(&s(&[]), &s(&[]))),
        (s(&[1]), View::identity(&s(&[1]))),
        (s(&[7, 130]), View::identity(&s(&[7, 130]))),
        (s(&[7, 130]), View::broadcast(&s(&[130]), &s(&[7, 130]))),
        (s(&[7, 130]), View::broadcast(&s(&[7, 1]), &s(&[7, 130]))),
        (s(&[5, 4, 3]), View::broadcast(&s(&[4, 1]), &s(&[5, 4, 3]))),
        (s(&[40, 20]), plain(vec![Dim::new(40, 1), Dim::new(20, 40)], 3, None)),
        (s(&[9, 5, 6]), plain(vec![dim(2, 7, 1, false, 40), dim(0, 5, 1, false, 8), dim(1, 5, 1, false, 1)], 0, None)),
        (s(&[6, 9, 2]), plain(vec![dim(0, 6, 2, false, 50), dim(0, 9, 3, false, 4), Dim::new(2, 1)], 1, None)),
        (s(&[200]), plain(vec![dim(3, 180, 2, false, 1)], 0, None)),
        (s(&[200]), plain(vec![dim(3, 180, 3, true, 2)], 0, None)),
        (s(&[1, 3]), plain(vec![dim(1, 2, 1, false, 5), Dim::new(3, 1)], 0, None)),
        (s(&[4, 100]), plain(vec![Dim::new(4, 100), Dim::new(100, 1)], 20, Some(400))),
    ];
    let data = values(2000, 5);
    for (domain, view) in cases {
        for row in [0, 2] {
            let want = by_definition(&data, &view, &domain, row as usize, &|_| 0);
            let mut trial = Trial::new();
            let x = trial.f32(&data);
            let copied = trial.buffer(Role::Output, DType::F32, domain.size());
            let scaled = trial.buffer(Role::Output, DType::F32, domain.size());
            let roots = [input(0), input(0) * 2.0];
            let targets = vec![target(trial.place(copied)), target(trial.place(scaled))];
            trial.map(domain.clone(), vec![trial.bound(x, view.clone())], &roots, targets);
            let got = trial.run(Env { row, ..Env::default() }, &[copied, scaled]);
            assert_eq!(got[0], want, "{domain} {view:?} row {row}");
            assert!(got[1].iter().zip(&want).all(|(got, want)| *got == want * 2.0), "{domain} {view:?}");
        }
    }
}

#[test]
fn rows_are_looked_up_in_an_index_of_the_step() {
    // Row 1 of a schedule of 3 rows of 5 indices; index 77 is clamped to the last of 9 rows.
    let order: Vec<u32> = vec![0, 0, 0, 0, 0, 4, 8, 77, 1, 2, 0, 0, 0, 0, 0];
    let pixels: Vec<u8> = (0..9 * 150).map(|i| (i % 251) as u8).collect();
    let labels: Vec<u32> = vec![3, 1, 4, 1, 5, 9, 2, 6, 5];
    let domain = Shape::from([5, 150]);
    let mut trial = Trial::new();
    let (order, data, labels) = (trial.u32(&order), trial.u8(&pixels), trial.u32(&labels));
    let out = trial.buffer(Role::Output, DType::F32, 750);
    let looked = trial.buffer(Role::Output, DType::F32, 750);
    let column = View { row: Some(5), ..View::broadcast(&Shape::from([5, 1]), &domain) };
    let table = |stride: usize, dims: Vec<Dim>| View {
        dims,
        offset: 0,
        row: None,
        index: Some(Index { operand: 0, stride, len: 9 }),
        sum: None,
    };
    let image = table(150, vec![Dim::new(5, 0), Dim::new(150, 1)]);
    let label = table(1, vec![Dim::new(5, 0), Dim::new(150, 0)]);
    // A table looked up by a value that is itself looked up: pixel 0 of the image that the label names.
    let nested =
        View { index: Some(Index { operand: 2, stride: 150, len: 9 }), ..table(0, vec![Dim::new(5, 0), Dim::new(150, 1)]) };
    let operands =
        vec![trial.bound(order, column), trial.bound(data, image), trial.bound(labels, label), trial.bound(data, nested)];
    let targets = vec![target(trial.place(out)), target(trial.place(looked))];
    trial.map(domain, operands, &[input(1) * constant(0.25), input(3)], targets);
    let got = trial.run(Env { row: 1, ..Env::default() }, &[out, looked]);
    let rows = [4usize, 8, 8, 1, 2];
    let label_rows = [5usize, 5, 5, 1, 4];
    for i in 0..750 {
        assert_eq!(got[0][i], f32::from(pixels[rows[i / 150] * 150 + i % 150]) * 0.25);
        assert_eq!(got[1][i], f32::from(pixels[label_rows[i / 150] * 150 + i % 150]));
    }
}

#[test]
fn every_element_of_an_index_may_differ() {
    let domain = Shape::from([300]);
    let mut trial = Trial::new();
    let index: Vec<u32> = (0..300).map(|i| i * 7 % 50).collect();
    let table = values(100, 1);
    let (i, t) = (trial.u32(&index), trial.f32(&table));
    let out = trial.buffer(Role::Output, DType::F32, 300);
    let view = View {
        dims: vec![Dim::new(300, 0)],
        offset: 1,
        row: None,
        index: Some(Index { operand: 0, stride: 2, len: 50 }),
        sum: None,
    };
    let operands = vec![trial.bound(i, View::identity(&domain)), trial.bound(t, view)];
    let place = trial.place(out);
    trial.map(domain, operands, &[input(1)], vec![target(place)]);
    let got = trial.run(Env::default(), &[out]).remove(0);
    assert!(got.iter().zip(&index).all(|(got, i)| *got == table[*i as usize * 2 + 1]));
}

#[test]
fn updates_in_place_read_before_they_write() {
    let n = 333;
    let mut trial = Trial::new();
    let p = trial.buffer(Role::State("p".into()), DType::F32, n);
    let m = trial.buffer(Role::State("m".into()), DType::F32, n);
    let g = trial.f32(&values(n, 3));
    let whole = Shape::from([n]);
    let operands = [p, m, g].map(|b| trial.bound(b, View::identity(&whole))).to_vec();
    let next_m = input(1) * 0.5 + input(2);
    let roots = [input(0) - control("rate") * &next_m, next_m];
    let targets = [p, m].map(|b| target(trial.place(b))).to_vec();
    trial.map(whole, operands, &roots, targets);
    let (mut cpu, id, _) = trial.start();
    let env = Env { controls: vec![("rate", 0.1)], ..Env::default() };
    cpu.run(id, &[env.clone(), env]).expect("the plan runs");
    let p: Vec<f32> = bytemuck::pod_collect_to_vec(&cpu.read_role(&Role::State("p".into())).expect("p is there"));
    let want = |g: f32| -(0.1 * g) - 0.1 * (g * 0.5 + g);
    assert!(p.iter().zip(values(n, 3)).all(|(p, g)| (p - want(g)).abs() < 1e-6));
}

#[test]
fn noise_position_and_uniform_terms_equal_the_oracle() {
    let roots =
        [noise(3, Law::Normal) + position() * control("beta"), noise(4, Law::Uniform), control("beta").exp() * constant(2.0)];
    let n = 1000;
    let mut trial = Trial::new();
    let outputs = [0, 1, 2].map(|_| trial.buffer(Role::Output, DType::F32, n));
    let targets = outputs.map(|o| target(trial.place(o))).to_vec();
    trial.map([n], Vec::new(), &roots, targets);
    let env = Env { seed: [5, 6], step: 7, controls: vec![("beta", 0.25)], ..Env::default() };
    let got = trial.run(env.clone(), &outputs);
    let program = Program::lower(&roots);
    for i in 0..n {
        for (got, want) in got.iter().zip(program.eval(&env, i as u32, 0.0, &[])) {
            // 4 ulp of a value below 256.
            assert!((f64::from(got[i]) - want).abs() < 6e-5, "element {i}: {} wants {want}", got[i]);
        }
    }
}

/// Quotients by fixed terms, joined products, pairs of functions, registers taken over: none changes more than the last bits.
#[test]
fn long_programs_equal_the_oracle_at_full_and_partial_chunks() {
    let (a, b, c) = (input(0), input(1), input(2));
    let rate = control("rate");
    let product = &a * &b;
    let mean = (&a + &b * &rate) / (constant(1.0) - &rate);
    let spread = (&product - &c * &c) / &rate;
    let roots = [
        &mean - &rate * &spread / (spread.square() + 1.0).sqrt(),
        &c - &a * &b,
        &product * &product - &mean,
        &mean + &mean,
        (&a * &c + &b * &c).exp() / &mean.square().exp(),
        mean.sigmoid() * &a - mean.softplus(),
        (&b + &c).softplus() * (&b + &c).sigmoid(),
    ];
    let n = 2 * reparam_base::expr::LANES + 77;
    let data = [values(n, 1), values(n, 2), values(n, 3)];
    let mut trial = Trial::new();
    let whole = Shape::from([n]);
    let operands = data.iter().map(|x| trial.f32(x)).collect::<Vec<usize>>();
    let operands = operands.into_iter().map(|b| trial.bound(b, View::identity(&whole))).collect();
    let outputs: Vec<usize> = roots.iter().map(|_| trial.buffer(Role::Output, DType::F32, n)).collect();
    let targets = outputs.iter().map(|o| target(trial.place(*o))).collect();
    trial.map(whole, operands, &roots, targets);
    let env = Env { controls: vec![("rate", 0.3)], ..Env::default() };
    let got = trial.run(env.clone(), &outputs);
    let program = Program::lower(&roots);
    for i in 0..n {
        let at: Vec<f64> = data.iter().map(|x| f64::from(x[i])).collect();
        for (r, want) in program.eval(&env, i as u32, 0.0, &at).into_iter().enumerate() {
            let error = (f64::from(got[r][i]) - want).abs();
            assert!(error < 2e-5 * want.abs().max(1.0), "root {r} at {i}: {} wants {want}", got[r][i]);
        }
    }
}

#[test]
fn a_core_without_kernel_is_computed_by_its_oracle_and_written_to_the_row() {
    let mut trial = Trial::new();
    let x = trial.f32(&[1.0, 2.0, 3.0]);
    let ring = trial.buffer(Role::Scratch("ring".into()), DType::F32, 6);
    let domain = Shape::from([3]);
    let load =
        Stage { operands: vec![trial.bound(x, View::identity(&domain))], program: Program::identity(), domain: domain.clone() };
    let store = Stage { domain, operands: Vec::new(), program: Program::lower(&[core() + 1.0]) };
    let reverse = Oracle(|inputs| inputs[0].data.iter().rev().copied().collect());
    let target = Target { row: Some(3), ..target(trial.place(ring)) };
    trial.core(call("unheard_of", &[], vec![load], 3, reverse), store, vec![target]);
    let (mut cpu, id, _) = trial.start();
    cpu.run(id, &[Env { row: 1, ..Env::default() }]).expect("the plan runs");
    let ring = cpu.read_role(&Role::Scratch("ring".into())).expect("the ring is there");
    assert_eq!(bytemuck::pod_collect_to_vec::<u8, f32>(&ring), [0.0, 0.0, 0.0, 4.0, 3.0, 2.0]);
    assert!(cpu.run(id, &[Env { row: 2, ..Env::default() }]).is_err(), "row 2 lies beyond the ring");
}

#[test]
fn buffers_are_shared_by_name_and_freed() {
    let build = |cpu: &mut Cpu| {
        let mut trial = Trial::new();
        let w = trial.buffer(Role::State("w".into()), DType::F32, 4);
        let slot = trial.buffer(Role::Slot, DType::F32, 4);
        let place = trial.place(slot);
        trial.map([4], vec![trial.bound(w, View::identity(&Shape::from([4])))], &[input(0) * 2.0], vec![target(place.clone())]);
        (cpu.build(trial.start().2).expect("the plan is sound"), place)
    };
    let mut cpu = Cpu::new();
    let w = Role::State("w".into());
    cpu.write(&w, bytemuck::cast_slice(&[1.0f32, 2.0, 3.0, 4.0])).expect("states can be written");
    let ((a, place), (b, _)) = (build(&mut cpu), build(&mut cpu));
    assert_eq!(cpu.live_buffers(), (3, 48));
    cpu.run(a, &[Env::default()]).expect("the plan runs");
    assert_eq!(bytemuck::pod_collect_to_vec::<u8, f32>(&cpu.read(a, &place).expect("it was run")), [2.0, 4.0, 6.0, 8.0]);
    cpu.drop_plan(a);
    assert!(cpu.run(a, &[]).is_err());
    assert_eq!(cpu.live_buffers(), (2, 32));
    cpu.free(&w);
    assert!(cpu.run(b, &[Env::default()]).is_err(), "its state was freed");
    cpu.write(&w, &[0; 12]).expect("states can be written");
    assert!(cpu.run(b, &[Env::default()]).is_err(), "it has three numbers");
    assert!(cpu.write(&Role::Slot, &[]).is_err());
    cpu.free(&w);
    let live = cpu.live_buffers();
    let mut trial = Trial::new();
    let slot = trial.buffer(Role::Slot, DType::F32, 4);
    let place = trial.place(slot);
    trial.map([9], vec![trial.bound(slot, View::identity(&Shape::from([9])))], &[input(0)], vec![target(place)]);
    assert!(cpu.build(Rc::new(trial.plan)).is_err(), "it reads beyond its buffer");
    assert_eq!(cpu.live_buffers(), live, "a plan that cannot be built leaves nothing");
}
