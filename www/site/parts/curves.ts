/** The parts of the bound over time: −ELBO = reconstruction + KL, as two bands that stack, for training; rings for held-out digits. */
import { html } from "lit";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { beta, isBetaLoss } from "../config";
import { bound } from "../formulas";
import { placesOf } from "../grid";
import type { Figures, History } from "../history";
import { colour } from "../palette";
import { Pace } from "../pace";
import { Part } from "../part";
import { number, t } from "../words";
import "./curves.css";

const HEIGHT = 260;
const REDRAW_MS = 250;
/** Distances between two marks on the axis of steps. */
export const WHOLE_STEPS = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000].flatMap((power) => [power, 2 * power, 5 * power]);
/** What the axis shows before there is a curve, in nats. */
const EMPTY_MAX = 200;

export class Curves extends Part {
  #chart: uPlot | null = null;
  #resize: ResizeObserver | null = null;
  #hovered: number | null = null;
  #pace = new Pace(REDRAW_MS, () => this.#draw());

  protected override render() {
    const { history } = this.studio.run;
    const { grid } = this.studio.pictures.coded;
    return html`
      <header>
        <h2>${t("curves.title")}</h2>
        <p>${t("curves.text")}</p>
        <p class="formula">${bound}</p>
      </header>
      <div class="plot" role="img" aria-label=${this.#summary(history)}></div>
      ${this.#table(history)} ${grid ? html`<p class="note">${t("curves.codes", { places: placesOf(grid), codes: grid.codes, nats: number(placesOf(grid) * Math.log(grid.codes), 1) })}</p>` : ""}
    `;
  }

  protected override firstUpdated() {
    const plot = this.querySelector<HTMLElement>(".plot")!;
    this.#chart = new uPlot(this.#options(plot.clientWidth), columns(this.studio.run.history), plot);
    this.#resize = new ResizeObserver(() => this.#chart?.setSize({ width: plot.clientWidth, height: HEIGHT }));
    this.#resize.observe(plot);
  }

  protected override updated() {
    this.#pace.ask();
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.#pace.stop();
    this.#resize?.disconnect();
    this.#chart?.destroy();
  }

  #draw() {
    this.#chart?.setData(columns(this.studio.run.history));
  }

  #options(width: number): uPlot.Options {
    const axis = { stroke: () => colour("muted"), grid: { stroke: () => colour("line"), width: 1 }, ticks: { show: false }, font: "12px Inter, system-ui, sans-serif" };
    const ring = { show: true, size: 7, width: 2, fill: () => colour("card") };
    return {
      width,
      height: HEIGHT,
      padding: [12, 12, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false },
      scales: { x: { time: false }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.04 : EMPTY_MAX] } },
      axes: [
        { ...axis, size: 30, incrs: WHOLE_STEPS, values: (_, steps) => steps.map((step) => number(step)) },
        { ...axis, size: 44, values: (_, nats) => nats.map((each) => number(each)) },
      ],
      bands: [{ series: [1, 2], fill: () => colour("kl-band") }],
      series: [
        {},
        { label: "elbo", scale: "y", stroke: () => colour("ink"), width: 1.5, points: { show: false } },
        { label: "reconstruction", stroke: () => colour("reconstruction"), fill: () => colour("reconstruction-band"), width: 1.25, points: { show: false } },
        { label: "held-out elbo", stroke: () => colour("ink"), width: 1, dash: [4, 4], points: ring },
        { label: "held-out reconstruction", stroke: () => colour("reconstruction"), width: 1, dash: [4, 4], points: ring },
      ],
      hooks: {
        setCursor: [
          ({ cursor: { idx, left } }) => {
            this.#hovered = idx != null && (left ?? -1) >= 0 ? idx : null;
            this.requestUpdate();
          },
        ],
      },
    };
  }

  #table(history: History) {
    const { run, config } = this.studio;
    const hovered = this.#hovered === null ? -1 : history.steps.indexOf(Number(this.#chart?.data[0][this.#hovered]));
    const at = hovered >= 0 ? hovered : history.length - 1;
    const training = at >= 0 ? figuresAt(history, at) : null;
    const heldOut = history.heldOut.at(-1) ?? null;
    const row = (className: string, name: string, of: (figures: Figures) => number) => html`<tr class=${className}>
      <th scope="row">${name}</th>
      <td>${training ? number(of(training), 1) : "–"}</td>
      <td>${heldOut ? number(of(heldOut), 1) : "–"}</td>
    </tr>`;
    return html`<table class="figures">
      <thead>
        <tr>
          <th scope="col">${t("curves.unit")}</th>
          <th scope="col">${training ? t("curves.trainingAt", { step: history.steps[at]! }) : t("curves.training")}</th>
          <th scope="col">${heldOut ? t("curves.heldOutAt", { epoch: heldOut.epoch }) : t("curves.heldOut")}</th>
        </tr>
      </thead>
      <tbody>
        ${row("kl", t("curves.kl"), ({ kl }) => kl)} ${row("reconstruction", t("curves.reconstruction"), ({ reconstruction }) => reconstruction)}
        ${row("elbo", t("curves.elbo"), ({ elbo }) => -elbo)}
        ${isBetaLoss(config) && beta(config) !== 1 && run.report
          ? row("loss", t("curves.loss", { beta: number(beta(config), 1) }), ({ reconstruction, kl }) => reconstruction + beta(config) * kl)
          : ""}
        ${!isBetaLoss(config) && training
          ? html`<tr class="loss">
              <th scope="row">${t("curves.wholeLoss")}</th>
              <td>${number(history.loss[at]!, 1)}</td>
              <td>–</td>
            </tr>`
          : ""}
      </tbody>
    </table>`;
  }

  #summary(history: History): string {
    if (history.length === 0) return t("curves.empty");
    const last = history.length - 1;
    const { elbo, reconstruction, kl } = figuresAt(history, last);
    return t("curves.summary", { step: history.steps[last]!, elbo: number(-elbo, 1), reconstruction: number(reconstruction, 1), kl: number(kl, 1) });
  }
}

function figuresAt({ reconstruction, kl }: History, at: number): Figures {
  return { reconstruction: reconstruction[at]!, kl: kl[at]!, elbo: -(reconstruction[at]! + kl[at]!) };
}

/** Steps, training −ELBO and reconstruction, held-out −ELBO and reconstruction. The first steep points leave the picture once there are others. */
function columns({ steps, reconstruction, kl, heldOut }: History): uPlot.AlignedData {
  const skip = Math.min(4, Math.floor(steps.length / 4));
  const total = reconstruction.map((each, i) => each + kl[i]!);
  return uPlot.join([
    [steps.slice(skip), total.slice(skip), reconstruction.slice(skip)],
    [heldOut.map(({ step }) => step), heldOut.map(({ elbo }) => -elbo), heldOut.map((each) => each.reconstruction)],
  ]);
}
