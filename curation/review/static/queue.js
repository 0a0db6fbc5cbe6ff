// Which videos are reviewed, in which order, and how far that has come.

export const FILTERS = {
  open: ["undecided", (entry) => entry.status === "open"],
  disputed: ["disputed", (entry) => entry.status === "disputed"],
  unsure: ["unsure", (entry) => entry.status === "unsure"],
  decided: ["decided", (entry) => entry.status === "accepted" || entry.status === "rejected"],
  accepted: ["accepted", (entry) => entry.status === "accepted"],
  rejected: ["rejected", (entry) => entry.status === "rejected"],
  all: ["all", () => true],
};
const suggested = (entry) => entry.classes[0] || entry.suggested || "~";
export const ORDERS = {
  name: ["name", () => 0],
  short: ["shortest", (one, other) => one.frames - other.frames],
  long: ["longest", (one, other) => other.frames - one.frames],
  category: ["category", (one, other) => suggested(one).localeCompare(suggested(other))],
};
const same = (one, other) => one !== null && one.source === other.source && one.name === other.name;

export class Queue {
  constructor(filter) {
    this.filter = filter;
    this.source = "all";
    this.category = "all"; // that was decided or suggested
    this.order = "name";
    this.entries = [];
    this.progress = {};
  }

  set({ videos, progress }) { this.entries = videos; this.progress = progress; }

  update(entry, progress) {
    this.entries = this.entries.map((one) => (same(one, entry) ? entry : one));
    this.progress = progress;
  }

  find(source, name) { return this.entries.find((entry) => entry.source === source && entry.name === name) ?? null; }

  // Everything in order; what is chosen, and the current one, which keeps its place.
  ordered() { return [...this.entries].sort(ORDERS[this.order][1]); }

  wanted(entry) {
    const source = this.source === "all" || entry.source === this.source;
    const category = this.category === "all" || entry.suggested === this.category || entry.classes.includes(this.category);
    return source && category && FILTERS[this.filter][1](entry);
  }

  // The sources and the categories that there are to choose from.
  sources() { return [...new Set(this.entries.map((entry) => entry.source))]; }

  categories() { return [...new Set(this.entries.flatMap((entry) => [entry.suggested, ...entry.classes]))].filter(Boolean).sort(); }

  // The videos to be shown after the current one, around again from the start.
  after(current, forward = true) {
    const all = forward ? this.ordered() : this.ordered().reverse();
    const place = current === null ? -1 : all.findIndex((entry) => same(current, entry));
    return [...all.slice(place + 1), ...all.slice(0, Math.max(0, place))].filter((entry) => this.wanted(entry));
  }

  words() {
    const { videos, left, an_hour: speed, seconds_left: seconds, again } = this.progress;
    const parts = [`${(videos - left).toLocaleString("en")} of ${videos.toLocaleString("en")}`];
    if (speed) parts.push(`${speed.toLocaleString("en")} an hour`);
    if (seconds) parts.push(`${duration(seconds)} left`);
    if (again.shown) parts.push(`again: ${again.same} of ${again.shown} the same`);
    return parts.join(" · ");
  }

  share() { return this.progress.videos ? 1 - this.progress.left / this.progress.videos : 0; }
}

export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
