/**
 * What the page's own thread is kept busy with. A task is measured by the processor's time that its thread had, as the browser's trace gives it:
 * by the clock, a task that waits for its turn on a busy machine is as long as one that computes.
 */
import assert from "node:assert/strict";

const RENDERER = "CrRendererMain";
const TASK = "RunTask";
/** Milliseconds above which the browser calls a task long. */
const LONG = 50;

/** Runs `body`, then fails where a task of the page was long meanwhile. Gives what `body` gives. */
export async function withoutLongTasks(page, body) {
  const browser = page.context().browser();
  await browser.startTracing(page, { categories: ["disabled-by-default-devtools.timeline"] });
  const [outcome] = await Promise.allSettled([body()]);
  const tasks = read(JSON.parse((await browser.stopTracing()).toString()));
  if (outcome.status === "rejected") throw outcome.reason;
  assert.ok(tasks.length > 0 && tasks.every(Number.isFinite), "the trace tells what the page's tasks took");
  assert.deepEqual(tasks.filter((ms) => ms > LONG), []);
  return outcome.value;
}

/** Milliseconds of every task that came to its end on a page's thread; by the clock, which is never less, where the trace has no other for one of a few microseconds. */
function read({ traceEvents }) {
  const thread = ({ pid, tid }) => `${pid}/${tid}`;
  const pages = new Set(traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === RENDERER).map(thread));
  return traceEvents.filter((event) => event.name === TASK && event.ph === "X" && pages.has(thread(event))).map(({ tdur, dur }) => (tdur ?? dur) / 1000);
}
