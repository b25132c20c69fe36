/** Bits a code over the training of the prior: a line for training, rings for held-out digits, dashes for codes drawn evenly. */
import { html } from "lit";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { PriorRun } from "../prior-run";
import { colour } from "../palette";
import { Pace } from "../pace";
import { Part } from "../part";
import { number, t } from "../words";
import { WHOLE_STEPS } from "./curves";

const HEIGHT = 200;
const REDRAW_MS = 250;
/** Above the bits of codes drawn evenly, so that their line is seen. */
const HEADROOM = 1.08;

export class Bits extends Part {
  #chart: uPlot | null = null;
  #pace = new Pace(REDRAW_MS, () => this.#draw());
  #resize = new ResizeObserver(() => this.#pace.now());

  protected override render() {
    const { training, heldOut } = this.studio.run.prior;
    const [last, judged] = [training.at(-1), heldOut.at(-1)];
    const label = last ? t("bits.summary", { step: last.step, bits: number(last.bits, 2), heldOut: judged ? number(judged.bits, 2) : "–", uniform: number(this.#uniform, 2) }) : t("curves.empty");
    return html`<div class="plot" role="img" data-testid="bits" aria-label=${label}></div>`;
  }

  protected override firstUpdated() {
    this.#resize.observe(this.querySelector(".plot")!);
  }

  protected override updated() {
    this.#pace.ask();
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.#pace.stop();
    this.#resize.disconnect();
    this.#chart?.destroy();
    this.#chart = null;
  }

  get #uniform() {
    return Math.log2(this.studio.pictures.coded.grid?.codes ?? 2);
  }

  #draw() {
    const plot = this.querySelector<HTMLElement>(".plot");
    const width = plot?.clientWidth ?? 0;
    if (!plot || width === 0) return;
    const { prior } = this.studio.run;
    const data = columns(prior, this.#uniform);
    if (!this.#chart) {
      this.#chart = new uPlot(this.#options(width), data, plot);
      return;
    }
    if (this.#chart.width !== width) this.#chart.setSize({ width, height: HEIGHT });
    this.#chart.setData(data);
  }

  #options(width: number): uPlot.Options {
    const axis = { stroke: () => colour("muted"), grid: { stroke: () => colour("line"), width: 1 }, ticks: { show: false }, font: "12px Inter, system-ui, sans-serif" };
    return {
      width,
      height: HEIGHT,
      padding: [8, 22, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: () => [0, HEADROOM * this.#uniform] } },
      axes: [
        { ...axis, size: 28, space: 60, incrs: WHOLE_STEPS, values: (_, steps) => steps.map((step) => number(step)) },
        { ...axis, size: 36, values: (_, bits) => bits.map((each) => number(each, Number.isInteger(each) ? 0 : 1)) },
      ],
      series: [
        {},
        { label: "uniform", stroke: () => colour("ink"), width: 1, dash: [6, 5], points: { show: false } },
        { label: "training", stroke: () => colour("kl"), width: 1.5, spanGaps: true, points: { show: false } },
        { label: "held out", stroke: () => colour("kl"), width: 1, dash: [3, 4], spanGaps: true, points: { show: true, size: 7, width: 2, fill: () => colour("card") } },
      ],
    };
  }
}

/** Steps, the bits of even codes, of training, of held-out digits; before a training the axis alone. */
function columns({ training, heldOut, goal }: PriorRun, uniform: number): uPlot.AlignedData {
  const of = (points: { step: number; bits: number }[]): [number[], number[]] => [points.map(({ step }) => step), points.map(({ bits }) => bits)];
  const end = Math.max(goal, training.at(-1)?.step ?? 0) || 1000;
  return uPlot.join([[[0, end], [uniform, uniform]], of(training), of(heldOut)].map((table) => table as uPlot.AlignedData), [[2], [1], [1]]);
}
