/** What a canvas shows already, so that it is painted only when its picture or the theme has changed. */
import { themeVersion } from "../palette";

export class Painting {
  #shown: unknown[] = [];

  /** Whether `what` is there and differs from what was painted last; takes it as painted. */
  isStale(...what: unknown[]): boolean {
    const now = [...what, themeVersion];
    if (what[0] == null || (now.length === this.#shown.length && now.every((each, i) => each === this.#shown[i]))) return false;
    this.#shown = now;
    return true;
  }
}
