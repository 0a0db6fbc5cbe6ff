// The app: one video at a time, decided by keys.

import { Clip } from "./clip.js";
import { Decision, NONE } from "./decision.js";
import { HelpPanel, Keys, chord, inWords } from "./keys.js";
import { Panel } from "./panel.js";
import { FILTERS, ORDERS, Queue } from "./queue.js";
import { Stage } from "./screen.js";
import * as store from "./store.js";
import { matches, meant } from "./typing.js";

const PAUSE_MS = 1500; // after which the next letter begins a new name
const POLL_MS = 400, POLLS = 150, REFRESH_MS = 20000;
const named = (names) => Object.fromEntries(["all", ...names].map((name) => [name, [name]]));
const byId = (id) => document.getElementById(id);

class Review {
  constructor(session) {
    this.session = session;
    this.keys = new Keys();
    this.queue = new Queue(session.disputes ? "disputed" : "open");
    this.stage = new Stage();
    this.clip = new Clip();
    this.stage.onFocus = (id) => { this.endTyping(); this.decision.focus = id; this.draw(); };
    this.panel = new Panel(this.clip, {
      focus: (id) => { this.endTyping(); this.decision.focus = id; this.draw(); },
      take: (place) => this.takeSuggestion(place),
    });
    this.clip.onFrame = () => { if (this.isDrawn) this.panel.bars(this.decision); };
    this.isDrawn = false; // whether the panel is that of this video
    this.video = null;
    this.place = null; // in the queue: the video before those that are shown once more
    this.decision = null;
    this.mode = "rest"; // or typing, reasons, words
    this.typed = "";
    this.all = false;
    this.hints = [];
    this.decided = 0;
    this.turn = 0; // counts the videos shown, so that late answers for an earlier one are dropped
    this.busy = false;
    this.none = { name: "none of COCO's", code: session.none.code, words: ["nothing", "other"] };
    this.categories = [...session.categories, this.none];
    this.help = new HelpPanel(this.keys, session.categories, session.none.code, () => { this.label(); this.draw(); });
    this.actions = {
      accept: () => this.accept(),
      reject: () => this.askReason(),
      unsure: () => { this.decision.judge("undecided", "unsure"); this.draw(); },
      undo: () => this.undo(),
      suggested: () => { if (!this.decision.suggestAll()) this.say("there is no suggestion"); this.draw(); },
      all: () => this.typeAll(),
      nextObject: () => { this.decision.move(1); this.draw(); },
      previousObject: () => { this.decision.move(-1); this.draw(); },
      play: () => this.clip.toggle(),
      nextFrame: () => { this.clip.stop(); this.clip.go(this.clip.frame + 1); },
      previousFrame: () => { this.clip.stop(); this.clip.go(this.clip.frame - 1); },
      nextChange: () => this.change(true),
      previousChange: () => this.change(false),
      next: () => this.go(),
      previous: () => this.go(false),
      masks: () => this.toggleMasks(),
      closer: () => this.stage.zoom(1.4),
      farther: () => this.stage.zoom(1 / 1.4),
      fit: () => this.stage.fit(),
      help: () => this.help.show(),
    };
  }

  async begin() {
    this.choices("filter", FILTERS);
    this.choices("order", ORDERS);
    this.queue.set(await store.get("/api/queue"));
    this.choices("source", named(this.queue.sources()));
    this.choices("category", named(this.queue.categories()));
    this.label();
    document.addEventListener("keydown", (event) => this.press(event));
    for (const name of ["accept", "reject", "unsure", "undo"]) byId(name).onclick = () => { byId(name).blur(); this.run(name); };
    byId("help-button").onclick = () => { byId("help-button").blur(); this.help.show(); };
    byId("masks-button").onclick = () => { byId("masks-button").blur(); this.toggleMasks(); };
    setInterval(() => this.refresh(), REFRESH_MS);
    await this.go();
  }

  choices(name, found) {
    const select = byId(name);
    select.replaceChildren(...Object.entries(found).map(([value, [words]]) => new Option(words, value)));
    select.value = this.queue[name];
    select.onchange = () => {
      this.queue[name] = select.value;
      select.blur();
      if (this.video === null || !this.queue.wanted(this.queue.find(this.video.source, this.video.name))) this.go();
      else store.prepare(this.queue.after(this.place), this.video);
    };
  }

  label() {
    for (const name of ["accept", "reject", "unsure", "undo"]) byId(name).querySelector("kbd").textContent = inWords(this.keys.of(name)[0] ?? "–");
  }

  // Show the next video, or the one before.
  async go(forward = true) {
    const due = this.session.again > 0 && forward && this.decided > 0 && this.decided % this.session.again === 0 && this.shownAgain !== this.decided;
    if (due) {
      this.shownAgain = this.decided;
      const once = await store.get("/api/again");
      if (once.source) { await this.show(once, true); return; }
    }
    const [next] = this.queue.after(this.place, forward);
    if (next) await this.show(next);
    else if (this.video === null) this.nothing();
    else if (!this.queue.wanted(this.queue.find(this.video.source, this.video.name))) this.nothing();
    else this.say(`no other video is ${FILTERS[this.queue.filter][0]}`);
  }

  nothing() {
    this.turn += 1;
    this.video = null;
    this.place = null;
    this.decision = null;
    this.isDrawn = false;
    document.body.classList.add("empty");
    byId("name").textContent = this.queue.entries.length ? `No video is ${FILTERS[this.queue.filter][0]}` : "No video";
    byId("status").textContent = "";
    byId("facts").textContent = "choose others above";
    for (const id of ["objects", "strip", "badges", "overlay", "opinions"]) byId(id).replaceChildren();
    byId("first").removeAttribute("src");
    this.clip.stop();
    this.panel.typed.textContent = "";
    this.panel.prompt.textContent = "All of them are done.";
    this.progress();
  }

  async show(video, again = false) {
    const turn = ++this.turn;
    const [picture, shown] = await Promise.all([store.firstPicture(video), store.details(video)]);
    if (turn !== this.turn) return;
    document.body.classList.remove("empty");
    this.video = { source: video.source, name: video.name };
    if (!again) this.place = this.video;
    this.decision = new Decision(shown, { colours: this.session.colours, noneReason: this.session.none.reason, again });
    this.hints = [];
    this.endTyping();
    this.isDrawn = false;
    this.stage.show(picture, shown.size, shown.drawn);
    this.clip.open(this.video, shown.frames, shown.size);
    byId("name").textContent = `${video.source}/${video.name}`;
    byId("facts").textContent = `${shown.frames} frames · ${shown.size[1]}×${shown.size[0]}${shown.binary ? " · one mask for all objects" : ""}`;
    this.panel.opinions(again ? [] : shown.opinions, (rows) => { this.decision.take(rows); this.draw(); });
    this.opinions = again ? [] : shown.opinions;
    this.draw();
    this.progress();
    this.shownAt = performance.now();
    document.body.dataset.shown = `${video.source}/${video.name}`;
    store.prepare(this.queue.after(this.place), this.video);
    this.follow(turn);
    this.ask(turn);
  }

  async follow(turn) {
    const course = await store.course(this.video).catch((error) => { this.fail(error); return null; });
    if (turn !== this.turn || !course) return;
    this.decision.add(Object.keys(course.areas).map(Number));
    this.clip.setCourse(course);
    this.draw();
  }

  async ask(turn) {
    for (let poll = 0; poll < POLLS && this.session.suggestions; poll++) {
      const found = await store.suggestions(this.video).catch(() => ({ state: "off" }));
      if (turn !== this.turn) return;
      if (found.state === "off") {
        this.session.suggestions = false;
        this.session.why_none = found.why ?? "no suggestions";
        this.draw();
        return;
      }
      if (found.state === "ready") {
        for (const object of this.decision.objects) object.suggested = found.objects[object.id] ?? [];
        this.hints = found.hints;
        this.draw();
        return;
      }
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  draw() {
    if (!this.decision) return;
    const objects = this.decision.objects.map((object) => ({ ...object, colour: this.decision.colour(object) }));
    const named = new Set(objects.map((object) => object.name));
    this.clip.colours = new Map(objects.map((object) => [object.id, object.colour ?? "#fff"]));
    this.stage.draw(objects, this.decision.focus, this.hints.filter((hint) => named.has(hint.category)));
    this.isDrawn = true;
    this.panel.draw(this.decision);
    this.clip.paint();
    const entry = this.queue.find(this.video.source, this.video.name);
    const tag = this.decision.again ? "again" : entry.status;
    byId("status").textContent = { open: "", again: "once more" }[tag] ?? tag;
    byId("status").className = `tag ${tag}`;
    if (this.mode === "rest") this.panel.rest(this.decision, this.keys, this.session);
  }

  progress() {
    byId("counts").textContent = this.queue.words();
    byId("done").style.width = `${100 * this.queue.share()}%`;
  }

  press(event) {
    if (byId("help").open || event.target.matches("input[type=text], #hint input, select")) return;
    const pressed = chord(event);
    if (pressed === "") return;
    const opinion = /^Alt\+(\d)$/.exec(pressed);
    if (opinion && this.opinions?.[opinion[1] - 1]) {
      event.preventDefault();
      this.decision.take(this.opinions[opinion[1] - 1].rows);
      this.draw();
      return;
    }
    const action = this.keys.action(pressed);
    if (action === "help" || (action !== null && this.mode !== "reasons")) {
      event.preventDefault();
      this.run(action);
      return;
    }
    if (!this.decision || this.busy) return;
    if (this.mode === "reasons") { event.preventDefault(); this.pressReason(pressed); return; }
    if (/^[A-Z]$/.test(pressed)) { event.preventDefault(); this.type(pressed.toLowerCase()); return; }
    if (/^[1-3]$/.test(pressed)) { event.preventDefault(); this.takeSuggestion(Number(pressed)); return; }
    if (pressed === "Backspace") { event.preventDefault(); this.decision.name(null, this.all); this.endTyping(); this.draw(); return; }
    if (pressed === "Escape") { this.endTyping(); this.draw(); }
  }

  run(action) {
    if (this.busy || (!this.decision && !["undo", "next", "previous", "help"].includes(action))) return;
    if (action !== "all" && action !== "help") this.endTyping();
    byId("error").hidden = true;
    this.actions[action]();
    if (this.decision && this.mode === "rest" && action !== "accept") this.draw();
  }

  type(letter) {
    clearTimeout(this.pause);
    this.mode = "typing";
    const longer = this.typed + letter;
    this.typed = this.typed.length > 1 && !matches(longer, this.categories).length ? letter : longer;
    const found = meant(this.typed, this.categories);
    if (found) this.decision.name(found === this.none ? NONE : found.name, this.all);
    this.panel.typing(this.typed, matches(this.typed, this.categories), this.all);
    this.draw();
    this.pause = setTimeout(() => { this.endTyping(); this.draw(); }, PAUSE_MS);
  }

  typeAll() {
    this.endTyping();
    this.mode = "typing";
    this.all = true;
    this.panel.typing("", [], true);
  }

  endTyping() {
    clearTimeout(this.pause);
    this.mode = "rest";
    this.typed = "";
    this.all = false;
  }

  takeSuggestion(place) {
    this.endTyping();
    if (!this.decision.suggest(place)) this.say("there is no such suggestion");
    this.draw();
  }

  askReason() {
    const name = this.decision.current?.name;
    this.mode = "reasons";
    this.panel.reasons(this.session.reasons, name === NONE || !name ? "what has no category" : name);
  }

  pressReason(pressed) {
    const reason = /^[1-9]$/.test(pressed) ? this.session.reasons[pressed - 1] : undefined;
    if (pressed === "0") {
      this.mode = "words";
      this.panel.words((words) => {
        this.mode = "rest";
        if (words) this.decision.judge("rejected", words);
        this.draw();
      });
      return;
    }
    this.mode = "rest";
    if (reason) this.decision.judge("rejected", reason);
    this.draw();
  }

  toggleMasks() {
    this.clip.masks = !this.clip.masks;
    document.body.classList.toggle("masks-off", !this.clip.masks);
    this.clip.paint();
  }

  change(forward) {
    if (!this.clip.change(this.decision.focus, forward)) this.say("nothing changes there");
  }

  async accept() {
    const lack = this.decision.lack();
    if (lack) { this.say(lack); return; }
    const seconds = (performance.now() - this.shownAt) / 1000;
    await this.once(async () => {
      const { source, name } = this.video;
      const said = { source, video: name, rows: this.decision.rows(), seconds, again: this.decision.again };
      const { entry, progress } = await store.send("/api/decide", said);
      if (!said.again) this.decided += 1;
      this.queue.update(entry, progress);
      await this.go();
    });
  }

  async undo() {
    await this.once(async () => {
      const { entry, progress } = await store.send("/api/undo");
      this.queue.update(entry, progress);
      await this.show(entry);
    });
  }

  // Do one thing at a time; what fails is said, and changes nothing here.
  async once(work) {
    this.busy = true;
    try { await work(); } catch (error) { this.fail(error); } finally { this.busy = false; }
  }

  async refresh() {
    if (this.busy) return;
    await store.get("/api/queue").then((found) => {
      this.queue.set(found);
      this.progress();
      if (document.activeElement !== byId("category")) this.choices("category", named([...new Set([...this.queue.categories(), this.queue.category])].filter((name) => name !== "all")));
    }, () => {});
  }

  fail(error) { this.say(error instanceof store.Refused ? error.message : String(error)); }

  say(text) {
    byId("error").textContent = text;
    byId("error").hidden = false;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { byId("error").hidden = true; }, 9000);
  }
}

store.get("/api/start").then(
  (session) => { const review = new Review(session); return review.begin().catch((error) => review.fail(error)); },
  (error) => { byId("name").textContent = error.message; },
);
