// The list of objects, who else decided what, and the line at the foot that says what the keys do now.

import { NONE } from "./decision.js";
import { inWords } from "./keys.js";

const element = (kind, name = "", text = "") => {
  const made = document.createElement(kind);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
};
const MARKS = { accepted: "✓ accept", rejected: "✗ reject", undecided: "? unsure" };

export class Panel {
  constructor(clip, actions) {
    this.clip = clip;
    this.actions = actions;
    this.list = document.getElementById("objects");
    this.prompt = document.getElementById("hint");
    this.typed = document.getElementById("typed");
  }

  draw(decision) {
    const items = decision.objects.map((object) => this.item(decision, object));
    this.list.replaceChildren(...items);
    this.list.querySelector(".here")?.scrollIntoView({ block: "nearest" });
    this.bars(decision);
  }

  item(decision, object) {
    const here = object.id === decision.focus;
    const item = element("li", here ? "here" : "");
    item.dataset.id = object.id;
    item.onclick = () => this.actions.focus(object.id);
    const number = element("span", "number", String(object.id));
    number.style.borderColor = decision.colour(object) ?? "#fff";
    const name = element("span", "class", object.name === NONE ? "none of COCO's" : object.name ?? "no category yet");
    name.classList.toggle("none", object.name === null || object.name === NONE);
    const { decision: verdict, reason } = decision.verdict(object.name);
    const open = object.name === null && !decision.verdicts.has(null);
    item.append(number, name, element("span", `verdict ${verdict}`, open ? "" : MARKS[verdict]));
    if (here && reason && verdict !== "accepted") item.append(element("span", "reason", reason));
    if (here && object.suggested.length) {
      const line = element("span", "suggested");
      object.suggested.forEach(([category, confidence], place) => {
        const button = element("button");
        button.type = "button";
        button.append(element("kbd", "", String(place + 1)), `${category} ${Math.round(100 * confidence)}%`);
        button.onclick = (event) => { event.stopPropagation(); this.actions.focus(object.id); this.actions.take(place + 1); };
        line.append(button);
      });
      item.append(line);
    }
    const bar = element("canvas");
    bar.setAttribute("aria-label", `Where object ${object.id} is`);
    bar.onclick = (event) => {
      const box = bar.getBoundingClientRect();
      this.clip.stop();
      this.clip.go(Math.floor(((event.clientX - box.left) / box.width) * this.clip.count));
    };
    item.append(bar);
    return item;
  }

  bars(decision) {
    for (const item of this.list.children) {
      const object = decision.object(Number(item.dataset.id));
      this.clip.bar(item.querySelector("canvas"), object.id, decision.colour(object));
    }
  }

  opinions(opinions, take) {
    document.getElementById("opinions").replaceChildren(
      ...opinions.map(({ who, words, rows }, place) => {
        const button = element("button", "", `${who}: ${words}`);
        button.type = "button";
        button.prepend(element("kbd", "", `Alt+${place + 1}`), " ");
        button.onclick = () => take(rows);
        return button;
      }),
    );
  }

  // The line for when nothing is typed.
  rest(decision, keys, session) {
    this.typed.textContent = "";
    const key = (name) => inWords(keys.of(name)[0] ?? "–");
    const bold = (text) => element("b", "", text);
    const parts = ["Two letters name the object in focus"];
    if (decision.objects.some((object) => object.suggested.length)) parts.push(" · ", bold("1–3"), " a suggestion · ", bold(key("suggested")), " all of them");
    else if (!session.suggestions) parts.push(` · ${session.why_none}`);
    if (decision.objects.length > 1) parts.push(" · ", bold(key("all")), " one category for all");
    parts.push(" · ", bold(key("accept")), " keeps the video");
    this.prompt.replaceChildren(...parts);
  }

  // What letters may mean; the first of them is taken where there are two letters.
  typing(typed, found, all) {
    this.typed.textContent = `${all ? "all objects: " : ""}${typed || "…"}`;
    const shown = found.slice(0, 8).map((one, place) =>
      element("span", `match${typed.length > 1 && place === 0 ? " taken" : ""}`, `${one.name} (${one.code})`));
    this.prompt.replaceChildren(...(shown.length ? shown : [typed ? "no category begins so" : "type its two letters"]));
  }

  reasons(reasons, name) {
    this.typed.textContent = `Reject ${name}:`;
    const shown = reasons.map((reason, place) => {
      const line = element("span", "match");
      line.append(element("kbd", "", String(place + 1)), ` ${reason}`);
      return line;
    });
    const other = element("span", "match");
    other.append(element("kbd", "", "0"), " in words");
    this.prompt.replaceChildren(...shown, other);
  }

  words(done) {
    const input = element("input");
    input.placeholder = "the reason, then Enter";
    input.maxLength = 300;
    input.setAttribute("aria-label", "Reason");
    input.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Enter") done(input.value.trim());
      if (event.key === "Escape") done("");
    };
    this.prompt.replaceChildren(input);
    input.focus();
  }
}
