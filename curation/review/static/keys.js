// Which key does what: the usual ones, those of this browser, and the panel in which they are changed.

export const ACTIONS = {
  accept: ["Accept the video", ["Enter"]],
  reject: ["Reject what is in focus, then a digit for the reason", ["Shift+R"]],
  unsure: ["Unsure of what is in focus", ["Shift+U"]],
  undo: ["Undo the last decision", ["Shift+Z", "Ctrl+Z"]],
  suggested: ["Take all suggestions", ["Shift+S"]],
  all: ["Type one category for all objects", ["Shift+A"]],
  nextObject: ["Next object", ["Tab", "ArrowDown"]],
  previousObject: ["Previous object", ["Shift+Tab", "ArrowUp"]],
  play: ["Play or stop", ["Space"]],
  nextFrame: ["Next frame", ["ArrowRight"]],
  previousFrame: ["Previous frame", ["ArrowLeft"]],
  nextChange: ["Where the object goes, comes or jumps next", ["Shift+ArrowRight"]],
  previousChange: ["The same, backwards", ["Shift+ArrowLeft"]],
  next: ["Next video", ["Shift+N", "PageDown"]],
  previous: ["Previous video", ["Shift+P", "PageUp"]],
  masks: ["Masks on or off", ["Shift+M"]],
  closer: ["Closer", ["+", "="]],
  farther: ["Farther", ["-"]],
  fit: ["The whole frame", ["Shift+F"]],
  help: ["This panel", ["?"]],
};
const STORED = "icvos-review-keys";

// The name of a key with what is held down beside it: Shift counts for letters and named keys.
export function chord(event) {
  let key = event.key === " " ? "Space" : event.key;
  if (["Shift", "Control", "Alt", "Meta"].includes(key)) return "";
  const named = key.length > 1;
  const letter = /^[a-z]$/i.test(key);
  if (letter) key = key.toUpperCase();
  const held = [];
  if (event.ctrlKey || event.metaKey) held.push("Ctrl");
  if (event.altKey) held.push("Alt");
  if (event.shiftKey && (named || letter)) held.push("Shift");
  return [...held, key].join("+");
}

export class Keys {
  constructor() {
    this.own = {};
    try {
      const stored = JSON.parse(localStorage.getItem(STORED) ?? "{}");
      for (const [name, keys] of Object.entries(stored)) if (name in ACTIONS && Array.isArray(keys)) this.own[name] = keys;
    } catch { /* not readable: the usual keys */ }
  }

  of(name) { return this.own[name] ?? ACTIONS[name][1]; }

  action(pressed) { return Object.keys(ACTIONS).find((name) => this.of(name).includes(pressed)) ?? null; }

  // A plain letter types, and a digit takes a suggestion: neither can be given to an action.
  static isFree(pressed) { return pressed !== "" && !/^[A-Z0-9]$/.test(pressed) && pressed !== "Escape" && pressed !== "Backspace"; }

  set(name, pressed) {
    for (const other of Object.keys(ACTIONS)) {
      if (other !== name && this.of(other).includes(pressed)) this.own[other] = this.of(other).filter((key) => key !== pressed);
    }
    this.own[name] = [pressed];
    this.keep();
  }

  reset() { this.own = {}; this.keep(); }

  keep() {
    try { localStorage.setItem(STORED, JSON.stringify(this.own)); } catch { /* for this page alone then */ }
  }
}

const shown = { ArrowRight: "→", ArrowLeft: "←", ArrowUp: "↑", ArrowDown: "↓" };
export const inWords = (pressed) => pressed.replace(/Arrow\w+/, (key) => shown[key] ?? key);

export class HelpPanel {
  constructor(keys, categories, none, changed) {
    this.keys = keys;
    this.changed = changed;
    this.waiting = null;
    this.dialog = document.getElementById("help");
    document.getElementById("close-help").onclick = () => this.dialog.close();
    document.getElementById("usual").onclick = () => { keys.reset(); this.draw(); changed(); };
    this.dialog.addEventListener("close", () => { this.waiting = null; });
    this.dialog.addEventListener("keydown", (event) => this.press(event));
    const codes = [...categories].sort((one, other) => one.name.localeCompare(other.name));
    document.getElementById("codes").replaceChildren(
      ...[{ name: "none of COCO's", code: none }, ...codes].map(({ name, code }) => {
        const line = document.createElement("div");
        const letters = document.createElement("b");
        letters.textContent = code;
        line.append(letters, name);
        return line;
      }),
    );
    this.draw();
  }

  show() { this.draw(); this.dialog.showModal(); }

  draw() {
    const rows = Object.entries(ACTIONS).map(([name, [words]]) => {
      const row = document.createElement("tr");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = this.waiting === name ? "press a key" : this.keys.of(name).map(inWords).join(", ") || "no key";
      button.classList.toggle("waiting", this.waiting === name);
      button.setAttribute("aria-label", `${words}: ${button.textContent}`);
      button.onclick = () => { this.waiting = name; this.draw(); };
      const cells = [document.createElement("td"), document.createElement("td")];
      cells[0].append(button);
      cells[1].append(words);
      row.append(...cells);
      return row;
    });
    document.querySelector("#keys tbody").replaceChildren(...rows);
  }

  press(event) {
    event.stopPropagation();
    const pressed = chord(event);
    if (this.waiting === null) {
      if (pressed === "?" || this.keys.of("help").includes(pressed)) this.dialog.close();
      return;
    }
    if (pressed === "") return;
    event.preventDefault();
    if (Keys.isFree(pressed)) this.keys.set(this.waiting, pressed);
    this.waiting = null;
    this.draw();
    this.changed();
  }
}
