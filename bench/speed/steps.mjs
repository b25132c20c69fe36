/** Training steps of ours and of the peers on one net, and decoding. */
import { join } from "node:path";
import { say } from "../../scripts/run.mjs";
import { NETS, picturesFile } from "./nets.js";
import { interleave, prepare } from "./rounds.mjs";
import { SUBJECTS, openPage, openTorch, within } from "./subjects.mjs";

const EIGHTH = 8;
/** Steps over which dispatches are counted. */
const COUNTED = 4;
/** A decode is timed this often, or for one slice. */
const DECODES = 30;

/** All subjects on one net. */
export async function time(lab, key, settings) {
  say(NETS[key].title);
  const [subjects, results] = [[], {}];
  for (const name of settings.names) {
    const subject = SUBJECTS[name];
    if (subject.only && !subject.only.includes(key)) {
      results[name] = { failed: subject.because };
      continue;
    }
    const scale = subject.eighth?.includes(key) && !settings.full_batch ? EIGHTH : 1;
    const net = { ...NETS[key], batch: NETS[key].batch / scale };
    try {
      const ready = await prepare(() => (subject.library ? openPage(lab, subject, net) : openTorch(subject, net, join(lab.folder, picturesFile(net.side)))), settings);
      subjects.push({ name, scale, ...ready });
      console.log(`${name}: about ${(ready.ms * scale).toFixed(1)} ms a step`);
    } catch (error) {
      results[name] = { failed: error.message.split("\n")[0] };
      console.log(`${name}: ${error.message}`);
    }
  }
  await interleave(subjects, settings);
  for (const s of subjects) {
    try {
      const counted = SUBJECTS[s.name].library ? await count(lab, s.name, key, s, settings) : {};
      const rounds = s.rounds.map((ms) => ms && ms * s.scale);
      results[s.name] = { rounds, steps: s.n, scale: s.scale, ...counted, decode: await decodes(s, settings), about: await s.runner.call("about") };
      if (!rounds.some(Boolean)) results[s.name] = { failed: `more than ${settings.limit} s` };
    } catch (error) {
      results[s.name] = { failed: error.message.split("\n")[0] };
    }
    if (s.runner.said.length) console.log(`${s.name}: ${s.runner.said.join("; ")}`);
    await s.runner.close();
  }
  return Object.fromEntries(settings.names.map((name) => [name, results[name]]));
}

/** Dispatches and submits a step, and the peak of its GPU buffers; ours on the page's thread, where they can be counted. */
async function count(lab, name, key, subject, settings) {
  const { library, backend } = SUBJECTS[name];
  if (backend !== "webgpu") return {};
  const mine = library === "reparam" ? await openPage(lab, SUBJECTS[name], NETS[key], { worker: false }) : subject.runner;
  try {
    if (library === "reparam") await within(settings.limit, mine.call("first"));
    const before = await mine.counters();
    // Our `steps(n)` takes n + 1.
    const n = library === "reparam" ? COUNTED + 1 : subject.ms > 2000 ? 1 : COUNTED;
    await within(settings.limit, mine.call("steps", library === "reparam" ? COUNTED : n));
    const after = await mine.counters();
    return { dispatches: (after.dispatches - before.dispatches) / n, submits: (after.submits - before.submits) / n, peak: after.peak };
  } finally {
    if (mine !== subject.runner) await mine.close();
  }
}

async function decodes(subject, settings) {
  if (!subject.runner.page) return undefined;
  const times = {};
  for (const n of [1, 64]) {
    if (subject.ms > 3000 && n > 1) continue; // minutes of nothing new
    times[n] = await within(
      settings.limit,
      subject.runner.page.evaluate(
        async ([n, most, ms]) => {
          const [{ decode }, taken] = [window.model, []];
          await decode(n);
          const end = performance.now() + ms;
          while (taken.length < 2 || (taken.length < most && performance.now() < end)) {
            const start = performance.now();
            await decode(n);
            taken.push(performance.now() - start);
          }
          return taken.sort((a, b) => a - b)[taken.length >> 1];
        },
        [n, DECODES, settings.slice * 1000],
      ),
    ).catch(() => undefined);
  }
  return times;
}
