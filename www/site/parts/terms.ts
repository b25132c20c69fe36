/** The objective's other parts over time, one small curve for each: their scales have nothing in common. */
import { html, nothing } from "lit";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { History } from "../history";
import { colour } from "../palette";
import { Pace } from "../pace";
import { Part } from "../part";
import { turn } from "../turns";
import { number, t } from "../words";
import { kindWord } from "../words/choices";
import { WHOLE_STEPS } from "./curves";
import "./terms.css";

const HEIGHT = 96;
const REDRAW_MS = 500;

export class Terms extends Part {
  #charts = new Map<string, uPlot>();
  #pace = new Pace(REDRAW_MS, () => void this.#draw());
  #resize = new ResizeObserver(() => this.#charts.forEach(({ root }, name) => this.#fit(name, root.parentElement)));

  protected override render() {
    const { history } = this.studio.run;
    const names = Object.keys(history.terms);
    this.hidden = names.length === 0;
    if (names.length === 0) return nothing;
    return html`
      <header>
        <h2>${t("terms.title")}</h2>
        <p>${t("terms.text")}</p>
      </header>
      <div class="terms">
        ${names.map((name) => {
          const { name: label, text = "" } = kindWord("term", name);
          const latest = history.terms[name]!.at(-1)!;
          return html`<figure data-testid="term-${name}">
            <figcaption><b>${label}</b> <output>${number(latest, digitsFor(latest))}</output></figcaption>
            <div class="plot" data-term=${name} role="img" aria-label="${label}: ${number(latest, digitsFor(latest))}"></div>
            <p class="note">${text}</p>
          </figure>`;
        })}
      </div>
    `;
  }

  protected override updated() {
    this.#pace.ask();
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.#pace.stop();
    this.#resize.disconnect();
    this.#charts.forEach((chart) => chart.destroy());
    this.#charts.clear();
  }

  /** A chart a turn, so that many do not add up to a long task. */
  async #draw() {
    const { history } = this.studio.run;
    for (const [name, chart] of this.#charts) {
      if (chart.root.isConnected && name in history.terms) continue;
      chart.destroy();
      this.#charts.delete(name);
    }
    for (const name of Object.keys(history.terms)) {
      await turn();
      const place = this.#place(name);
      if (!place || history !== this.studio.run.history) return; // the next update finds what is there then
      const chart = this.#charts.get(name);
      if (chart?.root.parentElement === place) chart.setData(columns(history, name));
      else {
        this.#charts.set(name, new uPlot(options(place.clientWidth), columns(history, name), place));
        this.#resize.observe(place);
      }
    }
  }

  #place(name: string): HTMLElement | null {
    return this.querySelector<HTMLElement>(`[data-term="${name}"]`);
  }

  #fit(name: string, place: HTMLElement | null) {
    if (place?.isConnected) this.#charts.get(name)?.setSize({ width: place.clientWidth, height: HEIGHT });
  }
}

const digitsFor = (value: number) => (Math.abs(value) < 10 ? 3 : 1);

function columns({ steps, terms }: History, name: string): uPlot.AlignedData {
  const skip = Math.min(4, Math.floor(steps.length / 4));
  return [steps.slice(skip), terms[name]!.slice(skip)];
}

function options(width: number): uPlot.Options {
  const axis = { stroke: () => colour("muted"), grid: { stroke: () => colour("line"), width: 1 }, ticks: { show: false }, font: "11px Inter, system-ui, sans-serif" };
  return {
    width,
    height: HEIGHT,
    padding: [6, 22, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false } },
    axes: [
      { ...axis, size: 24, space: 60, incrs: WHOLE_STEPS, values: (_, steps) => steps.map((step) => number(step)) },
      { ...axis, size: 48, space: 26, values: (_, values) => values.map((value) => number(value, Number.isInteger(value) ? 0 : Math.abs(value) < 1 ? 3 : 1)) },
    ],
    series: [{}, { stroke: () => colour("kl"), width: 1.5, points: { show: false } }],
  };
}
