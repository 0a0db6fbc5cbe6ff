// What is being decided of one video: the category of each object, and a verdict on each category.

export const NONE = "none"; // of an object that is of no category of COCO

export class Decision {
  // `shown` is what the server says of the video; `again`: whether it is shown once more, to be decided from nothing.
  constructor(shown, { colours, noneReason, again = false }) {
    this.colours = colours;
    this.noneReason = noneReason;
    this.again = again;
    this.objects = shown.objects.map((id) => ({ id, name: null, suggested: [] }));
    this.verdicts = new Map(); // category, NONE or null -> {decision, reason}
    this.focus = this.objects[0]?.id ?? null;
    if (!again) this.take(shown.rows, shown.own);
  }

  // Take rows over: their classes and, where they are decided, their verdicts.
  take(rows, own = true) {
    this.verdicts.clear();
    for (const row of rows) {
      const open = row.decision === "undecided" && !row.class;
      const name = row.class || (open ? null : NONE);
      for (const id of row.objects) { const object = this.object(id); if (object) object.name = name; }
      const usual = name === NONE && row.reason === this.noneReason;
      if (row.decision === "rejected" && !usual) this.verdicts.set(name, { decision: "rejected", reason: row.reason });
      if (row.decision === "undecided" && own && !open) this.verdicts.set(name, { decision: "undecided", reason: row.reason });
    }
  }

  add(ids) {
    for (const id of ids) if (!this.object(id)) this.objects.push({ id, name: null, suggested: [] });
    this.objects.sort((one, other) => one.id - other.id);
    this.focus ??= this.objects[0]?.id ?? null;
  }

  object(id) { return this.objects.find((object) => object.id === id); }

  get current() { return this.object(this.focus); }

  move(step) {
    const place = this.objects.findIndex((object) => object.id === this.focus);
    const count = this.objects.length;
    if (count) this.focus = this.objects[(place + step + count) % count].id;
  }

  name(name, all = false) {
    for (const object of all ? this.objects : [this.current]) {
      if (object) object.name = name;
    }
  }

  suggest(place) {
    const found = this.current?.suggested[place - 1];
    if (!found) return false;
    this.name(found[0]);
    const next = this.objects.find((object) => object.name === null);
    if (next) this.focus = next.id;
    return true;
  }

  // The first suggestion for everything that has no category yet; for everything, where all have one.
  suggestAll() {
    const bare = this.objects.filter((object) => object.name === null);
    const taken = (bare.length ? bare : this.objects).filter((object) => object.suggested.length);
    for (const object of taken) object.name = object.suggested[0][0];
    return taken.length > 0;
  }

  verdict(name) {
    const usual = name === NONE ? { decision: "rejected", reason: this.noneReason } : { decision: "accepted", reason: "" };
    return this.verdicts.get(name) ?? usual;
  }

  // A verdict on the category of the object in focus, or on all objects that have none where that has none.
  judge(decision, reason) { this.verdicts.set(this.current?.name ?? null, { decision, reason }); }

  accept() { this.verdicts.delete(this.current?.name ?? null); }

  // Categories have one colour each; objects without one are white.
  colour(object) {
    if (!object.name || object.name === NONE) return null;
    const names = [...new Set(this.objects.map((one) => one.name).filter((name) => name && name !== NONE))];
    return this.colours[names.indexOf(object.name) % this.colours.length];
  }

  // What keeps it from being kept, in words; empty: nothing does.
  lack() {
    if (!this.objects.length) return "no mask of the video has an object, so there is nothing to decide";
    const bare = this.objects.filter((object) => object.name === null);
    if (!bare.length) return "";
    const rejected = this.verdicts.has(null);
    if (rejected && !this.objects.some((object) => object.name === NONE)) return "";
    return `object ${bare[0].id} has no category yet`;
  }

  rows() {
    const found = new Map();
    for (const object of this.objects) {
      if (!found.has(object.name)) found.set(object.name, []);
      found.get(object.name).push(object.id);
    }
    return [...found].map(([name, objects]) => ({
      class: name === null || name === NONE ? "" : name,
      objects,
      ...this.verdict(name),
    }));
  }
}
